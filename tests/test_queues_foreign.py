"""Queues that are not ours, whatever their names: what stock tools put there is kept as safe as what is in ours."""

from datetime import timedelta

import pytest
from rq import Queue, Repeat, Retry
from rq.job import Job as RQJob
from rq.serializers import DefaultSerializer

from tests.conftest import Service, wait_until
from tests.hands import FORK, at_once, claim
from tests.test_rescue import expire_leases
from workers.engine import outcome, rescue
from workers.engine.worker import Worker

NAME = "high:prio"


def plain() -> str:
    return "done"


def broken() -> None:
    raise ValueError("broken")


def work(jobs: int) -> None:
    """Run a worker for this queue alone, with its keeper, until so many jobs were run."""
    options = {"job_class": RQJob, "serializer": DefaultSerializer}
    at_once(1, lambda _: Worker([NAME], **options).work(max_jobs=jobs, max_idle_time=15))


@pytest.fixture
def queue(service: Service) -> Queue:
    """RQ's own Queue, with RQ's own jobs."""
    return Queue(NAME, connection=service.redis)


def status(job: RQJob) -> str:
    return str(job.get_status(refresh=True).value)


@pytest.mark.parametrize("how", ["its child", "its machine"])
def test_a_job_of_a_queue_with_a_colon_is_given_back_when_its_worker_dies(
    service: Service, queue: Queue, how: str
) -> None:
    job = queue.enqueue(plain, retry=Retry(max=1))
    claim(NAME)

    if how == "its child":
        assert rescue.dead_child("by-hand", outcome.child_lost("killed")) == 1
    else:
        expire_leases(service)
        assert rescue.expired() == 1

    assert status(job) == {"its child": "scheduled", "its machine": "queued"}[how]
    assert (service.redis.zcard("sira:leases"), service.redis.zcard(f"rq:wip:{NAME}")) == (0, 0)


def test_why_a_job_of_rqs_own_making_was_lost_is_told_where_rq_tells_it(queue: Queue) -> None:
    job = queue.enqueue(plain)
    claim(NAME)

    rescue.dead_child("by-hand", outcome.child_lost("killed by SIGKILL"))

    assert "killed by SIGKILL" in str(job.latest_result().exc_string)  # type: ignore[union-attr]


def test_what_is_due_in_a_queue_that_is_not_ours_is_moved_by_the_keeper_of_whoever_serves_it(queue: Queue) -> None:
    planned = queue.enqueue_in(timedelta(0), plain)
    retried = queue.enqueue(broken, retry=Retry(max=1, interval=1))
    repeated = queue.enqueue(plain, repeat=Repeat(times=1, interval=1))

    work(jobs=5)

    assert [status(job) for job in (planned, retried, repeated)] == ["finished", "failed", "finished"]
    assert [len(job.results()) for job in (planned, retried, repeated)] == [1, 2, 2]


def test_what_is_left_in_a_queue_that_is_not_ours_is_tidied_by_that_keeper(service: Service, queue: Queue) -> None:
    left, seconds = queue.enqueue(plain), service.redis.time()[0]
    service.redis.lpop(queue.key)
    service.redis.hset(left.key, "status", "started")
    service.redis.zadd(f"rq:wip:{NAME}", {f"{left.id}:execution": seconds - 1})
    service.redis.zadd(f"rq:finished:{NAME}", {"expired": seconds - 1})

    worker = Worker([NAME], job_class=RQJob, serializer=DefaultSerializer)
    process = FORK.Process(target=worker.work, daemon=True)
    process.start()
    wait_until(lambda: service.redis.zrange(f"rq:finished:{NAME}", 0, -1) == [left.id.encode()])
    process.terminate()
    process.join(60)

    assert (status(left), process.exitcode) == ("finished", 0)
