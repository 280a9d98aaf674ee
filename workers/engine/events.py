"""The stream of what happened (`sira:events`), its recorder into SQL, and its readers."""

import re
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from functools import cache, lru_cache
from typing import Any, NamedTuple

from redis.exceptions import RedisError
from sqlalchemy import bindparam, literal_column, update
from sqlalchemy.exc import DataError, IntegrityError
from sqlalchemy.orm import Session

from workers import logs
from workers.db import insert, many, storable, writing
from workers.engine import wire
from workers.engine.seal import Seal
from workers.engine.tables import COUNT_BITS, ENDED, history, tasks
from workers.engine.tasks import STATES, Task, find
from workers.errors import QueueDown, SealBroken, UnknownTask

STREAM = "sira:events"
RECORDED = "sira:recorded"
BATCH = 200
LOOK_S = 1.0
KEEP_MS = 3_600_000
MOST_ATTEMPTS, WORKER_CHARS, TYPE_CHARS = 2**31 - 1, 100, 100  # what the columns hold
MOST, NUMBERS = 2**COUNT_BITS - 1, (int, float)
UNFIT = (DataError, IntegrityError, OverflowError, ValueError)
log = logs.get("events")


class Change(NamedTuple):
    """One change of one task. `event_id` is padded so that text order is time order."""

    task_id: str
    state: str
    scope: str
    queue: str
    attempt: int
    worker: str
    payload: bytes
    event_id: str

    @property
    def stream_id(self) -> str:
        return stream_id(self.event_id)

    @property
    def at(self) -> datetime:
        return _instant(self.event_id.partition("-")[0])


@lru_cache(maxsize=256)
def _instant(ms: str) -> datetime:
    """One object for all that happened in a millisecond: what has been written once is not worked out again."""
    return datetime.fromtimestamp(int(ms) / 1000, UTC)


def padded(event_id: str) -> str:
    """As text that sorts as the stream does; of what is no id (anybody may write into a hash) the first of all."""
    ms, _, number = (event_id if _is_id(event_id) else "0-0").partition("-")
    return f"{int(ms):013d}-{int(number or 0):010d}"


def stream_id(event_id: str) -> str:
    """A padded id as Redis gave it."""
    ms, _, number = event_id.partition("-")
    return f"{int(ms)}-{int(number)}"


def changes(event_id: bytes, fields: dict[bytes, bytes]) -> Iterator[Change]:
    """The changes that one entry tells of."""
    told_at = padded(event_id.decode())
    for number in range(1, len(fields) + 1):
        packed = fields.get(b"c%d" % number)
        if packed is None:
            return
        payload = fields.get(b"p%d" % number, b"")
        with suppress(ValueError):  # an entry that is not ours must not stop the record
            task_id, state, scope, queue, attempt, worker = packed.decode().split("\t")
            if state in STATES:
                attempts, worker = min(max(int(attempt), 0), MOST_ATTEMPTS), worker[:WORKER_CHARS]
                yield Change(task_id, state, scope, queue, attempts, worker, payload, told_at)


def record() -> int:
    """Write the next batch of the stream into SQL, then move the mark and trim behind it. Returns how many entries.

    Safe to repeat and to run twice: a row takes only what is later than what it has, and an end stays.
    """
    connection = wire.connect()
    mark = (connection.get(RECORDED) or b"0-0").decode()
    answer = connection.xread({STREAM: mark}, count=BATCH)
    entries = answer[0][1] if answer else []
    if not entries:
        return 0
    found = [change for event_id, fields in entries for change in changes(event_id, fields)]
    _write(found)
    last = entries[-1][0].decode()
    oldest_ms = min(int(last.partition("-")[0]), int(time.time() * 1000) - KEEP_MS)
    pipeline = connection.pipeline(transaction=True)
    pipeline.set(RECORDED, last)
    pipeline.xtrim(STREAM, minid=oldest_ms, approximate=True)
    pipeline.execute()
    return len(entries)


def is_awaited(event_id: str) -> bool:
    """Whether the recorder has still to write the event of that (padded) id: the stream has it, behind the mark."""
    connection, told = wire.connect(), stream_id(event_id)
    mark = wire.text(connection.get(RECORDED) or b"0-0")
    return padded(mark) < event_id and bool(connection.xrange(STREAM, told, told))


def _write(found: list[Change]) -> None:
    """All in one transaction; if one of them tells what can't be written, each for itself and that one not at all: it
    would stop the record of all companies. A database that is away or locked raises: it is waited for."""
    try:
        with writing() as session:
            apply(session, found)
    except UNFIT as error:
        if len(found) > 1:
            for change in found:
                _write([change])
        else:
            _leave_out(found[0], error)


def _leave_out(change: Change, error: Exception) -> None:
    told = {"task_id": change.task_id, "state": change.state, "event_id": change.event_id}
    log.error("change left out", **told, error=type(error).__name__)


def apply(session: Session, found: list[Change]) -> None:
    """Bring the task rows up to these changes and keep their history. An end stays, also within one batch."""
    merged: dict[str, dict[str, Any]] = {}
    for change in found:
        before = {} if change.state == "PENDING" else merged.get(change.task_id, {})
        if before.get("state") not in ENDED:
            merged[change.task_id] = {**before, **_values(change)}
    by_shape: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    for task_id, values in merged.items():
        by_shape.setdefault(tuple(sorted(values)), []).append({"b_id": task_id, **values})
    for shape, rows in by_shape.items():
        many(session, _brings_up(shape), rows)
    told = [_line(change) for change in found if change.state != "PROGRESS"]
    many(session, _tells(session.get_bind().dialect.name), told)


