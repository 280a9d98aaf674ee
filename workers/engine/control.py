"""Steering a task from outside: cancel it, or run again what failed."""

from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import datetime
from typing import Any

from redis.exceptions import RedisError
from sqlalchemy import RowMapping, select, update
from sqlalchemy.orm import Session

from workers.db import now, reading, writing
from workers.engine import ending, ledger, leftovers, noreturn, registry, wire
from workers.engine.claim import alive
from workers.engine.events import newest, padded
from workers.engine.job import KEEP_S
from workers.engine.queues import push
from workers.engine.seal import Seal
from workers.engine.tables import items, tasks
from workers.engine.tasks import Task, find
from workers.errors import Conflict, NotHere, QueueDown, SealBroken, UnknownTask

AGAIN = {None: ("failed", "skipped"), "failed": ("failed",), "unknown": ("unknown",)}


def cancel(task_id: str) -> Task:
    """End a waiting task now; ask a running one to stop. Raises UnknownTask, QueueDown, and Conflict if it has
    ended or is past the point of no return."""
    task = find(task_id)
    if task.ended:
        raise Conflict(reason=f"the task has ended as {task.state}")
    if noreturn.is_past(task):
        raise noreturn.refusal()
    try:
        whose = (task_id, task.queue, KEEP_S, task.scope or "")
        answer = wire.run(wire.connect(wire.LOOK_TIMEOUT_S), "cancel", *whose)
    except RedisError as error:
        raise QueueDown() from error
    if answer == b"ended" and find(task_id).ended:  # not the run before a retry that Redis never got
        raise Conflict(reason="the task has just ended")
    if answer == b"noreturn":
        raise noreturn.refusal()
    if answer in (b"waiting", b"absent", b"ended"):
        _end_row(task)
        with suppress(RedisError, QueueDown):
            leftovers.take_up(task_id, alive(task_id))
        # Many: if we die meanwhile, the reconciler goes on with it; and if it is retried, they are the retry's.
        leftovers.close(task_id, ending.REASONS["revoked"], if_ended=True)
    return find(task_id)


def _end_row(task: Task) -> None:
    """Redis has refused the task for good; SQL follows at once, so that no reconciler pushes it again. Unless somebody
    was quick, and has retried it."""
    seen = tasks.c.event_id <= padded(task.event_id or "0-0")
    with writing() as session:
        query = update(tasks).where(tasks.c.id == task.id, tasks.c.ended_at.is_(None), seen)
        session.execute(query.values(state="REVOKED", ended_at=now()))


def retry(task_id: str, only: str | None = None, *, told: str | None = None) -> Task:
    """Run the task again under its id: all of a single task, of a bulk what failed (or is unknown, if asked so).
    `told`: the event behind which it begins anew, where it runs already.

    Raises UnknownTask, and Conflict if it has not ended or there is nothing to run again.
    """
    task = find(task_id)
    if not task.ended:
        raise Conflict(reason="the task has not ended; cancel it first")
    if task.counts is None:
        if task.state == "SUCCESS" or only == "unknown":
            raise Conflict(reason="nothing of this task failed")
    elif not _has(task_id, AGAIN[only]):
        if only or task.state == "SUCCESS":
            raise Conflict(reason=f"the task has no item that is {' or '.join(AGAIN[only])}")
        if not task.counts["done"] and task.counts["unknown"]:
            raise Conflict(reason='of its items it is only unknown whether they were sent; ask for "only": "unknown"')
    row = _begin_anew(task, told or newest())
    if task.counts is not None:
        ledger.reopen(task_id, AGAIN[only])
        with writing() as session:
            session.execute(update(tasks).where(tasks.c.id == task_id).values(missing_at=None))
    push(row, replace_ended=True)
    return find(task_id)


def _begin_anew(task: Task, told: str) -> RowMapping:
    """Before any item is open again: whatever dies in between, no task that has ended has open items. Until all are, a
    bulk is marked as missing, so that no reconciler pushes it."""
    with writing() as session:
        return begin_anew(session, task, told, missing_at=now() if task.counts is not None else None)


def begin_anew(session: Session, task: Task, told: str, *, missing_at: datetime | None = None) -> RowMapping:
    """The row, waiting again, but later than everything that was told of the task before (`told`: the newest event, of
    which Redis is asked before the transaction). Raises UnknownTask, and Conflict where another was quicker, for what
    it began must not begin once more."""
    nothing = ("started_at", "ended_at", "status", "result", "error_type", "error_message", "traceback", "due_at")
    ms, _, number = max(padded(told), padded(task.event_id or "0-0")).partition("-")
    anew: dict[str, object] = {**dict.fromkeys(nothing), "missing_at": missing_at, "state": "PENDING", "attempts": 0}
    anew |= {"current": 0, "total": 100, "event_id": padded(f"{ms}-{int(number) + 1}")}
    seen = tasks.c.event_id <= padded(task.event_id or "0-0")
    query = update(tasks).where(tasks.c.id == task.id, tasks.c.released, seen).values(**anew)
    begun = session.execute(query).rowcount  # type: ignore[attr-defined]
    row = session.execute(select(tasks).where(tasks.c.id == task.id, tasks.c.released)).mappings().one_or_none()
    if row is None:  # too old: it is being deleted
        raise UnknownTask()
    if not begun:
        raise Conflict(reason="the task has just been retried")
    return row


@wire.plainly()
def hurry(scope: str, queues: Iterable[str]) -> int:
    """Let the waiting retries of a company run now, because what they waited for was mended; how many."""
    return _hurried(queues, ("sira_scope", "sira_state"), lambda told: told == [scope.encode(), b"RETRY"])


def hurry_what_is_known_now() -> int:
    """Let the jobs run now whose kind no worker knew, for one has just started that does; how many."""
    return _hurried(registry.QUEUES, ("description", "sira_between", "sira_error"), _was_not_here)


def _was_not_here(told: list[Any]) -> bool:
    name, between, error = told
    if not (name and between and error and wire.text(name) in registry.kinds()):
        return False
    try:
        return bool(Seal.loads(error)["type"] == NotHere.__name__)
    except (SealBroken, TypeError, KeyError):
        return False


def _hurried(queues: Iterable[str], fields: tuple[str, ...], is_meant: Callable[[list[Any]], bool]) -> int:
    connection, hurried = wire.connect(wire.LOOK_TIMEOUT_S), 0
    for queue in queues:
        ids = connection.zrange(f"rq:scheduled:{queue}", 0, -1)
        pipeline = connection.pipeline(transaction=False)
        for job_id in ids:
            pipeline.hmget(b"rq:job:" + job_id, *fields)
        told = pipeline.execute(raise_on_error=False)
        meant = [job_id for job_id, found in zip(ids, told, strict=True) if isinstance(found, list) and is_meant(found)]
        if meant:
            connection.zadd(f"rq:scheduled:{queue}", dict.fromkeys(meant, 0), xx=True)
        hurried += len(meant)
    return hurried


def _has(task_id: str, states: tuple[str, ...]) -> bool:
    with reading() as session:
        query = select(items.c.id).where(items.c.task_id == task_id, items.c.state.in_(states)).limit(1)
        return session.execute(query).first() is not None
