"""Occurrences: each time that a schedule is due becomes one row, and at most one task, in one transaction.

waiting -> enqueued -> done | failed | cancelled | unknown (its task was deleted before anybody looked); or skipped (the
one before had not ended), or missed. Any number of clocks may do all of this at once: who moves a schedule's due time
writes its occurrences, and nobody else.
"""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from redis.exceptions import RedisError
from sqlalchemy import Table, and_, func, or_, select, update
from sqlalchemy.orm import Session, aliased

from workers import logs, settings
from workers.db import insert, now, reading, writing
from workers.engine import registry, wire
from workers.engine.due import MISSED_AFTER_S, Plan, plan, state_of, task_id
from workers.engine.job import sealed_data
from workers.engine.queues import enqueue, push
from workers.engine.tables import occurrences, schedules, tasks
from workers.engine.tasks import BY_RQ_STATUS, find
from workers.errors import KeyReused, QueueDown, SiraError, UnknownKind

OPEN = ("enqueued", "waiting")
ENDS = {"SUCCESS": "done", "FAILURE": "failed", "REVOKED": "cancelled"}
TOGETHER = 25  # schedules in one transaction, which so lasts about 20 ms
CHUNK = 1000
NEVER_TOLD = "0-0"  # the event of a task that never was in Redis
PUSHED_WITHIN = timedelta(seconds=3)
ALARM_KIND = "alert_operators"
S, OC = schedules.c, occurrences.c
LIVE = (S.paused.is_(False), S.fault.is_(None))
log = logs.get("clock")


def time_of_redis() -> datetime:
    """Redis' clock decides what is due, because hosts disagree; while it is away, ours."""
    try:
        seconds, microseconds = wire.connect(wire.LOOK_TIMEOUT_S).time()
    except (RedisError, QueueDown):
        return now()
    return datetime.fromtimestamp(seconds, UTC) + timedelta(microseconds=microseconds)


def fire(at: datetime, *, left_for: timedelta = timedelta(0)) -> list[dict[str, Any]]:
    """Write what is due at `at`, and has been for `left_for`, and push it; the tasks. A schedule that can't be read is
    set aside with its fault."""
    with reading() as session:
        query = select(schedules).where(S.due_at <= at - left_for, *LIVE).order_by(S.due_at, S.name)
        rows = session.execute(query.limit(CHUNK)).all()
    plans = [_unless_idle(made) for row in rows if (made := _planned(row, at))]
    fired: list[dict[str, Any]] = []
    for start in range(0, len(plans), TOGETHER):
        some = plans[start : start + TOGETHER]
        for made in some:
            if made.runs or made.missed:
                _tell_lateness(made, at)
        with writing() as session:
            new = _write(session, [made for made in some if _moved(session, made)], at)
        _push(new)
        fired += new
    return fired


def _push(new: Sequence[Any]) -> None:
    """What does not arrive, because Redis is away or this clock dies here, is pushed again when it is settled."""
    for task in new:
        push(task)


def _planned(row: Any, at: datetime) -> Plan | None:
    """None for a kind that this process lacks (another clock may have it) and for what can't be read."""
    try:
        registry.get(row.name).check({})
        return plan(row, at)
    except UnknownKind:
        return None
    except Exception as error:
        fault = error.message if isinstance(error, SiraError) else f"{type(error).__name__}: {error}"
        log.error("schedule set aside", schedule=row.name, fault=fault)
        with writing() as session:
            session.execute(update(schedules).where(S.name == row.name).values(fault=fault))
        return None


def _unless_idle(made: Plan) -> Plan:
    """A kind with nothing to do just goes on to its next time: no run, and no record of one."""
    when = registry.get(made.schedule.name).when
    try:
        return made if when is None or when() else replace(made, runs=[], missed=[])
    except Exception:  # its own run will fail for all to see; the other schedules are due, too
        log.exception("could not ask whether there is work", schedule=made.schedule.name)
        return made


def _moved(session: Session, made: Plan) -> bool:
    """Move the due time on; False where another clock was first, or an operator paused the schedule. Until the end of
    this transaction the schedule's row is locked, so nobody else writes its occurrences."""
    mine = update(schedules).where(S.name == made.schedule.name, S.due_at == made.schedule.due_at, *LIVE)
    return bool(session.execute(mine.values(due_at=made.next_due)).rowcount)  # type: ignore[attr-defined]


