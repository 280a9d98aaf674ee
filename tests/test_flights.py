"""Flights: one request under way at a time, in the order they were declared, and none behind one that failed."""

import threading
import time
from collections.abc import Callable

import pytest

from tests.conftest import Service, wait_until
from tests.test_ledger import filled, states
from tests.test_outgoing import send, send_all, work_of
from workers.engine import flights, journal, ledger
from workers.engine.ledger import Item
from workers.errors import GatewayBusy, QueueDown


def test_requests_go_out_one_at_a_time_in_the_order_they_were_declared(service: Service) -> None:
    task_id = filled(*range(12))
    work, under_way, seen = work_of(task_id), threading.Lock(), []

    def call(ready: list[Item], key: str) -> None:
        assert under_way.acquire(blocking=False), "another is under way"
        seen.extend(item.value for item in ready)
        time.sleep(0.001)
        under_way.release()
        for item in ready:
            item.done()

    send_all(work, call, 2)

    assert seen == list(range(12))
    assert states(task_id) == ["done"] * 12


def test_while_one_flight_is_out_the_next_is_declared_and_no_more(service: Service) -> None:
    task_id = filled(*"abcd")
    work, may_end, declared_then = work_of(task_id), threading.Event(), []

    def call(ready: list[Item], key: str) -> None:
        assert may_end.wait(60)
        ready[0].done()

    def watch() -> None:
        wait_until(lambda: states(task_id).count("sending") == 2, what="a second that is declared")
        while len(declared_then) < 20:
            declared_then.append(states(task_id).count("sending"))
            time.sleep(0.01)
        may_end.set()

    watcher = threading.Thread(target=watch)
    watcher.start()
    send_all(work, call, 1)
    watcher.join()

    assert set(declared_then) == {2}
    assert states(task_id) == ["done"] * 4


def test_behind_a_request_that_failed_nothing_goes_out(service: Service) -> None:
    task_id, calls = filled(*"abc"), []

    def call(ready: list[Item], key: str, beginning: flights.Beginning) -> None:
        beginning.sure()
        calls.append(ready[0].value)
        if len(calls) == 2:
            raise GatewayBusy(retry_after_s=0, reason="421")
        ready[0].done()

    send(work_of(task_id), call, 3, singly=True)

    assert calls == ["a", "b"]
    assert states(task_id) == ["done", "pending", "pending"]
    assert [row["attempts"] for row in ledger.page(task_id)[0]] == [1, 0, 0], "what was not sent was no attempt"


def test_what_is_offered_first_goes_out_only_when_its_beginning_is_written_down(service: Service) -> None:
    """The journal is taken away between the offer and the content."""
    task_id, offered, sent = filled(*"ab"), [], []
    work = work_of(task_id)

    def call(ready: list[Item], key: str, beginning: flights.Beginning) -> None:
        offered.append(ready[0].value)
        if len(offered) == 2:
            journal.read(work.run.tag)
        beginning.say()
        beginning.sure()
        sent.append(ready[0].value)
        ready[0].done()

    with pytest.raises(QueueDown):
        send(work, call, 2, singly=True)

    assert (offered, sent) == (["a", "b"], ["a"])
    assert states(task_id) == ["done", "pending"]


def test_what_ended_before_it_was_offered_is_in_the_journal_all_the_same(service: Service) -> None:
    task_id, seen = filled(*"ab"), []
    work = work_of(task_id)

    def call(ready: list[Item], key: str, beginning: flights.Beginning) -> None:
        if ready[0].value == "b":
            beginning.sure()
            seen.append(journal.read(work.run.tag))
        ready[0].fail("too large")

    send(work, call, 2, singly=True)

    [told] = seen
    assert [outcome["state"] for outcome in told.ended.values()] == ["failed"]
    assert len(told.began) == 1


def test_a_worker_that_slept_before_a_call_does_not_make_it(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """By now others may have been told by the gateway that it never got the message."""
    monkeypatch.setattr(flights, "FROZEN_S", 0.05)
    monkeypatch.setattr(journal.Journal, "taken", _slowly(journal.Journal.taken))
    task_id, calls = filled("a"), []

    with pytest.raises(Exception, match="frozen"):
        send(work_of(task_id), lambda ready, key: calls.append(key))

    assert (calls, states(task_id)) == ([], ["pending"])


def test_a_single_mail_whose_worker_slept_before_its_call_is_not_sent(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has no journal: that it was declared is all that others know, and by now they call it unknown."""
    monkeypatch.setattr(flights, "FROZEN_S", -1.0)
    task_id, calls = filled("a"), []
    work = work_of(task_id)
    work.total = 1

    with pytest.raises(Exception, match="frozen"):
        send(work, lambda ready, key, beginning=None: calls.append(key), singly=True)

    assert (calls, states(task_id)) == ([], ["pending"])


def _slowly(taken: Callable[..., bool]) -> Callable[..., bool]:
    def slow(*given: object) -> bool:
        time.sleep(0.1)
        return taken(*given)

    return slow
