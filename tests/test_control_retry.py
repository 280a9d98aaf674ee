"""Retry: what failed runs again under the same id, with attempts anew, and nothing else does."""

from datetime import timedelta

import pytest
from sqlalchemy import update

from tests.conftest import Service
from tests.hands import claim, put_row, record_all, redis_away, row_of, settle, work_off
from workers.db import now, writing
from workers.engine import control, enqueue, events, find, ledger, outcome, reconcile
from workers.engine.events import padded
from workers.engine.job import Job
from workers.engine.outcome import Outcome
from workers.engine.tables import items
from workers.errors import Conflict


def fail(task_id: str, queue: str) -> None:
    """Let a waiting task fail for good."""
    job_id, execution = claim(queue)
    assert job_id == task_id
    assert settle(job_id, execution, queue, outcome.failed(ValueError("no"), retries_left=0, retries=0))


def item_states(task_id: str) -> list[str]:
    return [row["state"] for row in ledger.page(task_id, limit=1000)[0]]


@pytest.mark.parametrize("recorded", [False, True])
def test_a_failed_task_runs_again_under_its_id_with_attempts_anew(anywhere: Service, recorded: bool) -> None:
    task = enqueue("add", {"a": 40}, scope="7")
    fail(task.id, "sms")
    record_all() if recorded else None

    again = control.retry(task.id)

    assert (again.id, again.state, again.attempts, again.error, again.ended_at) == (task.id, "PENDING", 0, None, None)
    assert row_of(task.id)["attempts"] == 0
    job = Job.fetch(task.id, connection=anywhere.redis)
    assert (job.get_status(), job.retries_left, job.ended_at) == ("queued", 3, None)
    assert anywhere.redis.zscore("rq:failed:sms", task.id) is None
    assert anywhere.redis.ttl(f"rq:job:{task.id}") == -1

    work_off()
    record_all()
    ended = find(task.id)
    assert (ended.state, ended.result, ended.attempts, ended.error) == ("SUCCESS", {"sum": 42}, 1, None)
    assert row_of(task.id)["state"] == "SUCCESS"


@pytest.mark.parametrize("at_once", [1, events.BATCH])
def test_what_was_told_before_a_retry_does_not_end_the_task_again(
    anywhere: Service, monkeypatch: pytest.MonkeyPatch, at_once: int
) -> None:
    monkeypatch.setattr(events, "BATCH", at_once)
    task = enqueue("add", {"a": 40})
    fail(task.id, "sms")

    control.retry(task.id)
    record_all()

    row = row_of(task.id)
    assert (row["state"], row["attempts"], row["error_type"], row["ended_at"]) == ("PENDING", 0, None, None)
    assert find(task.id).state == "PENDING"


def test_a_cancelled_task_can_be_run_again(service: Service) -> None:
    task = enqueue("add", {"a": 40}, due_at=now() + timedelta(hours=1))
    control.cancel(task.id)

    control.retry(task.id)

    work_off()
    assert find(task.id).result == {"sum": 42}


