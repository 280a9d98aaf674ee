"""Many tasks at once: all that a filter finds is cancelled or run again, by a task whose items they are."""

from dataclasses import replace

from flask import Blueprint, render_template, request
from flask_babel import gettext as _
from sqlalchemy import func, literal, select
from werkzeug.wrappers import Response

from app.desk import acts, causes, filters, gate, search
from app.desk.search import Wanted
from app.desk.tasks import back_to, rows_of
from workers.db import reading
from workers.engine.queues import enqueue
from workers.engine.tables import items, keys, tasks
from workers.engine.tasks import listed
from workers.errors import InvalidInput, KeyReused

KIND, ACTIONS = "steer_tasks", ("cancel", "retry")
AT_MOST, SAMPLE = 10_000, 5
CAUSES_SHOWN, FAULTS = 100, 20_000
pages = Blueprint("desk_steering", __name__)


@pages.get("/tasks/steer")
def confirm() -> str:
    """How many it would be, and which, before anything is done."""
    wanted = _asked()
    ids, whole = search.every(wanted, AT_MOST)
    query = select(tasks).where(tasks.c.id.in_(ids[:SAMPLE])).order_by(tasks.c.id.desc())
    sample = rows_of(listed(query, counted=False))
    words, back = filters.words_of_query(), filters.link(**filters.words_of_query())
    shown = {"sample": sample, "count": len(ids), "whole": whole, "until_id": ids[0] if ids else ""}
    shown["everywhere"] = wanted.scope is None
    return render_template("desk/tasks_steer.html", action=wanted.action, words=words, back=back, **shown)


@pages.post("/tasks/steer")
def steer() -> Response:
    """Enqueue it for the tasks that there were when it was confirmed: later ones are not meant."""
    wanted, key = _asked(), gate.form_key()
    if sent := _sent_before(wanted.scope, key):
        return back_to(sent)
    ids, _whole = search.every(wanted, AT_MOST)
    ids = [one for one in ids if one <= request.form.get("until_id", "")]
    if not ids:
        raise InvalidInput([{"field": "filter", "message": _("nothing is left that this could be done with")}])
    params = {"task_ids": ids, "action": wanted.action}
    try:
        task = enqueue(KIND, params, scope=wanted.scope, key=key)
    except KeyReused:
        return back_to(_sent_before(wanted.scope, key) or "")
    acts.note(f"{wanted.action} many", task_id=task.id, detail=str(len(ids)))
    return back_to(task.id)


def _sent_before(scope: str | None, key: str | None) -> str | None:
    """The task of a form that was sent twice: the second time its filter may find others, for the first has begun."""
    with reading() as session:
        return session.scalar(select(keys.c.task_id).where(keys.c.scope == (scope or ""), keys.c.key == key))


@pages.get("/tasks/causes")
def cause_list() -> str:
    """Why the newest tasks failed, and the newest items of bulks."""
    wanted = filters.asked()
    of_tasks, of_items = _failed_tasks(wanted), _failed_items(wanted)
    shown = {"of_tasks": of_tasks[:CAUSES_SHOWN], "of_items": of_items[:CAUSES_SHOWN], "looked_at": search.WINDOW}
    return render_template("desk/tasks_causes.html", words=filters.words_of_query(), **shown, **filters.choices())


def _asked() -> Wanted:
    action = request.values.get("action")
    if action not in ACTIONS:
        raise InvalidInput([{"field": "action", "message": f"use one of {', '.join(ACTIONS)}"}])
    return replace(filters.asked(request.values), action=action)


def _failed_tasks(wanted: Wanted) -> list[causes.Cause]:
    wanted = replace(wanted, state="FAILURE")
    newest, told = search.window(wanted), (tasks.c.error_type, tasks.c.error_message)
    query = select(*told, func.count(), func.max(tasks.c.id)).join_from(newest, tasks, tasks.c.id == newest.c.id)
    query = query.where(*search.rest(wanted), tasks.c.error_type.is_not(None)).group_by(*told)
    with reading() as session:
        return causes.grouped(session.execute(query))


def _failed_items(wanted: Wanted) -> list[causes.Cause]:
    newest = search.window(wanted)
    near = select(items.c.task_id, items.c.error).join_from(newest, items, items.c.task_id == newest.c.id)
    near = near.where(items.c.error.is_not(None), items.c.state == "failed")
    if wanted.queue or wanted.kind:
        near = near.join(tasks, tasks.c.id == newest.c.id).where(*search.rest(wanted))
    faults = near.limit(FAULTS).subquery()
    query = select(literal("item"), faults.c.error, func.count(), func.max(faults.c.task_id))
    with reading() as session:
        return causes.grouped(session.execute(query.group_by(faults.c.error)))
