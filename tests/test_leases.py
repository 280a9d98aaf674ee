"""Leases: what keeps them, and what no clock may make of them."""

import time
from pathlib import Path

import pytest

from tests.conftest import Service, lines, wait_until
from tests.hands import DEADLINE_S, FORK, claim, expire_leases, settle
from workers.engine import enqueue, find, rescue, wire
from workers.engine.job import Job
from workers.engine.outcome import Outcome
from workers.engine.wire import LEASE_MS
from workers.engine.worker import Worker


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


def test_rqs_own_records_tell_what_a_worker_does_until_that_ends(service: Service) -> None:
    task = enqueue("add", {"a": 1})

    job_id, execution = claim("sms", "slot")

    (listed,) = Job.fetch(task.id, service.redis).get_executions()
    assert (listed.id, listed.job_id, listed.worker_name) == (execution, job_id, "slot")
    assert Worker("sms", "slot").get_current_job_id() == task.id
    settle(job_id, execution, "sms", Outcome("finished"), "slot")
    assert records(service) == []


def test_a_job_that_follows_another_at_once_stands_in_rqs_records_if_it_lasts(service: Service) -> None:
    enqueue("add", {"a": 1})
    follows = enqueue("add", {"a": 2})
    ended = (*claim("sms", "slot"), "sms", *Outcome("finished").arguments)

    wire.run(service.redis, "exchange", "slot", LEASE_MS, "second", "", 1, "sms", *ended)

    assert records(service) == []
    assert Worker("sms", "slot").get_current_executions() == []  # what this can't read, RQ takes away
    assert len(wire.run(service.redis, "renew", LEASE_MS, 90, "slot")) == 1
    assert Worker("sms", "slot").get_current_job_id() == follows.id
    wire.run(service.redis, "exchange", "slot", LEASE_MS, "", "", 1, "sms", follows.id, "second", *ended[2:])
    assert records(service) == []


def test_a_worker_that_is_not_registered_is_given_nothing(service: Service) -> None:
    task = enqueue("add", {"a": 1})

    answer = wire.run(service.redis, "exchange", "stranger", LEASE_MS, "execution", "", 1, "sms")

    assert answer == [0, None, 0, 0]
    assert service.redis.lrange("rq:queue:sms", 0, -1) == [task.id.encode()]
    assert not service.redis.exists("rq:worker:stranger")


def test_a_worker_whose_registration_is_gone_registers_and_goes_on(service: Service, tmp_path: Path) -> None:
    release = tmp_path / "release"
    first = enqueue("linger", {"path": str(tmp_path / "lines"), "release": str(release)})
    second = enqueue("linger", {"path": str(tmp_path / "lines"), "release": str(release)})
    burst = FORK.Process(target=lambda: Worker().work_kept(burst=True))
    burst.start()
    wait_until(lambda: lines(tmp_path / "lines"))

    service.redis.delete(*service.redis.scan_iter("rq:worker:*"))
    release.touch()
    burst.join(DEADLINE_S)

    assert [find(task.id).state for task in (first, second)] == ["SUCCESS", "SUCCESS"]


def test_a_lease_that_ran_out_while_the_server_was_away_counts_for_another(service: Service) -> None:
    """Who holds it could not renew it, and a keeper that has just started did not see the outage."""
    for number in range(3):
        enqueue("add", {"a": number})
    leases = [f"sms:{':'.join(claim('sms', f'worker-{number}'))}" for number in range(3)]
    seconds, _ = service.redis.time()
    ago_s = {"before the start": 10, "since": 1, "days ago": 200_000}
    service.redis.zadd(
        "sira:leases", {lease: (seconds - s) * 1000 for lease, s in zip(leases, ago_s.values(), strict=True)}
    )

    def lost(up_s: float) -> set[str]:
        found = wire.run(service.redis, "lost", "", 10, LEASE_MS, up_s * 1000)
        return {f"sms:{job_id.decode()}:{execution.decode()}" for job_id, execution, *_ in found}

    assert lost(up_s=5) == {leases[1], leases[2]}
    assert lost(up_s=30) == set(leases)


def test_the_dead_are_rescued_also_where_the_server_hides_what_it_is(service: Service) -> None:
    task = enqueue("add", {"a": 1})
    claim("sms", "dead")
    expire_leases(service)
    service.redis.execute_command("ACL", "SETUSER", "default", "-info")
    try:
        assert rescue.expired() == 1
    finally:
        service.redis.execute_command("ACL", "SETUSER", "default", "+info")

    assert service.redis.lrange("rq:queue:sms", 0, -1) == [task.id.encode()]


def test_the_lease_of_a_job_is_renewed_also_where_its_workers_hash_is_gone(service: Service) -> None:
    """Else another worker would do it a second time beside the first."""
    enqueue("add", {"a": 1})
    enqueue("add", {"a": 2})
    claim("sms", "other")
    job_id, execution = claim("sms", "slot")
    lease = f"sms:{job_id}:{execution}"
    service.redis.zadd("sira:leases", {lease: 1})
    service.redis.delete("rq:worker:slot")

    (busy,) = wire.run(service.redis, "renew", LEASE_MS, 90, "slot")

    assert busy[:2] == [b"slot", job_id.encode()]
    assert service.redis.zscore("sira:leases", lease) > time.time() * 1000
    assert not service.redis.exists("rq:worker:slot"), "it registers itself, whole"


def test_a_job_that_is_put_back_and_claimed_in_the_same_breath_is_held_by_its_new_execution(service: Service) -> None:
    task = enqueue("add", {"a": 1})
    job_id, execution = claim("sms", "slot")
    again = ("slot", LEASE_MS, "next", "", 1, "sms", job_id, execution, "sms", *Outcome("yield").arguments)

    _, packed, *_ = wire.run(service.redis, "exchange", *again)

    assert packed[:2] == [task.id.encode(), b"next"]
    assert service.redis.hmget(f"rq:job:{job_id}", "sira_execution", "worker_name") == [b"next", b"slot"]
    assert service.redis.hget("rq:worker:slot", "sira_holds") == f"sms:{job_id}:next".encode()
    assert wire.run(service.redis, "exchange", *again)[0] == 0  # said again, it is not the holder's


def records(service: Service) -> list[bytes]:
    return [*service.redis.scan_iter("rq:execution*"), *service.redis.scan_iter("rq:worker:*:executions")]
