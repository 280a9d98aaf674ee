"""The reconciler: SQL says what must run, Redis what is about to; here the two are brought together again.

It runs in one keeper at a time. First it folds into SQL what Redis knows (ends that no event told of), then it pushes
what Redis lacks: at once if no event ever spoke of the task (its push never arrived), else only if it was missing
twice, a minute apart. The push script looks again, so that a mistaken push changes nothing. So it is with a job that a
stock worker popped and died with: it says `queued` and stands in no list; and with one that says `started` and that
nobody holds.
"""

from collections.abc import Collection, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import chain
from typing import Any

from redis.exceptions import ResponseError
from rq import Queue
from rq.group import Group
from rq.rate_limit import RateLimitRegistry
from rq.worker_registration import clean_worker_registry
from sqlalchemy import RowMapping, Select, exists, select, update

from workers import logs
from workers.db import now, reading, writing
from workers.engine import callbacks, ending, events, ledger, leftovers, registry, wire
from workers.engine.claim import is_known_to_some
from workers.engine.events import padded
from workers.engine.job import Job
from workers.engine.queues import push
from workers.engine.seal import Seal
from workers.engine.tables import ENDED, items, tasks
from workers.engine.tasks import STATES, Task, ended_elsewhere, find
from workers.errors import NotHere

CHUNK, LISTED_AT_MOST = 200, 10_000
MISSING_FOR = timedelta(seconds=60)
NEVER_PUSHED_FOR = timedelta(seconds=3)
UNRELEASED_FOR = timedelta(days=1)  # by the clock of another machine, and none is that wrong
TOLD_WITHIN = timedelta(minutes=10)  # how late the recorder may write that a task has ended
REASONS = {"REVOKED": ending.REASONS["revoked"], "FAILURE": ending.REASONS["failed"]}
ENDS = (b"finished", b"failed", b"canceled", b"stopped")
GOING_ON = [state for state in reversed(STATES) if state not in ENDED]  # what has begun is mostly the oldest
PUSHED = ("kind", "queue", "scope", "params", "created_at", "due_at")  # what a push reads
LOOKED_AT = [tasks.c[name] for name in ("id", "state", "event_id", "missing_at", *PUSHED)]
KNOWN = (*ENDS, b"queued", b"started", b"scheduled", b"deferred", b"rate_limited")
Waiting = tuple[str, str, datetime | None, bytes]  # id, queue, when it was first missed, status
_closed_to = datetime.min.replace(tzinfo=UTC)
log = logs.get("reconciler")


def reconcile(*, missing_for: timedelta = MISSING_FOR) -> int:
    """Go once through all tasks that have not ended; how many were pushed again. Raises NotHere, when all else is done,
    where another worker knows a kind that we would have had to push and can't: it is the one to do this."""
    pushed, waiting, lacking = 0, list[Waiting](), set[tuple[str, str]]()
    for rows in _live_rows():
        hashes = _hashes(rows)
        for row, found in zip(rows, hashes, strict=True):
            if _is_stale(row, found):
                pushed += bool(push(row, replace_ended=True))
            elif found and found[b"status"] not in KNOWN:
                pushed += _is_due(row, missing_for) and bool(push(row, replace_ended=True))
            elif found.get(b"status") in (b"queued", b"started"):
                if found[b"status"] == b"started" or len(waiting) < LISTED_AT_MOST:
                    waiting.append((row["id"], row["queue"], row["missing_at"], found[b"status"]))
            elif found:
                _fold(row, found, missing_for)
            elif _is_due(row, missing_for):
                pushed += bool(push(row))
                lacking |= set() if row["kind"] in registry.kinds() else {(row["queue"], row["kind"])}
    pushed += _put_back(waiting, missing_for)
    close_ended()
    drop_unreleased()
    if pushed:
        log.warning("tasks pushed again", count=pushed)
    for queue, kind in lacking:
        if is_known_to_some(wire.connect(), queue, kind):
            raise NotHere(name=kind)
    return pushed


