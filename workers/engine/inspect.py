"""What the service is doing right now, as rows for people and programs (Celery's inspect, for RQ)."""

from collections import defaultdict
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from redis.exceptions import ResponseError

from workers.engine import registry, steering, wire
from workers.engine.queues import DUE_YEARS

LISTED = 1000
DIGITS = 15  # of a number that every reader of JSON takes
COUNTS = ("successful_job_count", "failed_job_count")
BORN = ("hostname", "pid", "birth", "version", "python_version")
WORKER = ("state", "last_heartbeat", *BORN, *COUNTS, "queues", "sira_holds")


@wire.plainly()
def active() -> list[dict[str, Any]]:
    """The jobs that run: task, kind, queue, worker, since when."""
    connection = wire.connect(wire.PUSH_TIMEOUT_S)
    rows = []
    for queue in registry.QUEUES:
        for both in connection.zrange(f"rq:wip:{queue}", 0, LISTED - 1):
            job_id = wire.text(both).partition(":")[0]
            told = _fields(connection, f"rq:job:{job_id}", "description", "worker_name", "started_at")
            row = {"task_id": job_id, "kind": told["description"], "queue": queue, "worker": told["worker_name"]}
            rows.append({**row, "started_at": _time(told["started_at"])})
    return rows


@wire.plainly()
def scheduled() -> list[dict[str, Any]]:
    """The jobs that wait for their time: retries and delayed tasks, the next first."""
    connection = wire.connect(wire.PUSH_TIMEOUT_S)
    rows = [
        (due, {"task_id": wire.text(job_id), "queue": queue, "due_at": _instant(due)})
        for queue in registry.QUEUES
        for job_id, due in connection.zrange(f"rq:scheduled:{queue}", 0, LISTED - 1, withscores=True)
    ]
    return [row for _, row in sorted(rows, key=lambda both: both[0])]


def _instant(seconds: float) -> str | None:
    """None of what is no time in the calendar: anybody may have written the score."""
    try:
        return datetime.fromtimestamp(seconds, UTC).isoformat()
    except (ArithmeticError, ValueError, OSError):
        return None


@wire.plainly()
def reserved() -> list[dict[str, Any]]:
    """The jobs that wait in the queues, in their order (nothing is prefetched: no worker holds them), and without a
    position those that wait beside them, because their company is over its share."""
    connection, rows = wire.connect(wire.PUSH_TIMEOUT_S), []
    beside = _beside(connection)
    for queue in registry.QUEUES:
        listed = [*enumerate(connection.lrange(f"rq:queue:{queue}", 0, LISTED - 1), 1)]
        held = [(None, job_id) for key in beside[queue] for job_id in connection.zrange(key, 0, LISTED - 1)]
        both = [*listed, *held][:LISTED]
        rows += [{"task_id": wire.text(job_id), "queue": queue, "position": position} for position, job_id in both]
    return rows


def _beside(connection: Any) -> dict[str, list[str]]:
    """For each queue where the jobs stand that RQ's rate limits, our shares, hold back from it. A limit is of one
    queue, so the first of its jobs tells which."""
    keys = [f"rq:rl:{wire.text(limit)}:rate_limited" for limit in sorted(connection.smembers("rq:rl-keys"))]
    pipeline, found = connection.pipeline(transaction=False), defaultdict[str, list[str]](list)
    for key in keys:
        pipeline.zrange(key, 0, 0)
    for key, ids in zip(keys, pipeline.execute(raise_on_error=False), strict=True):
        if ids and isinstance(ids, list):  # somebody may have written something else there
            found[_fields(connection, b"rq:job:" + ids[0], "origin")["origin"] or ""].append(key)
    return found


def stats() -> list[dict[str, Any]]:
    """One row for each worker, then one for each queue."""
    return workers() + queues()


@wire.plainly()
def workers() -> list[dict[str, Any]]:
    """The workers that are registered, busy or idle; a slot is a worker."""
    connection, rows = wire.connect(wire.PUSH_TIMEOUT_S), []
    for key in sorted(connection.smembers("rq:workers")):
        found = _fields(connection, key, *WORKER)
        if any(found.values()):
            row = {"worker": wire.text(key).removeprefix("rq:worker:"), **_worker(found)}
            rows.append({**row, "current_job": _current(connection, key, found)})
    return rows


def _current(connection: Any, key: bytes, found: dict[str, str | None]) -> str | None:
    """Ours say it at once; of a stock worker RQ's own set tells it."""
    if holds := found["sira_holds"]:
        return holds.rpartition(":")[0].rpartition(":")[2]
    running = [wire.text(both).partition(":")[0] for both in connection.smembers(key + b":executions")]
    return running[0] if running else None


