"""What RQ's own tools leave in a job's hash is no obstacle for our worker."""

import zlib
from datetime import timedelta

import pytest
from rq import Queue
from rq.job import JobStatus
from rq.scheduler import RQScheduler

from tests import test_rq_features
from tests.conftest import Service
from tests.hands import claim, work_off
from tests.test_rq_features import status
from workers.db import now
from workers.engine import enqueue, find
from workers.engine.job import opened
from workers.engine.seal import Seal
from workers.errors import SealBroken

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
