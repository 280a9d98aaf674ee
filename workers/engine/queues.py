"""The way in: a task becomes a committed row first, a job in Redis second; a lost second step is repeated, safely."""

import hashlib
import math
import os
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import datetime
from threading import Lock
from typing import Any

from redis.exceptions import RedisError
from sqlalchemy import insert, select, update
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.orm import Session

from workers import settings
from workers.db import now, reading, writing
from workers.engine import ledger, limits, registry, wire
from workers.engine.job import data_of, refuse_large, sealed_data
from workers.engine.ledger import Entry
from workers.engine.registry import Asked, Kind
from workers.engine.seal import encode
from workers.engine.tables import items, keys, tasks
from workers.engine.tasks import Task, find
from workers.errors import DatabaseDown, InvalidInput, KeyReused, QueueDown, SealBroken, UnknownKind

RETRY_INTERVALS_S = (2, 8, 30, 120)
RETRY_INTERVALS = encode(RETRY_INTERVALS_S)
BREAKER_S = 2.0
CHARS = {"scope": 40, "key": 255}  # what the columns hold; SQLite would take more
DUE_YEARS = range(1970, 3000)  # what no zone, and no rounding on the way, leads out of the calendar
ADD_TASK, ADD_KEY, ADD_ITEM = insert(tasks), insert(keys), insert(items)
Row = dict[str, Any]
Beside = Callable[[Session, Row], None]
_closed_until = 0.0
_fixed: dict[str, tuple[Kind, settings.Settings, tuple[Any, ...]]] = {}


@dataclass(frozen=True, eq=False)
class _Waiting:
    """A task's row, and those of its idempotency key and its one item if it has them, that wait for the next commit."""

    task: Row
    key_row: Row | None
    outcome: Future[None]
    item_row: Row | None = None


_waiting: deque[_Waiting] = deque()
_turn = Lock()


def enqueue(
    kind: str,
    params: dict[str, Any] | None = None,
    *,
    scope: str | None = None,
    key: str | None = None,
    due_at: datetime | None = None,
    beside: Beside | None = None,
) -> Task:
    """Accept a task: after this returns, its row is committed and it will run, Redis or not.

    `key` is an idempotency key: the same key and parameters give the same task (`replayed`), others raise KeyReused.
    `beside` writes more in the transaction of the row, or refuses it by raising; not of bulks.
    Raises UnknownKind, InvalidInput, TooLarge, DatabaseDown.
    """
    _refuse_unfit({"scope": scope, "key": key}, due_at)
    declared = registry.get(kind)
    checked = declared.check(dict(params or {}))
    request_hash = hashlib.sha256(encode([kind, checked, due_at])).hexdigest() if key is not None else ""
    if key is not None and (known := _replayed(scope, key, request_hash)):
        return known
    rows = checked.pop(declared.items) if declared.items else [None] if declared.single else None
    task = _new_row(declared, checked, rows, scope=scope, due_at=due_at)
    entries = None if rows is None else _sifted(declared, rows, checked, Asked(scope, key or task["id"]))
    task["item_count"] = None if entries is None else len(entries)
    reach()
    try:
        _store(task, entries, key, request_hash, beside)
    except IntegrityError:
        ledger.drop(task["id"])
        if key is not None and (known := _replayed(scope, key, request_hash)):
            return known
        raise
    push(task, data=task["params"])
    return _as_task(task)


def _refuse_unfit(texts: dict[str, Any], due_at: Any) -> None:
    """What SQL, Redis or the stream could not keep, or not give back as it was."""
    faults = [
        {"field": name, "message": f"must be a text of 1 to {CHARS[name]} printable characters"}
        for name, text in texts.items()
        if text is not None and not (isinstance(text, str) and 0 < len(text) <= CHARS[name] and text.isprintable())
    ]
    if due_at is not None and not (isinstance(due_at, datetime) and due_at.year in DUE_YEARS):
        faults.append({"field": "due_at", "message": "must be a datetime of the years 1970 to 2999"})
    if faults:
        raise InvalidInput(faults)


