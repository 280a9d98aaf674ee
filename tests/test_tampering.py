"""What anybody may have written into Redis: no worker stops for it, no other job waits for it, nothing of it is run."""

import os
from typing import Any

import pytest
from redis.exceptions import ResponseError
from rq import Queue
from rq.job import JobStatus
from rq.rate_limit import RateLimit

from tests.conftest import Service
from tests.hands import claim, record_all, row_of, settle, work_off
from workers.engine import doctor, enqueue, find, inspect, outcome, reconcile, rescue, wire
from workers.engine.job import Job
from workers.engine.outcome import Outcome
from workers.engine.seal import Seal
from workers.engine.tasks import ENDED, search

FIELDS = (
    *("status", "created_at", "enqueued_at", "started_at", "ended_at", "origin", "description", "data", "meta"),
    *("timeout", "ttl", "result_ttl", "failure_ttl", "retries_left", "retry_intervals", "number_of_retries"),
    *("repeats_left", "repeat_intervals", "rate_limit_key", "rate_limit_concurrency", "dependency_ids", "worker_name"),
    *("enqueue_at_front", "enqueue_at_front_on_retry", "allow_dependency_failures", "last_heartbeat"),
    *("sira_retries", "sira_scope", "sira_attempts", "sira_started", "sira_claimed", "sira_waits", "sira_losses"),
    *("sira_between", "sira_settled", "sira_event", "sira_error", "sira_state", "sira_helps", "sira_listed"),
)
VALUES = (b"", b"x", b"1e400", b"[{}]", b"9" * 25, b"\xff\xfe")
OUTCOMES = {
    "finished": outcome.finished({"sum": 3}),
    "failed": outcome.failed(ValueError("no"), retries_left=0, retries=0),
    "retry": outcome.failed(ValueError("no"), retries_left=1, retries=1),
    "wait": outcome.missing_here(ImportError("no"), waits=0),
    "yield": Outcome("yield"),
    "back": Outcome("back", lost="1"),
}


def tampered(service: Service, values: tuple[bytes, ...] = VALUES) -> list[str]:
    """Tasks whose hashes have one field each that somebody wrote."""
    made = []
    for field in FIELDS:
        for value in values:
            task = enqueue("add", {"a": 1})
            service.redis.hset(f"rq:job:{task.id}", field, value)
            made.append(task.id)
    return made


def keepers_rounds(service: Service) -> None:
    """What a keeper and people do with all that there is."""
    record_all()
    reconcile.reconcile()
    rescue.expired()
    rescue.left_by_stock_workers()
    list(doctor.examine())
    for view in (inspect.active, inspect.scheduled, inspect.reserved, inspect.stats):
        view()
    search(limit=100)


def test_a_worker_goes_on_whatever_stands_in_the_hashes(anywhere: Service) -> None:
    service, made = anywhere, tampered(anywhere)
    healthy = enqueue("add", {"a": 40})

    work_off()

    assert find(healthy.id).result == {"sum": 42}
    keepers_rounds(service)
    assert service.redis.zcard("sira:leases") == 0
    assert all(find(task_id) for task_id in made)
    assert service.redis.llen("rq:queue:sms") == 0


