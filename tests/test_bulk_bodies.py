"""What a bulk's body may do wrong: nothing is lost by it in silence, and what people see is true."""

from dataclasses import replace
from pathlib import Path

import pytest

from tests.conftest import Service, wait_until
from tests.hands import at_once, record_all, work_off
from workers import statuses
from workers.engine import enqueue, find, ledger, running
from workers.engine.control import retry
from workers.engine.worker import Worker

VALUES = {"values": [1, 2, 3, 4]}


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """A slice is over after each item."""
    monkeypatch.setattr(running, "SLICE_S", 0.0)


def states_of(task_id: str) -> list[str]:
    return [item["state"] for item in ledger.page(task_id)[0]]


@pytest.mark.parametrize("kind", ["catch_all", "return_at_last"])
def test_a_body_that_catches_the_end_of_its_slice_goes_on_in_the_next(
    service: Service, hurried: None, kind: str
) -> None:
    task_id = enqueue(kind, VALUES).id

    work_off()

    assert (find(task_id).state, states_of(task_id)) == ("SUCCESS", ["done"] * 4)


def test_a_body_that_takes_a_cancel_for_a_fault_of_its_item_is_cancelled_before_the_next(service: Service) -> None:
    service.run_worker()
    task = enqueue("go_on_when_cancelled", VALUES)

    assert task.wait(60).state == "REVOKED"
    assert "done" not in states_of(task.id)[1:]


def test_items_that_are_gone_through_twice_fail_the_task_with_what_to_do(service: Service) -> None:
    task_id = enqueue("go_through_twice", VALUES).id

    work_off()

    error = find(task_id).error or {}
    assert error["type"] == "GoneThrough"
    assert "inside that one loop" in error["message"]


def test_an_item_is_what_its_kind_declares_like_any_parameter(service: Service) -> None:
    task_id = enqueue("years_of", {"days": ["2025-12-31", "2026-01-01"], "first": "2024-02-29"}).id

    work_off()

    assert find(task_id).result == [2024, 2025, 2026]


def test_between_slices_a_bulk_keeps_what_its_body_said(service: Service, hurried: None) -> None:
    task_id = enqueue("say_and_break", VALUES).id

    at_once(1, lambda _: Worker().work_kept(burst=True, max_jobs=1))

    assert (find(task_id).state, find(task_id).status, find(task_id).current) == ("PROGRESS", "ilk satır", 1)


def test_a_bulk_that_breaks_shows_how_far_it_came(service: Service) -> None:
    task_id = enqueue("say_and_break", VALUES).id

    work_off()
    record_all()

    task = find(task_id)
    assert (task.state, task.current, task.total) == ("FAILURE", 2, 4)
    assert (task.counts or {})["done"] == 2


def test_the_item_on_which_a_bulk_breaks_has_failed_with_its_reason_and_is_run_again(service: Service) -> None:
    task_id = enqueue("say_and_break", VALUES).id

    work_off()
    record_all()

    assert [(item["state"], item["error"]) for item in ledger.page(task_id)[0]] == [
        *[("done", None)] * 2,
        ("failed", "3"),
        ("skipped", "Görev başarısız oldu"),
    ]
    assert retry(task_id, only="failed").state == "PENDING"
    work_off()  # it is the first and only one that is left then
    assert states_of(task_id) == ["done", "done", "done", "skipped"]


def test_what_a_bulk_had_in_hand_when_it_ran_too_long_has_failed(service: Service) -> None:
    task_id = enqueue("dawdle", VALUES).id

    work_off()
    record_all()

    assert find(task_id).state == "FAILURE"
    assert [item["error"] for item in ledger.page(task_id)[0]][:2] == [None, "The task ran longer than its soft limit."]


def test_the_last_report_before_an_error_is_told(service: Service) -> None:
    task_id = enqueue("say_twice_and_break", {}).id

    work_off()
    record_all()

    assert (find(task_id).state, find(task_id).current) == ("FAILURE", 9)


def test_what_a_body_has_said_of_its_items_counts_though_it_returns_early(service: Service) -> None:
    task_id = enqueue("done_and_away", VALUES).id

    work_off()

    assert states_of(task_id) == ["done", "done", "failed", "skipped"]
    assert ledger.page(task_id)[0][2]["error"] == "by nothing"


def test_a_parallel_bulk_that_returns_early_waits_for_what_its_helpers_work_on(
    service: Service, tmp_path: Path
) -> None:
    service.run_worker(concurrency=2)
    wait_until(lambda: service.redis.scard("rq:workers") == 2, what="both children")

    task = enqueue("leave_to_helpers", {**VALUES, "path": str(tmp_path / "began")})

    assert task.wait(60).state == "SUCCESS"
    states = states_of(task.id)
    assert (states.count("done"), set(states)) == (1, {"done", "skipped"})


def test_a_job_that_blocks_signals_does_not_keep_them_from_the_next(service: Service) -> None:
    first, second = enqueue("block_signals", {}).id, enqueue("sleep_too_long", {}).id

    work_off()

    assert find(first).state == "SUCCESS"
    assert (find(second).error or {})["type"] == "SoftTimeLimitExceeded"


def test_progress_of_a_running_bulk_agrees_with_its_counts(service: Service) -> None:
    task_id = enqueue("square_all", {"numbers": list(range(8)), "pause_s": 0.0}).id
    behind = replace(find(task_id), state="PROGRESS", current=1, total=8, counts={"pending": 2, "done": 5, "failed": 1})

    told = [statuses.row_of(task, "en") for task in (behind, replace(behind, total=100), replace(behind, counts=None))]

    assert [(one["current"], one["total"], one["percent"]) for one in told] == [(6, 8, 75), (1, 100, 1), (1, 8, 12)]


def test_a_failure_whose_messages_turn_out_to_have_arrived_does_not_say_that_none_was_done(service: Service) -> None:
    task_id = enqueue("square_all", {"numbers": [-1, -2], "pause_s": 0.0}).id
    work_off()
    failed = find(task_id)
    assert failed.state == "FAILURE"
    assert "No item could be done" in statuses.sentence(failed, "en")

    arrived = replace(failed, counts={**(failed.counts or {}), "failed": 1, "done": 1})

    assert statuses.sentence(arrived, "en") == "It was found out later that 1 of 2 items are done."
    assert statuses.sentence(arrived, "tr") == "2 kalemden 1 tanesinin tamamlandığı sonradan anlaşıldı."
