"""Messages in the ledger: marked before they go out, unknown if nobody tells, and never open after the end."""

import math
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import update
from sqlalchemy.orm import Session

from tests.conftest import Service
from tests.hands import put_row, redis_away
from tests.test_declared import marked, nothing
from tests.test_ledger import filled, states
from workers.db import now, writing
from workers.engine import control, declared, enqueue, find, ledger, leftovers, limits, outgoing, running
from workers.engine.flights import Send
from workers.engine.ledger import Entry, Item, Note
from workers.engine.limits import Caps
from workers.engine.tables import items
from workers.errors import Conflict, DatabaseDown, GatewayAway, GatewayBusy


def send(work: outgoing.Outgoing, call: Send, count: int = 1, note: Note = nothing, **how: bool) -> None:
    """Send so many of what waits, and wait for what becomes of it."""
    with work.under_way():
        work.send(declared.waiting(work.run.task_id, count), call, note, **how)
        work.land()


def send_all(work: outgoing.Outgoing, call: Send, size: int, look_up: outgoing.LookUp | None = None) -> None:
    with work.under_way():
        for batch in work.requests(size, look_up, nothing):
            work.send(batch, call, nothing)


def an_hour_ago(task_id: str) -> None:
    with writing() as session:
        session.execute(update(items).where(items.c.task_id == task_id).values(updated_at=now() - timedelta(hours=1)))


def work_of(task_id: str, execution: str = "x") -> outgoing.Outgoing:
    """The messages of a task as a job has them, outside a worker."""
    run = running.Run(task_id, task_id, execution, slice_ends=math.inf, leased=False)
    return outgoing.Outgoing(run, 10)


def test_refused_items_are_settled_in_the_commit_that_declares_the_others(anywhere: Service) -> None:
    task_id, seen = filled("a", "b", "c"), []
    batch = declared.waiting(task_id, 3)
    batch[0].fail("no such number")
    batch[1].skip("twice")

    work = work_of(task_id)
    with work.under_way():
        work.send(batch, lambda ready, key: seen.append((states(task_id), [item.value for item in ready])), nothing)

    assert seen == [(["failed", "skipped", "sending"], ["c"])]


def sent_and_lost(task_id: str) -> None:
    marked(task_id, "dead")
    leftovers.give_back(task_id, alive=set())


def test_what_is_left_is_looked_up_and_sent_again_only_if_the_gateway_never_got_it(anywhere: Service) -> None:
    task_id = filled("a", "b", "c")
    sent_and_lost(task_id)
    calls: list[list[Any]] = []

    def look_up(batch: list[Item], key: str) -> bool:
        for item in batch:
            if item.value == "a":
                item.done(provider_id=key)
            elif item.value == "b":
                item.later()
            else:
                item.unsure("not among its reports")
        return True

    def call(ready: list[Item], key: str) -> None:
        calls.append([item.value for item in ready])
        ready[0].done()

    work = work_of(task_id)
    assert work._look_up(look_up, nothing)
    assert states(task_id) == ["done", "unknown", "unknown"], "it may still be under way"
    an_hour_ago(task_id)
    send_all(work, call, 5, look_up)

    assert calls == [["b"]]
    assert states(task_id) == ["done", "done", "unknown"], "what it can't find proves nothing"
    assert not work._look_up(look_up, nothing), "and nobody in the task asks again"


def test_where_the_gateway_can_not_tell_it_stays_unknown(anywhere: Service) -> None:
    task_id = filled("a")
    sent_and_lost(task_id)
    an_hour_ago(task_id)

    assert not work_of(task_id)._look_up(lambda batch, key: False, nothing)
    with pytest.raises(Exception, match="No item could be done"):
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
        send(work_of(task_id), call)

    assert states(task_id) == [state]


def test_an_outcome_is_said_again_until_the_database_takes_it(service: Service) -> None:
    task_id, tries = filled("a"), []

    def flaky(_: Session, batch: list[Item]) -> None:
        tries.append([item.state for item in batch])
        if 1 < len(tries) < 4:
            raise DatabaseDown()

    send(work_of(task_id), lambda ready, key: ready[0].done(), note=flaky)

    assert (tries, states(task_id)) == ([["sending"], ["done"], ["done"], ["done"]], ["done"])


def test_nothing_is_sent_that_can_not_be_declared(service: Service) -> None:
    task_id, calls = filled("a"), []

    def refuse(_: Session, __: list[Item]) -> None:
        raise DatabaseDown()

    with pytest.raises(DatabaseDown):
        send(work_of(task_id), lambda ready, key: calls.append(key), note=refuse)

    assert (calls, states(task_id)) == ([], ["pending"])


@pytest.fixture
def cancel(service: Service) -> Iterator[Callable[[], None]]:
    """Cancel the running task as a worker's parent does: by a signal."""
    before = signal.signal(signal.SIGUSR1, lambda *_: running.ask(running.Cancelled))
    yield lambda: signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGUSR1)
    signal.signal(signal.SIGUSR1, before)
    running.clear()


def test_no_limit_interrupts_between_a_send_and_its_outcome(cancel: Callable[[], None]) -> None:
    task_id = filled(*"abcdef")
    work, calls = work_of(task_id), []

    def call(ready: list[Item], key: str) -> None:
        cancel()
        calls.append(ready[0].value)
        ready[0].done()

    token = running.present.set(work.run)
    try:
        with pytest.raises(running.Cancelled):
            send_all(work, call, 1)
    finally:
        running.present.reset(token)

    assert states(task_id) == ["done" if value in calls else "pending" for value in "abcdef"]
    assert 1 <= len(calls) <= 3, "two are declared while one is under way, and what of them had not begun goes back"
    assert [row["attempts"] for row in ledger.page(task_id)[0]] == [int(value in calls) for value in "abcdef"]


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
        assert limits.admit(Caps("1", "sms", "2026-01-01", daily=0), [("a", "1")]) == [("", 0)]


def test_a_single_is_accepted_and_kept_as_a_bulk_of_one_without_redis(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    with redis_away(monkeypatch):
        task = enqueue("send_email", {"to_email": "ali@ornek.com", "subject": "Konu", "body": "Metin"})

    assert find(task.id).counts == {"pending": 1, "done": 0, "failed": 0, "skipped": 0, "unknown": 0}
    assert ledger.page(task.id)[0][0]["ref"] == "a***@ornek.com"
