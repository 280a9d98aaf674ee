"""Schedules: what the code declares on its kinds (`cron=`) as rows, and how operators look at them and steer them."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from workers import settings
from workers.db import now, reading, writing
from workers.engine import cron, registry
from workers.engine.due import MISSED_AFTER_S
from workers.engine.occurrences import LIVE, add_new, fire, note_run, time_of_redis
from workers.engine.queues import enqueue
from workers.engine.registry import Kind
from workers.engine.tables import occurrences, schedules
from workers.engine.tasks import Task, find
from workers.errors import Conflict, NotFound, UnknownTask

S, OC = schedules.c, occurrences.c
RAN = ("enqueued", "done", "failed", "cancelled")


class UnknownSchedule(NotFound):
    """There is no schedule of that name. GET /api/schedules and `flask schedules list` name them."""


@dataclass(frozen=True)
class Occurrence:
    """One time that a schedule was due. `state`: waiting, enqueued, done, failed, cancelled, skipped or missed."""

    due_at: datetime
    state: str
    task_id: str | None
    enqueued_at: datetime | None
    ended_at: datetime | None
    lateness_s: float | None
    message: str | None


@dataclass(frozen=True)
class Schedule:
    """A kind that the clock enqueues. `next_run_at` is None while it is paused or set aside for its `fault`; `history`
    holds its latest occurrences, newest first, and `last_run` the newest of those that ran."""

    name: str
    cron: str
    zone: str
    overlap: str
    missed: str
    paused: bool
    fault: str | None
    next_run_at: datetime | None
    last_run: Occurrence | None
    history: list[Occurrence]

    @property
    def state(self) -> str:
        """active, paused or set_aside."""
        return "set_aside" if self.fault else "paused" if self.paused else "active"

    @property
    def overdue(self) -> bool:
        """Whether no clock has looked at it for a minute."""
        return self.next_run_at is not None and self.next_run_at < now() - timedelta(seconds=MISSED_AFTER_S)

    @property
    def idles(self) -> bool:
        """Whether it runs only when there is something to do; of a time without work there is no record."""
        return registry.get(self.name).when is not None


def register(at: datetime) -> list[tuple[str, str]]:
    """Bring the rows to what the code declares; safe to repeat, and at once from many clocks. What was done to which:
    added, changed, removed, or unknown here.

    What has not changed keeps its due time, so that a run that came due meanwhile is made good; but not one behind the
    next that there is: it was reckoned while Redis' clock stood ahead, and nothing would run before it. What the code
    no longer schedules goes, its history stays. A kind that is unknown here is left alone: another release may know
    it, or its module could not be imported today; the doctor names it.
    """
    declared = _declared()
    if any(row.due_at <= at and row.name in declared and _moves(row, declared[row.name]) for row in rows()):
        fire(at)  # what came due before its line changed is due by the old one
    with writing() as session:
        there = {row.name: row for row in session.execute(select(schedules))}
        done = [(_register(session, kind, there.get(name), at), name) for name, kind in declared.items()]
        for name in there.keys() - declared.keys():
            known = name in registry.kinds()
            if known:
                _remove(session, name)
            done.append(("removed" if known else "unknown here", name))
    return [(what, name) for what, name in done if what]


def _declared() -> dict[str, Kind]:
    return {kind.name: kind for kind in registry.kinds().values() if kind.cron}


def register_missing() -> list[str]:
    """Add the rows that are not there, and leave the others to who declared them, which may be another release; the
    names. Before the first clock runs, operators see what it will do all the same; and a row that somebody deleted
    comes back while clocks run."""
    declared = _declared()
    with reading() as session:
        missing = declared.keys() - set(session.scalars(select(S.name)))
    if not missing:
        return []
    at = time_of_redis()
    with writing() as session:
        return [name for name in sorted(missing) if _register(session, declared[name], None, at)]


def _zone(kind: Kind) -> str:
    return kind.zone or settings.current().timezone


def _moves(row: Any, kind: Kind) -> bool:
    """Whether the code declares other times than the row has."""
    return (row.cron, row.zone) != (kind.cron, _zone(kind))


def _register(session: Session, kind: Kind, row: Any, at: datetime) -> str:
    values: dict[str, Any] = {"cron": kind.cron, "zone": _zone(kind), "overlap": kind.overlap, "missed": kind.missed}
    values["fault"] = None
    due_at = cron.following(str(kind.cron), _zone(kind), at)
    if row is None or _moves(row, kind) or row.due_at > due_at:
        values["due_at"] = due_at
    if row is None:
        added = add_new(session, schedules, name=kind.name, paused=False, **values)
        return "added" if added else ""
    if all(getattr(row, name) == value for name, value in values.items()):
        return ""
    session.execute(update(schedules).where(S.name == kind.name).values(**values))
    return "changed"


def _remove(session: Session, name: str) -> None:
    session.execute(delete(schedules).where(S.name == name))
    dropped = update(occurrences).where(OC.schedule == name, OC.state == "waiting")
    session.execute(dropped.values(state="skipped", message="The schedule was removed."))


def forget(name: str) -> None:
    """Remove the schedule of a kind that is gone for good; its history stays."""
    with writing() as session:
        _remove(session, name)


def rows() -> list[Any]:
    """All rows as they are, those of unknown kinds too."""
    with reading() as session:
        return list(session.execute(select(schedules).order_by(S.name)))


def waiting() -> list[Any]:
    """The rows of the schedules that will come, as far as this process knows their kinds."""
    with reading() as session:
        rows = session.execute(select(schedules).where(*LIVE)).all()
    return [row for row in rows if row.name in registry.kinds()]


def listed(*, history: int = 10) -> list[Schedule]:
    """All schedules by name, each with up to `history` of its latest occurrences."""
    register_missing()
    with reading() as session:
        rows = session.execute(select(schedules).order_by(S.name)).all()
        return [_seen(session, row, history) for row in rows if row.name in registry.kinds()]


def get(name: str, *, history: int = 10) -> Schedule:
    """Raises UnknownSchedule."""
    register_missing()
    with reading() as session:
        return _seen(session, _row(session, name), history)


def _row(session: Session, name: str) -> Any:
    row = session.execute(select(schedules).where(S.name == name)).first() if name in registry.kinds() else None
    if row is None:
        raise UnknownSchedule()
    return row


def _seen(session: Session, row: Any, history: int) -> Schedule:
    query = select(occurrences).where(OC.schedule == row.name).order_by(OC.due_at.desc())
    latest = [_occurrence(found) for found in session.execute(query.limit(max(history, 1)))]
    last_run = next((one for one in latest if one.state in RAN), None)
    if last_run is None:
        found = session.execute(query.where(OC.state.in_(RAN)).limit(1)).first()
        last_run = _occurrence(found) if found else None
    told = {name: getattr(row, name) for name in ("name", "cron", "zone", "overlap", "missed", "paused", "fault")}
    waits = None if row.paused or row.fault else row.due_at
    return Schedule(**told, next_run_at=waits, last_run=last_run, history=latest[:history])


def _occurrence(row: Any) -> Occurrence:
    return Occurrence(*(getattr(row, name) for name in Occurrence.__dataclass_fields__))


def pause(name: str) -> Schedule:
    """Nothing is enqueued until `resume`; what runs goes on. Raises UnknownSchedule."""
    register_missing()
    with writing() as session:
        _row(session, name)
        session.execute(update(schedules).where(S.name == name).values(paused=True))
    return get(name)


def resume(name: str, at: datetime | None = None) -> Schedule:
    """Go on with the next time after now: what fell into the pause was meant not to run. Raises UnknownSchedule."""
    at = at or time_of_redis()  # before the transaction: a Redis that hangs must not keep everybody from writing
    with writing() as session:
        row = _row(session, name)
        if row.paused:
            due_at = cron.following(row.cron, row.zone, at)
            session.execute(update(schedules).where(S.name == name).values(paused=False, due_at=due_at))
    return get(name)


def run_now(name: str, *, key: str | None = None) -> Task:
    """Enqueue a run beside the plan, with the parameters of the plan; `key` is an idempotency key.

    Raises UnknownSchedule, and Conflict while a run has not ended that this one must not overlap.
    """
    register_missing()
    with reading() as session:
        row, open_runs = _row(session, name), _open_runs(session, name)
    ended = {task_id for task_id in open_runs if _has_ended(task_id)}

    def note(session: Session, task: dict[str, Any]) -> None:
        """Under the lock of the schedule's row: neither a clock nor a second operator begins a run meanwhile."""
        session.execute(select(S.name).where(S.name == name).with_for_update())
        if row.overlap != "allow" and _open_runs(session, name) - ended:
            raise Conflict(reason=f"the last run of {name} has not ended; wait for it, or cancel it")
        note_run(session, task)

    return enqueue(name, {}, key=key, beside=note)


def _open_runs(session: Session, name: str) -> set[str]:
    """The tasks of the runs of which no end was written down yet."""
    return set(session.scalars(select(OC.task_id).where(OC.schedule == name, OC.state == "enqueued")))


def _has_ended(task_id: str) -> bool:
    try:
        return find(task_id).ended
    except UnknownTask:  # and deleted since then
        return True