@pytest.mark.parametrize("turn", [0, 3])
def test_every_outcome_is_written_whatever_came_into_the_hash_meanwhile(service: Service, turn: int) -> None:
    names = list(OUTCOMES)
    for number, (field, value) in enumerate((field, value) for field in FIELDS for value in VALUES):
        name = names[(turn + number + number // len(names)) % len(names)]
        task = enqueue("add", {"a": 1})
        job_id, execution = claim("sms")
        service.redis.hset(f"rq:job:{task.id}", field, value)

        assert settle(job_id, execution, "sms", OUTCOMES[name]), (name, field, value)

        assert service.redis.hget(f"rq:job:{task.id}", "status") != b"started", (name, field, value)
        service.redis.delete("rq:queue:sms", f"rq:job:{task.id}")

    record_all()


def test_leases_are_renewed_and_the_dead_rescued_whatever_stands_in_the_hashes(service: Service) -> None:
    made = []
    for field in FIELDS:
        for value in VALUES:
            made.append(enqueue("add", {"a": 1}).id)
            claim("sms", f"worker-{len(made)}")
            service.redis.hset(f"rq:job:{made[-1]}", field, value)
    names = [key.decode().split(":")[2] for key in service.redis.scan_iter("rq:worker:worker-*")]

    wire.run(service.redis, "renew", 30_000, 90, *names)
    keepers_rounds(service)
    rescue.dead_child(names[0], outcome.child_lost("killed"))
    for lease in service.redis.zrange("sira:leases", 0, -1):
        service.redis.zadd("sira:leases", {lease: 1})
    for _ in range(len(made) // rescue.AT_ONCE + 1):
        rescue.expired()

    assert service.redis.zcard("sira:leases") == 0
    keepers_rounds(service)
    assert all(service.redis.hget(f"rq:job:{task_id}", "status") != b"started" for task_id in made)


@pytest.mark.parametrize("holds", ["", ":", "x", b"\xff:\xff:\xff", "sms:a", "sms:none:none"])
def test_what_is_no_claim_and_what_is_no_hash_stands_in_nobodys_way(service: Service, holds: str | bytes) -> None:
    broken, lost = enqueue("add", {"a": 1}), enqueue("add", {"a": 2})
    claim("sms", "mine")
    service.redis.set(f"rq:job:{broken.id}", "no hash")
    service.redis.zadd("sira:leases", {"x": 1, ":": 1, b"\xff": 1, "a:b": 1})
    service.redis.hset("rq:worker:mine", "sira_holds", holds)
    service.redis.rpush("rq:queue:sms", "", "a:b", b"\xff")
    service.redis.hset(b"rq:job:\xff", mapping={"status": "queued", "data": "x"})

    wire.run(service.redis, "renew", 30_000, 90, "mine")
    rescue.dead_child("mine", None)
    rescue.expired()
    keepers_rounds(service)
    work_off()

    assert find(lost.id).state in ENDED
    assert b"x" not in service.redis.zrange("sira:leases", 0, -1)


@pytest.mark.parametrize("broken", ["no hash", "a status of nobody's"])
def test_a_job_that_cannot_be_read_gives_way_to_the_task_that_sql_knows(service: Service, broken: str) -> None:
    task = enqueue("add", {"a": 1})
    record_all()
    if broken == "no hash":
        service.redis.set(f"rq:job:{task.id}", "x")
    else:
        service.redis.hset(f"rq:job:{task.id}", "status", "x")
    work_off()

    reconcile.reconcile(missing_for=reconcile.NEVER_PUSHED_FOR * 0)
    reconcile.reconcile(missing_for=reconcile.NEVER_PUSHED_FOR * 0)
    work_off()

    assert find(task.id).result == {"sum": 3}


@pytest.mark.parametrize("attempts", ["nan", "1e400", "9e14", "-inf"])
@pytest.mark.parametrize("when", ["it waits", "it runs"])
def test_a_task_is_recorded_whatever_stands_as_the_number_of_its_attempts(
    service: Service, attempts: str, when: str
) -> None:
    task = enqueue("add", {"a": 1})
    if when == "it waits":
        service.redis.hset(f"rq:job:{task.id}", "sira_attempts", attempts)
    job_id, execution = claim("sms")
    service.redis.hset(f"rq:job:{task.id}", "sira_attempts", attempts)

    settle(job_id, execution, "sms", outcome.finished({"sum": 3}))
    record_all()

    assert row_of(task.id)["state"] == "SUCCESS"


def test_a_job_ends_also_where_its_own_keys_are_of_a_wrong_type(service: Service) -> None:
    task = enqueue("add", {"a": 1})
    job_id, execution = claim("sms")
    for key in (f"rq:results:{task.id}", f"rq:job:{task.id}:dependents"):
        service.redis.set(key, "x")

    assert settle(job_id, execution, "sms", outcome.finished({"sum": 3}))

    assert (find(task.id).state, find(task.id).result) == ("SUCCESS", {"sum": 3})


@pytest.mark.parametrize("waits", ["dependent", "for a slot"])
@pytest.mark.parametrize("spoilt", ["another type", "no queue"])
def test_a_job_ends_whatever_stands_in_those_that_wait_for_its_end(service: Service, waits: str, spoilt: str) -> None:
    queue, limit = Queue("maintenance", connection=service.redis, job_class=Job, serializer=Seal), RateLimit("one", 1)
    first = queue.enqueue("nothing", rate_limit=limit)
    others: dict[str, Any] = {"rate_limit": limit} if waits == "for a slot" else {"depends_on": first}
    second, other = queue.enqueue("nothing", **others), enqueue("nothing")
    if spoilt == "no queue":
        service.redis.hdel(second.key, "origin")
    else:
        service.redis.delete(second.key)
        service.redis.set(second.key, "x")

    work_off()

    assert first.get_status() == JobStatus.FINISHED
    assert find(other.id).state == "SUCCESS"


@pytest.mark.parametrize("key", ["rq:executions:{id}", "rq:rl:one:allowed"])
def test_a_job_ends_whatever_stands_under_rqs_records_of_it(service: Service, key: str) -> None:
    queue = Queue("maintenance", connection=service.redis, job_class=Job, serializer=Seal)
    first, other = queue.enqueue("nothing", rate_limit=RateLimit("one", 1)), enqueue("nothing")
    service.redis.delete(key.format(id=first.id))
    service.redis.set(key.format(id=first.id), "x")

    work_off()

    assert first.get_status() == JobStatus.FINISHED
    assert find(other.id).state == "SUCCESS"


def test_a_claim_that_cannot_be_given_back_keeps_no_other_from_it(service: Service) -> None:
    enqueue("fail")
    healthy = enqueue("add", {"a": 1})
    claim("email", "one")  # the first by name, too
    claim("sms", "two")
    service.redis.set("rq:queue:email", "x")
    for lease in service.redis.zrange("sira:leases", 0, -1):
        service.redis.zadd("sira:leases", {lease: 1})

    rescue.expired()

    assert service.redis.lrange("rq:queue:sms", 0, -1) == [healthy.id.encode()]


def test_an_end_that_could_not_be_written_is_still_its_workers_to_write(service: Service) -> None:
    task = enqueue("add", {"a": 1})
    job_id, execution = claim("sms")
    service.redis.set("rq:finished:sms", "x")

    with pytest.raises(ResponseError):
        settle(job_id, execution, "sms", outcome.finished({"sum": 3}))
    assert service.redis.zrange("sira:leases", 0, -1) == [f"sms:{task.id}:{execution}".encode()]
    service.redis.delete("rq:finished:sms")

    assert settle(job_id, execution, "sms", outcome.finished({"sum": 3}))
    assert find(task.id).state == "SUCCESS"
    assert service.redis.zcard("sira:leases") == 0


def test_an_end_is_written_while_the_server_is_full(service: Service) -> None:
    tasks = [enqueue("add", {"a": 1}) for _ in OUTCOMES]
    claimed = [claim("sms", f"worker-{number}") for number, _ in enumerate(OUTCOMES)]
    service.redis.config_set("maxmemory", 1)
    try:
        for (job_id, execution), ended in zip(claimed, OUTCOMES.values(), strict=True):
            assert settle(job_id, execution, "sms", ended)
    finally:
        service.redis.config_set("maxmemory", 0)

    assert [find(task.id).state for task in tasks][:3] == ["SUCCESS", "FAILURE", "RETRY"]


ODD_WAYS = {"exit": "SystemExit", "odd error": "Odd", "untold": "Untold", "endless": "ValueError"}


@pytest.mark.parametrize("how", ODD_WAYS)
def test_a_function_that_is_left_in_an_odd_way_fails_and_keeps_its_worker(service: Service, how: str) -> None:
    task, pid = enqueue("leave", {"how": how}), os.getpid()

    work_off()

    ended: Any = find(task.id)
    assert (ended.state, ended.error["type"]) == ("FAILURE", ODD_WAYS[how])
    assert os.getpid() == pid


def test_a_copy_that_the_job_forked_has_no_say(service: Service) -> None:
    task = enqueue("leave", {"how": "fork"})

    work_off()

    assert find(task.id).state == "SUCCESS"
    assert service.redis.xlen(f"rq:results:{task.id}") == 1