@cache
def _tells(dialect: str) -> Any:
    """A line of the history, unless it is there."""
    return insert(dialect, history).on_conflict_do_nothing()


@lru_cache(maxsize=64)
def _brings_up(shape: tuple[str, ...]) -> Any:
    """Only what is later than the row has, and never an end."""
    going_on = tasks.c.state.not_in([literal_column(f"'{state}'") for state in ENDED])
    query = update(tasks).where(tasks.c.id == bindparam("b_id"), tasks.c.event_id < bindparam("event_id"), going_on)
    return query.values({name: bindparam(name) for name in shape})


def _line(change: Change) -> dict[str, Any]:
    message = _said(_opened(change)) if change.state in ("FAILURE", "RETRY") else None
    return {
        **{"task_id": change.task_id, "event_id": change.event_id, "state": change.state, "at": change.at},
        **{"attempt": change.attempt, "worker": change.worker or None, "message": message or None},
    }


def _values(change: Change) -> dict[str, Any]:
    values: dict[str, Any] = {"state": change.state, "event_id": change.event_id, "missing_at": None}
    values["attempts"] = change.attempt
    if change.state == "STARTED" and change.attempt == 1:
        values["started_at"] = change.at
    if change.state == "SUCCESS":
        values |= {"result": change.payload or None, "error_type": None, "error_message": None, "traceback": None}
    if change.state == "PROGRESS" and change.payload:
        values |= _reported(_opened(change))
    if change.state in ("FAILURE", "RETRY"):
        error = _opened(change)
        values |= {
            "error_type": storable(str(error.get("type", "Error")))[:TYPE_CHARS],
            "error_message": _said(error),
        }
        values["traceback"] = Seal.dumps(error["traceback"]) if "traceback" in error else None
    if change.state in ENDED:
        values["ended_at"] = change.at
    return values


def _said(error: dict[str, Any]) -> str:
    return storable(str(error.get("message") or ""))


def _reported(meta: dict[str, Any]) -> dict[str, Any]:
    """What a report tells, as the columns hold it: others than `report` may have written it."""
    values: dict[str, Any] = {}
    for name in ("current", "total"):
        if isinstance(meta.get(name), NUMBERS):
            values[name] = int(min(max(meta[name], 0), MOST))
    if "status" in meta:
        values["status"] = None if meta["status"] is None else storable(str(meta["status"]))
    return values


def _opened(change: Change) -> dict[str, Any]:
    if not change.payload:
        return {}
    try:
        opened = Seal.loads(change.payload)
    except SealBroken:
        return {"type": "SealBroken", "message": "The details were sealed with a key that is gone."}
    return opened if isinstance(opened, dict) else {}


def follow(
    *,
    task_id: str | None = None,
    scope: str | None = None,
    last_id: str | None = None,
    heartbeat_s: float = 15.0,
    left: Callable[[], bool] = lambda: False,
) -> Iterator[tuple[str, Task] | None]:
    """(event id, task) for each change, from now or after `last_id`; None every `heartbeat_s` seconds of silence.

    With `task_id`: begins with the present state and ends after the last. Ends within a second once its reader has
    `left`.
    """
    at = newest()
    if last_id and _is_id(last_id):
        at = min(last_id, at, key=padded)  # behind one that is yet to come nothing would be told for years
    if task_id is not None:
        task = find(task_id)
        yield at, task
        if task.ended:
            return
    told_at = time.monotonic()
    while not left():
        at, seen = _next_changes(at, min(heartbeat_s, LOOK_S))
        wanted = [c for c in seen if c.task_id == task_id or (task_id is None and scope in (None, c.scope))]
        for change, task in _latest(wanted):
            if task_id is None and _ends_later(task, change, wanted):
                continue
            told_at = time.monotonic()
            yield change.stream_id, task
            if task_id is not None and task.ended:
                return
        if time.monotonic() - told_at >= heartbeat_s:
            told_at = time.monotonic()
            if task_id is not None and (task := find(task_id)).ended:  # an end that no event told of
                yield at, task
                return
            yield None


def _latest(found: list[Change]) -> Iterator[tuple[Change, Task]]:
    """Each task once, with its last change and in the order of those: who comes back with their ids misses nothing."""
    latest = {change.task_id: change for change in found}
    for change in sorted(latest.values(), key=lambda change: change.event_id):
        with suppress(UnknownTask):
            yield change, find(change.task_id)


def _ends_later(task: Task, last: Change, found: list[Change]) -> bool:
    """Is the end of the task told behind what was found? It would come again with its own event."""
    told = any(change.state in ENDED for change in found if change.task_id == task.id)
    return task.ended and (not told or padded(task.event_id) > last.event_id)


def _next_changes(at: str, at_most_s: float) -> tuple[str, list[Change]]:
    """Wait for entries after `at`: their last id and their changes."""
    try:
        block_ms = int(min(at_most_s, wire.SOCKET_TIMEOUT_S / 2) * 1000)
        answer = wire.connect().xread({STREAM: at}, count=BATCH, block=block_ms)
    except (RedisError, QueueDown):
        time.sleep(1)
        return at, []
    entries = answer[0][1] if answer else []
    found = [change for event_id, fields in entries for change in changes(event_id, fields)]
    return (entries[-1][0].decode() if entries else at), found


def newest() -> str:
    """The id of the last entry; without Redis one from our clock, later than all that was told before."""
    try:
        last = wire.connect(wire.LOOK_TIMEOUT_S).xrevrange(STREAM, count=1)
    except (RedisError, QueueDown):
        return f"{int(time.time() * 1000)}-0"
    return last[0][0].decode() if last else "0-0"


def _is_id(text: str) -> bool:
    return re.fullmatch(r"[0-9]{1,15}(-[0-9]{1,10})?", text) is not None
