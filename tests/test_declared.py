"""Requests in the ledger: declared before they go out, unknown if nobody tells, and never open after the end."""

from sqlalchemy.orm import Session

from tests.conftest import Service
from tests.test_ledger import filled, states
from workers.db import now, writing
from workers.engine import declared, journal, ledger, leftovers
from workers.engine.ledger import Item, Note


def nothing(_: Session, __: list[Item]) -> None:
    """A note that writes nothing."""


def marked(task_id: str, tag: str = "a", key: str = "k1", count: int = 10) -> list[Item]:
    return declared_by(tag, declared.waiting(task_id, count), key)


def declared_by(tag: str, batch: list[Item], key: str, note: Note = nothing) -> list[Item]:
    with writing() as session:
        return declared.declare(session, tag, {key: batch}, note).get(key, [])


def test_items_are_marked_with_the_key_of_their_request_before_it_goes_out(anywhere: Service) -> None:
    task_id = filled("a", "b", "c")
    noted: list[list[str]] = []

    mine = declared_by("x", declared.waiting(task_id, 2), "k1", lambda _, batch: noted.append([i.state for i in batch]))

    assert [(item.value, item.state, item.request_key, item.attempts) for item in mine] == [
        ("a", "sending", "k1", 1),
        ("b", "sending", "k1", 1),
    ]
    assert noted == [["sending", "sending"]]
    assert states(task_id) == ["sending", "sending", "pending"]


def test_what_another_execution_marked_meanwhile_is_left_to_it(anywhere: Service) -> None:
    task_id = filled("a", "b", "c")
    seen = declared.waiting(task_id, 3)
    marked(task_id, "first", count=2)

    assert [item.value for item in declared_by("second", seen, "k2")] == ["c"]


def test_what_a_dead_execution_left_is_unknown_and_its_late_answer_still_counts(anywhere: Service) -> None:
    task_id = filled("a", "b", "c")
    batch = marked(task_id, "dead")

    leftovers.give_back(task_id, alive=set())
    assert states(task_id) == ["unknown"] * 3

    batch[0].done(provider_id="p1")
    batch[1].later("the gateway was busy")
    batch[2].fail("refused")
    ledger.settle("dead", batch)
    assert states(task_id) == ["done", "unknown", "failed"], "an unknown item never goes back by itself"
    assert ledger.page(task_id)[0][0]["provider_id"] == "p1"


def test_a_task_that_ends_leaves_what_may_have_been_sent_unknown(anywhere: Service) -> None:
    task_id = filled("a", "b", "c")
    marked(task_id, count=1)
    ledger.take(task_id, "b", 1)

    leftovers.close(task_id, "İptal edildi")

    assert states(task_id) == ["unknown", "skipped", "skipped"]


def test_a_task_that_ends_is_told_what_its_killed_sender_had_written(service: Service) -> None:
    task_id = filled("a", "b", "c")
    tag = f"{task_id}:killed"
    written = journal.Journal(tag)
    batches = [declared_by(tag, [one], f"k{one.position}") for one in declared.waiting(task_id, 3)]
    batches[0][0].done(provider_id="p1")
    written.write(journal.began("k1"), journal.ended(batches[0]), journal.began("k2"))

    leftovers.close(task_id, "İptal edildi")

    assert states(task_id) == ["done", "unknown", "skipped"]


def test_a_released_request_comes_together_again_under_its_key(anywhere: Service) -> None:
    task_id = filled(*"abcd")
    batch = marked(task_id, count=2)
    for item in batch:
        item.later("busy")
    ledger.settle("a", batch)

    again = declared.waiting(task_id, 10)

    assert [(item.value, item.request_key) for item in again] == [("a", "k1"), ("b", "k1")]
    alone = declared.waiting(task_id, 10, singly=True)
    assert [item.value for item in alone] == [*"abcd"], "but where each is a request of its own all come at once"
    ledger.reopen(task_id, ("pending",))
    assert [item.request_key for item in declared.waiting(task_id, 10)] == [None] * 4


def test_deferred_items_wait_and_the_others_go_on(anywhere: Service) -> None:
    task_id = filled("a", "b")
    [first] = marked(task_id, count=1)
    first.later("grey list", pause_s=2400)
    ledger.settle("a", [first])

    assert [item.value for item in declared.waiting(task_id, 10)] == ["b"]
    due = declared.next_due(task_id)
    assert due is not None
    assert 2300 < (due - now()).total_seconds() < 2401