def _live_rows() -> Iterator[list[RowMapping]]:
    """The tasks that have not ended, some at a time. State by state, as they stand in an index: they are few among all
    that are kept."""
    for state in GOING_ON:
        after = ""
        while rows := _read(of_state(state, after)):
            yield rows
            after = rows[-1]["id"]


def of_state(state: str, after: str) -> Select[Any]:
    """The next of its tasks behind that id."""
    query = select(*LOOKED_AT).where(tasks.c.state == state, tasks.c.released, tasks.c.id > after)
    return query.order_by(tasks.c.id).limit(CHUNK)


def _read(query: Select[Any]) -> list[RowMapping]:
    with reading() as session:
        return list(session.execute(query).mappings())


def _hashes(rows: list[RowMapping]) -> list[dict[bytes, bytes]]:
    """What Redis has of each; nothing where it has none. What stands under a job's key and is no hash is taken away."""
    connection = wire.connect()
    pipeline = connection.pipeline(transaction=False)
    for row in rows:
        pipeline.hmget(f"rq:job:{row['id']}", "status", "sira_event", "sira_state")
    hashes = []
    for row, found in zip(rows, pipeline.execute(raise_on_error=False), strict=True):
        if isinstance(found, ResponseError):
            connection.delete(f"rq:job:{row['id']}")
        status, event, state = (None, None, None) if isinstance(found, Exception) else found
        hashes.append({b"status": status, b"event": event or b"0-0", b"sira_state": state or b""} if status else {})
    return hashes


def _is_stale(row: RowMapping, found: dict[bytes, bytes]) -> bool:
    """Does Redis still hold the end of a run before a retry, because it never got the retry's push?"""
    if found.get(b"status") not in ENDS or padded(wire.text(found[b"event"])) >= row["event_id"]:
        return False
    if ended_elsewhere(row["state"], found):
        return False
    being_opened = row["missing_at"] is not None and row["missing_at"] > now() - MISSING_FOR  # see control.retry
    return not being_opened and _at(row["event_id"]) < now() - NEVER_PUSHED_FOR


def _fold(row: RowMapping, found: dict[bytes, bytes], missing_for: timedelta) -> None:
    """An end that no recorder will write: foreign tools tell of none, and who deletes the stream takes them away."""
    if found[b"status"] == b"rate_limited":
        wire.run(wire.connect(), "vacate", row["id"])
    event = padded(wire.text(found[b"event"]))
    told = event > row["event_id"]
    if found[b"status"] in ENDS and not (told and (_at(event) > now() - missing_for or events.is_awaited(event))):
        task = find(row["id"])
        if task.ended:
            if not told:
                leftovers.close(task.id, "Görev başka bir araçla sonlandırıldı")
                callbacks.after_foreign_end(task)
            _write(task.id, _end(task))
            wire.connect().hset(f"rq:job:{task.id}", "sira_state", task.state)  # by which a requeue is known
    elif row["missing_at"] is not None:
        _write(row["id"], {"missing_at": None})


def _at(event_id: str) -> datetime:
    return datetime.fromtimestamp(int(event_id.partition("-")[0]) / 1000, UTC)


def _end(task: Task) -> dict[str, Any]:
    error = task.error or {}
    return {
        **{"state": task.state, "ended_at": task.ended_at or now(), "started_at": task.started_at},
        **{"error_type": error.get("type"), "error_message": error.get("message")},
        "result": Seal.dumps(task.result) if task.result is not None else None,
    }


def _is_due(row: RowMapping, missing_for: timedelta) -> bool:
    """Is the row's job missing for so long that it must be pushed? Notes when it was first missed."""
    if row["event_id"] == "0-0" and row["created_at"] < now() - NEVER_PUSHED_FOR:
        return True
    if row["missing_at"] is None:
        _write(row["id"], {"missing_at": now()})
        return False
    return bool(row["missing_at"] < now() - missing_for)


