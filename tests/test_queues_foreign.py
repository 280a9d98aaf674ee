"""Queues that are not ours, whatever their names: what stock tools put there is kept as safe as what is in ours."""

import pytest
from rq import Queue, Retry
from rq.job import Job as RQJob

from tests.conftest import Service
from tests.hands import claim
from tests.test_rescue import expire_leases
from workers.engine import outcome, rescue

NAME = "high:prio"


def plain() -> str:
    return "done"


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
