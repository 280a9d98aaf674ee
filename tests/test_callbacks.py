"""`on_success` and `on_failure`: once for each end, whoever writes it, and harmless whatever they do."""

import os
import signal
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
from rq import Queue

from tests import kinds
from tests.conftest import Service, lines, wait_until
from tests.hands import claim, record_all, settle, work_off
from workers import settings
from workers.engine import callbacks, clock, ending, enqueue, find, leftovers, outcome, registry
from workers.engine.claim import Claim
from workers.engine.control import cancel
from workers.engine.helpers import calls_back
from workers.engine.job import Job
from workers.engine.seal import Seal
from workers.errors import DatabaseDown, QueueDown


def calls(service: Service) -> list[str]:
    """The jobs that call, in whatever state."""
    return [key.decode() for key in service.redis.scan_iter("rq:job:*") if calls_back(key.decode()[len("rq:job:") :])]


def waiting(service: Service) -> list[str]:
    return [key for key in calls(service) if service.redis.hget(key, "status") == b"queued"]


def test_each_end_calls_once_and_leaves_only_what_expires(service: Service, tmp_path: Path) -> None:
    good, bad = tmp_path / "good", tmp_path / "bad"
    tasks = [enqueue("tell_success", {"path": str(good)}), enqueue("tell_failure", {"path": str(bad)})]

    work_off()

    assert (lines(good), lines(bad)) == (["success SUCCESS"], ["failure FAILURE"])
    assert [find(task.id).state for task in tasks] == ["SUCCESS", "FAILURE"]
    record_all()
    assert {find(task.id).attempts for task in tasks} == {1}
    assert len(calls(service)) == 2
    assert all(0 < service.redis.ttl(key) <= callbacks.KEEP_S for key in calls(service))


def test_who_dies_right_behind_the_end_has_called_all_the_same(service: Service, tmp_path: Path) -> None:
    told = tmp_path / "told"
    task = enqueue("tell_failure", {"path": str(told)})
    job_id, execution = claim("maintenance")
    ended = outcome.failed(RuntimeError(str(told)), retries_left=0, retries=0)
    settle(job_id, execution, "maintenance", ending.ready(job_id, execution, "maintenance", ended))
    assert find(task.id).state == "FAILURE"

    work_off()

    assert lines(told) == ["failure FAILURE"]


def test_a_call_that_was_sealed_with_a_new_key_waits_for_a_worker_that_has_it(service: Service, tmp_path: Path) -> None:
    """As in the middle of a change of keys: one worker ends the task, another, of old, takes the call."""
    told, old = tmp_path / "told", service.settings
    new = old.model_copy(update={"secret_key": f"a new key of at least thirty-two characters,{old.secret_key}"})
    enqueue("tell_success", {"path": str(told)})
    settings.use(new)
    job_id, execution = claim("maintenance")
    ended = ending.ready(job_id, execution, "maintenance", outcome.finished(str(told)))
    settle(job_id, execution, "maintenance", ended)
    (key,) = waiting(service)

    settings.use(old)
    work_off()
    assert service.redis.hget(key, "status") == b"scheduled"

    settings.use(new)
    service.redis.zadd("rq:scheduled:maintenance", {key.removeprefix("rq:job:"): 1}, xx=True)
    clock.tick(["maintenance"])
    work_off()
    assert lines(told) == ["success SUCCESS"]


def test_nobody_is_called_with_a_task_whose_end_cannot_be_seen_yet(service: Service, tmp_path: Path) -> None:
    """As where Redis is away for that look, and the recorder has not written the end: the call waits."""
    told = tmp_path / "told"
    task = enqueue("tell_success", {"path": str(told)})

    with pytest.raises(QueueDown) as raised:
        callbacks.make(registry.get("tell_success"), {"task_id": task.id, "ended_as": "finished"})

    assert not told.exists()
    assert outcome.failed(raised.value, retries_left=3, retries=3).name == "wait"


@pytest.mark.parametrize("behind", ["cleanup", "c", "h", "h1x", "copy"])
def test_a_job_whose_id_others_made_of_a_tasks_is_a_job_of_its_own(service: Service, behind: str) -> None:
    task = enqueue("add", {"a": 1})
    queue = Queue("maintenance", connection=service.redis, job_class=Job, serializer=Seal)
    job = queue.enqueue("add", a=40, job_id=f"{task.id}-{behind}")

    work_off()

    assert job.return_value() == {"sum": 42}


def test_an_end_that_is_told_late_calls_nobody(service: Service, tmp_path: Path) -> None:
    enqueue("tell_failure", {"path": str(tmp_path / "told")})
    job_id, execution = claim("maintenance")
    service.redis.hset(f"rq:job:{job_id}", "sira_execution", "another")
    ended = outcome.failed(RuntimeError("late"), retries_left=0, retries=0)

    assert not settle(job_id, execution, "maintenance", ending.ready(job_id, execution, "maintenance", ended))

    assert waiting(service) == []