def _write(session: Session, plans: list[Plan], at: datetime) -> list[dict[str, Any]]:
    """Write the occurrences of these schedules with their tasks; the tasks."""
    names = [made.schedule.name for made in plans]
    slots = {due for made in plans for due in [*made.missed, *made.runs]}
    query = select(OC.schedule, OC.due_at, OC.state, func.coalesce(OC.lateness_s, 0.0))
    query = query.where(OC.schedule.in_(names), or_(OC.state.in_(OPEN), OC.due_at.in_(slots)))
    found = session.execute(query).all() if plans else []
    there = {(name, due) for name, due, _, _ in found}
    rows = []
    for made in plans:
        before = [(state, late_s) for name, _, state, late_s in found if name == made.schedule.name and state in OPEN]
        rows += [row for row in _rows(made, at, before) if (row["schedule"], row["due_at"]) not in there]
    new = [_task(row["schedule"], row["due_at"], at) for row in rows if row["task_id"]]
    _add_all(session, occurrences, rows)
    _add_all(session, tasks, new)
    return new


def _rows(made: Plan, at: datetime, before: list[tuple[str, float]]) -> Iterator[dict[str, Any]]:
    """The rows of what a plan asks for, beside the occurrences `before` that have not ended."""
    row = made.schedule
    states = [(due, "missed") for due in made.missed]
    for due in made.runs:
        state = state_of(row.overlap, row.missed, _late_s(due, at), before)
        states.append((due, state))
        before = [*before, (state, _late_s(due, at))] if state in OPEN else before
    for due, state in states:
        runs = {"task_id": task_id(row.name, due), "enqueued_at": at} if state == "enqueued" else {}
        given = {"schedule": row.name, "due_at": due, "state": state, "lateness_s": _late_s(due, at)}
        yield {"task_id": None, "enqueued_at": None, **given, **runs}


def _late_s(due: datetime, at: datetime) -> float:
    return (at - due).total_seconds()


def add_new(session: Session, table: Table, **values: Any) -> bool:
    """Insert a row unless it is there."""
    return _add_all(session, table, [values]) > 0


def _add_all(session: Session, table: Table, rows: list[dict[str, Any]]) -> int:
    query = insert(session.get_bind().dialect.name, table).on_conflict_do_nothing()
    added = session.execute(query, rows) if rows else None
    return added.rowcount if added else 0  # type: ignore[attr-defined]


def _task(name: str, due: datetime, at: datetime) -> dict[str, Any]:
    """The task of an occurrence, as `queues.push` wants it too."""
    kind = registry.get(name)
    row = {"id": task_id(name, due), "kind": name, "queue": kind.queue, "created_at": at, "scope": None, "due_at": None}
    return {**row, "params": sealed_data(str(row["id"]), name, kind.check({})), "max_attempts": kind.retries + 1}


def note_run(session: Session, task: dict[str, Any]) -> None:
    """A run that an operator asked for belongs to the history too, also where another was asked for in that instant."""
    due = at = task["created_at"]
    taken = set(session.scalars(select(OC.due_at).where(OC.schedule == task["kind"], OC.due_at >= at)))
    while due in taken:
        due += timedelta(microseconds=1)
    row = {"schedule": task["kind"], "due_at": due, "task_id": task["id"], "enqueued_at": at}
    add_new(session, occurrences, **row, state="enqueued", lateness_s=0.0)


def release(at: datetime) -> list[dict[str, Any]]:
    """Enqueue the oldest waiting occurrence of each schedule of which none runs; the tasks."""
    other = aliased(occurrences)
    busy = select(other.c.schedule).where(other.c.state == "enqueued")
    query = select(OC.schedule, func.min(OC.due_at)).where(OC.state == "waiting", OC.schedule.not_in(busy))
    with reading() as session:
        free = session.execute(query.group_by(OC.schedule)).all()
    released = []
    for name, due in free:
        if name in registry.kinds():
            with writing() as session:
                released += _release(session, name, due, at)
    _push(released)
    return released