def test_a_task_cancelled_before_redis_ever_got_it_can_be_run_again(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    with redis_away(monkeypatch):
        task = enqueue("add", {"a": 40})
    control.cancel(task.id)

    control.retry(task.id)

    work_off()
    assert find(task.id).result == {"sum": 42}


@pytest.mark.parametrize("recorded", [False, True])
def test_a_retry_while_redis_is_away_is_pushed_when_it_is_back(
    anywhere: Service, monkeypatch: pytest.MonkeyPatch, recorded: bool
) -> None:
    task = enqueue("add", {"a": 40})
    fail(task.id, "sms")
    record_all()
    with redis_away(monkeypatch):
        assert control.retry(task.id).state == "PENDING"
    record_all() if recorded else None

    monkeypatch.setattr(reconcile, "NEVER_PUSHED_FOR", timedelta(0))
    assert [reconcile.reconcile(), reconcile.reconcile()] == [1, 0]

    work_off()
    assert find(task.id).state == "SUCCESS"
    record_all()
    assert row_of(task.id)["state"] == "SUCCESS"


def test_a_retry_is_later_than_all_that_was_told_of_the_task_even_where_our_clock_is_behind(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    ahead_ms = int(now().timestamp() * 1000) + 60_000
    task_id = put_row(state="FAILURE", event_id=padded(f"{ahead_ms}-7"))

    with redis_away(monkeypatch):
        control.retry(task_id)

    assert row_of(task_id)["event_id"] == padded(f"{ahead_ms}-8")


def test_a_retry_whose_process_dies_before_the_push_is_pushed_later(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = enqueue("add", {"a": 40})
    fail(task.id, "sms")
    monkeypatch.setattr(control, "push", lambda *_, **__: None)

    assert control.retry(task.id).state == "PENDING", "the row is later than the end that Redis still shows"

    assert reconcile.reconcile() == 0, "the push may still be on its way"
    monkeypatch.setattr(reconcile, "NEVER_PUSHED_FOR", timedelta(0))
    assert reconcile.reconcile() == 1
    work_off()
    assert find(task.id).result == {"sum": 42}


def test_a_retry_of_a_bulk_runs_only_what_failed(service: Service) -> None:
    task = enqueue("square_all", {"numbers": [1, -2, 3, -4]})
    work_off()
    assert item_states(task.id) == ["done", "failed", "done", "failed"]

    assert control.retry(task.id, only="failed").state == "PENDING"

    assert item_states(task.id) == ["done", "pending", "done", "pending"]
    work_off()
    assert [row["attempts"] for row in ledger.page(task.id)[0]] == [1, 2, 1, 2]
    assert find(task.id).state == "SUCCESS"


def test_a_bulk_that_failed_as_a_whole_runs_again_even_if_no_item_failed(service: Service) -> None:
    task = enqueue("square_all", {"numbers": [1, 2]})
    batch = ledger.take(task.id, "x", 2)
    for item in batch:
        item.done({"square": item.value**2, "pid": 1})
    ledger.settle("x", batch)
    fail(task.id, "pdf")

    control.retry(task.id)

    work_off()
    assert find(task.id).result == 5


def test_items_of_unknown_outcome_run_again_only_when_that_is_asked(service: Service) -> None:
    task = enqueue("square_all", {"numbers": [1, 2, 3]})
    work_off()
    with writing() as session:
        mine = items.c.task_id == task.id
        session.execute(update(items).where(mine, items.c.position == 1).values(state="unknown"))
        session.execute(update(items).where(mine, items.c.position == 2).values(state="failed"))

    control.retry(task.id)
    assert item_states(task.id) == ["unknown", "pending", "done"]
    work_off()

    control.retry(task.id, only="unknown")
    assert item_states(task.id) == ["pending", "done", "done"]
    work_off()
    assert item_states(task.id) == ["done"] * 3


@pytest.mark.parametrize("only", [None, "failed", "unknown"])
def test_where_nothing_failed_there_is_nothing_to_run_again(service: Service, only: str | None) -> None:
    single, bulk = enqueue("add", {"a": 1}), enqueue("square_all", {"numbers": [1]})
    work_off()

    for task in (single, bulk):
        with pytest.raises(Conflict):
            control.retry(task.id, only=only)
        assert find(task.id).state == "SUCCESS"


def test_what_has_not_ended_cannot_be_run_again(service: Service) -> None:
    waiting, running = enqueue("add", {"a": 1}), enqueue("nothing")
    claim("maintenance")

    for task in (waiting, running):
        with pytest.raises(Conflict, match="has not ended"):
            control.retry(task.id)
    assert service.redis.llen("rq:queue:sms") == 1


def test_a_second_retry_of_a_task_that_waits_again_is_refused(service: Service) -> None:
    task = enqueue("fail")
    work_off()
    control.retry(task.id)

    with pytest.raises(Conflict, match="has not ended"):
        control.retry(task.id)
    assert service.redis.llen("rq:queue:email") == 1


@pytest.mark.parametrize("recorded", [False, True])
def test_of_two_retries_at_once_only_one_begins_the_task_anew(
    anywhere: Service, monkeypatch: pytest.MonkeyPatch, recorded: bool
) -> None:
    task = enqueue("square_all", {"numbers": [1, -2]})
    work_off()
    seen_by_both = find(task.id)
    control.retry(task.id)
    work_off()
    record_all() if recorded else None

    monkeypatch.setattr(control, "find", lambda task_id: seen_by_both)
    with pytest.raises(Conflict, match="just been retried"):
        control.retry(task.id)

    assert item_states(task.id) == ["done", "failed"]
    assert find(task.id).state == "SUCCESS"
    assert anywhere.redis.llen("rq:queue:pdf") == 0


def test_the_late_outcome_of_an_execution_before_the_retry_is_refused(service: Service) -> None:
    task = enqueue("add", {"a": 40})
    job_id, execution = claim("sms", "frozen")
    settle(job_id, execution, "sms", Outcome("failed", error=b"", payload=b""), "frozen")
    control.retry(task.id)
    _, present = claim("sms", "living")

    assert not settle(job_id, execution, "sms", outcome.finished({"sum": 0}), "frozen")
    assert find(task.id).state == "STARTED"
    assert settle(job_id, present, "sms", outcome.finished({"sum": 42}), "living")
    assert find(task.id).result == {"sum": 42}


def test_retrying_leaves_the_queue_of_others_alone(service: Service) -> None:
    first, second = enqueue("fail"), enqueue("fail")
    fail(first.id, "email")

    control.retry(first.id)

    assert [job_id.decode() for job_id in service.redis.lrange("rq:queue:email", 0, -1)] == [second.id, first.id]
