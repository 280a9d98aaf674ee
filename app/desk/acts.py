"""Who did what on the desk: every change that a person makes is noted, and shown beside what it was about."""

import re
from datetime import datetime
from typing import Any

from flask import g
from flask_babel import gettext as _
from flask_babel import ngettext
from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from app.auth import caller
from app.desk.shown import Readable, item_state, kind_name
from workers.db import now, reading, storable, writing
from workers.models import Act, User

SHOWN = 50
STARTED = "enqueued "  # and the kind
COUNTED = re.compile(r"(\d+)(?: [a-z]+(?: (?:by|as) (.+))?)?")
SHEET = re.compile(r"(.+) \((\w+)\)")
ADD = insert(Act.__table__)  # type: ignore[arg-type]  # declared as FromClause, is a Table


def note(
    what: str,
    *,
    task_id: str | None = None,
    item_id: int | None = None,
    detail: str | None = None,
    session: Session | None = None,
) -> None:
    """Note that the caller did this, in a transaction of its own or in that of `session`."""
    user = g.get("user")
    row = {
        **{"at": now(), "what": what, "task_id": task_id, "item_id": item_id, "company_id": caller().company_id},
        **{"user_id": user.id if user else None, "detail": detail and storable(detail)},
    }
    if session is not None:
        session.execute(ADD, row)
        return
    with writing() as own:
        own.execute(ADD, row)


def of_task(task_id: str) -> list[dict[str, Any]]:
    """What people did with this task, the newest first: `{"at", "what", "item_id", "detail", "who"}`."""
    query = select(Act.at, Act.what, Act.item_id, Act.detail, User.name, User.email).outerjoin(
        User, User.id == Act.user_id
    )
    with reading() as session:
        rows = session.execute(query.where(Act.task_id == task_id).order_by(Act.id.desc()).limit(SHOWN)).all()
    return [_shown(*row) for row in rows]


def _shown(
    at: datetime, what: str, item_id: int | None, detail: str | None, name: str | None, email: str | None
) -> dict[str, Any]:
    told = {"what": _name_of(what), "detail": _detail_of(what, detail or "")}
    return {"at": at, "item_id": item_id, "who": name or email, **told}


def _name_of(what: str) -> str:
    """What was done, in the reader's language; what is not known here in its own words."""
    names = {
        **{"cancel": _("cancelled"), "retry": _("run again"), "export items": _("made a sheet of the items")},
        **{"item arrived": _("said that it arrived"), "item sent again": _("sent again")},
        **{"cancel many": _("cancelled many tasks"), "retry many": _("ran many tasks again")},
        **{"letters sent": _("began to send letters"), "letters made": _("began to make letters")},
        **{"SMS sent": _("began to send SMS"), "mail sent": _("began to send mail")},
        **{"sheet imported": _("began to import a sheet"), "schedule run": _("ran it beside its plan")},
        "cancelled a task in rq-dashboard": _("cancelled it in rq-dashboard"),
        "retried a task in rq-dashboard": _("ran it again in rq-dashboard"),
    }
    return _("began this task") if what.startswith(STARTED) else names.get(what, what)


def _detail_of(what: str, detail: str) -> str:
    """More of it, in the reader's language. What is kept is a few English words, such as `300 letters by email, sms`:
    they are taken apart here, and not kept in another way, because the oldest rows are evidence as well."""
    if what.startswith(STARTED) or what == "schedule run":
        return kind_name(detail or what.removeprefix(STARTED))
    if what in ("retry", "export items"):
        return item_state(detail)
    if what == "sheet imported" and (sheet := SHEET.fullmatch(detail)):
        return f"{sheet[1]} ({_(sheet[2])})"
    if (counted := COUNTED.fullmatch(detail)) and (told := _count_of(what, Readable(counted[1]))):
        return f"{told} ({', '.join(map(_, counted[2].split(', ')))})" if counted[2] else told
    return detail


def _count_of(what: str, count: int) -> str | None:
    """How many of what; None for a deed that is not counted."""
    letters = ngettext("%(num)s letter", "%(num)s letters", count)
    tasks = ngettext("%(num)s task", "%(num)s tasks", count)
    told = {
        **{"letters sent": letters, "letters made": letters, "cancel many": tasks, "retry many": tasks},
        "SMS sent": ngettext("%(num)s message", "%(num)s messages", count),
        "mail sent": ngettext("%(num)s mail", "%(num)s mails", count),
    }
    return told.get(what)
