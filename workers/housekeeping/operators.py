"""The operators, and what they should know in the morning."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select

from workers import db
from workers.engine.tables import occurrences, schedules, tasks
from workers.models import User

LATE_S = 60


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


def failures_since(since: datetime) -> Failures:
    """A task that ended since then may have been made long before, but most were not: its index is by state."""
    failed = select(tasks.c.kind, func.count()).where(tasks.c.state == "FAILURE", tasks.c.ended_at >= since)
    OC = occurrences.c
    late = select(OC.schedule, func.count()).where(
        OC.due_at >= since, (OC.state == "missed") | (OC.lateness_s > LATE_S)
    )
    with db.reading() as session:
        return Failures(
            dict(map(tuple, session.execute(failed.group_by(tasks.c.kind).order_by(tasks.c.kind)))),
            dict(map(tuple, session.execute(late.group_by(OC.schedule).order_by(OC.schedule)))),
            list(session.scalars(select(schedules.c.name).where(schedules.c.fault.is_not(None)))),
        )
