"""What RQ's own tools requeue after its end is a retry like ours, and SQL tells of it."""

from dataclasses import replace
from pathlib import Path

import pytest
from rq import Queue
from rq.registry import FailedJobRegistry

from tests.conftest import Service, wait_until
from tests.hands import claim, record_all, row_of, told_of, work_off
from workers.engine import clock, control, enqueue, find, registry, rescue
from workers.engine.job import Job
from workers.engine.reconcile import reconcile
from workers.engine.seal import Seal
from workers.engine.tasks import Task
from workers.errors import Conflict


def mended(message: str = "") -> str:
    return "mended"


def failed(service: Service) -> Task:
    """A task that has failed for good, in code that works from now on."""
    task: Task = enqueue("fail")
    work_off()
    return task


def requeue(service: Service, task: Task) -> None:
    """As `rq requeue` does it."""
    FailedJobRegistry(task.queue, connection=service.redis, job_class=Job, serializer=Seal).requeue(task.id)


@pytest.fixture
def mend(monkeypatch: pytest.MonkeyPatch) -> object:
    return lambda: monkeypatch.setitem(registry.kinds(), "fail", replace(registry.get("fail"), function=mended))


def test_a_failed_task_that_rqs_tools_requeue_is_a_retry_like_ours(service: Service, mend: object) -> None:
    task = failed(service)
    record_all()
    assert row_of(task.id)["state"] == "FAILURE"

    mend()  # type: ignore[operator]
    requeue(service, task)
    work_off()
    record_all()

    row = row_of(task.id)
    assert (find(task.id).state, row["state"], row["attempts"], row["error_type"]) == ("SUCCESS", "SUCCESS", 1, None)
    assert [told.state for told in told_of(task.id)] == ["PENDING", "STARTED", "FAILURE", "STARTED", "SUCCESS"]
    with pytest.raises(Conflict):
        control.retry(task.id)
    assert not service.redis.hexists(f"rq:job:{task.id}", "sira_requeued")


def test_while_it_runs_everybody_sees_that_it_does(service: Service, tmp_path: Path) -> None:
    task = enqueue("sleep", {"seconds": 60, "path": str(tmp_path / "begun")})
    claim("maintenance")
    rescue.dead_child("by-hand", rescue.outcome.child_lost("it was killed"))
    record_all()
    assert row_of(task.id)["state"] == "FAILURE"

    requeue(service, task)
    service.run_worker()
    wait_until((tmp_path / "begun").exists)

    assert find(task.id).state == "STARTED"


def test_one_whose_end_is_not_recorded_yet_waits_for_that(service: Service, mend: object) -> None:
    task = failed(service)
    mend()  # type: ignore[operator]
    requeue(service, task)

    work_off()
    assert service.redis.zscore("rq:scheduled:email", task.id)
    record_all()
    service.redis.zadd("rq:scheduled:email", {task.id: 0})
    clock.tick()
    work_off()
    record_all()

    assert (find(task.id).state, row_of(task.id)["state"], find(task.id).attempts) == ("SUCCESS", "SUCCESS", 1)


def test_one_that_was_retried_here_in_the_same_moment_runs_once(service: Service, mend: object) -> None:
    task = failed(service)
    record_all()
    mend()  # type: ignore[operator]
    requeue(service, task)

    control.retry(task.id)
    work_off()
    record_all()

    assert (row_of(task.id)["state"], service.redis.llen("rq:queue:email")) == ("SUCCESS", 0)
    assert [told.state for told in told_of(task.id)].count("STARTED") == 2


def test_one_whose_claim_was_lost_before_it_began_is_a_retry_all_the_same(service: Service, mend: object) -> None:
    task = failed(service)
    record_all()
    mend()  # type: ignore[operator]
    requeue(service, task)
    claim("email")

    rescue.dead_child("by-hand", None)
    work_off()
    record_all()

    assert row_of(task.id)["state"] == "SUCCESS"


def test_the_failed_items_of_a_bulk_are_open_again(service: Service) -> None:
    task = enqueue("square_all", {"numbers": [-1, -2]})
    work_off()
    record_all()
    requeue(service, task)

    work_off()
    record_all()

    assert (find(task.id).state, find(task.id).counts["failed"]) == ("FAILURE", 2)  # type: ignore[index]
    assert [told.state for told in told_of(task.id)].count("FAILURE") == 2


def test_what_has_succeeded_is_not_done_again(service: Service) -> None:
    task = enqueue("add", {"a": 1})
    work_off()
    record_all()
    queue = Queue("sms", connection=service.redis, job_class=Job, serializer=Seal)
    queue.enqueue_job(Job.fetch(task.id, connection=service.redis, serializer=Seal))

    work_off()
    record_all()

    assert (find(task.id).state, find(task.id).result) == ("SUCCESS", {"sum": 3})
    assert [told.state for told in told_of(task.id)].count("SUCCESS") == 2
    assert service.redis.llen("rq:queue:sms") == 0


def test_what_another_tool_has_ended_and_requeues_later_runs_for_all_to_see(service: Service) -> None:
    task = enqueue("add", {"a": 40})
    job = Job.fetch(task.id, connection=service.redis, serializer=Seal)
    record_all()
    job.cancel()
    reconcile()
    assert row_of(task.id)["state"] == "REVOKED"

    Queue("sms", connection=service.redis, job_class=Job, serializer=Seal).canceled_job_registry.requeue(task.id)
    work_off()
    record_all()

    assert row_of(task.id)["state"] == "SUCCESS"
