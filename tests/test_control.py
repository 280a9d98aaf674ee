"""Steering: a cancel ends what waits for good, a retry runs what failed under the same id with attempts anew."""

from datetime import timedelta
from typing import Any

import pytest
from rq import Queue

from tests.conftest import Service
from tests.hands import claim, record_all, redis_away, row_of, settle, told_of, work_off
from workers.db import now
from workers.engine import bulk, control, enqueue, find, ledger, leftovers, outcome, reconcile, wire
from workers.engine.job import Job
from workers.engine.queues import push
from workers.engine.seal import Seal
from workers.errors import Conflict, QueueDown, UnknownTask

UNKNOWN = "01900000-0000-7000-8000-000000000000"


def item_states(task_id: str) -> list[str]:
    return [row["state"] for row in ledger.page(task_id, limit=1000)[0]]


def test_a_waiting_task_that_is_cancelled_has_ended_everywhere(anywhere: Service) -> None:
    task = enqueue("add", {"a": 1})

    given = control.cancel(task.id)

    assert (given.state, find(task.id).state, row_of(task.id)["state"]) == ("REVOKED", "REVOKED", "REVOKED")
    assert row_of(task.id)["ended_at"] is not None
    assert anywhere.redis.llen("rq:queue:sms") == 0
    assert Job.fetch(task.id, connection=anywhere.redis).is_canceled
    assert anywhere.redis.zscore("rq:canceled:sms", task.id) is not None
    assert 0 < anywhere.redis.ttl(f"rq:job:{task.id}") <= 86_400


def test_a_task_that_was_meant_for_later_never_comes(service: Service) -> None:
    task = enqueue("add", {"a": 1}, due_at=now() + timedelta(hours=1))

    assert control.cancel(task.id).state == "REVOKED"

    assert service.redis.zcard("rq:scheduled:sms") == 0


def test_a_dependent_that_is_cancelled_waits_nowhere_any_more(service: Service) -> None:
    queue = Queue("maintenance", connection=service.redis, job_class=Job, serializer=Seal)
    parent = queue.enqueue("nothing")
    child = queue.enqueue("nothing", depends_on=parent)

    assert wire.run(service.redis, "cancel", child.id, queue.name, 60) == b"waiting"
    work_off()

    assert (parent.get_status(), child.get_status()) == ("finished", "canceled")
    assert queue.deferred_job_registry.get_job_ids() == []


def test_a_retry_that_waits_for_its_time_can_be_cancelled(service: Service) -> None:
    task = enqueue("add", {"a": 1})
    settle(*claim("sms"), "sms", outcome.failed(ValueError("no"), retries_left=3, retries=3))
    record_all()
    assert (find(task.id).state, find(task.id).error) == ("RETRY", {"type": "ValueError", "message": "no"})

    assert control.cancel(task.id).state == "REVOKED"

    record_all()
    service.redis.delete(f"rq:job:{task.id}")
    assert find(task.id).error is None, "why it was tried again is not why it ended"
    assert service.redis.zcard("rq:scheduled:sms") == 0