@wire.plainly()
def queues() -> list[dict[str, Any]]:
    """Each queue: how many wait (also beside it, over their company's share), run, are scheduled, have failed, whether
    it is paused or drains, and since when the first waits."""
    connection = wire.connect(wire.PUSH_TIMEOUT_S)
    rows, beside = [], _beside(connection)
    for queue in registry.QUEUES:
        pipeline = connection.pipeline(transaction=False)
        pipeline.llen(f"rq:queue:{queue}")
        for name in ("wip", "scheduled", "failed", "finished"):
            pipeline.zcard(f"rq:{name}:{queue}")
        pipeline.sismember(steering.PAUSED, queue)
        pipeline.hexists(steering.DRAINING, queue)
        pipeline.lindex(f"rq:queue:{queue}", 0)
        waiting, *counts, paused, draining, first = pipeline.execute()
        row = dict(zip(("running", "scheduled", "failed", "finished"), counts, strict=True))
        since = _fields(connection, b"rq:job:" + first, "enqueued_at")["enqueued_at"] if first else None
        held, held_since = _held_back(connection, beside[queue])
        steered = {"paused": bool(paused), "draining": bool(draining)}
        waits = {"waiting": waiting + held, **row, **steered}
        rows.append({"queue": queue, **waits, "waiting_since": _earlier(_time(since), held_since)})
    return rows


def _held_back(connection: Any, keys: list[str]) -> tuple[int, str | None]:
    """How many stand there, and since when the first; who began before stands at 0, in front, and says no time."""
    pipeline = connection.pipeline(transaction=False)
    for key in keys:
        pipeline.zcard(key)
        pipeline.zrangebyscore(key, "(0", "+inf", start=0, num=1, withscores=True)
    answers = pipeline.execute()
    firsts = [score for found in answers[1::2] for _, score in found]
    return sum(answers[::2]), _instant(min(firsts)) if firsts else None


def _earlier(*times: str | None) -> str | None:
    return min(filter(None, times), key=datetime.fromisoformat, default=None)


@wire.plainly()
def duties() -> dict[str, str | None]:
    """Who has the duties that one process at a time has, None where nobody does them: clock, recorder, reconciler."""
    names = ("clock", "recorder", "reconciler")
    holders = wire.connect(wire.PUSH_TIMEOUT_S).mget([f"sira:duty:{name}" for name in names])
    return {name: _text(holder) for name, holder in zip(names, holders, strict=True)}


@wire.plainly()
def server() -> dict[str, Any]:
    """What the Redis server says of itself: version, memory used and allowed (bytes; 0: all), since how many seconds it
    runs, and whether it writes its append-only file without errors."""
    told = wire.connect(wire.PUSH_TIMEOUT_S).info()
    version = told.get("valkey_version") or told.get("redis_version")
    names = {"used_memory": "used_bytes", "maxmemory": "max_bytes", "uptime_in_seconds": "up_s"}
    row = {ours: int(told.get(theirs, 0)) for theirs, ours in names.items()}
    appends = bool(told.get("aof_enabled")) and told.get("aof_last_write_status", "ok") == "ok"
    return {"name": "Valkey" if "valkey_version" in told else "Redis", "version": version, **row, "appends": appends}


def registered() -> list[dict[str, Any]]:
    """The kinds of the catalogue."""
    return [
        {"kind": kind.name, "queue": kind.queue, "retries": kind.retries, "summary": kind.summary}
        for kind in sorted(registry.kinds().values(), key=lambda kind: kind.name)
    ]


def _worker(found: dict[str, str | None]) -> dict[str, Any]:
    """What RQ keeps of a worker, of which it makes text."""
    told: dict[str, Any] = {name: found[name] for name in ("state", "last_heartbeat", *BORN)}
    times = {name: _time(found[name]) for name in ("last_heartbeat", "birth")}
    numbers = {name: _whole(found[name]) for name in COUNTS}
    queues = [name for name in (found["queues"] or "").split(",") if name]
    return {**told, **times, **numbers, "queues": queues, "pid": _whole(found["pid"]) or None}


def _fields(connection: Any, key: str | bytes, *names: str) -> dict[str, str | None]:
    """These fields of a hash; of a key that somebody made something else, nothing."""
    values = [None] * len(names)
    with suppress(ResponseError):
        values = connection.hmget(key, *names)
    return dict(zip(names, map(_text, values), strict=True))


def _time(value: str | None) -> str | None:
    """None of what is no instant in the calendar, whoever wrote it there."""
    with suppress(ValueError):
        at = datetime.fromisoformat(value or "")
        return value if at.tzinfo and at.year in DUE_YEARS else None
    return None


def _whole(value: str | None) -> int:
    """0 of what is no number, whoever wrote it there."""
    return int(value) if value and value.isdecimal() and len(value) <= DIGITS else 0


def _text(value: bytes | None) -> str | None:
    return wire.text(value) if value is not None else None