def test_a_task_that_a_rescuer_ends_calls(service: Service, tmp_path: Path) -> None:
    service.run_worker()

    assert enqueue("die_and_tell").wait(60).state == "FAILURE"

    wait_until(lambda: lines(tmp_path / "told") == ["WorkerLost"], what="the call")


@pytest.mark.parametrize("raised", [ZeroDivisionError, SystemExit, KeyboardInterrupt])
def test_a_failing_callback_changes_nothing(
    service: Service, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, raised: type[BaseException]
) -> None:
    def fail(*_: object) -> None:
        raise raised

    monkeypatch.setattr(kinds, "append", fail)
    task = enqueue("tell_success", {"path": str(tmp_path / "told")})

    work_off()

    assert find(task.id).state == "SUCCESS"
    assert [service.redis.hget(key, "status") for key in calls(service)] == [b"finished"]


def test_a_call_waits_for_a_database_that_is_away(
    service: Service, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def away(_: str) -> None:
        raise DatabaseDown

    enqueue("tell_success", {"path": str(tmp_path / "told")})
    with monkeypatch.context() as outage:
        outage.setattr(callbacks, "find", away)
        work_off()
    [call] = calls(service)
    assert service.redis.hget(call, "status") == b"scheduled"

    service.redis.zadd("rq:scheduled:maintenance", {call.removeprefix("rq:job:"): 0})
    clock.tick()
    work_off()

    assert lines(tmp_path / "told") == ["success SUCCESS"]


def test_a_callback_that_hangs_holds_up_nobody_and_is_ended(service: Service, tmp_path: Path) -> None:
    begun = tmp_path / "begun"
    service.run_worker(concurrency=2)
    hanging = enqueue("tell_for_ever", {"path": str(begun)})
    wait_until(lambda: lines(begun), what="the call")

    assert enqueue("add", {"a": 1}).get(timeout=60) == {"sum": 3}
    service.redis.hset(calls(service)[0], "timeout", 1)
    wait_until(lambda: service.redis.zcard("sira:leases") == 0, what="the end of the call")

    assert find(hanging.id).state == "SUCCESS"
    assert waiting(service) == [], "what has hung is not called again"
    assert len(lines(begun)) == 1


def test_a_call_whose_worker_is_killed_is_made_again(service: Service, tmp_path: Path) -> None:
    begun = tmp_path / "begun"
    worker = service.run_worker()
    enqueue("tell_for_ever", {"path": str(begun)})
    wait_until(lambda: lines(begun), what="the call")

    os.kill(worker.children()[0], signal.SIGKILL)

    wait_until(lambda: len(lines(begun)) == 2, what="the call again")


@pytest.mark.parametrize(
    ("kind", "ended_as", "called"),
    [
        ("nothing", "finished", False),
        ("tell_failure", "failed", True),
        ("tell_failure", "finished", False),
        ("tell_failure", "revoked", False),
        ("tell_failure", "retry", False),
    ],
)
def test_only_what_a_kind_declares_is_called(service: Service, kind: str, ended_as: str, called: bool) -> None:
    task = enqueue(kind, {"path": "x"} if kind != "nothing" else {})

    assert bool(callbacks.call(task.id, "e", task.queue, ended_as, registry.get(kind))) == called
    assert bool(callbacks.call(task.id, "e", task.queue, ended_as)) == called


def test_a_database_that_is_away_at_the_end_takes_no_call_away(service: Service, monkeypatch: Any) -> None:
    enqueue("tell_failure", {"path": "x"})
    job_id, execution = claim("maintenance")
    held = Claim([job_id.encode(), execution.encode(), b"maintenance", b"", b"", b"", 1, 0, 0, 0, b""])
    held.kind = registry.get("tell_failure")
    monkeypatch.setattr(leftovers, "close", Mock(side_effect=DatabaseDown))

    assert ending.of(held, outcome.Outcome("failed")).call


@pytest.mark.parametrize("job_id", [None, "of-my-own-choice"])
def test_a_job_of_rqs_own_making_has_no_task_to_call_with(service: Service, tmp_path: Path, job_id: str | None) -> None:
    queue = Queue("maintenance", connection=service.redis, job_class=Job, serializer=Seal)
    job = queue.enqueue("tell_success", path=str(tmp_path / "told"), job_id=job_id)

    work_off()

    assert job.get_status() == "finished"
    assert lines(tmp_path / "told") == waiting(service) == []


def test_who_cancels_hears_it_from_the_answer(service: Service, tmp_path: Path) -> None:
    task = enqueue("tell_failure", {"path": str(tmp_path / "told")})

    assert cancel(task.id).state == "REVOKED"

    work_off()
    assert lines(tmp_path / "told") == []
