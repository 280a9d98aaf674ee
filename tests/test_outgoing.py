"""Messages in the ledger: marked before they go out, unknown if nobody tells, and never open after the end."""

from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import update
from sqlalchemy.orm import Session

from tests.conftest import Service
from tests.hands import put_row, redis_away
from tests.test_ledger import filled, states
from workers.db import now, writing
from workers.engine import control, enqueue, find, ledger, limits, outgoing, running
from workers.engine.ledger import Entry, Item
from workers.engine.limits import Caps
from workers.engine.tables import items
from workers.errors import Conflict, DatabaseDown, GatewayAway, GatewayBusy


def nothing(_: Session, __: list[Item]) -> None:
    """A note that writes nothing."""


def marked(task_id: str, tag: str = "a", key: str = "k1", count: int = 10) -> list[Item]:
    return outgoing.mark(tag, outgoing.waiting(task_id, count), key, nothing)


def an_hour_ago(task_id: str) -> None:
    with writing() as session:
        session.execute(update(items).where(items.c.task_id == task_id).values(updated_at=now() - timedelta(hours=1)))


def work_of(task_id: str, execution: str = "x") -> outgoing.Outgoing:
    """The messages of a task as a job has them, outside a worker."""
    return outgoing.Outgoing(running.Run(task_id, task_id, execution, leased=False), 10)


def test_items_are_marked_with_the_key_of_their_request_before_it_goes_out(anywhere: Service) -> None:
    task_id = filled("a", "b", "c")
    noted: list[list[str]] = []

    mine = outgoing.mark(
        "x", outgoing.waiting(task_id, 2), "k1", lambda _, batch: noted.append([i.state for i in batch])
    )

    assert [(item.value, item.state, item.request_key, item.attempts) for item in mine] == [
        ("a", "sending", "k1", 1),
        ("b", "sending", "k1", 1),
    ]
    assert noted == [["sending", "sending"]]
    assert states(task_id) == ["sending", "sending", "pending"]


def test_what_another_execution_marked_meanwhile_is_left_to_it(anywhere: Service) -> None:
    task_id = filled("a", "b", "c")
    seen = outgoing.waiting(task_id, 3)
    marked(task_id, "first", count=2)

    assert [item.value for item in outgoing.mark("second", seen, "k2", nothing)] == ["c"]


def test_refused_items_are_settled_in_the_same_commit(anywhere: Service) -> None:
    task_id = filled("a", "b", "c")
    batch = outgoing.waiting(task_id, 3)
    batch[0].fail("no such number")
    batch[1].skip("twice")

    assert [item.value for item in outgoing.mark("x", batch, "k1", nothing)] == ["c"]
    assert states(task_id) == ["failed", "skipped", "sending"]


def test_what_a_dead_execution_left_is_unknown_and_its_late_answer_still_counts(anywhere: Service) -> None:
    task_id = filled("a", "b", "c")
    batch = marked(task_id, "dead")

    ledger.give_back(task_id, alive=set())
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

    ledger.close(task_id, "İptal edildi")

    assert states(task_id) == ["unknown", "skipped", "skipped"]


def test_a_released_request_comes_together_again_under_its_key(anywhere: Service) -> None:
    task_id = filled(*"abcd")
    batch = marked(task_id, count=2)
    for item in batch:
        item.later("busy")
    ledger.settle("a", batch)

    again = outgoing.waiting(task_id, 10)

    assert [(item.value, item.request_key) for item in again] == [("a", "k1"), ("b", "k1")]
    ledger.reopen(task_id, ("pending",))
    assert [item.request_key for item in outgoing.waiting(task_id, 10)] == [None] * 4


def test_deferred_items_wait_and_the_others_go_on(anywhere: Service) -> None:
    task_id = filled("a", "b")
    [first] = marked(task_id, count=1)
    first.later("grey list", pause_s=240)
    ledger.settle("a", [first])

    assert [item.value for item in outgoing.waiting(task_id, 10)] == ["b"]
    due = outgoing.next_due(task_id)
    assert due is not None
    assert 230 < (due - now()).total_seconds() < 241


def sent_and_lost(task_id: str) -> None:
    marked(task_id, "dead")
    ledger.give_back(task_id, alive=set())


def test_what_is_left_is_looked_up_and_sent_again_only_if_the_gateway_never_got_it(anywhere: Service) -> None:
    task_id = filled("a", "b")
    sent_and_lost(task_id)
    calls: list[list[Any]] = []

    def look_up(batch: list[Item], key: str) -> bool:
        batch[0].done(provider_id=key)
        return True

    def call(ready: list[Item], key: str) -> None:
        calls.append([item.value for item in ready])
        ready[0].done()

    work = work_of(task_id)
    assert work._look_up(look_up, nothing)
    assert states(task_id) == ["done", "unknown"], "it may still be under way"
    an_hour_ago(task_id)
    for batch in work.requests(5, look_up=lambda batch, key: True, note=nothing):
        work.send(batch, call, nothing)

    assert calls == [["b"]]
    assert states(task_id) == ["done", "done"]