def test_a_task_that_redis_never_got_is_cancelled_and_its_late_push_refused(
    anywhere: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    with redis_away(monkeypatch):
        task = enqueue("add", {"a": 1})
    row = row_of(task.id)

    assert control.cancel(task.id).state == "REVOKED"

    assert push(row) is False
    monkeypatch.setattr(reconcile, "NEVER_PUSHED_FOR", timedelta(0))
    assert reconcile.reconcile() == 0
    assert anywhere.redis.llen("rq:queue:sms") == 0
    assert not anywhere.redis.exists(f"rq:job:{task.id}")
    record_all()
    assert told_of(task.id)[-1].state == "REVOKED", "who watches hears of it"


def test_a_retry_that_redis_never_got_can_be_cancelled(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    task = enqueue("fail")
    work_off()
    record_all()
    with redis_away(monkeypatch):
        assert control.retry(task.id).state == "PENDING"

    assert control.cancel(task.id).state == "REVOKED"

    monkeypatch.setattr(reconcile, "NEVER_PUSHED_FOR", timedelta(0))
    assert reconcile.reconcile() == 0
    with pytest.raises(Conflict):
        control.cancel(task.id)


def test_a_late_push_after_a_cancel_is_refused(service: Service) -> None:
    task = enqueue("add", {"a": 1})
    row = row_of(task.id)
    control.cancel(task.id)

    assert push(row) is False

    assert service.redis.llen("rq:queue:sms") == 0


def test_a_running_task_is_asked_to_stop_and_ends_as_revoked_whatever_it_says_next(service: Service) -> None:
    task = enqueue("add", {"a": 1})
    job_id, execution = claim("sms")

    assert control.cancel(task.id).state == "STARTED"

    settle(job_id, execution, "sms", outcome.failed(ValueError("no"), retries_left=3, retries=3))
    assert find(task.id).state == "STARTED", "its holder makes the end ready, so that no item is open under it"
    settle(job_id, execution, "sms", outcome.Outcome("revoked"))

    assert find(task.id).state == "REVOKED"
    assert service.redis.zcard("rq:scheduled:sms") == 0


def test_a_task_that_succeeds_before_it_hears_of_the_cancel_has_succeeded(service: Service) -> None:
    task = enqueue("add", {"a": 1})
    job_id, execution = claim("sms")
    control.cancel(task.id)

    settle(job_id, execution, "sms", outcome.finished({"sum": 3}))

    assert (find(task.id).state, find(task.id).result) == ("SUCCESS", {"sum": 3})


def test_a_cancel_that_comes_with_the_end_of_a_slice_leaves_no_item_open(
    service: Service, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    task = enqueue("write_lines", {"lines": ["a", "b", "c"], "path": str(tmp_path / "lines")})

    def cancel_and_yield(items: Any) -> None:
        control.cancel(items.run.task_id)
        items.run.slice_ends = 0.0

    monkeypatch.setattr(bulk.Items, "_tell", cancel_and_yield)
    work_off()

    assert (find(task.id).state, ledger.counts(task.id)) == ("REVOKED", {"done": 1, "skipped": 2})


@pytest.mark.parametrize("recorded", [False, True])
def test_what_has_ended_cannot_be_cancelled(service: Service, recorded: bool) -> None:
    done, cancelled = enqueue("add", {"a": 1}), enqueue("nothing")
    control.cancel(cancelled.id)
    work_off()
    record_all() if recorded else None

    for task in (done, cancelled):
        with pytest.raises(Conflict, match="has ended as"):
            control.cancel(task.id)
    assert find(done.id).state == "SUCCESS"


def test_the_items_of_a_cancelled_bulk_are_skipped_with_the_reason(anywhere: Service) -> None:
    task = enqueue("square_all", {"numbers": [1, 2, 3]})

    control.cancel(task.id)

    assert find(task.id).counts == {"pending": 0, "done": 0, "failed": 0, "skipped": 3, "unknown": 0}
    assert {row["error"] for row in ledger.page(task.id)[0]} == {"İptal edildi"}


@pytest.mark.parametrize("between", ["_end_row", "take_up"])
def test_a_retry_that_comes_in_the_middle_of_a_cancel_is_not_undone(
    service: Service, monkeypatch: pytest.MonkeyPatch, between: str
) -> None:
    """A task with many items says that it is REVOKED long before the last of them is skipped."""
    task = enqueue("square_all", {"numbers": [1, 2, 3]})
    place: Any = control if between == "_end_row" else leftovers
    goes_on = getattr(place, between)

    def retried_first(*given: Any) -> None:
        control.retry(task.id)
        goes_on(*given)

    monkeypatch.setattr(place, between, retried_first)
    control.cancel(task.id)

    assert (row_of(task.id)["state"], row_of(task.id)["ended_at"]) == ("PENDING", None)
    work_off()
    assert (find(task.id).state, (find(task.id).counts or {})["done"]) == ("SUCCESS", 3)


@pytest.mark.parametrize("call", [control.cancel, control.retry])
def test_an_unknown_task_cannot_be_steered(service: Service, call: Any) -> None:
    for task_id in (UNKNOWN, "x"):
        with pytest.raises(UnknownTask):
            call(task_id)
    assert service.redis.dbsize() == 0


def test_without_redis_nothing_is_cancelled_and_the_caller_is_told(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = enqueue("square_all", {"numbers": [1]})

    with redis_away(monkeypatch), pytest.raises(QueueDown):
        control.cancel(task.id)

    assert find(task.id).state == "PENDING"
    assert item_states(task.id) == ["pending"]
