"""Limits: how fast a gateway may be used, how much a company may send, and its share of a queue.

Rates and counts live in Redis, by its clock, so that all workers and the web share them.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from redis.exceptions import RedisError

from workers.engine import wire
from workers.errors import QueueDown

SHARES = "sira:shares"
BULKS, SINGLES = 1, 16  # how many of one company may be queued or running per queue, times its own K


@dataclass(frozen=True)
class Caps:
    """What one company may send on a channel: messages a day (None: no limit), and to one number (`3/10minutes`)."""

    scope: str
    channel: str
    day: str
    daily: int | None = None
    per_number: str | None = None

    @property
    def window(self) -> tuple[int, int]:
        """Messages, and seconds."""
        return window(self.per_number) if self.per_number else (0, 0)


@lru_cache(maxsize=64)
def window(text: str) -> tuple[int, int]:
    """`3/10minutes` as (3, 600); raises ValueError for what is no limit."""
    from limits import parse

    limit = parse(text)
    return limit.amount, limit.get_expiry()


def share(scope: str | None, queue: str, *, bulk: bool) -> dict[str, Any]:
    """RQ's rate limit of a company's tasks in a queue: one bulk after the other, so that the depth of its backlog is
    nobody else's delay; single tasks have a share of their own and wait for no bulk."""
    if scope is None:
        return {}
    return {
        "rate_limit_key": f"{scope}:{queue}:{'bulk' if bulk else 'single'}",
        "rate_limit_concurrency": BULKS if bulk else SINGLES,
    }


@wire.plainly()
def set_share(scope: str, factor: int | None) -> None:
    """A company's own K; None: 1."""
    if factor is None:
        wire.connect().hdel(SHARES, scope)
    else:
        wire.connect().hset(SHARES, scope, factor)


def pace(gateway: str, per_second: float, count: int) -> float:
    """Let `count` messages pass to this gateway: 0.0, or the seconds to wait before asking again."""
    return float(wire.run(wire.connect(), "pace", f"sira:pace:{gateway}", per_second, count)) / 1000


def admit(caps: Caps, numbers: list[str]) -> list[tuple[str, int]]:
    """Count one message to each of these (hashed) numbers where caps allow it; in their order: what stops it
    ('' nothing, 'day', 'number') and for how many seconds. Without Redis all pass: what is accepted is not refused."""
    amount, window_s = caps.window
    day = f"sira:day:{caps.scope}:{caps.channel}:{caps.day}"
    daily = "" if caps.daily is None else caps.daily
    prefix = f"sira:number:{caps.scope}:"
    try:
        told = wire.run(wire.connect(), "admit", day, daily, amount, window_s, prefix, *numbers)
    except (RedisError, QueueDown):
        return [("", 0)] * len(numbers)
    return [(what.decode(), int(seconds)) for what, seconds in told]
