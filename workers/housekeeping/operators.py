"""The operators, and what they should know in the morning."""

from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from workers import db
from workers.engine.tables import occurrences, schedules, tasks
from workers.models import User

LATE_S = 60
HALF_A_DAY = timedelta(hours=12)


@dataclass(frozen=True)
class Operator:
    user_id: int
    company_id: int | None
    email: str
    language: str


@dataclass(frozen=True)
class Failures:
    """What went wrong: failed tasks by kind, runs of schedules that were missed or late, schedules set aside."""

    tasks: dict[str, int]
    late: dict[str, int]
    set_aside: list[str]

    def __bool__(self) -> bool:
        return bool(self.tasks or self.late or self.set_aside)


def operators() -> list[Operator]:
    """Those who can sign in."""
    with db.reading() as session:
        found = session.scalars(select(User).where(User.role == "operator", User.active).order_by(User.id))
        return [Operator(user.id, user.company_id, user.email, user.language) for user in found]


def untold_since(at: datetime, kind: str) -> datetime:
    """A day ago; or when the digest (of this kind) before today's began, if that is longer ago: after an outage, at the
    end of the summer time, or when yesterday's was quicker to begin."""
    begun = select(func.max(tasks.c.started_at)).where(tasks.c.kind == kind, tasks.c.state == "SUCCESS")
    with db.reading() as session:
        last: datetime | None = session.scalar(begun.where(tasks.c.started_at < at - HALF_A_DAY))
    return min(last or at, at - 2 * HALF_A_DAY)


def failures_since(since: datetime) -> Failures:
    """A task that ended since then may have been made long before, but most were not: its index is by state."""
    failed = select(tasks.c.kind, func.count()).where(tasks.c.state == "FAILURE", tasks.c.ended_at >= since)
    with db.reading() as session:
        return Failures(
            dict(map(tuple, session.execute(failed.group_by(tasks.c.kind).order_by(tasks.c.kind)))),
            _late(session, since),
            list(session.scalars(select(schedules.c.name).where(schedules.c.fault.is_not(None)))),
        )


def _late(session: Session, since: datetime) -> dict[str, int]:
    """Runs that were missed or late, by schedule; a run counts when that was noticed, which after a long outage is days
    behind the time that it was due."""
    OC = occurrences.c
    query = select(OC.schedule, OC.due_at, func.coalesce(OC.lateness_s, 0.0)).where(
        (OC.state == "missed") | (OC.lateness_s > LATE_S)
    )
    rows = session.execute(query.where(func.coalesce(OC.enqueued_at, since) >= since).order_by(OC.schedule))
    return dict(Counter(name for name, due, late_s in rows if due + timedelta(seconds=late_s) >= since))
