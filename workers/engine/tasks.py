"""A task as people see it, from SQL (the truth) and Redis (the hurry): the later event wins, an end stays."""

import re
import time
from base64 import b64decode
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import chain
from typing import Any

from redis.exceptions import RedisError
from sqlalchemy import RowMapping, Select, func, or_, select

from workers import logs
from workers.db import now, reading, storable
from workers.engine import wire
from workers.engine.job import params_in
from workers.engine.seal import Seal
from workers.engine.tables import ENDED, items, tasks
from workers.errors import InvalidInput, QueueDown, SealBroken, SiraError, UnknownTask

ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
COUNTED = ("pending", "done", "failed", "skipped", "unknown")
STATES = ("PENDING", "STARTED", "PROGRESS", "RETRY", *ENDED)
BY_RQ_STATUS = {"finished": "SUCCESS", "failed": "FAILURE", "canceled": "REVOKED", "stopped": "REVOKED"}
# What a stop has put back before it reported goes on in SQL, and in Redis waits, or begins anew.
ALSO: dict[Any, Any] = {state: (state, "PROGRESS") for state in ("PENDING", "STARTED")}
SEARCHED = (tasks.c.id, tasks.c.kind, tasks.c.status, tasks.c.error_message)
log = logs.get("tasks")


class TaskFailed(SiraError):
    """The task {id} ended as {state}: {reason}"""


class TaskTimeout(SiraError, TimeoutError):
    """The task {id} has not ended within {timeout_s} s; it goes on."""


