"""Limits: how fast a gateway may be used, how much a company may send, and its share of a queue.

Rates and counts live in Redis, by its clock, so that all workers and the web share them.
"""

import re
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from typing import Any

from redis.exceptions import RedisError

from workers.engine import wire
from workers.errors import QueueDown

SHARES = "sira:shares"
ASKED_TIMEOUT_S = wire.PUSH_TIMEOUT_S
TURN_S = 2.0  # how long a request waits in place for its turn at the gateway; else its task rests
MOST, MONTH_S = 10**9, 31 * 86_400
NO_LIMIT = f"must be one limit such as 3/10minutes: of 1 to {MOST:,} messages, in 1 second to 31 days"
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


def sensible(text: str) -> str:
    """The text, if it is a limit of a number; raises ValueError, which says what one is, for what would be none: of no
    message, in no time (which the library takes for 1), or in longer than is kept."""
    from limits import parse_many

    try:
        (limit,) = parse_many(text)
        none = 0 in map(int, re.findall("[0-9]+", text))
        if none or limit.amount > MOST or limit.get_expiry() > MONTH_S:
            raise ValueError(text)
    except ValueError:
        raise ValueError(NO_LIMIT) from None
    return text


def share(scope: str | None, queue: str, *, bulk: bool) -> tuple[Any, ...]:
    """RQ's rate limit of a company's tasks in a queue: one bulk after the other, so that the depth of its backlog is
    nobody else's delay; single tasks have a share of their own and wait for no bulk. As field, value, … of the job."""
    if scope is None:
        return ()
    key = f"{scope}:{queue}:{'bulk' if bulk else 'single'}"
    return "rate_limit_key", key, "rate_limit_concurrency", BULKS if bulk else SINGLES


@wire.plainly()
def set_share(scope: str, factor: int | None) -> None:
    """A company's own K; None: 1."""
    connection = wire.connect(wire.LOOK_TIMEOUT_S)
    if factor is None:
        connection.hdel(SHARES, scope)
    else:
        connection.hset(SHARES, scope, factor)


@dataclass(frozen=True)
class Place:
    """Where messages stand at a gate: the seconds until it is their turn, and when it ends by Redis' clock, if the
    place was kept."""

    wait_s: float
    ends: str = ""


@dataclass(frozen=True)
class Gate:
    """How fast messages may go to one account at a gateway, whoever sends them: its name, and so many a second."""

    account: str
    per_second: float

    def place(self, count: int) -> "Place":
        """Keep a place for `count` messages; none where it would be more than TURN_S away."""
        wait_ms, ends = wire.run(wire.connect(), "pace", self._key, self.per_second, count, int(TURN_S * 1000))
        return Place(wait_ms / 1000, ends.decode())

    def leave(self, place: "Place") -> None:
        """It was kept and is not needed."""
        with suppress(RedisError, QueueDown):
            wire.run(wire.connect(), "leave", self._key, place.ends)

    def rest(self, seconds: float) -> None:
        """The gateway wants nothing of anybody for so long."""
        with suppress(RedisError, QueueDown):
            wire.run(wire.connect(), "rest", self._key, int(seconds * 1000))

    @property
    def _key(self) -> str:
        return f"sira:pace:{self.account}"


def admit(
    caps: Caps, messages: list[tuple[str, str]], *, timeout_s: float = wire.SOCKET_TIMEOUT_S
) -> list[tuple[str, int]]:
    """Count messages, each its (hashed) number and a name of its own, where caps allow it; in their order: what stops
    it ('' nothing, 'day', 'number') and for how many seconds. One that was counted passes again: it was not sent then.
    Without Redis all pass: what is accepted is not refused."""
    amount, window_s = caps.window
    day = f"sira:day:{caps.scope}:{caps.channel}:{caps.day}"
    daily = "" if caps.daily is None else caps.daily
    prefix = f"sira:number:{caps.scope}:"
    try:
        told = wire.run(wire.connect(timeout_s), "admit", day, daily, amount, window_s, prefix, *chain(*messages))
    except (RedisError, QueueDown):
        return [("", 0)] * len(messages)
    return [(what.decode(), int(seconds)) for what, seconds in told]
