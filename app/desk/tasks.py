"""Tasks: the list, and the page of one, which lives from the same events as every other page."""

import json
from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from flask import Blueprint, g, redirect, render_template, request
from flask_babel import gettext as _
from sqlalchemy import select
from werkzeug.wrappers import Response

from app.api.downloads import file_of, result_of
from app.api.status import row_of, status_of
from app.api.tasks import visible
from app.auth import caller
from app.desk import acts, filters, gate, search
from app.desk.i18n import language
from workers import lettered
from workers.db import now, reading
from workers.engine import control, ends, ledger, steering
from workers.engine.queues import ping
from workers.engine.tables import history
from workers.engine.tasks import Task
from workers.errors import Conflict, QueueDown
from workers.models import File
from workers.wording import lazy

PAGE, ATTEMPTS_SHOWN, LINES_READ = 50, 50, 200
CHANGED = lazy("That is not possible any more: the task has changed meanwhile.")
ITEM_STATES = ("done", "failed", "skipped", "unknown", "pending", "sending")
NEW = ("PENDING", "STARTED")
HEARD_WITHIN = timedelta(
    minutes=1
)  # by then the history has been told; or it is gone, and there is nothing to wait for
pages = Blueprint("desk_tasks", __name__)
pages.add_app_template_filter(filters.word_name, "filter_word")
pages.add_app_template_filter(filters.word_text, "filter_text")


@pages.get("/tasks")
def task_list() -> str:
    wanted = filters.asked()
    found = search.find(wanted, request.args.get("cursor"), PAGE)
    rows, words = rows_of(found.tasks), filters.words_of_query()
    return render_template("desk/tasks.html", found=found, rows=rows, words=words, **filters.choices())


def rows_of(found: Iterable[Task]) -> list[dict[str, Any]]:
    """Tasks as the rows of a list, for operators with the name of the company."""
    listed = list(found)
    names = filters.company_names({task.scope for task in listed})
    return [{**row_of(task, language()), "company": names.get(task.scope or "")} for task in listed]


@pages.get("/tasks/<task_id>/row")
def task_row(task_id: str) -> str:
    return render_template("desk/_task_row.html", row=rows_of([visible(task_id)])[0])


@pages.get("/tasks/<task_id>")
def task_page(task_id: str) -> str:
    task = visible(task_id)
    return render_template("desk/task.html", **_shown(task), **table_of(task))


@pages.get("/tasks/<task_id>/live")
def task_live(task_id: str) -> str:
    """The part of the page that changes while the task runs."""
    return render_template("desk/_task_live.html", **_shown(visible(task_id)))


@pages.get("/tasks/<task_id>/result")
def task_result(task_id: str) -> Response:
    """The result, by the very code of the API's route (which takes tokens only)."""
    return result_of(visible(task_id))


@pages.post("/tasks/<task_id>/cancel")
def cancel_task(task_id: str) -> Response:
    task = visible(task_id)
    try:
        control.cancel(task.id)
    except Conflict:
        gate.say(_(CHANGED), "error")
    else:
        acts.note("cancel", task_id=task.id)
        gate.say(_("The task is being cancelled."))
    return back_to(task.id)


@pages.post("/tasks/<task_id>/retry")
def retry_task(task_id: str) -> Response:
    """Run again what failed; `only`: nothing but failed items. What is unknown needs a verdict, message by message."""
    task = visible(task_id)
    only = "failed" if request.form.get("only") == "failed" else None
    try:
        control.retry(task.id, only)
    except Conflict:
        gate.say(_(CHANGED), "error")
    else:
        acts.note("retry", task_id=task.id, detail=only)
        gate.say(_("The task runs again."))
    return back_to(task.id)


def back_to(task_id: str, anchor: str = "") -> Response:
    return redirect(f"/tasks/{task_id}{anchor}", 303)