@dataclass(frozen=True)
class Task:
    """One task. Times are aware and UTC; `error` is `{"type", "message"}`; `counts` is None for single tasks."""

    id: str
    kind: str
    queue: str
    scope: str | None
    state: str
    current: int
    total: int
    status: str | None
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    attempts: int
    max_attempts: int
    result: Any = None
    error: dict[str, str] | None = None
    traceback: str | None = None
    counts: dict[str, int] | None = None
    position: int | None = None
    next_run_at: datetime | None = None
    eta_seconds: int | None = None
    event_id: str = "0-0"
    replayed: bool = False

    @property
    def ended(self) -> bool:
        return self.state in ENDED

    @property
    def percent(self) -> int:
        return min(100, self.current * 100 // self.total) if self.total > 0 else 0

    def wait(self, timeout_s: float | None = None, *, left: Callable[[], bool] = lambda: False) -> "Task":
        """This task anew, as soon as it has ended, the time is over, or who asked has `left`."""
        deadline = time.monotonic() + (timeout_s if timeout_s is not None else float("inf"))
        pause_s, task = 0.01, find(self.id)
        while not task.ended and time.monotonic() < deadline and not left():
            time.sleep(min(pause_s, max(0.0, deadline - time.monotonic())))
            pause_s = min(pause_s * 1.5, 0.25)
            if not _lives(self.id):
                task = find(self.id)
        return task if task.ended else find(self.id)

    def get(self, timeout: float | None = None) -> Any:
        """The result; waits for it. Raises TaskFailed, or TaskTimeout after `timeout` seconds."""
        task = self.wait(timeout)
        if not task.ended:
            raise TaskTimeout(id=self.id, timeout_s=timeout)
        if task.state != "SUCCESS":
            raise TaskFailed(id=self.id, state=task.state, reason=(task.error or {}).get("message", "cancelled"))
        return task.result


def find(task_id: str) -> Task:
    """The task of that id; raises UnknownTask for any id that isn't ours."""
    if not isinstance(task_id, str) or not ID.fullmatch(task_id):
        raise UnknownTask()
    with reading() as session:
        row = session.execute(select(tasks).where(tasks.c.id == task_id)).mappings().first()
        if row is None or not row["released"]:
            raise UnknownTask()
        task = _counted(session, [row], [_from_row(row, detailed=True)])[0]
    return task if task.ended else _merge_live([task])[0]


def _lives(task_id: str) -> bool:
    """Whether Redis says that it waits or runs: then nothing need be counted yet, which takes ten times as long."""
    with suppress(RedisError, QueueDown):
        return wire.connect(wire.LOOK_TIMEOUT_S).hget(f"rq:job:{task_id}", "status") in (b"queued", b"started")
    return False


def params_of(task_id: str) -> dict[str, Any]:
    """The parameters that a task was enqueued with, without its items. Raises UnknownTask, SealBroken."""
    with reading() as session:
        sealed = session.scalar(select(tasks.c.params).where(tasks.c.id == task_id, tasks.c.released))
    if sealed is None:
        raise UnknownTask()
    return params_in(task_id, sealed)


def search(
    *,
    scope: str | None = None,
    state: str | None = None,
    queue: str | None = None,
    kind: str | None = None,
    q: str | None = None,
    cursor: str | None = None,
    limit: int = 20,
) -> tuple[list[Task], str | None]:
    """Tasks, newest first, and the cursor of the next page; `q` looks into ids, kinds, statuses and errors."""
    if any(storable(text) != text for text in (scope, state, queue, kind, q) if text):
        return [], None  # nothing in the database is called that
    if cursor is not None and not ID.fullmatch(cursor):
        raise InvalidInput([{"field": "cursor", "message": "use next_cursor of the page before"}])
    query = select(tasks).where(tasks.c.released).order_by(tasks.c.id.desc()).limit(limit + 1)
    for column, value in ((tasks.c.scope, scope), (tasks.c.queue, queue), (tasks.c.kind, kind)):
        query = query.where(column == value) if value is not None else query
    if q:
        query = query.where(or_(*(c.contains(q, autoescape=True) for c in SEARCHED)))
    query = query.where(tasks.c.id < cursor) if cursor is not None else query
    each = [listed(query.where(tasks.c.state == one) if one else query) for one in ALSO.get(state, (state,))]
    found = sorted(chain(*each), key=lambda task: task.id, reverse=True)[: limit + 1]
    shown = [task for task in found[:limit] if state in (None, task.state)]  # Redis may say that it has moved on
    return shown, found[limit - 1].id if len(found) > limit else None


def listed(query: Select[Any], *, counted: bool = True, detailed: bool = False) -> list[Task]:
    """The tasks of a query for rows of `tasks`, with what Redis knows of them. `counted`: bulks with the counts of
    their items; a page of large ones takes seconds to count. `detailed`: with their results."""
    with reading() as session:
        rows = session.execute(query).mappings().all()
        page = [_from_row(row, detailed=detailed) for row in rows]
        page = _counted(session, rows, page) if counted else page
    return _merge_live(page)


def _counted(session: Any, rows: Sequence[RowMapping], found: list[Task]) -> list[Task]:
    """The tasks, bulks with the counts of their items; an item in work counts as pending."""
    counts: dict[str, dict[str, int]] = {row["id"]: dict.fromkeys(COUNTED, 0) for row in rows if row["item_count"]}
    if counts:
        query = select(items.c.task_id, items.c.state, func.count()).where(items.c.task_id.in_(counts))
        for task_id, state, count in session.execute(query.group_by(items.c.task_id, items.c.state)):
            counts[task_id]["pending" if state == "sending" else state] += count
    return [replace(task, counts=counts.get(task.id)) for task in found]


def _from_row(row: RowMapping, *, detailed: bool) -> Task:
    told = row["error_type"] and row["state"] in ("FAILURE", "RETRY")
    error = {"type": row["error_type"], "message": row["error_message"] or ""} if told else None
    succeeded = row["state"] == "SUCCESS"
    return Task(
        **{name: row[name] for name in ("id", "kind", "queue", "scope", "state", "status", "event_id")},
        **{name: row[name] for name in ("created_at", "started_at", "ended_at", "attempts", "max_attempts")},
        current=100 if succeeded else row["current"],
        total=100 if succeeded else row["total"],
        result=_opened(row["result"]) if detailed and row["result"] else None,
        error=error,
        traceback=_opened(row["traceback"]) if detailed and row["traceback"] else None,
        next_run_at=row["due_at"] if row["state"] in ("PENDING", "RETRY") else None,
    )


def _opened(sealed: bytes) -> Any:
    try:
        return Seal.loads(sealed)
    except SealBroken as error:
        return {"unreadable": error.message}


def _merge_live(found: list[Task]) -> list[Task]:
    """Lay what Redis knows over the tasks that SQL does not call ended. Without Redis, SQL alone speaks."""
    try:
        live = _look([task for task in found if not task.ended])
    except (RedisError, QueueDown):
        return found
    return [task if task.ended else _merged(task, *live[task.id]) for task in found]


def _look(alive: list[Task]) -> dict[str, tuple[dict[bytes, bytes], Any, Any, Any]]:
    pipeline = wire.connect(wire.LOOK_TIMEOUT_S).pipeline(transaction=False)
    for task in alive:
        pipeline.hgetall(f"rq:job:{task.id}")
        pipeline.xrevrange(f"rq:results:{task.id}", count=1)
        pipeline.lpos(f"rq:queue:{task.queue}", task.id)
        pipeline.zscore(f"rq:scheduled:{task.queue}", task.id)
    answers = pipeline.execute()
    return {task.id: tuple(answers[4 * i : 4 * i + 4]) for i, task in enumerate(alive)}


def _merged(task: Task, job: dict[bytes, bytes], results: Any, position: Any, due: float | None) -> Task:
    """What Redis says, if it is later. Anybody may have written into the hash: what can't be read says nothing."""
    try:
        told = job.get(b"sira_event", b"").decode()
        if job and (_order(told) >= _order(task.event_id) or ended_elsewhere(task.state, job)):
            latest = max(task.event_id, told, key=_order)
            return _laid_over(replace(task, event_id=latest), job, results, position, due)
    except Exception as error:
        log.warning("job can't be read", task_id=task.id, error=type(error).__name__)
    return task


def ended_elsewhere(state: str, job: dict[bytes, bytes]) -> bool:
    """Has another tool ended what runs? It tells no event. An end of ours would be that of a run before a retry."""
    status, told = (wire.text(job.get(name, b"")) for name in (b"status", b"sira_state"))
    return state in ("STARTED", "PROGRESS") and status in BY_RQ_STATUS and told not in ENDED


def _laid_over(task: Task, job: dict[bytes, bytes], results: Any, position: Any, due: float | None) -> Task:
    state = _state(job, meta := _progress(job))
    task = replace(
        task,
        state=state,
        current=meta.get("current", 0),
        total=meta.get("total", 100),
        status=meta.get("status"),
        eta_seconds=_eta_s(meta) if state == "PROGRESS" else None,
        attempts=int(job.get(b"sira_attempts", 0)),
        started_at=_instant(float(job[b"sira_started"]) / 1000) if b"sira_started" in job else None,
        position=position + 1 if position is not None and state != "PROGRESS" else None,
        next_run_at=_instant(due) if due is not None else None,
        error=_error(job) if state in ("FAILURE", "RETRY") else None,
    )
    return _ended(task, job, results) if task.ended else task


def _ended(task: Task, job: dict[bytes, bytes], results: Any) -> Task:
    ended_at = datetime.fromisoformat(job[b"ended_at"].decode()) if job.get(b"ended_at") else now()
    gave = {"current": 100, "total": 100, "result": _result(results)} if task.state == "SUCCESS" else {}
    return replace(task, ended_at=ended_at, **gave)


def _result(results: Any) -> Any:
    packed = results[0][1].get(b"return_value") if results else None
    return _opened(b64decode(packed)) if packed else None


def _state(job: dict[bytes, bytes], meta: dict[str, Any]) -> str:
    status = job.get(b"status", b"").decode()
    told = job.get(b"sira_state", b"").decode()
    if status in BY_RQ_STATUS:
        return BY_RQ_STATUS[status]
    if status == "started":
        return "PROGRESS" if meta else "STARTED"
    return told if told == "RETRY" or (told == "PROGRESS" and meta) else "PENDING"


def _progress(job: dict[bytes, bytes]) -> dict[str, Any]:
    meta = _opened(job[b"meta"]) if job.get(b"meta") else {}
    return meta if isinstance(meta, dict) and "current" in meta else {}


def _error(job: dict[bytes, bytes]) -> dict[str, str]:
    if not job.get(b"sira_error"):
        return {"type": "EndedElsewhere", "message": "Another tool ended the task and gave no reason."}
    error = _opened(job[b"sira_error"])
    return {"type": error.get("type", "Unreadable"), "message": error.get("message", "")}


def _eta_s(meta: dict[str, Any]) -> int | None:
    """Seconds left at the pace since the first report; None where no pace is known."""
    done, took_ms = meta["current"] - meta.get("from", 0), meta.get("at_ms", 0) - meta.get("from_ms", 0)
    if done <= 0 or took_ms <= 0 or not meta["total"]:
        return None
    return round((meta["total"] - meta["current"]) * took_ms / done / 1000)


def _instant(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def _order(event_id: str) -> tuple[int, int]:
    ms, _, number = (event_id or "0-0").partition("-")
    return int(ms), int(number or 0)
