"""The reconciler: jobs that a stock worker popped and died with, that another tool ended while they ran, and items that
somebody died in closing."""

from datetime import timedelta
from typing import Any

import pytest

from tests.conftest import Service
from tests.hands import claim, record_all, row_of, settle, work_off
from tests.test_ledger import states
from tests.test_reconcile import AT_ONCE, change, queued
from workers.db import now, reading
from workers.engine import control, doctor, enqueue, find, leftovers, outcome, wire
from workers.engine import reconcile as reconciler
from workers.engine.events import newest
from workers.engine.job import Job
from workers.engine.reconcile import GOING_ON, close_ended, of_state, reconcile
from workers.engine.tables import ENDED
from workers.engine.tasks import STATES


def popped(service: Service, task_id: str, queue: str = "sms") -> None:
    service.redis.lrem(f"rq:queue:{queue}", 1, task_id)


def test_a_job_that_was_popped_and_lost_comes_back_when_it_was_missed_twice_a_minute_apart(anywhere: Service) -> None:
    lost, waits = enqueue("add", {"a": 1}), enqueue("add", {"a": 2})
    record_all()
    popped(anywhere, lost.id)

    assert [reconcile(), reconcile()] == [0, 0]
    assert (row_of(waits.id)["missing_at"], queued(anywhere, "sms")) == (None, [waits.id])
    change(lost.id, missing_at=now() - timedelta(seconds=61))
    assert reconcile() == 1

    assert queued(anywhere, "sms") == [lost.id, waits.id]
    reconcile()
    assert row_of(lost.id)["missing_at"] is None
    work_off()
    assert find(lost.id).result == {"sum": 3}
    assert not list(doctor.examine())


def test_what_a_stock_worker_left_on_its_way_is_not_left_there(service: Service) -> None:
    task = enqueue("add", {"a": 1})
    service.redis.lmove("rq:queue:sms", "rq:queue:sms:intermediate")

    assert [reconcile(missing_for=AT_ONCE), reconcile(missing_for=AT_ONCE)] == [0, 1]

    assert (queued(service, "sms"), service.redis.llen("rq:queue:sms:intermediate")) == ([task.id], 0)


def test_a_job_that_was_missed_once_and_runs_now_is_left_alone(service: Service) -> None:
    task = enqueue("add", {"a": 1})
    popped(service, task.id)
    reconcile(missing_for=AT_ONCE)
    service.redis.lpush("rq:queue:sms", task.id)
    claim("sms")

    assert reconcile(missing_for=AT_ONCE) == 0

    assert (queued(service, "sms"), row_of(task.id)["missing_at"]) == ([], None)