def _new_row(kind: Kind, params: dict[str, Any], rows: list[Any] | None, **given: Any) -> dict[str, Any]:
    if rows is not None and not rows:
        raise InvalidInput([{"field": str(kind.items), "message": "name at least one"}])
    refuse_large(params)
    task_id = new_id()
    return {
        "id": task_id,
        "kind": kind.name,
        "queue": kind.queue,
        "params": sealed_data(task_id, kind.name, params, given["scope"]),
        "created_at": now(),
        "max_attempts": kind.retries + 1,
        **given,
    }


def _sifted(kind: Kind, rows: list[Any], params: dict[str, Any], asked: Asked) -> list[Entry]:
    """The items that the posted rows become; InvalidInput naming the rows where none of them can be used."""
    entries = kind.sift(rows, params, asked) if kind.sift else ledger.entries(rows)
    if all(entry.state == "failed" for entry in entries):
        faults = [
            {"field": f"{kind.items}.{n}", "message": entry.error or "can't be used"} for n, entry in enumerate(entries)
        ]
        raise InvalidInput(faults)
    return list(entries)


def new_id() -> str:
    """A UUIDv7: ids sort by the time they were made, which makes them the cursor of every list.

    Its 12 bits after the milliseconds are the fraction of one, 0.24 µs each (RFC 9562 section 6.2, method 3):
    noise in their place would shuffle what one caller enqueues within a millisecond.
    """
    ms, rest_ns = divmod(time.time_ns(), 1_000_000)
    noise = int.from_bytes(os.urandom(8), "big") >> 2
    text = f"{ms << 80 | 0x7 << 76 | (rest_ns << 12) // 1_000_000 << 64 | 0b10 << 62 | noise:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def _store(task: Row, entries: list[Entry] | None, key: str | None, request_hash: str, beside: Beside | None) -> None:
    """One transaction; a bulk writes its items in chunks under a row that nobody sees before the last of them."""
    row = {"scope": task["scope"] or "", "key": key, "request_hash": request_hash, "task_id": task["id"]}
    key_row = {**row, "created_at": task["created_at"]} if key is not None else None
    if beside:
        _commit_beside(task, key_row, beside)
        return
    if entries is None or len(entries) == 1:
        item_row = ledger.row_of(task["id"], 1, entries[0]) if entries else None
        _commit_together(_Waiting(task, key_row, Future(), item_row))
        return
    with writing() as session:
        session.execute(insert(tasks).values(**task, released=False))
    ledger.fill(task["id"], entries)
    with writing() as session:
        if key_row:
            session.execute(insert(keys), key_row)
        released = session.execute(update(tasks).where(tasks.c.id == task["id"]).values(released=True))
        if released.rowcount != 1:  # type: ignore[attr-defined]
            raise DatabaseDown()  # somebody cleaned up what was still being written


def _commit_beside(task: Row, key_row: Row | None, beside: Beside) -> None:
    with writing() as session:
        session.execute(ADD_TASK, [task])
        if key_row:
            session.execute(ADD_KEY, [key_row])
        beside(session, task)


def _commit_together(mine: _Waiting) -> None:
    """While one thread commits, the rows of the others gather; then one of these commits them all, in one fsync."""
    _waiting.append(mine)
    try:
        with _turn:
            if not mine.outcome.done():
                _commit([_waiting.popleft() for _ in range(len(_waiting))])
    except BaseException:
        with suppress(ValueError):  # interrupted: what its caller does not get must not be committed by another
            _waiting.remove(mine)
        raise
    mine.outcome.result()


def _commit(batch: list[_Waiting]) -> None:
    """Commit the rows and say to each what became of it; if one of them is refused, each for itself."""
    try:
        with writing() as session:
            session.connection().execute(ADD_TASK, [one.task for one in batch])
            if key_rows := [one.key_row for one in batch if one.key_row]:
                session.connection().execute(ADD_KEY, key_rows)
            if item_rows := [one.item_row for one in batch if one.item_row]:
                session.connection().execute(ADD_ITEM, item_rows)
    except DBAPIError as error:
        if len(batch) == 1:
            batch[0].outcome.set_exception(error)
        else:
            for one in batch:
                _commit([one])
    except BaseException as error:
        for one in batch:
            one.outcome.set_exception(error)
    else:
        for one in batch:
            one.outcome.set_result(None)


