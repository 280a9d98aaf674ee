"""Leases: what keeps them, and what no clock may make of them."""

import pytest

from tests.conftest import Service, wait_until
from tests.hands import claim, expire_leases
from workers.engine import enqueue, rescue, wire
from workers.engine.wire import LEASE_MS


def test_leases_are_renewed_while_the_server_is_full(service: Service) -> None:
    enqueue("add", {"a": 1})
    claim("sms", "slot")
    service.redis.hset("rq:worker:slot", "birth", "x")
    expire_leases(service)
    service.redis.config_set("maxmemory", 1)
    try:
        busy = wire.run(service.redis, "renew", LEASE_MS, 90, "slot")
    finally:
        service.redis.config_set("maxmemory", 0)

    assert len(busy) == 1
    assert rescue.expired() == 0


def test_a_lease_stamped_by_a_clock_that_was_ahead_lasts_no_longer_than_any_other(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = enqueue("add", {"a": 1})
    claim("sms", "dead")
    [lease] = service.redis.zrange("sira:leases", 0, -1)
    seconds, _ = service.redis.time()
    service.redis.zadd("sira:leases", {lease: (seconds + 1_800) * 1_000})

    assert rescue.expired() == 0
    assert service.redis.zscore("sira:leases", lease) <= (seconds + 60) * 1_000

    monkeypatch.setattr(wire, "LEASE_MS", 1)
    wait_until(rescue.expired, what="the end of a lease that is cut to a millisecond")
    assert service.redis.lrange("rq:queue:sms", 0, -1) == [task.id.encode()]
