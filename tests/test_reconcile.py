"""The reconciler: what Redis lost comes back, what it still holds is left alone, what others ended is noted."""

import threading
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update

from tests.conftest import Service, wait_until
from tests.hands import claim, put_row, record_all, redis_away, row_of, settle, work_off
from tests.test_job import OURS, stock_worker
from workers.db import now, reading, writing
from workers.engine import control, enqueue, find, ledger, outcome, reconcile, rescue
from workers.engine.job import Job
from workers.engine.seal import Seal
from workers.engine.tables import tasks

AT_ONCE = timedelta(0)


def change(task_id: str, **values: Any) -> None:
    with writing() as session:
        session.execute(update(tasks).where(tasks.c.id == task_id).values(**values))


def queued(service: Service, queue: str) -> list[str]:
    return [job_id.decode() for job_id in service.redis.lrange(f"rq:queue:{queue}", 0, -1)]


def test_a_row_whose_push_never_arrived_is_pushed_but_not_while_it_may_be_on_its_way(
    anywhere: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reconcile, "NEVER_PUSHED_FOR", timedelta(minutes=10))
    with redis_away(monkeypatch):
        task = enqueue("add", {"a": 40})

    assert reconcile.reconcile() == 0
    change(task.id, created_at=now() - timedelta(minutes=11))
    assert reconcile.reconcile() == 1
    assert reconcile.reconcile() == 0

    assert queued(anywhere, "sms") == [task.id]
    work_off()
    assert find(task.id).result == {"sum": 42}


def test_a_job_that_went_missing_is_pushed_when_it_was_missed_twice_a_minute_apart(anywhere: Service) -> None:
    task = enqueue("add", {"a": 40})
    record_all()
    anywhere.redis.flushall()

    assert [reconcile.reconcile(), reconcile.reconcile()] == [0, 0]
    assert row_of(task.id)["missing_at"] is not None
    change(task.id, missing_at=now() - timedelta(seconds=61))
    assert reconcile.reconcile() == 1

    assert queued(anywhere, "sms") == [task.id]
    record_all()
    assert row_of(task.id)["missing_at"] is None


def test_a_job_that_was_missed_once_and_came_back_must_be_missed_twice_again(service: Service) -> None:
    task = enqueue("add", {"a": 40})
    record_all()
    kept = service.redis.hgetall(f"rq:job:{task.id}")
    service.redis.delete(f"rq:job:{task.id}")
    reconcile.reconcile()

    service.redis.hset(f"rq:job:{task.id}", mapping=kept)
    reconcile.reconcile()

    assert row_of(task.id)["missing_at"] is None
    service.redis.delete(f"rq:job:{task.id}")
    assert reconcile.reconcile(missing_for=AT_ONCE) == 0


def test_everything_comes_back_when_redis_forgets_all_while_a_worker_runs(
    service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reconcile, "NEVER_PUSHED_FOR", AT_ONCE)
    lines = [str(number) for number in range(40)]
    bulk = enqueue("write_lines", {"lines": lines, "path": str(tmp_path / "out"), "pause_s": 0.02})
    later = enqueue("of_company", {"company_id": 1}, due_at=now() + timedelta(hours=1))
    singles = [enqueue("sleep_and_count", {"path": str(tmp_path / f"n{number}")}) for number in range(5)]
    service.run_worker()
    wait_until(lambda: find(bulk.id).current >= 5)

    service.redis.flushall()

    def all_ended() -> bool:
        reconcile.reconcile(missing_for=AT_ONCE)
        return all(find(task.id).ended for task in (bulk, *singles)) and service.redis.exists("rq:scheduled:sms")

    wait_until(all_ended, timeout_s=60)
    assert {find(task.id).state for task in (bulk, *singles)} == {"SUCCESS"}
    written = (tmp_path / "out").read_text().split()
    assert sorted(set(written), key=int) == lines
    assert len(written) <= len(lines) + 1, "only the item in work may be repeated"
    assert service.redis.zcard("rq:scheduled:sms") == 1
    assert find(later.id).state == "PENDING"