def _release(session: Session, name: str, due: datetime, at: datetime) -> list[dict[str, Any]]:
    """Under the lock of the schedule's row, so that two clocks never release two."""
    locked = session.execute(select(S.name).where(S.name == name, *LIVE).with_for_update()).first()
    busy = session.execute(select(OC.due_at).where(OC.schedule == name, OC.state == "enqueued").limit(1)).first()
    if not locked or busy:
        return []
    values = {"state": "enqueued", "task_id": task_id(name, due), "enqueued_at": at, "lateness_s": _late_s(due, at)}
    mine = update(occurrences).where(OC.schedule == name, OC.due_at == due, OC.state == "waiting").values(**values)
    if not session.execute(mine).rowcount:  # type: ignore[attr-defined]
        return []
    new = [_task(name, due, at)]
    _add_all(session, tasks, new)
    return new


def settle(at: datetime, after: str = "") -> str:
    """Write down what became of runs that have ended, up to a thousand behind the task id `after`; where to go on.
    And push what a dead clock wrote and did not push: it need not wait for a worker's reconciler."""
    seen = and_(tasks.c.id == OC.task_id, tasks.c.released)
    query = select(OC.schedule, OC.due_at, OC.task_id, OC.enqueued_at, tasks.c.state, tasks.c.event_id)
    query = query.outerjoin(tasks, seen).where(OC.state == "enqueued", OC.task_id > after)
    with reading() as session:
        rows = session.execute(query.order_by(OC.task_id).limit(CHUNK)).all()
    lost = []
    for row, status in zip(rows, _statuses(rows), strict=True):
        if state := _state(row, status):
            _settle(row, state, at)
        elif not status and row.event_id == NEVER_TOLD and row.enqueued_at < at - PUSHED_WITHIN:
            lost.append(row.task_id)
    _push_again(lost)
    return rows[-1].task_id if len(rows) == CHUNK else ""


def _statuses(rows: Sequence[Any]) -> list[str]:
    """What Redis says of each run; nothing of one that it does not have, or under whose key something else lies."""
    pipeline = wire.connect().pipeline(transaction=False)
    for row in rows:
        pipeline.hget(f"rq:job:{row.task_id}", "status")
    found = pipeline.execute(raise_on_error=False)
    return [wire.text(status) if isinstance(status, bytes) else "" for status in found]


def _state(row: Any, status: str) -> str | None:
    """How a run ended, as far as SQL or Redis know; None for one that goes on."""
    end = row.state if row.state in ENDS else BY_RQ_STATUS.get(status, "")
    return ENDS.get(end) if row.state else "unknown"


def _push_again(lost: list[str]) -> None:
    query = select(tasks).where(tasks.c.id.in_(lost), tasks.c.state == "PENDING")
    with reading() as session:
        found = session.execute(query).mappings().all() if lost else []
    _push(found)


def _settle(row: Any, state: str, at: datetime) -> None:
    """The alarm first: it has a key of its own, so a clock that dies in between raises it once all the same."""
    task = find(row.task_id) if state != "unknown" else None
    message = (task.error or {}).get("message") if task and state == "failed" else None
    if state == "failed":
        log.warning("scheduled run failed", schedule=row.schedule, task_id=row.task_id)
        alarm(row.schedule, f"The run of {row.due_at.isoformat()} failed: {message}", at)
    mine = update(occurrences).where(OC.schedule == row.schedule, OC.due_at == row.due_at, OC.state == "enqueued")
    with writing() as session:
        session.execute(mine.values(state=state, ended_at=(task and task.ended_at) or at, message=message))


def _tell_lateness(made: Plan, at: datetime) -> None:
    """Before it is written, for who is killed in between must not keep silent; the alarm's key makes it one."""
    first = min([*made.missed, *made.runs])
    if _late_s(first, at) > MISSED_AFTER_S:
        then = _then(made)
        log.warning("schedule was missed", schedule=made.schedule.name, late_s=round(_late_s(first, at)), then=then)
        alarm(made.schedule.name, f"The run of {first.isoformat()} was missed; {then}.", at)


def _then(made: Plan) -> str:
    """Whether the one before has ended is looked up when it is written."""
    if not made.runs:
        return "it waits for the next time"
    return "it runs now" if made.schedule.overlap == "allow" else "it runs now, unless the one before has not ended"


def alarm(schedule: str, text: str, at: datetime) -> None:
    """Tell the operators (ALERT_URLS) by a task, at most once an hour for each schedule."""
    if settings.current().alert_urls and ALARM_KIND in registry.kinds():
        with suppress(KeyReused):
            key = f"alarm:{schedule}:{at:%Y-%m-%dT%H}"
            enqueue(ALARM_KIND, {"subject": f"Sıra: {schedule}", "text": text}, key=key)
