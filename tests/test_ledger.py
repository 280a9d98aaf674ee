"""The ledger: every item is given to one execution at a time, and what became of it is told exactly once."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st

from tests.conftest import Service
from workers.engine import ledger, leftovers
from workers.engine.ledger import Item
from workers.engine.queues import new_id
from workers.errors import InvalidInput

REAL = examples(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=15)


def filled(*values: Any) -> str:
    """The id of a task with these items."""
    task_id = new_id()
    ledger.fill(task_id, list(values))
    return task_id


def states(task_id: str) -> list[str]:
    """The states of all items in posted order."""
    return [row["state"] for row in ledger.page(task_id, limit=1000)[0]]


def finish(task_id: str, tag: str = "a", **became: str) -> None:
    """Take every item and settle it as `{position: state}` says, others as done."""
    batch = ledger.take(task_id, tag, 1000)
    for item in batch:
        item.state = became.get(f"p{item.position}", "done")
        item.error = None if item.state == "done" else "no"
    ledger.settle(tag, batch)


def test_items_are_taken_in_posted_order_and_marked_before_they_are_worked_on(anywhere: Service) -> None:
    task_id = filled("a", "b", "c")

    batch = ledger.take(task_id, "first", 2)

    assert [(item.position, item.value, item.state) for item in batch] == [(1, "a", "sending"), (2, "b", "sending")]
    assert states(task_id) == ["sending", "sending", "pending"]
    assert [item.value for item in ledger.take(task_id, "second", 5)] == ["c"]
    assert ledger.take(task_id, "third", 5) == []


def test_executions_that_take_at_once_never_get_the_same_item(anywhere: Service) -> None:
    task_id, takers = filled(*range(200)), 6
    barrier = Barrier(takers)

    def take_all(number: int) -> list[int]:
        barrier.wait()
        taken = [item.value for item in ledger.take(task_id, f"taker-{number}", 3)]
        barrier.wait()
        while batch := ledger.take(task_id, f"taker-{number}", 3):
            taken += [item.value for item in batch]
        return taken

    with ThreadPoolExecutor(takers) as pool:
        shares = list(pool.map(take_all, range(takers)))

    assert sorted(value for share in shares for value in share) == list(range(200))
    assert all(shares), "they did work side by side"


def test_what_became_of_each_item_is_written(anywhere: Service) -> None:
    task_id = filled("a", "b", "c", "d")
    batch = ledger.take(task_id, "x", 4)
    batch[0].done({"size": 7}, ref="a***")
    batch[1].fail("no such number")
    batch[2].skip("twice")

    ledger.settle("x", batch[:3])

    rows, _ = ledger.page(task_id)
    assert [(row["state"], row["ref"], row["error"], row["attempts"]) for row in rows] == [
        ("done", "a***", None, 1),
        ("failed", None, "no such number", 1),
        ("skipped", None, "twice", 1),
        ("sending", None, None, 1),
    ]
    assert ledger.counts(task_id) == {"done": 1, "failed": 1, "skipped": 1, "sending": 1}
    assert ledger.first_error(task_id) == "no such number"


def test_the_reason_of_items_in_one_state_is_none_of_those_in_another(anywhere: Service) -> None:
    task_id = filled("a", "b", "c")
    batch = ledger.take(task_id, "x", 2)
    batch[0].fail("no such number")
    batch[1].later("not now")

    ledger.settle("x", batch)

    assert ledger.first_error(task_id, "pending") == "not now"
    assert ledger.first_error(task_id, "failed") == "no such number"
    assert ledger.first_error(task_id, "skipped") is None


def test_a_reason_that_no_database_can_hold_is_written_without_what_is_wrong(anywhere: Service) -> None:
    task_id = filled("a")
    batch = ledger.take(task_id, "x", 1)
    batch[0].done(ref="B2\0 \ud800")
    batch[0].fail("cell \0B2 \udcfe")

    ledger.settle("x", batch)

    [row] = ledger.page(task_id)[0]
    assert (row["ref"], row["error"]) == ("B2 ?", "cell B2 ?")


def test_a_batch_that_another_execution_has_taken_meanwhile_is_left_to_it(anywhere: Service) -> None:
    task_id = filled("a", "b")
    late = ledger.take(task_id, "frozen", 2)
    leftovers.give_back(task_id, alive=set())
    present = ledger.take(task_id, "living", 2)
    for item in late:
        item.fail("told too late")

    ledger.settle("frozen", late)

    assert states(task_id) == ["sending", "sending"]
    present[0].done("first")
    ledger.settle("living", present[:1])
    ledger.settle("frozen", late)
    assert states(task_id) == ["done", "sending"]


def test_only_what_dead_executions_hold_goes_back(anywhere: Service) -> None:
    task_id = filled("a", "b", "c")
    ledger.take(task_id, "dead", 1)
    ledger.take(task_id, "living", 1)

    assert leftovers.give_back(task_id, alive={"living"}) == 1

    assert states(task_id) == ["pending", "sending", "pending"]
    [again] = ledger.take(task_id, "next", 1)
    assert again.value == "a"
    assert ledger.page(task_id)[0][0]["attempts"] == 2


def test_a_settled_item_never_goes_back(anywhere: Service) -> None:
    task_id = filled("a", "b")
    finish(task_id, p2="failed")

    assert leftovers.give_back(task_id, alive=set()) == 0
    assert states(task_id) == ["done", "failed"]


def test_closing_skips_what_is_open_and_nothing_else(anywhere: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leftovers, "CHUNK_ROWS", 3)
    task_id = filled(*range(10))
    batch = ledger.take(task_id, "a", 2)
    batch[0].done()
    batch[1].fail("no")
    ledger.settle("a", batch)
    ledger.take(task_id, "a", 1)

    leftovers.close(task_id, "İptal edildi")

    assert states(task_id) == ["done", "failed", *["skipped"] * 8]
    assert {row["error"] for row in ledger.page(task_id, state="skipped")[0]} == {"İptal edildi"}


def test_what_is_settled_after_a_close_changes_nothing(anywhere: Service) -> None:
    task_id = filled("a")
    batch = ledger.take(task_id, "a", 1)
    leftovers.close(task_id, "cancelled")
    batch[0].done()

    ledger.settle("a", batch)

    assert states(task_id) == ["skipped"]


def test_reopening_sets_back_only_the_states_asked_for(anywhere: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger, "CHUNK_ROWS", 2)
    task_id = filled(*range(7))
    finish(task_id, p1="failed", p2="skipped", p3="failed", p5="failed")

    assert ledger.reopen(task_id, ("failed",)) == 3

    assert states(task_id) == ["pending", "skipped", "pending", "done", "pending", "done", "done"]
    assert [row["error"] for row in ledger.page(task_id, state="pending")[0]] == [None] * 3
    assert ledger.reopen(task_id, ("unknown",)) == 0


def test_finished_items_come_in_posted_order_with_their_outputs_over_many_pages(
    anywhere: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ledger, "CHUNK_ROWS", 4)
    task_id = filled(*range(11))
    batch = ledger.take(task_id, "a", 11)
    for item in reversed(batch):
        item.fail("odd") if item.value % 2 else item.done({"half": item.value // 2})
    ledger.settle("a", batch[::-1])

    done = list(ledger.finished(task_id))

    assert [(item.value, item.output) for item in done] == [(n, {"half": n // 2}) for n in range(0, 11, 2)]


@REAL
@given(
    size=st.integers(0, 40),
    limit=st.integers(1, 15),
    failed=st.sets(st.integers(1, 40)),
    wanted=st.sampled_from([None, "done", "failed", "unknown"]),
)
def test_pages_are_complete_ordered_and_without_overlap(
    anywhere: Service, size: int, limit: int, failed: set[int], wanted: str | None
) -> None:
    task_id = filled(*range(size))
    finish(task_id, **{f"p{position}": "failed" for position in failed})
    cursor: str | None = None
    pages: list[list[dict[str, Any]]] = []
    while not pages or cursor is not None:
        page, cursor = ledger.page(task_id, state=wanted, cursor=cursor, limit=limit)
        pages.append(page)

    def kept(position: int) -> bool:
        return wanted in (None, "failed" if position in failed else "done")

    assert [row["position"] for page in pages for row in page] == [p for p in range(1, size + 1) if kept(p)]
    assert all(len(page) == limit for page in pages[:-1])


@pytest.mark.parametrize("cursor", ["", "abc", "-1", "1.5", "٣", "9" * 10, "1 OR 1=1", "\0"])
def test_a_cursor_that_is_not_ours_is_bad_input(service: Service, cursor: str) -> None:
    with pytest.raises(InvalidInput, match="next_cursor"):
        ledger.page(filled("a"), cursor=cursor)


def test_a_state_that_does_not_exist_is_bad_input(service: Service) -> None:
    with pytest.raises(InvalidInput, match="pending, sending, done"):
        ledger.page(filled("a"), state="lost")


def test_ids_are_shown_as_refs_and_what_may_be_personal_is_not(service: Service) -> None:
    task_id = filled(7, "+905321234567", {"to": "ayse@example.com"})

    assert [row["ref"] for row in ledger.page(task_id)[0]] == ["7", None, None]


def test_the_items_of_one_task_are_not_those_of_another(anywhere: Service) -> None:
    one, other = filled("a", "b"), filled("c")

    finish(one)
    leftovers.close(one, "over")

    assert states(other) == ["pending"]
    assert ledger.counts(one) == {"done": 2}


def test_a_large_bulk_is_written_in_short_transactions(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    turns: list[int] = []
    writing = ledger.writing

    def counted() -> Any:
        turns.append(1)
        return writing()

    monkeypatch.setattr(ledger, "writing", counted)

    filled(*range(3 * ledger.CHUNK_ROWS + 1))

    assert len(turns) == 4


def test_an_item_says_what_became_of_it() -> None:
    item = Item(1, 1, "value", ref="7")

    item.done({"size": 1})
    assert (item.state, item.output, item.ref) == ("done", {"size": 1}, "7")
    item.fail("no")
    assert (item.state, item.error) == ("failed", "no")
    item.skip("twice")
    assert (item.state, item.error) == ("skipped", "twice")
