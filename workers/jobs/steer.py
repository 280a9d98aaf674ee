"""Steering many tasks at once: each is an item of the ledger, so it happens once and everybody sees what came of it."""

from datetime import datetime
from typing import Annotated, Any, Literal

from workers.db import now
from workers.engine import Ref, control, find, items, job, ledger, this_task
from workers.engine.ledger import Entry, Item
from workers.engine.tasks import Task
from workers.errors import Conflict, UnknownTask

STEERING = {"tr": "Görevler tek tek ele alınıyor...", "en": "Going through the tasks..."}
STEERED = {"tr": "Toplu görev işlemi bitti!", "en": "All tasks have been gone through!"}
TOGETHER = 20


def _named(rows: list[Any], *_: Any) -> list[Entry]:
    """The id of a task may be shown."""
    return [Entry(row, row[:40]) for row in dict.fromkeys(rows)]


# The first queue, and no share of the company's: what cancels a backlog must not wait behind it.
@job(queue="pdf", retries=3, items="task_ids", share=False, sift=_named, accepted=STEERING, ended=STEERED)
def steer_tasks(task_ids: list[Annotated[str, Ref("task")]], action: Literal["cancel", "retry"]) -> dict[str, int]:
    """Cancel many tasks, or run them again: those of the company that this task is for (of all, where it is for none).

    Safe to repeat: what was run again since this was asked for is left alone. Returns how many items ended how.
    """
    mine = this_task()
    asked_at = find(mine.id).created_at if mine.id else now()
    for batch in items(task_ids).batches(TOGETHER):
        for item in batch:
            try:
                _steer(item, _task(item.value, mine.company_id), action, asked_at)
            except UnknownTask as error:
                item.fail(error.message)
            except Conflict as error:
                item.skip(error.message)
    return ledger.counts(mine.id) if mine.id else {}


def _task(task_id: str, company_id: int | None) -> Task:
    """A task of another company is as unknown as one that never was; so is the one that asks."""
    task = find(task_id)
    if (company_id is not None and task.scope != str(company_id)) or task_id == this_task().id:
        raise UnknownTask()
    return task


def _steer(item: Item, task: Task, action: str, asked_at: datetime) -> None:
    """Bring the task into the state that is wanted; if it is there already, so much the better."""
    if action == "cancel":
        if task.state != "REVOKED":
            control.cancel(task.id)
    elif task.ended_at is not None and task.ended_at < asked_at:
        control.retry(task.id, "failed" if task.state == "SUCCESS" else None)
    item.done()