def _shown(task: Task) -> dict[str, Any]:
    """All that the live part of the page shows."""
    attempts = _attempts(task)
    return {
        "row": status_of(task, language(), traceback=caller().is_operator),
        "outcome": _outcome(task),
        "task": task,
        "behind": _is_behind(task, attempts),
        "company": filters.company_names({task.scope}).get(task.scope or ""),
        "can": steps_of(task),
        "live": task.ended or ping(),
        "rests": task.position is not None and _rests(task.queue),
        "file": _file_of(task),
        "result_text": json.dumps(task.result, ensure_ascii=False, indent=2),
        "attempts": attempts,
        "acts": acts.of_task(task.id),
        "operator": g.caller.is_operator,
    }


def _rests(queue: str) -> bool:
    try:
        return steering.rests(queue)
    except QueueDown:  # the page says that by itself
        return False


def _outcome(task: Task) -> str:
    """What its success means, as an import may have taken no row over; of a task with items the counts tell it."""
    return ends.sentence(task, language()) if task.state == "SUCCESS" and task.counts is None else ""


def table_of(task: Task) -> dict[str, Any]:
    """A page of the items, as `state` and `cursor` of the query ask for it; nothing for a task without."""
    state = request.args.get("state") or None
    if task.counts is None:
        return {"items": None, "state": None, "next_cursor": None}
    rows, cursor = ledger.page(task.id, state=state, cursor=request.args.get("cursor") or None, limit=PAGE)
    letters = lettered.letters(task.kind, [row["id"] for row in rows])
    return {"items": rows, "letters": letters, "state": state, "next_cursor": cursor, "item_states": ITEM_STATES}


def steps_of(task: Task) -> set[str]:
    """What can be done now: cancel, retry, retry failed. `control` decides, this only foresees it."""
    if not task.ended:
        return {"cancel"}
    if task.counts is None:
        return set() if task.state == "SUCCESS" else {"retry"}
    counts, can = task.counts, set()
    if counts["failed"] or counts["skipped"] or (task.state != "SUCCESS" and (counts["done"] or not counts["unknown"])):
        can.add("retry")
    return can | {"retry failed"} if counts["failed"] else can


def _file_of(task: Task) -> dict[str, Any] | None:
    """The file of the result: `{"filename", "size", "here"}`; it goes with age, before its task does."""
    named = file_of(task)
    if named is None:
        return None
    with reading() as session:
        here = session.scalar(select(File.id).where(File.id == named["file_id"])) is not None
    return {"filename": named.get("filename"), "size": named.get("size"), "here": here}


def _attempts(task: Task) -> list[dict[str, Any]]:
    """The attempts that the history knows, the newest first: each with its worker, its times, its end and its error.

    An attempt of a bulk has many slices, which the history does not keep; a cancel of what waits is no attempt.
    """
    told: list[dict[str, Any]] = []
    query = select(history).where(history.c.task_id == task.id).order_by(history.c.event_id.desc()).limit(LINES_READ)
    with reading() as session:
        newest = session.execute(query).all()
    for line in reversed(newest):
        if line.state == "STARTED":
            told.append({"number": line.attempt, "worker": line.worker, "started_at": line.at, "state": "STARTED"})
        elif line.state not in NEW and told and told[-1]["state"] == "STARTED":
            told[-1] |= {"ended_at": line.at, "state": line.state, "message": line.message}
        elif line.state not in NEW:
            told.append({"number": None, "ended_at": line.at, "state": line.state, "message": line.message})
    return told[: -ATTEMPTS_SHOWN - 1 : -1]


def _is_behind(task: Task, attempts: list[dict[str, Any]]) -> bool:
    """Has the task just ended, and the history not heard of it? Then no event will come, but the page has to change."""
    if not task.ended_at or now() - task.ended_at > HEARD_WITHIN:
        return False
    told_at = attempts[0].get("ended_at") if attempts else None
    return told_at is None or (task.started_at is not None and told_at < task.started_at)