def test_a_delayed_task_that_went_missing_waits_for_its_time_again(service: Service) -> None:
    due_at = now() + timedelta(hours=1)
    task = enqueue("add", {"a": 1}, due_at=due_at)
    record_all()
    service.redis.flushall()

    reconcile.reconcile()
    assert reconcile.reconcile(missing_for=AT_ONCE) == 1

    assert queued(service, "sms") == []
    assert service.redis.zscore("rq:scheduled:sms", task.id) == pytest.approx(due_at.timestamp(), abs=0.002)


@pytest.mark.parametrize("queue_was_recorded", [False, True])
def test_a_job_that_ended_but_is_not_recorded_yet_is_not_pushed_again(
    anywhere: Service, monkeypatch: pytest.MonkeyPatch, queue_was_recorded: bool
) -> None:
    monkeypatch.setattr(reconcile, "NEVER_PUSHED_FOR", AT_ONCE)
    task = enqueue("add", {"a": 40})
    record_all() if queue_was_recorded else None
    work_off()

    assert [reconcile.reconcile(missing_for=AT_ONCE) for _ in range(3)] == [0, 0, 0]

    assert queued(anywhere, "sms") == []
    record_all()
    assert (row_of(task.id)["state"], find(task.id).result) == ("SUCCESS", {"sum": 42})


def test_a_running_job_is_left_alone(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reconcile, "NEVER_PUSHED_FOR", AT_ONCE)
    task = enqueue("add", {"a": 40})
    job_id, execution = claim("sms")

    assert [reconcile.reconcile(missing_for=AT_ONCE) for _ in range(2)] == [0, 0]

    assert settle(job_id, execution, "sms", outcome.finished({"sum": 42}))
    assert find(task.id).result == {"sum": 42}


@pytest.mark.parametrize("losses", [0, 3])
def test_a_machine_that_died_leaves_its_work_behind_and_nothing_else(service: Service, losses: int) -> None:
    task = enqueue("add", {"a": 40})
    service.redis.hset(f"rq:job:{task.id}", "sira_losses", losses)
    claim("sms", "dead")
    service.redis.delete("rq:worker:dead")  # as when its time to live is over
    for lease in service.redis.zrange("sira:leases", 0, -1):
        service.redis.zadd("sira:leases", {lease: 1})

    assert rescue.expired() == 1

    assert find(task.id).state == ("FAILURE" if losses else "PENDING")
    assert list(service.redis.scan_iter("rq:worker:*")) == []
    assert list(service.redis.scan_iter("rq:execution*")) == []


def test_what_has_ended_is_never_pushed_again(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reconcile, "NEVER_PUSHED_FOR", AT_ONCE)
    done, cancelled = enqueue("add", {"a": 40}), enqueue("nothing")
    control.cancel(cancelled.id)
    work_off()
    record_all()
    service.redis.flushall()

    assert [reconcile.reconcile(missing_for=AT_ONCE) for _ in range(2)] == [0, 0]
    assert (find(done.id).state, find(cancelled.id).state) == ("SUCCESS", "REVOKED")


def test_a_cancel_by_rqs_own_tools_is_noted(anywhere: Service) -> None:
    single, bulk = enqueue("add", {"a": 1}), enqueue("square_all", {"numbers": [1, 2]})
    record_all()
    for task in (single, bulk):
        Job.fetch(task.id, connection=anywhere.redis).cancel()

    assert reconcile.reconcile(missing_for=AT_ONCE) == 0

    anywhere.redis.flushall()
    assert [row_of(task.id)["state"] for task in (single, bulk)] == ["REVOKED", "REVOKED"]
    assert row_of(single.id)["ended_at"] is not None
    assert find(bulk.id).counts["skipped"] == 2, "no item stays open under an end"  # type: ignore[index]


def test_what_rqs_own_worker_made_of_a_task_is_kept_when_redis_forgets_it(service: Service) -> None:
    good, bad, told = enqueue("add", {"a": 40}), enqueue("fail"), enqueue("tell_success", {"path": "x"})
    record_all()
    stock_worker(service, *OURS)

    reconcile.reconcile()

    calls = [job_id.decode() for job_id in service.redis.lrange("rq:queue:maintenance", 0, -1)]
    assert calls == [f"{told.id}-cforeign"], "a stock worker calls nobody"
    service.redis.flushall()
    assert (find(good.id).state, find(good.id).result) == ("SUCCESS", {"sum": 42})
    failed = find(bad.id)
    assert (failed.state, failed.error["type"]) == ("FAILURE", "EndedElsewhere")  # type: ignore[index]


