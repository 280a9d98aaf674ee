"""Who did what on the desk: every change that a person makes is noted, and shown beside what it was about."""

from datetime import datetime
from typing import Any

from flask import g
from flask_babel import gettext as _
from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from app.auth import caller
from workers.db import now, reading, storable, writing
from workers.models import Act, User

SHOWN = 50
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


def name_of(what: str) -> str:
    """What was done, in the reader's language; an act of another area in its own words."""
    names = {
        **{"cancel": _("cancelled"), "retry": _("run again"), "export items": _("made a sheet of the items")},
        **{"item arrived": _("said that it arrived"), "item sent again": _("sent again")},
        **{"cancel many": _("cancelled many tasks"), "retry many": _("ran many tasks again")},
    }
    return names.get(what, what)


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
    return {"at": at, "what": what, "item_id": item_id, "detail": detail, "who": name or email}
