"""The rate limit: RATE_LIMIT requests for each token, or for each address of those without a valid one."""

import time
from typing import Any

from flask import Flask, Response, g, request
from flask_limiter import Limiter, RequestLimit

from app.errors import from_sira
from workers import settings
from workers.engine import wire
from workers.errors import LimitReached, SiraError

EXEMPT = frozenset({"health.healthz", "health.readyz"})


def register(app: Flask) -> None:
    """Count in Redis, so that all processes share the count; without Redis each process counts for itself."""
    limiter = Limiter(
        _who,
        application_limits=[settings.current().rate_limit],
        on_breach=_refuse,
        in_memory_fallback_enabled=True,
        swallow_errors=True,
        **_storage(),
    )
    limiter.request_filter(lambda: request.endpoint in EXEMPT)
    limiter.init_app(app)


def _storage() -> dict[str, Any]:
    try:
        pool = wire.connect(wire.PUSH_TIMEOUT_S).connection_pool
    except SiraError:
        return {"storage_uri": "memory://"}
    return {"storage_uri": "redis://", "storage_options": {"connection_pool": pool}}


def _who() -> str:
    return g.caller.digest if g.caller else request.remote_addr or "unknown"


def _refuse(breached: RequestLimit) -> Response:
    try:
        wait_s = max(1, int(breached.reset_at - time.time()))
    except Exception:  # the storage went away between the count and this look at it
        wait_s = 1
    what = f"More than {breached.limit.amount:,} requests in {breached.limit.get_expiry():,} s"
    return from_sira(LimitReached(what=what, retry_after_s=wait_s))
