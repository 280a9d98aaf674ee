"""The doctor: each broken state is made by hand, found, named, and mended; a healthy service has no findings."""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.conftest import Service, wait_until
from tests.hands import claim, work_off
from workers.engine import doctor, enqueue, find, ledger
from workers.engine.doctor import Finding


def found(*, mend: bool = False) -> dict[str, Finding]:
    return {finding.what: finding for finding in doctor.examine(mend=mend)}


def test_a_healthy_service_has_no_findings(service: Service) -> None:
    service.run_worker()
    enqueue("add", {"a": 1}).get(timeout=60)

    assert found() == {}


def test_a_task_popped_and_lost_is_found_and_runs_after_mending(service: Service) -> None:
    task = enqueue("add", {"a": 1})
    service.redis.lpop("rq:queue:sms")

    assert found()["popped and lost"].task_id == task.id
    assert found(mend=True)["popped and lost"].mended

    service.run_worker()
    assert task.get(timeout=60) == {"sum": 3}


@pytest.mark.parametrize("status", ["scheduled", "rate_limited", "started"])
def test_a_task_that_stands_nowhere_is_found_and_runs_after_mending(service: Service, status: str) -> None:
    task = enqueue("add", {"a": 1})
    service.redis.lpop("rq:queue:sms")
    service.redis.hset(f"rq:job:{task.id}", "status", status)

    assert [finding.task_id for finding in found().values() if finding.task_id] == [task.id]
    assert [finding.mended for finding in found(mend=True).values() if finding.task_id] == [True]

    work_off()
    assert find(task.id).result == {"sum": 3}


def test_a_task_started_without_a_lease_is_found_and_mended(service: Service) -> None:
    task = enqueue("add", {"a": 1})
    claim("sms", "nobody")
    assert found() == {}
    service.redis.delete("sira:leases")

    assert found(mend=True)["started without a lease"].task_id == task.id

    service.run_worker()
    assert task.get(timeout=60) == {"sum": 3}


@pytest.mark.parametrize("to", ["sms:intermediate", "nowhere"])
def test_what_a_stock_worker_has_in_hand_for_a_moment_is_left_alone(service: Service, to: str) -> None:
    task = enqueue("add", {"a": 1})
    service.redis.lmove("rq:queue:sms", f"rq:queue:{to}", "LEFT", "RIGHT")
    looked = ThreadPoolExecutor(1).submit(found, mend=True)
    time.sleep(doctor.IN_HAND_S / 2)

    service.redis.delete(f"rq:queue:{to}")
    service.redis.hset(f"rq:job:{task.id}", mapping={"status": "finished", "ended_at": "2026-01-01T00:00:00.000000Z"})

    assert looked.result(30) == {}
    assert service.redis.llen("rq:queue:sms") == 0


def test_a_job_that_is_no_hash_is_pushed_again(service: Service) -> None:
    task = enqueue("add", {"a": 1})
    service.redis.set(f"rq:job:{task.id}", "x")

    assert found(mend=True)["lost by Redis"].mended

    assert service.redis.hget(f"rq:job:{task.id}", "status") == b"queued"


def test_what_redis_lost_is_found_and_pushed_again(service: Service) -> None:
    task = enqueue("add", {"a": 1})
    service.redis.flushall()

    assert found(mend=True)["lost by Redis"].task_id == task.id

    assert service.redis.lrange("rq:queue:sms", 0, -1) == [task.id.encode()]


def test_what_is_overdue_is_found_and_moved(service: Service) -> None:
    task = enqueue("add", {"a": 1})
    service.redis.lpop("rq:queue:sms")
    service.redis.hset(f"rq:job:{task.id}", "status", "scheduled")
    service.redis.zadd("rq:scheduled:sms", {task.id: 1})

    assert found(mend=True)["scheduled and overdue"].task_id == task.id

    assert service.redis.lrange("rq:queue:sms", 0, -1) == [task.id.encode()]


def test_a_task_whose_worker_is_gone_is_named_where_no_other_takes_it_up(service: Service) -> None:
    task = enqueue("add", {"a": 1})
    claim("sms", "died")
    [(lease, until_ms)] = service.redis.zrange("sira:leases", 0, -1, withscores=True)
    assert found() == {}
    service.redis.zadd("sira:leases", {lease: until_ms - 1000 * (doctor.OVERDUE_S + 60)})

    finding = found(mend=True)["held by a silent worker"]

    assert (finding.task_id, finding.mended) == (task.id, None)
    service.run_worker()
    assert task.get(timeout=60) == {"sum": 3}
    assert found() == {}


def test_what_a_dead_stock_worker_left_goes_back(service: Service) -> None:
    task = enqueue("add", {"a": 1})
    service.redis.lmove("rq:queue:sms", "rq:queue:sms:intermediate", "LEFT", "RIGHT")
    service.redis.sadd("rq:workers", "rq:worker:gone")

    names = found(mend=True)

    assert names["worker that is gone"].mended
    assert service.redis.lrange("rq:queue:sms", 0, -1) == [task.id.encode()]
    assert not service.redis.exists("rq:queue:sms:intermediate")


def test_ended_tasks_leave_no_open_items(service: Service) -> None:
    from sqlalchemy import update

    from workers import db
    from workers.engine.tables import tasks

    task = enqueue("square_all", {"numbers": [1, 2]})
    with db.writing() as session:
        session.execute(update(tasks).where(tasks.c.id == task.id).values(state="FAILURE"))

    assert found(mend=True)["ended with open items"].task_id == task.id

    assert ledger.counts(task.id) == {"skipped": 2}


@pytest.mark.parametrize("key", ["sira:paused", "rq:queue:maintenance", "sira:leases", "rq:wip:sms", "rq:workers"])
def test_a_key_of_a_wrong_type_is_named_and_moved_aside(service: Service, key: str) -> None:
    service.redis.set(key, "x")

    assert f"{key} is a string" in found()["key of a wrong type"].advice
    assert found(mend=True)["key of a wrong type"].mended

    assert found() == {}
    assert service.redis.get(f"sira:aside:{key}") == b"x"


def test_a_queue_that_nobody_serves_is_named(service: Service) -> None:
    enqueue("add", {"a": 1})

    finding = found(mend=True)["queue without a worker"]

    assert "Waiting in sms: 1." in finding.advice
    assert finding.mended is None


@pytest.mark.parametrize("mend", [False, True])
def test_the_doctor_leaves_a_running_service_alone(service: Service, tmp_path: object, mend: bool) -> None:
    service.run_worker(concurrency=2)
    tasks = [enqueue("add", {"a": number}) for number in range(100)]

    while not find(tasks[-1].id).ended:
        list(doctor.examine(mend=mend))

    assert [task.get(timeout=60) for task in tasks] == [{"sum": number + 2} for number in range(100)]
    assert all(find(task.id).attempts == 1 for task in tasks)
    wait_until(lambda: found() == {})
