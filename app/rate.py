"""Rates: RATE_LIMIT requests for each token or session, or for each network of those without one; and tries to log in.

Counted in Redis, so that all processes share the count; without Redis each process counts for itself.
"""

import math
import time
from collections.abc import Callable, Sequence
from functools import lru_cache
from ipaddress import ip_address, ip_network
from typing import Any

from flask import Flask, current_app, g, request
from limits import RateLimitItem, parse_many
from limits.errors import StorageError
from limits.storage import MemoryStorage, RedisStorage
from limits.strategies import FixedWindowRateLimiter

from workers import settings
from workers.engine import wire
from workers.errors import BadSettings, LimitReached, SiraError

EXEMPT = frozenset({"health.healthz", "health.readyz", "static", None})
IPV6_PREFIX = 64  # what one customer has at least, so that another address of it is no other network
REST_S = 2.0  # how long Redis is left alone after it did not answer
Limits = Sequence[RateLimitItem]


class InRedis(RedisStorage):
    """Counts in Redis, and knows to the millisecond when a window ends: `limits` rounds that down by up to half a
    second, and who came back then would be refused again."""

    def get_expiry(self, key: str) -> float:
        client: Any = self.get_connection(True)  # a redis-py client, of which their type knows what they use
        return max(client.pttl(self.prefixed_key(key)), 0) / 1000 + time.time()


class Counts:
    """Where one application counts."""

    def __init__(self) -> None:
        self._own = FixedWindowRateLimiter(MemoryStorage())
        self._rests_until = 0.0

    def ask(self, question: Callable[[FixedWindowRateLimiter], None]) -> None:
        if time.monotonic() >= self._rests_until:
            try:
                return question(_shared(wire.connect(wire.PUSH_TIMEOUT_S)))
            except (StorageError, SiraError) as error:
                if isinstance(error, LimitReached):
                    raise
                self._rests_until = time.monotonic() + REST_S
        return question(self._own)


def register(app: Flask) -> None:
    limits = sorted(read("RATE_LIMIT", settings.current().rate_limit))
    counts = app.extensions["sira_counts"] = Counts()

    def count() -> None:
        if request.endpoint not in EXEMPT:
            who = g.caller.digest if g.caller else network_of(request.remote_addr or "unknown")
            counts.ask(lambda strategy: _hit(strategy, limits, who, "requests"))

    app.before_request(count)


def read(name: str, text: str) -> list[RateLimitItem]:
    """The limits that a setting of that name holds; raises BadSettings."""
    try:
        found = parse_many(text)
    except ValueError:
        found = []
    if not found or any(limit.amount < 1 for limit in found):
        raise BadSettings(reason=f"{name} is no limit such as 1200/minute or 3/10minutes")
    return found


def hit(limits: Limits, who: str) -> None:
    """Count a try of somebody; raises LimitReached with the seconds until the next one is free."""
    _counts().ask(lambda strategy: _hit(strategy, limits, who, "tries"))


def check(limits: Limits, who: str) -> None:
    """Raises LimitReached where `hit` would, and counts nothing."""

    def look(strategy: FixedWindowRateLimiter) -> None:
        for limit in limits:
            if not strategy.test(limit, who):
                raise _reached(strategy, limit, who, "tries")

    _counts().ask(look)


def clear(limits: Limits, who: str) -> None:
    """Forget the tries of somebody."""

    def forget(strategy: FixedWindowRateLimiter) -> None:
        for limit in limits:
            strategy.clear(limit, who)

    _counts().ask(forget)


def network_of(address: str) -> str:
    """
    >>> network_of("203.0.113.7"), network_of("2001:db8:1:2:3::4"), network_of("unknown")
    ('203.0.113.7', '2001:db8:1:2::/64', 'unknown')
    """
    try:
        found = ip_address(address)
    except ValueError:
        return address
    return str(ip_network((found, IPV6_PREFIX), strict=False)) if found.version == 6 else str(found)


def _counts() -> Counts:
    return current_app.extensions["sira_counts"]


@lru_cache(maxsize=2)
def _shared(connection: Any) -> FixedWindowRateLimiter:
    return FixedWindowRateLimiter(InRedis("redis://", connection.connection_pool, wrap_exceptions=True))


def _hit(strategy: FixedWindowRateLimiter, limits: Limits, who: str, what: str) -> None:
    for limit in limits:
        if not strategy.hit(limit, who):
            raise _reached(strategy, limit, who, what)


def _reached(strategy: FixedWindowRateLimiter, limit: RateLimitItem, who: str, what: str) -> LimitReached:
    wait_s = max(1, math.ceil(strategy.get_window_stats(limit, who).reset_time - time.time()))
    return LimitReached(what=f"More than {limit.amount:,} {what} in {limit.get_expiry():,} s", retry_after_s=wait_s)
