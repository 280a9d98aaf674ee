"""What a person decides about messages of unknown outcome: each did arrive, or is sent again."""

from collections.abc import Callable, Sequence

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from workers.db import now, writing
from workers.engine import control
from workers.engine.events import newest
from workers.engine.ledger import ANEW, Item, Note, item_of
from workers.engine.queues import push
from workers.engine.tables import items
from workers.engine.tasks import Task, find
from workers.errors import Conflict

Beside = Callable[[Session], None]  # what else is to be written in the same transaction, such as who decided it
KNOWN = "of these messages the outcome is known by now, or they are sent again already; load the page anew"


def arrived(task_id: str, item_ids: Sequence[int], note: Note, beside: Beside) -> None:
    """Make unknown items done, as if the gateway had said so; all of them or, with Conflict, none. `note` writes the
    evidence."""
    with writing() as session:
        batch = _unknown(session, task_id, item_ids)
        told = {"state": "done", "error": None, "taken_by": None, "updated_at": now()}
        session.execute(update(items).where(items.c.id.in_([item.id for item in batch])).values(told))
        for item in batch:
            item.done(ref=item.ref)
        note(session, batch)
        beside(session)


def send_again(task_id: str, item_ids: Sequence[int], beside: Beside) -> Task:
    """Send unknown items once more, in a new request, and nothing else of the task; all of them or none (Conflict).

    Raises UnknownTask, and Conflict also while the task runs, or is run again: that run would end without them.
    """
    task = find(task_id)
    if not task.ended:
        raise Conflict(reason="the task has not ended; wait for its end, or cancel it first")
    told = newest()
    with writing() as session:
        batch = _unknown(session, task_id, item_ids)
        again = {"state": "pending", "updated_at": now(), **ANEW}
        session.execute(update(items).where(items.c.id.in_([item.id for item in batch])).values(again))
        row = control.begin_anew(session, task, told)
        beside(session)
    push(row, replace_ended=True)
    return find(task_id)


def _unknown(session: Session, task_id: str, item_ids: Sequence[int]) -> list[Item]:
    """The items, locked, if all of them are of this task and of unknown outcome; else Conflict."""
    query = select(items).where(items.c.id.in_(item_ids), items.c.task_id == task_id, items.c.state == "unknown")
    batch = [item_of(row) for row in session.execute(query.order_by(items.c.position).with_for_update())]
    if not batch or len(batch) != len(set(item_ids)):
        raise Conflict(reason=KNOWN)
    return batch
