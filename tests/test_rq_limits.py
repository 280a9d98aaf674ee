"""RQ's rate limits on our worker: whoever comes needs a slot, wherever it comes from; a free one is given on."""

from datetime import timedelta

from rq import Queue
from rq.job import JobStatus
from rq.rate_limit import RateLimit

from tests import test_rq_features
from tests.conftest import Service, wait_until
from tests.hands import claim, settle, work_off
from tests.test_rq_features import status
from workers.engine import clock, outcome
from workers.engine.outcome import Outcome
from workers.engine.reconcile import forget_expired

queue = test_rq_features.queue


def test_a_rate_limit_lets_the_next_one_in_when_a_slot_is_free(service: Service, queue: Queue) -> None:
    limit = RateLimit("one at a time", concurrency=1)
    jobs = [queue.enqueue("nothing", rate_limit=limit) for _ in range(4)]
    assert [status(job) for job in jobs].count(JobStatus.QUEUED) == 1

    service.run_worker()

    wait_until(lambda: all(status(job) == JobStatus.FINISHED for job in jobs))


def test_a_rate_limit_holds_for_what_was_planned(service: Service, queue: Queue) -> None:
    jobs = [queue.enqueue_in(timedelta(0), "nothing", rate_limit=RateLimit("k", 1)) for _ in range(3)]

    clock.tick()
    assert [status(job) for job in jobs].count(JobStatus.QUEUED) == 1
    assert [status(job) for job in jobs].count(JobStatus.RATE_LIMITED) == 2

    work_off()
    assert [status(job) for job in jobs] == [JobStatus.FINISHED] * 3
    assert not service.redis.exists("rq:rl:k:allowed", "rq:rl:k:rate_limited")


def test_a_retry_that_waits_holds_no_slot_and_comes_back_through_one(service: Service, queue: Queue) -> None:
    limit, pause_ms = RateLimit("k", 1), 60_000
    first, second, third = (queue.enqueue("nothing", rate_limit=limit, job_id=name) for name in "abc")

    settle(*claim("maintenance"), "maintenance", Outcome("retry", delay_ms=pause_ms))
    assert [status(job) for job in (first, second)] == [JobStatus.SCHEDULED, JobStatus.QUEUED]
    service.redis.zadd("rq:scheduled:maintenance", {first.id: 0})
    clock.tick()
    assert status(first) == JobStatus.RATE_LIMITED

    settle(*claim("maintenance"), "maintenance", outcome.finished(None))
    assert [status(job) for job in (first, third)] == [JobStatus.QUEUED, JobStatus.RATE_LIMITED], "it had begun before"


def test_a_slot_whose_job_has_expired_is_given_to_who_waits_and_an_unused_limit_is_forgotten(
    service: Service, queue: Queue
) -> None:
    first, second = (queue.enqueue_in(timedelta(0), "nothing", rate_limit=RateLimit("k", 1), job_id=n) for n in "ab")
    clock.tick()
    service.redis.delete(first.key)

    forget_expired()
    assert status(second) == JobStatus.QUEUED

    work_off()
    forget_expired()
    assert service.redis.keys("rq:rl*") == []


def test_a_dependent_with_a_rate_limit_waits_for_its_slot(service: Service, queue: Queue) -> None:
    parent, limit = queue.enqueue("nothing"), RateLimit("k", 1)
    children = [queue.enqueue("nothing", depends_on=parent, rate_limit=limit) for _ in range(2)]

    settle(*claim("maintenance"), "maintenance", outcome.finished(None))

    assert {status(job) for job in children} == {JobStatus.QUEUED, JobStatus.RATE_LIMITED}
    work_off()
    assert [status(job) for job in children] == [JobStatus.FINISHED] * 2
