"""The rate limit: RATE_LIMIT requests for each token, or for each address of those without a valid one."""

import time
from functools import lru_cache
from typing import Any

from flask import Flask, g, request
from limits import RateLimitItem, parse_many
from limits.errors import StorageError
from limits.storage import MemoryStorage, RedisStorage
from limits.strategies import FixedWindowRateLimiter

from workers import settings
from workers.engine import wire
from workers.errors import LimitReached, SiraError

EXEMPT = frozenset({"health.healthz", "health.readyz", "static", None})
REST_S = 2.0  # how long Redis is left alone after it did not answer


def register(app: Flask) -> None:
    """Count in Redis, so that all processes share the count; without Redis each process counts for itself."""
    limits = sorted(parse_many(settings.current().rate_limit))
    own = FixedWindowRateLimiter(MemoryStorage())
    rests_until = 0.0

    def check() -> None:
        nonlocal rests_until
        if request.endpoint in EXEMPT:
            return
        if time.monotonic() >= rests_until:
            try:
                return _count(_shared(wire.connect(wire.PUSH_TIMEOUT_S)), limits)
            except (StorageError, SiraError) as error:
                if isinstance(error, LimitReached):
                    raise
                rests_until = time.monotonic() + REST_S
        return _count(own, limits)

    app.before_request(check)


@lru_cache(maxsize=2)
def _shared(connection: Any) -> FixedWindowRateLimiter:
    return FixedWindowRateLimiter(RedisStorage("redis://", connection.connection_pool, wrap_exceptions=True))


def _count(strategy: FixedWindowRateLimiter, limits: list[RateLimitItem]) -> None:
    who = g.caller.digest if g.caller else request.remote_addr or "unknown"
    for limit in limits:
        if not strategy.hit(limit, who):
            wait_s = max(1, int(strategy.get_window_stats(limit, who).reset_time - time.time()))
            what = f"More than {limit.amount:,} requests in {limit.get_expiry():,} s"
            raise LimitReached(what=what, retry_after_s=wait_s)