def test_a_running_task_that_rqs_own_tools_cancel_has_ended_and_is_not_run_a_second_time(
    anywhere: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("workers.engine.reconcile.NEVER_PUSHED_FOR", AT_ONCE)
    task = enqueue("add", {"a": 1})
    held = claim("sms")
    record_all()
    Job.fetch(task.id, connection=anywhere.redis).cancel()
    shown = find(task.id).state

    assert [reconcile(missing_for=AT_ONCE) for _ in range(2)] == [0, 0]

    assert (shown, row_of(task.id)["state"], queued(anywhere, "sms")) == ("REVOKED", "REVOKED", [])
    assert settle(*held, "sms", outcome.finished({"sum": 3})), "its worker still holds it"
    record_all()
    assert (find(task.id).state, anywhere.redis.hget(f"rq:job:{task.id}", "status")) == ("REVOKED", b"canceled")
    control.retry(task.id)
    work_off()
    assert find(task.id).result == {"sum": 3}


def test_a_redis_that_fell_back_to_the_run_before_a_retry_gets_the_retry_again(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("workers.engine.reconcile.NEVER_PUSHED_FOR", AT_ONCE)
    task = enqueue("fail")
    work_off()
    first_end = service.redis.hgetall(f"rq:job:{task.id}")
    control.retry(task.id)
    claim("email")
    record_all()
    service.redis.delete(f"rq:job:{task.id}")
    service.redis.hset(f"rq:job:{task.id}", mapping=first_end)

    assert (row_of(task.id)["state"], find(task.id).state) == ("STARTED", "STARTED")
    assert reconcile() == 1

    assert queued(service, "email") == [task.id]


def test_a_job_that_nobody_holds_comes_back_when_that_was_seen_twice_a_minute_apart(anywhere: Service) -> None:
    lost, held = enqueue("add", {"a": 1}), enqueue("add", {"a": 2})
    (_, execution), _ = claim("sms", "one"), claim("sms", "another")
    record_all()
    anywhere.redis.zrem("sira:leases", f"sms:{lost.id}:{execution}")

    assert [reconcile(), reconcile()] == [0, 0]
    change(lost.id, missing_at=now() - timedelta(seconds=61))
    assert reconcile() == 1

    assert (queued(anywhere, "sms"), row_of(held.id)["missing_at"]) == ([lost.id], None)
    work_off()
    assert find(lost.id).result == {"sum": 3}


def test_a_running_job_whose_lease_was_deleted_gets_it_back_from_its_keeper(service: Service) -> None:
    enqueue("add", {"a": 1})
    claim("sms", "mine")
    leases = service.redis.zrange("sira:leases", 0, -1)
    service.redis.delete("sira:leases")

    wire.run(service.redis, "renew", wire.LEASE_MS, 90, "mine")

    assert service.redis.zrange("sira:leases", 0, -1) == leases


@pytest.mark.parametrize("pushed", [True, False])
def test_who_dies_while_it_cancels_a_bulk_leaves_it_cancelled_and_its_items_to_the_reconciler(
    anywhere: Service, monkeypatch: pytest.MonkeyPatch, pushed: bool
) -> None:
    task = enqueue("write_lines", {"lines": ["a", "b"], "path": "/dev/null"})
    if not pushed:
        anywhere.redis.flushall()
    with monkeypatch.context() as killed:
        killed.setattr(leftovers, "close", _die)
        with pytest.raises(KeyboardInterrupt):
            control.cancel(task.id)
    assert (find(task.id).state, states(task.id)) == ("REVOKED", ["pending"] * 2)

    reconcile()

    assert states(task.id) == ["skipped"] * 2
    assert find(task.id).state == "REVOKED"


def _die(*_: Any, **__: Any) -> None:
    raise KeyboardInterrupt


def test_the_items_of_a_task_that_has_just_begun_anew_are_not_closed(
    anywhere: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the look for open items and the closing somebody retries the task."""
    task = enqueue("write_lines", {"lines": ["a", "b"], "path": "/dev/null"})
    control.cancel(task.id)
    control.retry(task.id)
    assert states(task.id) == ["pending"] * 2

    monkeypatch.setattr("workers.engine.reconcile.left_open", lambda since: [(task.id, "REVOKED")])
    close_ended()

    assert states(task.id) == ["pending"] * 2


def test_what_goes_on_is_found_in_an_index_among_all_that_are_kept(service: Service) -> None:
    with reading() as session:
        for state in GOING_ON:
            query = of_state(state, "0").compile(session.get_bind(), compile_kwargs={"literal_binds": True})
            plan = [row[3] for row in session.connection().exec_driver_sql(f"EXPLAIN QUERY PLAN {query}")]

            assert plan == ["SEARCH tasks USING INDEX ix_tasks_state (state=? AND id>?)"]
    assert sorted((*GOING_ON, *ENDED)) == sorted(STATES)


@pytest.mark.parametrize("left", ["nothing", "newer events"])
def test_an_end_that_was_deleted_with_the_stream_is_written_all_the_same(service: Service, left: str) -> None:
    """Else its row stays open, and is pushed a second time when its job has expired."""
    good, bad = enqueue("add", {"a": 40}), enqueue("fail")
    record_all()
    work_off()
    service.redis.delete("sira:events")
    if left == "newer events":
        enqueue("nothing")

    reconcile(missing_for=timedelta(0))

    assert (row_of(good.id)["state"], find(good.id).result) == ("SUCCESS", {"sum": 42})
    assert (row_of(bad.id)["state"], row_of(bad.id)["error_message"]) == ("FAILURE", "no way")
    service.redis.delete(f"rq:job:{good.id}", f"rq:job:{bad.id}")
    assert reconcile(missing_for=timedelta(0)) == 0


def test_who_runs_a_bulk_again_has_a_minute_to_open_its_items(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pushed before the last is open, it would end without the rest."""
    single, bulk = enqueue("fail"), enqueue("square_all", {"numbers": [1, 2]})
    work_off()
    record_all()
    for task in (single, bulk):
        control._begin_anew(find(task.id), newest())
    monkeypatch.setattr(reconciler, "NEVER_PUSHED_FOR", timedelta(0))

    assert (reconcile(), queued(service, "email"), queued(service, "pdf")) == (1, [single.id], [])

    monkeypatch.setattr(reconciler, "MISSING_FOR", timedelta(0))
    assert (reconcile(), queued(service, "pdf")) == (1, [bulk.id])