def test_an_end_that_the_stream_still_tells_of_is_left_to_the_recorder(service: Service) -> None:
    task = enqueue("add", {"a": 40})
    record_all()
    work_off()

    reconcile.reconcile(missing_for=AT_ONCE)

    assert row_of(task.id)["state"] == "PENDING"
    record_all()
    assert row_of(task.id)["attempts"] == 1


def test_one_row_that_cannot_be_pushed_does_not_stop_the_others(
    anywhere: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reconcile, "NEVER_PUSHED_FOR", AT_ONCE)
    put_row(params=b"S1 sealed with a key that nobody has any more......")
    put_row(kind="of_a_later_release")
    with redis_away(monkeypatch):
        task = enqueue("add", {"a": 1})

    assert reconcile.reconcile() == 1

    assert queued(anywhere, "sms") == [task.id]


def test_all_rows_are_looked_at_however_many_there_are(anywhere: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reconcile, "NEVER_PUSHED_FOR", AT_ONCE)
    monkeypatch.setattr(reconcile, "CHUNK", 3)
    made = [put_row(params=Seal.dumps({"a": number, "b": 2})) for number in range(10)]

    assert reconcile.reconcile() == 10

    assert sorted(queued(anywhere, "sms")) == sorted(made)


def test_reconcilers_that_run_at_once_push_each_job_once(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reconcile, "NEVER_PUSHED_FOR", AT_ONCE)
    made = [put_row(params=Seal.dumps({"a": number, "b": 2})) for number in range(30)]

    def run_until_all_wait() -> None:
        """A push may find the server silent for a moment; what it left comes with the next round, as in a keeper."""
        wait_until(lambda: reconcile.reconcile() == 0 and len(queued(service, "sms")) >= len(made))

    threads = [threading.Thread(target=run_until_all_wait) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(queued(service, "sms")) == sorted(made)


def test_a_bulk_that_was_never_released_is_forgotten_with_its_items_after_a_day(anywhere: Service) -> None:
    young, old = put_row(released=False), put_row(released=False, created_at=now() - timedelta(hours=25))
    for task_id in (young, old):
        ledger.fill(task_id, [1, 2, 3])

    reconcile.reconcile()

    assert row_of(young)["released"] is False
    assert ledger.counts(young) == {"pending": 3}
    assert ledger.counts(old) == {}
    with reading() as session:
        assert session.execute(select(tasks.c.id).where(tasks.c.id == old)).first() is None


def test_ids_of_jobs_that_have_expired_leave_their_registry(service: Service) -> None:
    past, future = int(time.time()) - 5, int(time.time()) + 500
    service.redis.zadd("rq:finished:sms", {"gone": past, "kept": future, "kept for good": "+inf"})

    reconcile.forget_expired()

    assert service.redis.zrange("rq:finished:sms", 0, -1) == [b"kept", b"kept for good"]


def test_bytes_that_are_no_text_keep_nothing_else_from_being_tidied(service: Service) -> None:
    for key in ("rq:workers", "rq:workers:sms"):
        service.redis.sadd(key, b"rq:worker:\xff")
    service.redis.sadd("rq:rl-keys", "gone")
    service.redis.hset("rq:rl:gone", "concurrency", 1)

    reconcile.forget_expired()

    assert not service.redis.sismember("rq:rl-keys", "gone")


def test_workers_that_are_gone_leave_all_registries(service: Service) -> None:
    for registry in ("rq:workers", "rq:workers:sms"):
        service.redis.sadd(registry, "rq:worker:gone", "rq:worker:here")
    service.redis.hset("rq:worker:here", "birth", "x")

    reconcile.forget_expired()

    assert service.redis.smembers("rq:workers") == {b"rq:worker:here"}
    assert service.redis.smembers("rq:workers:sms") == {b"rq:worker:here"}