def _replayed(scope: str | None, key: str, request_hash: str) -> Task | None:
    with reading() as session:
        row = session.execute(select(keys).where(keys.c.scope == (scope or ""), keys.c.key == key)).first()
    if row is None:
        return None
    if row.request_hash != request_hash:
        raise KeyReused()
    return replace(find(row.task_id), replayed=True)


def _as_task(row: dict[str, Any]) -> Task:
    given = {name: row[name] for name in ("id", "kind", "queue", "scope", "created_at", "max_attempts")}
    begun: dict[str, Any] = {"state": "PENDING", "current": 0, "total": 100, "status": None, "attempts": 0}
    return Task(**given, **begun, started_at=None, ended_at=None, next_run_at=row["due_at"])


def push(task: Any, *, data: bytes | None = None, replace_ended: bool = False) -> bool | None:
    """Put a row's job into Redis unless it is there. None: Redis is away, the kind is unknown here or the key that
    sealed the row is gone; the reconciler will try again. `data`: what the job carries, where it is known.
    `replace_ended`: also where it has ended, before the row began anew."""
    with suppress(UnknownKind, SealBroken), _breaker() as closed:
        if closed:
            return None
        kind = registry.get(task["kind"])
        due_ms = int(task["due_at"].timestamp() * 1000) if task["due_at"] else ""
        share = limits.share(task["scope"], task["queue"], bulk=kind.items is not None) if kind.share else ()
        anew = task["event_id"] if replace_ended else 0
        arguments = (task["id"], task["queue"], due_ms, anew, *job_fields(kind, task, data), *share)
        return bool(wire.say("push", wire.PUSH_TIMEOUT_S, *arguments))
    return None


def reach() -> None:
    """Open this thread's line, before a commit: behind it nothing but the push is between a task and its job."""
    with _breaker() as closed:
        if not closed:
            wire.reach("push", wire.PUSH_TIMEOUT_S)


@contextmanager
def _breaker() -> Iterator[bool]:
    """Whether Redis was away just now: then nobody waits for it, and the reconciler pushes what is committed."""
    global _closed_until
    try:
        yield time.monotonic() < _closed_until
    except (RedisError, QueueDown):
        _closed_until = time.monotonic() + BREAKER_S


def job_fields(kind: Kind, task: Any, data: bytes | None = None) -> tuple[Any, ...]:
    """Field, value, … of `rq:job:<id>`: RQ's own, so that its tools read it, and ours beginning with sira_. With `data`
    the row was made just now, and the script writes its own time as that of the creation."""
    own = ("data", data or data_of(task), "sira_scope", task["scope"] or "")
    made = () if data else ("created_at", task["created_at"].strftime("%Y-%m-%dT%H:%M:%S.%fZ"))
    return own + made + _fields_of(kind)


def _fields_of(kind: Kind) -> tuple[Any, ...]:
    """Those that all jobs of the kind have; made once, for this stands between a task and its job."""
    known, chosen = _fixed.get(kind.name), settings.current()
    if known is None or known[0] is not kind or known[1] is not chosen:
        rq = ("origin", kind.queue, "description", kind.name, "timeout", math.ceil(kind.hard_s))
        retries = ("retries_left", kind.retries, "retry_intervals", RETRY_INTERVALS, "sira_retries", kind.retries)
        known = _fixed[kind.name] = (kind, chosen, rq + retries)
    return known[2]


def require() -> None:
    """Raises QueueDown unless Redis answers: NotRunning where it would be that of a `flask up`, and none runs."""
    with wire.plainly():
        wire.connect(wire.LOOK_TIMEOUT_S).ping()


def ping() -> bool:
    """Does Redis answer?"""
    try:
        return bool(wire.connect(wire.PUSH_TIMEOUT_S).ping())
    except (RedisError, QueueDown):
        return False


def takes() -> bool:
    """Does Redis take what is pushed? One that is full, or whose disk is, answers, and refuses it."""
    try:
        return not wire.refusal(wire.connect(wire.PUSH_TIMEOUT_S))
    except (RedisError, QueueDown):
        return False
