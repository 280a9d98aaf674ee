"""What can't be run yet waits: for code, for a worker that knows its kind, for a service that said when."""

from dataclasses import replace
from pathlib import Path

import pytest

from tests.conftest import Service, wait_until
from tests.hands import work_off
from workers.engine import enqueue, find, registry
from workers.engine.seal import Seal


def test_code_that_this_worker_lacks_is_waited_for_without_using_an_attempt(service: Service, tmp_path: Path) -> None:
    service.run_worker()
    task = enqueue("import_missing", {"path": str(tmp_path / "deployed")})
    waiting = wait_until(lambda: (t := find(task.id)).state == "RETRY" and t)
    assert waiting.error["type"] == "ModuleNotFoundError"

    (tmp_path / "deployed").touch()

    assert task.get(timeout=30) == "deployed"
    assert find(task.id).attempts == 1


def test_a_kind_of_a_later_release_waits_for_a_worker_that_knows_it(service: Service) -> None:
    task = enqueue("nothing")
    service.redis.hset(f"rq:job:{task.id}", "data", Seal.dumps({"id": task.id, "kind": "later_kind", "params": {}}))

    service.run_worker()

    waiting = wait_until(lambda: (t := find(task.id)).state == "RETRY" and t)
    assert "later_kind" in waiting.error["message"]
    assert waiting.next_run_at


def test_a_kind_that_nobody_knew_is_tried_at_once_by_a_worker_that_starts_with_it(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    task, failed = enqueue("add", {"a": 1}), enqueue("fail_once_more")
    with monkeypatch.context() as older:
        older.delitem(registry.kinds(), "add")
        work_off()
    assert find(task.id).error["type"] == "NotHere"  # type: ignore[index]
    service.redis.zadd("rq:scheduled:sms", {task.id: 9e9})
    service.redis.zadd("rq:scheduled:email", {failed.id: 9e9})

    service.run_worker()

    assert task.get(timeout=30) == {"sum": 3}
    assert (find(task.id).attempts, find(failed.id).state) == (1, "RETRY"), "what has failed keeps its pause"


def test_a_kind_that_another_worker_knows_is_left_to_that_one(service: Service) -> None:
    task = enqueue("nothing")
    service.redis.hset(f"rq:job:{task.id}", "data", Seal.dumps({"id": task.id, "kind": "later_kind", "params": {}}))
    service.redis.sadd("rq:workers:maintenance", "rq:worker:newer")
    service.redis.hset("rq:worker:newer", "sira_kinds", "nothing,later_kind")

    service.run_worker()

    waiting = wait_until(lambda: (t := find(task.id)).state == "PENDING" and t.attempts and t)
    assert (waiting.error, waiting.attempts) == (None, 1)
    assert service.redis.hget(f"rq:job:{task.id}", "sira_waits") is None


def test_a_parameter_of_a_later_release_waits_for_a_worker_that_knows_it(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its default is filled in where the task is enqueued, so that every task of the kind has it."""

    def add(a: int) -> dict[str, int]:
        return {"sum": a}

    task = enqueue("add", {"a": 1})
    with monkeypatch.context() as older:
        older.setitem(registry.kinds(), "add", replace(registry.get("add"), function=add))
        work_off()
    waiting = find(task.id)

    service.run_worker()

    assert task.get(timeout=30) == {"sum": 3}
    assert (waiting.state, find(task.id).attempts) == ("RETRY", 1)
    assert "add(b)" in waiting.error["message"]  # type: ignore[index]


def test_when_a_called_service_says_when_to_come_back_that_is_kept(service: Service, tmp_path: Path) -> None:
    service.run_worker()

    task = enqueue("throttled", {"path": str(tmp_path / "refused")})

    waiting = wait_until(lambda: (t := find(task.id)).next_run_at and t)
    assert waiting.state == "RETRY"
    assert (waiting.next_run_at - waiting.started_at).total_seconds() >= 6
    assert task.get(timeout=30) == "sent"
