"""Bulk tasks: slices, helpers, resuming, and an end that accounts for every item."""

import time
from pathlib import Path

import pytest

from tests import kinds
from tests.conftest import Service, wait_until
from tests.hands import work_off
from workers import settings
from workers.engine import enqueue, find, ledger, running
from workers.engine.bulk import Items
from workers.engine.control import cancel, retry


def test_a_bulk_works_every_item_once_and_then_assembles(service: Service, tmp_path: Path) -> None:
    service.run_worker()
    lines = [f"satır {number}" for number in range(40)]

    task = enqueue("write_lines", {"lines": lines, "path": str(tmp_path / "out"), "pause_s": 0.0})

    assert task.get(timeout=60) == 40
    assert (tmp_path / "out").read_text().splitlines() == lines
    assert find(task.id).counts == {"pending": 0, "done": 40, "failed": 0, "skipped": 0, "unknown": 0}


def test_between_slices_others_get_their_turn_and_the_task_still_says_progress(
    service: Service, tmp_path: Path
) -> None:
    service.run_worker()
    bulk = enqueue("write_lines", {"lines": ["x"] * 200, "path": str(tmp_path / "out"), "pause_s": 0.05})
    wait_until(lambda: find(bulk.id).state == "PROGRESS")

    began = time.monotonic()
    enqueue("nothing").get(timeout=60)

    assert time.monotonic() - began < 6, "a slice lasts about 2 s"
    assert find(bulk.id).state == "PROGRESS"
    assert bulk.get(timeout=90) == 200
    assert find(bulk.id).attempts == 1, "a yield is no attempt"


def test_a_bulk_resumes_after_its_worker_was_killed(service: Service, tmp_path: Path) -> None:
    worker = service.run_worker()
    lines = [str(number) for number in range(60)]
    task = enqueue("write_lines", {"lines": lines, "path": str(tmp_path / "out"), "pause_s": 0.03})
    wait_until(lambda: find(task.id).current >= 10)

    kinds.os.kill(worker.children()[0], kinds.signal.SIGKILL)

    ended = task.wait(60)
    assert ended.state == "SUCCESS"
    written = (tmp_path / "out").read_text().splitlines()
    assert sorted(set(written), key=int) == lines
    assert len(written) <= 61, "only the item in work may be repeated"


def test_a_bulk_that_looks_for_others_items_while_redis_is_away_goes_on(service: Service) -> None:
    task = enqueue("square_all", {"numbers": [1, 2, 3]})
    items = Items(running.Run(task.id, task.id, "x", leased=False), 3, parallel=True)
    settings.use(service.settings.model_copy(update={"redis_url": "redis://127.0.0.1:1/0"}))

    items._give_back()
    items._call_helpers(1)

    assert [item.value for item in items._next(3)] == [1, 2, 3]


def test_helpers_share_a_cpu_bound_bulk_and_the_tasks_own_job_assembles(service: Service) -> None:
    service.run_worker(concurrency=2)
    wait_until(lambda: service.redis.scard("rq:workers") == 2, what="both children")

    task = enqueue("square_all", {"numbers": list(range(100)), "pause_s": 0.02})

    assert task.get(timeout=60) == sum(number**2 for number in range(100))
    assert len({item.output["pid"] for item in ledger.finished(task.id)}) == 2, "both children worked"
    wait_until(lambda: not list(service.redis.scan_iter("rq:execution:*")))


def test_items_that_fail_are_told_and_only_they_run_again(service: Service) -> None:
    service.run_worker()
    task = enqueue("square_all", {"numbers": [1, -2, 3]})
    task.get(timeout=60)
    assert find(task.id).counts["failed"] == 1  # type: ignore[index]
    rows, _ = ledger.page(task.id, state="failed")
    assert [(row["position"], row["error"]) for row in rows] == [(2, "negative")]

    retry(task.id, only="failed")

    assert task.wait(60).state == "SUCCESS"
    attempts = {row["position"]: row["attempts"] for row in ledger.page(task.id)[0]}
    assert attempts == {1: 1, 2: 2, 3: 1}


def test_a_bulk_of_which_nothing_is_done_is_a_failure_with_the_first_reason(service: Service) -> None:
    service.run_worker()

    task = enqueue("square_all", {"numbers": [-1, -2]}).wait(60)

    assert task.state == "FAILURE"
    assert task.error == {"type": "NothingDone", "message": task.error["message"]}  # type: ignore[index]
    assert "negative" in task.error["message"]
    assert task.counts["failed"] == 2  # type: ignore[index]


def test_cancelling_a_running_bulk_skips_the_rest(service: Service, tmp_path: Path) -> None:
    service.run_worker()
    task = enqueue("write_lines", {"lines": ["x"] * 500, "path": str(tmp_path / "out"), "pause_s": 0.02})
    wait_until(lambda: find(task.id).current >= 5)

    cancel(task.id)

    ended = task.wait(20)
    written = len((tmp_path / "out").read_text().splitlines())
    assert ended.state == "REVOKED"
    assert ended.counts["pending"] == 0  # type: ignore[index]
    assert written - ended.counts["done"] in (0, 1), "what was in work"  # type: ignore[index]
    assert ended.counts["skipped"] == 500 - ended.counts["done"] > 400  # type: ignore[index]


def test_a_cancelled_bulk_can_be_run_again_to_its_end(service: Service, tmp_path: Path) -> None:
    task = enqueue("write_lines", {"lines": ["a", "b"], "path": str(tmp_path / "out")})
    cancel(task.id)
    assert find(task.id).counts["skipped"] == 2  # type: ignore[index]

    retry(task.id)
    service.run_worker()

    assert task.get(timeout=60) == 2


def test_a_bulk_job_simply_called_works_through_a_plain_list(tmp_path: Path) -> None:
    assert kinds.write_lines(["a", "b"], path=str(tmp_path / "out"), pause_s=0.0) == 2
    assert kinds.square_all([1, 2, -3], pause_s=0.0) == 5


@pytest.mark.parametrize(("take", "state", "counts"), [(0, "FAILURE", (0, 4)), (2, "SUCCESS", (2, 2))])
def test_a_job_that_leaves_early_has_succeeded_if_it_did_any(
    service: Service, take: int, state: str, counts: tuple[int, int]
) -> None:
    task_id = enqueue("leave_early", {"values": [1, 2, 3, 4], "take": take}).id

    work_off()

    task = find(task_id)
    assert (task.state, task.counts["done"], task.counts["skipped"]) == (state, *counts)  # type: ignore[index]
    assert ("took none of them" in (task.error or {"message": ""})["message"]) == (take == 0)
