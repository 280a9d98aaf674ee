"""Notices: the tasks of the own company that have ended, how many of them are new to this person, and what pages ask
for while they have no event stream. There is no table of them: new is what ended after this person last looked."""

from datetime import datetime, timedelta
from typing import Any

from flask import Blueprint, Response, g, jsonify, render_template, request
from flask_babel import gettext as _
from flask_babel import ngettext
from sqlalchemy import update

from app.api.status import status_of
from app.api.streams import notice_of
from app.auth import caller, company_scope
from app.desk.i18n import language
from app.desk.told import of_task
from workers import db
from workers.engine import ends, tasks
from workers.errors import InvalidInput
from workers.models import User

PAGE = 30
AT_ONCE = 50
LOOK_BACK = timedelta(seconds=60)  # what ended between the drawing of a page and its first question
AT_MOST = timedelta(hours=1)
pages = Blueprint("desk_notices", __name__)


@pages.get("/notices")
def notices() -> str:
    """The list; to open it is to have seen it."""
    scope, before = _scope(), _instant("before")
    seen_at = g.user.notices_seen_at if g.user else None
    found = ends.latest(scope, before, PAGE) if scope else []
    if g.user and not before:
        _look(g.user.id)
    rows = [_row(task, seen_at) for task in found]
    more = iso_exact(found[-1].ended_at) if len(found) == PAGE else None
    return render_template("desk/notices.html", rows=rows, more=more, scope=scope)


def _row(task: tasks.Task, seen_at: datetime | None) -> dict[str, Any]:
    task = of_task(task)
    shown = status_of(task, language())
    return {
        **shown,
        "text": ends.sentence(task, language()),
        "detail": ends.detail(task),
        "new": _is_new(task, seen_at),
    }


@pages.get("/notices/unread")
def unread() -> Response:
    return jsonify(_count())


@pages.get("/notices/live")
def live() -> Response:
    """What pages without an event stream ask for now and then: what lives, and what has ended `since`."""
    since, until = _instant("since"), db.now()
    begin = max(since, until - AT_MOST) if since else until - LOOK_BACK
    fresh = [of_task(task) for task in ends.lately(company_scope(), begin, AT_ONCE)]
    told = [notice_of(task, language(), caller()) for task in fresh] if since else []
    return jsonify(
        until=iso_exact(until),
        tasks=[status_of(task, language()) for task in fresh],
        notices=[notice for notice in told if notice],
        **_count(),
    )


def _scope() -> str | None:
    """Of the own company, also for operators: the others' tasks are their own business."""
    return str(caller().company_id) if caller().company_id is not None else None


def _count() -> dict[str, Any]:
    scope = _scope()
    new = ends.count(scope, g.user.notices_seen_at or g.user.created_at) if g.user and scope else 0
    return {
        "unread": new,
        "label": ngettext("Notices: one is new", "Notices: %(num)s are new", new) if new else _("Notices"),
    }


def _look(user_id: int) -> None:
    """Up to when the record was complete: what ended just before, and was not yet written, is new the next time."""
    seen_at = ends.complete_until() or db.now()
    with db.writing() as session:
        session.execute(update(User).where(User.id == user_id).values(notices_seen_at=seen_at))


def _is_new(task: tasks.Task, seen_at: datetime | None) -> bool:
    return seen_at is None or (task.ended_at is not None and task.ended_at > seen_at)


def _instant(name: str) -> datetime | None:
    """An instant of ours in the query, such as `until` of the answer before."""
    text = request.args.get(name, "")
    try:
        found = datetime.fromisoformat(text) if text else None
    except ValueError:
        found = datetime.min
    if found is not None and found.tzinfo is None:
        raise InvalidInput([{"field": name, "message": "use what the page before gave"}])
    return found


def iso_exact(instant: datetime | None) -> str | None:
    """To the microsecond: a page goes on exactly behind the one before."""
    return instant.isoformat().replace("+00:00", "Z") if instant else None