def test_where_the_gateway_can_not_tell_it_stays_unknown(anywhere: Service) -> None:
    task_id = filled("a")
    sent_and_lost(task_id)
    an_hour_ago(task_id)

    assert not work_of(task_id)._look_up(lambda batch, key: False, nothing)
    with pytest.raises(Exception, match="None of the"):
        list(work_of(task_id).requests(5))
    assert states(task_id) == ["unknown"]


def test_a_gateway_that_is_away_while_it_is_asked_proves_nothing(service: Service) -> None:
    task_id = filled("a")
    sent_and_lost(task_id)
    an_hour_ago(task_id)

    def away(batch: list[Item], key: str) -> bool:
        raise GatewayAway(reason="no route")

    assert not work_of(task_id)._look_up(away, nothing), "after two minutes nobody waits for it"
    assert states(task_id) == ["unknown"]


@pytest.mark.parametrize(
    ("raised", "state"),
    [
        (GatewayBusy(retry_after_s=0, reason="429"), "pending"),
        (GatewayAway(reason="x"), "pending"),
        (KeyError(), "unknown"),
    ],
)
def test_only_what_surely_was_not_sent_stays_pending(service: Service, raised: Exception, state: str) -> None:
    task_id = filled("a")

    def call(ready: list[Item], key: str) -> None:
        raise raised

    with suppress(GatewayAway, KeyError):
        work_of(task_id).send(outgoing.waiting(task_id, 1), call, nothing)

    assert states(task_id) == [state]


def test_an_outcome_is_said_again_until_the_database_takes_it(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    task_id, tries = filled("a"), []
    settle = ledger.settle

    def flaky(*given: Any) -> None:
        tries.append(1)
        if len(tries) < 3:
            raise DatabaseDown()
        settle(*given)

    monkeypatch.setattr(ledger, "settle", flaky)
    work_of(task_id).send(outgoing.waiting(task_id, 1), lambda ready, key: ready[0].done(), nothing)

    assert (len(tries), states(task_id)) == (3, ["done"])


def test_nothing_is_sent_that_can_not_be_marked(service: Service) -> None:
    task_id, calls = filled("a"), []

    def refuse(_: Session, __: list[Item]) -> None:
        raise DatabaseDown()

    with pytest.raises(DatabaseDown):
        work_of(task_id).send(outgoing.waiting(task_id, 1), lambda ready, key: calls.append(key), refuse)

    assert (calls, states(task_id)) == ([], ["pending"])


def test_no_limit_interrupts_between_a_send_and_its_outcome(service: Service) -> None:
    task_id = filled("a")
    token = running.present.set(running.Run(task_id, task_id, "x", leased=False))

    def call(ready: list[Item], key: str) -> None:
        running.ask(running.Cancelled)
        ready[0].done()

    try:
        with pytest.raises(running.Cancelled):
            work_of(task_id).send(outgoing.waiting(task_id, 1), call, nothing)
    finally:
        running.present.reset(token)
        running.clear()

    assert states(task_id) == ["done"]


def test_rows_may_be_refused_from_the_start(service: Service) -> None:
    task_id = filled(
        Entry("a", "A***"), Entry("b", "B***", "failed", "no number"), Entry("c", None, "skipped", "twice")
    )

    rows = ledger.page(task_id)[0]

    assert [(row["ref"], row["state"], row["error"]) for row in rows] == [
        *[("A***", "pending", None), ("B***", "failed", "no number"), (None, "skipped", "twice")]
    ]


def test_unknown_items_run_again_only_when_somebody_asks_so(service: Service) -> None:
    task_id = put_row(kind="send_bulk_sms", state="FAILURE", ended_at=now(), item_count=1)
    ledger.fill(task_id, ["a"])
    sent_and_lost(task_id)

    for only in (None, "failed"):
        with pytest.raises(Conflict):
            control.retry(task_id, only)

    assert control.retry(task_id, "unknown").state == "PENDING"
    assert states(task_id) == ["pending"]


def test_caps_that_can_not_be_counted_let_a_message_pass(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    with redis_away(monkeypatch):
        assert limits.admit(Caps("1", "sms", "2026-01-01", daily=0), ["a"]) == [("", 0)]


def test_a_single_is_accepted_and_kept_as_a_bulk_of_one_without_redis(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    with redis_away(monkeypatch):
        task = enqueue("send_email", {"to_email": "ali@ornek.com", "subject": "Konu", "body": "Metin"})

    assert find(task.id).counts == {"pending": 1, "done": 0, "failed": 0, "skipped": 0, "unknown": 0}
    assert ledger.page(task.id)[0][0]["ref"] == "a***@ornek.com"
