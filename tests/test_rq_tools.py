"""What RQ's own tools leave in a job's hash is no obstacle for our worker."""

import zlib
from datetime import timedelta
from typing import Any

import pytest
from rq import Queue, Retry
from rq.group import Group
from rq.job import JobStatus
from rq.repeat import Repeat
from rq.scheduler import RQScheduler

from tests import test_rq_features
from tests.conftest import Service
from tests.hands import claim, settle, work_off
from tests.test_rq_features import status
from workers.db import now
from workers.engine import enqueue, find, outcome, rescue, wire
from workers.engine.job import Job, opened
from workers.engine.outcome import Outcome
from workers.engine.reconcile import forget_expired
from workers.engine.seal import Seal
from workers.errors import SealBroken, TooLarge

queue = test_rq_features.queue


def test_a_failed_job_that_is_requeued_outlives_the_time_its_failure_was_kept(service: Service, queue: Queue) -> None:
    job = queue.enqueue("fail", failure_ttl=60)
    work_off()
    assert status(job) == JobStatus.FAILED

    job.requeue()
    assert service.redis.ttl(job.key) > 0, "RQ leaves it so"
    claim("maintenance")

    assert service.redis.ttl(job.key) == -1


def test_a_task_that_a_stock_scheduler_has_moved_runs_on_our_worker(service: Service) -> None:
    task = enqueue("add", {"a": 40}, due_at=now() + timedelta(hours=1))
    service.redis.zadd("rq:scheduled:sms", {task.id: 1})
    scheduler = RQScheduler([Queue("sms", connection=service.redis, serializer=Seal)], service.redis, serializer=Seal)
    scheduler.acquire_locks()

    scheduler.enqueue_scheduled_jobs()
    assert service.redis.hget(f"rq:job:{task.id}", "data")[:2] == b"x\x9c", "RQ's own class compresses what it saves"

    work_off()
    assert find(task.id).result == {"sum": 42}


def test_what_is_compressed_and_was_not_sealed_is_no_job_of_ours() -> None:
    for data in (zlib.compress(b"S2" + b"x" * 100), zlib.compress(b"\0" * 10_000_000), b"x\x9c", b""):
        with pytest.raises(SealBroken):
            opened("id", data)


def test_arguments_that_are_too_large_are_refused_by_rqs_own_enqueue_too(service: Service, queue: Queue) -> None:
    with pytest.raises(TooLarge):
        queue.enqueue("fail", message="x" * 300_000)

    assert service.redis.llen("rq:queue:maintenance") == 0


@pytest.mark.parametrize(
    ("name", "params", "told"),
    [
        ("os.getcwd", {}, "The job names 'os.getcwd', which is no kind of this service. Nothing was run."),
        ("unserializable", {}, "The job returned object, which can't be stored. Return what JSON can hold."),
        ("fail", {"message": "Ayşe Yılmaz owes 5"}, f"ValueError ({outcome.SEALED})"),
    ],
)
def test_rqs_tools_are_told_why_a_job_failed_but_no_names(
    service: Service, queue: Queue, name: str, params: dict[str, Any], told: str
) -> None:
    job = queue.enqueue(name, **params)

    work_off()

    assert job.latest_result().exc_string == told


def test_a_stock_worker_that_forgets_results_at_once_does_not_forget_ends(service: Service, queue: Queue) -> None:
    task = Job.fetch(enqueue("add", {"a": 1}).id, connection=service.redis)

    assert task.get_result_ttl(default_ttl=0) > 0
    assert queue.enqueue("nothing", result_ttl=0).get_result_ttl(default_ttl=500) == 0, "its own word holds"


def test_a_stop_ends_what_repeats_also_where_its_run_ends_first(service: Service, queue: Queue) -> None:
    job = queue.enqueue("nothing", repeat=Repeat(times=5))
    job_id, execution = claim("maintenance")
    assert wire.run(service.redis, "cancel", job_id, "maintenance", 60) == b"running"

    settle(job_id, execution, "maintenance", outcome.finished(None))

    assert status(job) == JobStatus.FINISHED
    assert service.redis.llen("rq:queue:maintenance") == 0


def test_what_was_stopped_and_is_requeued_runs(service: Service, queue: Queue) -> None:
    job = queue.enqueue("nothing")
    job_id, execution = claim("maintenance")
    wire.run(service.redis, "cancel", job_id, "maintenance", 60)
    settle(job_id, execution, "maintenance", Outcome("revoked"))
    assert status(job) == JobStatus.CANCELED
    assert not service.redis.hexists(job.key, "sira_cancel"), "it would be stopped again"

    queue.canceled_job_registry.requeue(job_id)
    work_off()

    assert status(job) == JobStatus.FINISHED


def test_the_pauses_of_a_retry_hold_also_where_a_child_died(service: Service, queue: Queue) -> None:
    job = queue.enqueue("nothing", retry=Retry(max=3, interval=[100, 200, 300]))
    claim("maintenance", "mine")

    rescue.dead_child("mine", outcome.child_lost("killed"))

    seconds, _ = service.redis.time()
    assert 90 < service.redis.zscore("rq:scheduled:maintenance", job.id) - seconds <= 101


def test_a_pause_that_makes_no_sense_keeps_no_dead_childs_job_back(service: Service, queue: Queue) -> None:
    job = queue.enqueue("nothing", retry=Retry(max=3))
    service.redis.hset(job.key, "retry_intervals", "[1e300, -5, 1e300]")
    claim("maintenance", "mine")

    rescue.dead_child("mine", outcome.child_lost("killed"))

    assert service.redis.zscore("rq:scheduled:maintenance", job.id)


def test_a_dependent_between_two_steps_of_a_dead_client_is_put_into_its_queue(service: Service, queue: Queue) -> None:
    parent = queue.enqueue_in(timedelta(hours=1), "nothing")
    child = queue.enqueue("nothing", depends_on=parent)
    with service.redis.pipeline() as first_step:
        first_step.watch(parent.dependents_key)
        parent.cancel(pipeline=first_step, enqueue_dependents=True)
        first_step.execute()
    assert service.redis.zrange("rq:ready:maintenance", 0, -1) == [child.id.encode()]

    forget_expired()
    work_off()

    assert status(child) == JobStatus.FINISHED


def test_a_group_is_forgotten_with_the_last_of_its_jobs(service: Service, queue: Queue) -> None:
    group = Group.create(connection=service.redis)
    (job,) = group.enqueue_many(queue, [Queue.prepare_data("nothing")])
    forget_expired()
    assert list(service.redis.scan_iter("rq:group*"))

    job.delete()
    forget_expired()

    assert not list(service.redis.scan_iter("rq:group*"))