def _put_back(waiting: list[Waiting], missing_for: timedelta) -> int:
    """Put back what stands in no list or is held by nobody, looked at twice: a stock worker may have popped it in this
    moment. Of those that wait the oldest are enough, for it was popped before all that still do."""
    connection = wire.connect()
    lists = [connection.lrange(f"rq:queue:{queue}", 0, LISTED_AT_MOST) for queue in registry.QUEUES]
    listed, put_back = set(chain(leased(), *lists)), 0
    suspect = {one[0] for one in _still_so([one for one in waiting if one[0].encode() not in listed])}
    for task_id, queue, missing_at, _ in waiting:
        lost = task_id in suspect and wire.run(connection, "mend", task_id, queue, 0) is not None
        if lost and missing_at and missing_at < now() - missing_for:
            put_back += wire.run(connection, "mend", task_id, queue, 1) is not None
        elif lost != bool(missing_at):
            _write(task_id, {"missing_at": now() if lost else None})
    return put_back


def leased() -> set[bytes]:
    """The ids of the jobs that somebody holds."""
    return {lease.rpartition(b":")[0].rpartition(b":")[2] for lease in wire.connect().zrange("sira:leases", 0, -1)}


def _still_so(waiting: list[Waiting]) -> list[Waiting]:
    """Those that nobody has claimed or ended since their hashes were read: of a quick queue few."""
    pipeline = wire.connect().pipeline(transaction=False)
    for task_id, *_ in waiting:
        pipeline.hget(f"rq:job:{task_id}", "status")
    told = pipeline.execute(raise_on_error=False)
    return [one for one, status in zip(waiting, told, strict=True) if status == one[3]]


def close_ended() -> None:
    """Go on where somebody died who had ended a task and not yet all its items, or could not write them."""
    global _closed_to
    began = now()
    left = left_open(since=max(_closed_to, began - timedelta(days=1)) - TOLD_WITHIN)
    for task_id, state in left:
        leftovers.close(task_id, REASONS.get(state, "Görev bitti"), if_ended=True)
    if len(left) < CHUNK:
        _closed_to = began


def left_open(since: datetime | None = None) -> list[tuple[str, str]]:
    """Tasks that ended, `since` then, and have open items all the same; with their states."""
    is_open = exists().where(items.c.task_id == tasks.c.id, items.c.state.in_(ledger.OPEN))
    query = select(tasks.c.id, tasks.c.state).where(tasks.c.state.in_(ENDED), tasks.c.item_count.is_not(None), is_open)
    with reading() as session:
        query = query if since is None else query.where(tasks.c.ended_at > since)
        return list(map(tuple, session.execute(query.limit(CHUNK))))


def _write(task_id: str, values: dict[str, Any]) -> None:
    if values:
        with writing() as session:
            session.execute(update(tasks).where(tasks.c.id == task_id, tasks.c.state.not_in(ENDED)).values(**values))


def drop_unreleased() -> int:
    """Forget bulks whose request died before its last item was written: nobody was told of them."""
    unseen = (tasks.c.released.is_(False), tasks.c.state.not_in(ENDED))  # house-keeping takes back what has ended
    query = select(tasks.c.id).where(*unseen, tasks.c.created_at < now() - UNRELEASED_FOR)
    with reading() as session:
        found = list(session.scalars(query.limit(CHUNK)))
    for task_id in found:
        ledger.drop(task_id)
    return len(found)


def forget_expired(queues: Collection[str] = registry.QUEUES) -> None:
    """Take ids out of the registries of ends whose hashes have expired, workers that are gone out of theirs, jobs that
    are gone out of groups and the slots of a rate limit, and put into their queue those that a client or a stock worker
    was about to when it died; in RQ each worker does it now and then."""
    connection = wire.connect()
    seconds, _ = connection.time()
    pipeline = connection.pipeline(transaction=False)
    for queue in queues:
        for ends in ("finished", "failed", "canceled"):
            pipeline.zremrangebyscore(f"rq:{ends}:{queue}", "-inf", seconds)
    pipeline.execute()
    known = [Queue(queue, connection=connection, job_class=Job, serializer=Seal) for queue in queues]
    for clean in (
        *(partial(clean_worker_registry, queue) for queue in known),
        *(queue.ready_job_registry.cleanup for queue in known),
        partial(Group.clean_registries, connection),
        *(limit.cleanup for limit in RateLimitRegistry.all(connection)),
    ):
        with suppress(ValueError):  # of bytes that are no text
            clean()
