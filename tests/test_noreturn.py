"""The point of no return: a cancel comes before it, or is refused wherever the task is; and the task has patience."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.conftest import Service
from tests.hands import claim, redis_away, row_of, settle, work_off
from workers.engine import control, enqueue, find, no_return, noreturn, outcome, rescue, running, wire
from workers.engine.outcome import Outcome
from workers.engine.queues import push
from workers.errors import Conflict, QueueDown, TimeLimitExceeded


@contextmanager
def running_as(job_id: str, execution: str) -> Iterator[running.Run]:
    run = running.Run(job_id, job_id, execution)
    token = running.present.set(run)
    try:
        yield run
    finally:
        running.present.reset(token)


def assert_no_cancel(task_id: str) -> None:
    with pytest.raises(Conflict, match="whole or not at all"):
        control.cancel(task_id)
    assert not find(task_id).ended


def test_a_cancel_that_came_before_holds_and_nothing_is_begun(service: Service) -> None:
    task = enqueue("add", {"a": 1})
    job_id, execution = claim("sms")
    control.cancel(task.id)

    with running_as(job_id, execution) as run, pytest.raises(running.Cancelled):
        no_return()

    assert not run.past_return


def test_behind_it_a_task_is_not_cancelled_wherever_it_is(service: Service) -> None:
    task = enqueue("add", {"a": 1})
    job_id, execution = claim("sms")
    with running_as(job_id, execution):
        no_return()
    assert_no_cancel(task.id)

    settle(job_id, execution, "sms", Outcome("yield"))
    assert_no_cancel(task.id)  # between two slices

    settle(*claim("sms"), "sms", outcome.failed(ValueError("no"), retries_left=1, retries=1))
    assert find(task.id).state == "RETRY"
    assert_no_cancel(task.id)

    service.redis.zadd("rq:scheduled:sms", {task.id: 0})
    wire.run(wire.connect(), "promote", 10, "sms")
    settle(*claim("sms"), "sms", outcome.finished({"sum": 3}))
    with pytest.raises(Conflict, match="has ended as SUCCESS"):
        control.cancel(task.id)


def test_the_word_of_its_kind_holds_where_redis_has_forgotten_all(service: Service, tmp_path: Path) -> None:
    begun, fresh = tmp_path / "begun", tmp_path / "fresh"
    tasks = [enqueue("do_whole", {"path": str(path)}) for path in (begun, fresh)]
    begun.touch()
    service.redis.flushall()

    assert_no_cancel(tasks[0].id)  # not in Redis at all
    push(row_of(tasks[0].id))
    assert_no_cancel(tasks[0].id)
    assert control.cancel(tasks[1].id).state == "REVOKED"


def test_a_failure_behind_it_is_no_end_though_the_kind_has_no_retries(service: Service, tmp_path: Path) -> None:
    task = enqueue("do_whole", {"path": str(tmp_path / "done"), "fails": 1})

    work_off()
    assert find(task.id).state == "RETRY"
    assert service.redis.hget(f"rq:job:{task.id}", "retries_left") == str(noreturn.PATIENCE - 1).encode()

    control.hurry("", ["excel"])
    wire.run(wire.connect(), "promote", 10, "excel")
    work_off()
    assert (find(task.id).state, find(task.id).result) == ("SUCCESS", 2)


def test_a_child_that_its_hard_limit_ended_behind_it_is_no_end_either(service: Service) -> None:
    task = enqueue("nothing")
    job_id, execution = claim("maintenance")
    with running_as(job_id, execution):
        no_return()

    rescue.dead_child("by-hand", TimeLimitExceeded(limit_s=1), (job_id, TimeLimitExceeded(limit_s=1)))

    assert find(task.id).state == "RETRY"
    assert_no_cancel(task.id)


def test_an_execution_that_was_replaced_or_cannot_ask_does_not_pass_it(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    enqueue("add", {"a": 1})
    job_id, execution = claim("sms")

    with running_as(job_id, "older"), pytest.raises(running.Lost):
        no_return()
    with running_as(job_id, execution), redis_away(monkeypatch), pytest.raises(QueueDown):
        no_return()


def test_outside_a_worker_it_is_nothing(service: Service) -> None:
    no_return()

    assert service.redis.dbsize() == 0
