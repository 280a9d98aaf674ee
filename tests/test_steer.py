"""Many tasks steered by one: each once, only the company's own, resumed after a death, with counts and reasons."""

import os
import signal
from datetime import timedelta

import pytest
from sqlalchemy import update

from tests.conftest import Service, wait_until
from tests.hands import put_row, record_all, row_of, work_off
from workers.db import now, writing
from workers.engine import control, enqueue, find, ledger
from workers.engine.seal import Seal
from workers.engine.tables import items, tasks
from workers.jobs.steer import steer_tasks


def steer(action: str, task_ids: list[str], scope: str | None = "1") -> str:
    return enqueue("steer_tasks", {"task_ids": task_ids, "action": action}, scope=scope).id


def outcomes(task_id: str) -> dict[str | None, tuple[str, str | None]]:
    """By the steered task: what became of its item, and why."""
    return {row["ref"]: (row["state"], row["error"]) for row in ledger.page(task_id, limit=1000)[0]}


def failed(scope: str | None = "1") -> str:
    """A task that failed an hour ago."""
    at = now() - timedelta(hours=1)
    failure = {"state": "FAILURE", "error_type": "E", "error_message": "e", "created_at": at, "ended_at": at}
    return put_row(scope=scope, params=Seal.dumps({"a": 1}), **failure)


def test_tasks_are_cancelled_with_a_reason_where_it_can_not_be(service: Service) -> None:
    waiting, ended = enqueue("add", {"a": 1}, scope="1", due_at=now() + timedelta(hours=1)).id, failed()

    one = steer("cancel", [waiting, ended])
    work_off()

    task = find(one)
    assert (task.state, task.result) == ("SUCCESS", {"done": 1, "skipped": 1})
    assert find(waiting).state == "REVOKED"
    assert outcomes(one)[ended] == (
        "skipped",
        "That can't be done in the present state: the task has ended as FAILURE.",
    )


def test_what_failed_is_run_again_once_however_often_the_steering_is(service: Service) -> None:
    again = [failed() for _ in range(3)]
    one = steer("retry", again)
    work_off()
    record_all()
    ended = [row_of(each)["ended_at"] for each in again]
    assert None not in ended

    _as_if_it_died_before_it_could_write(one)
    work_off()
    record_all()

    assert [row_of(each)["ended_at"] for each in again] == ended
    assert set(outcomes(one).values()) == {("done", None)}


def _as_if_it_died_before_it_could_write(task_id: str) -> None:
    """Its tasks run again already, and its items don't know of it."""
    with writing() as session:
        session.execute(update(items).where(items.c.task_id == task_id).values(state="failed"))
        session.execute(update(tasks).where(tasks.c.id == task_id).values(state="FAILURE"))
    control.retry(task_id)


def test_a_company_reaches_only_its_own_tasks_and_nobody_the_one_that_asks(service: Service) -> None:
    own, foreign, nobodys = failed("1"), failed("2"), failed(None)

    one = steer("retry", [own, foreign, nobodys, "no id"])
    work_off()

    unknown = ("failed", "There is no such task. Check the id.")
    assert outcomes(one) == {own: ("done", None), foreign: unknown, nobodys: unknown, "no id": unknown}
    assert row_of(foreign)["state"] == row_of(nobodys)["state"] == "FAILURE"


def test_without_a_company_it_reaches_all(service: Service) -> None:
    one = steer("retry", [failed("1"), failed("2"), failed(None)], scope=None)
    work_off()
    assert find(one).result == {"done": 3}


def test_it_goes_on_where_its_worker_died(service: Service) -> None:
    waiting = [enqueue("add", {"a": n}, scope="1", due_at=now() + timedelta(hours=1)).id for n in range(60)]
    one = steer("cancel", waiting)
    worker = service.run_worker()
    wait_until(lambda: find(one).state != "PENDING", what="the start")

    os.kill(worker.children()[0], signal.SIGKILL)

    task = find(one).wait(60)
    assert (task.state, task.result) == ("SUCCESS", {"done": 60})
    assert {find(each).state for each in waiting} == {"REVOKED"}


def test_it_waits_behind_no_other_task_of_its_company(service: Service) -> None:
    enqueue("generate_bulk_pdfs", {"mutabakat_ids": [1]}, scope="1")
    second = enqueue("generate_bulk_pdfs", {"mutabakat_ids": [2]}, scope="1").id

    one = steer("cancel", [second])

    assert service.redis.hget(f"rq:job:{second}", "status") == b"rate_limited"
    assert service.redis.hget(f"rq:job:{one}", "status") == b"queued"


@pytest.mark.parametrize("action", ["cancel", "retry"])
def test_called_as_a_function_it_does_the_same(service: Service, action: str) -> None:
    task_id = failed() if action == "retry" else enqueue("add", {"a": 1}, due_at=now() + timedelta(hours=1)).id
    assert steer_tasks(task_ids=[task_id], action=action) == {}
    assert find(task_id).state == {"retry": "PENDING", "cancel": "REVOKED"}[action]
