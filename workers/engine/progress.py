"""`report(current, total, status)`: what people see of a running task, kept in RQ's job.meta and told in the stream."""

import time
from typing import Any

from redis.exceptions import RedisError

from workers.db import storable
from workers.engine import running, wire
from workers.engine.seal import Seal
from workers.engine.tables import COUNT_BITS
from workers.errors import QueueDown, SealBroken

EVERY_S = 0.05


def report(current: float, total: float | None, status: object = None) -> None:
    """Say how far the running job is; outside a worker nothing. More than 20 reports a second are thinned out; the last
    one before an error is told with it.

    A `total` that nobody knows yet is None; it is kept as 0, below `current`, and shown as null. Progress fails no job:
    what is no finite number is unknown, a status is whatever `str` makes of it.
    """
    run = running.present.get()
    if run is None or not run.leased:
        return
    running.check()
    done, known = _counts(current, total)
    run.meta, run.untold = _meta(run.meta, done, known or 0, _words(status)), True
    if time.monotonic() - run.said_at >= EVERY_S or (known is not None and done >= known):
        last_word(run)


def last_word(run: running.Run) -> None:
    """Send what was reported and not told yet."""
    if run.untold:
        run.said_at, run.untold = time.monotonic(), False
        send(run)


def _counts(current: float, total: float | None) -> tuple[int, int | None]:
    """Whole numbers, at most the total; what exceeds the columns is scaled down, so that its share stays true."""
    done, known = _whole(current) or 0, _whole(total)
    done = done if known is None else min(done, known)
    excess = max(max(done, known or 0).bit_length() - COUNT_BITS, 0)
    return done >> excess, None if known is None else known >> excess


def _whole(number: float | None) -> int | None:
    """None of what is no finite number."""
    try:
        return max(int(number), 0)  # type: ignore[arg-type]
    except Exception:  # of anybody's class
        return None


def _words(status: object) -> str | None:
    try:
        return None if status is None else storable(str(status))
    except Exception:
        return None


def send(run: running.Run) -> None:
    """Write the meta if this execution still holds the job. Redis being away is no reason to stop working."""
    if run.helps:
        return
    try:
        answer = wire.run(wire.connect(), "progress", run.job_id, run.execution, Seal.dumps(run.meta))
    except (RedisError, QueueDown):
        return
    if answer == 0:
        raise running.Lost()
    if answer == 2:
        raise running.Cancelled()


def kept(sealed: bytes) -> dict[str, Any]:
    """What an earlier slice or attempt of the task reported; nothing if that can't be read or is no report."""
    try:
        meta = Seal.loads(sealed)
    except SealBroken:
        return {}
    return meta if isinstance(meta, dict) and "current" in meta else {}


def _meta(before: dict[str, Any], current: int, total: int, status: str | None) -> dict[str, Any]:
    """`from` and `from_ms` are where and when reporting began: the pace that an honest ETA is made of. It begins anew
    with a step back, as where a job that a deploy or an error has interrupted starts over."""
    at_ms = int(time.time() * 1000)
    began = {"from": before.get("from", current), "from_ms": before.get("from_ms", at_ms)}
    if current < before.get("current", current):
        began = {"from": current, "from_ms": at_ms}
    return {"current": current, "total": total, "status": status, "at_ms": at_ms, **began}
