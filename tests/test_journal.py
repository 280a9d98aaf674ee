"""The journal: what had begun when a sender was killed, and when it proves nothing."""

from typing import Any

import pytest

from tests.conftest import Service
from tests.test_declared import declared_by, nothing
from tests.test_ledger import filled, states
from tests.test_outgoing import send, work_of
from workers.engine import declared, flights, journal, ledger, leftovers
from workers.engine.journal import Journal
from workers.engine.ledger import Item
from workers.errors import QueueDown


@pytest.fixture
def server(service: Service) -> Any:
    return service.redis


def item(number: int, **became: Any) -> Item:
    return Item(number, number, None, **became)


def test_what_began_and_what_ended_is_read_as_it_was_written(server: Any) -> None:
    written = Journal("task:a")
    deferred = item(2)
    deferred.later("grey list", pause_s=240)

    assert written.write(journal.began("k1"))
    assert written.write(
        journal.ended([item(1, request_key="k1", state="done", provider_id="<m@x>", ref="a***@x.com"), deferred])
    )
    assert written.write(journal.began("k2"))
    told = journal.read("task:a")

    assert told is not None
    assert told.began == {"k1", "k2"}
    assert told.ended[1] == {
        "request_key": "k1",
        "state": "done",
        "error": None,
        "provider_id": "<m@x>",
        "ref": "a***@x.com",
        "due_at": None,
    }
    assert (told.ended[2]["state"], told.ended[2]["due_at"]) == ("pending", deferred.due_at)
    assert 0 < server.ttl("sira:sent:task:a:taken") <= journal.KEPT_S
    assert b"a***" not in b"".join(server.lrange("sira:sent:task:a:taken", 0, -1)), "outcomes are sealed"


def test_what_was_said_of_an_earlier_request_says_nothing_of_a_later_one(server: Any) -> None:
    """The gateway was busy, or refused a hundred together; they go out once more, and the sender is killed."""
    written = Journal("task:a")
    for key in ("again", "alone"):
        written.write(journal.began(key), journal.ended([item(1, request_key=key, state="pending")]))
    assert journal.read("task:a").outcome(1, "alone")["state"] == "pending"  # type: ignore[union-attr, index]

    written = Journal("task:b")
    written.write(journal.began("again"), journal.ended([item(1, request_key="again", state="pending")]))
    written.write(journal.ended([item(2, request_key="together", state="pending")]))
    written.write(journal.began("again"), journal.began("alone"))
    told = journal.read("task:b")

    assert told is not None
    assert (told.outcome(1, "again"), told.outcome(2, "alone")) == (None, None)


def test_who_was_read_writes_no_more_and_may_be_read_again(server: Any) -> None:
    sleeper = Journal("task:a")
    sleeper.write(journal.began("k1"))

    first, second = journal.read("task:a"), journal.read("task:a")

    assert first == second
    assert not sleeper.write(journal.began("k2"))
    assert not sleeper.write(journal.began("k2")), "nor ever again"


def test_what_is_said_without_waiting_is_written_and_its_answer_is_read_before_the_next(server: Any) -> None:
    written = Journal("task:a")
    written.say(journal.began("k1"))
    written.say(journal.began("k2"))

    assert written.taken()
    server.delete("sira:sent:task:a")
    written.say(journal.began("k3"))

    assert not written.taken()
    assert not server.exists("sira:sent:task:a")
    written.close(settled=True)


def test_a_journal_that_was_flushed_away_takes_no_line_and_proves_nothing(server: Any) -> None:
    written = Journal("task:a")
    written.write(journal.began("k1"))
    server.delete("sira:sent:task:a")

    assert not written.write(journal.began("k2"))
    assert journal.read("task:a") is None


@pytest.mark.parametrize("name", journal.SERVER)
def test_a_journal_of_another_server_proves_nothing(server: Any, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """It was restarted, or another took over: lines may be missing."""
    real = journal._identity
    monkeypatch.setattr(
        journal, "_identity", lambda info: real(info.replace(f"{name}:".encode(), f"{name}:0".encode()))
    )
    written = Journal("task:a")
    written.write(journal.began("k1"))

    assert journal.read("task:a") is None


def test_a_connection_that_breaks_is_not_opened_anew(server: Any) -> None:
    written = Journal("task:a")
    server.client_kill_filter(_id=_client_of(server, written))

    assert not written.write(journal.began("k1"))
    assert not written.write(journal.began("k1"))
    told = journal.read("task:a")
    assert told is not None
    assert told.began == set()


def _client_of(server: Any, written: Journal) -> str:
    return str(written._say("CLIENT", "ID"))


def test_a_journal_of_which_all_is_settled_is_thrown_away(server: Any) -> None:
    for settled in (True, False):
        written = Journal(f"task:{settled}")
        written.close(settled=settled)

    assert server.exists("sira:sent:task:True") == 0
    assert server.exists("sira:sent:task:False") == 1


def test_what_a_dead_sender_declared_is_settled_as_its_journal_tells(anywhere: Service) -> None:
    task_id = filled(*"abcd")
    tag = f"{task_id}:dead"
    written = Journal(tag)
    batches = [declared_by(tag, [one], f"k{one.position}") for one in declared.waiting(task_id, 4)]
    batches[0][0].done(provider_id="p1")
    batches[1][0].fail("550")
    written.write(journal.began("k1"))
    written.write(journal.ended(batches[0]), journal.began("k2"))
    written.write(journal.ended(batches[1]), journal.began("k3"))
    noted: list[str] = []

    leftovers.take_up(task_id, set(), lambda _, batch: noted.extend(item.state for item in batch))
    leftovers.give_back(task_id, set())

    assert states(task_id) == ["done", "failed", "unknown", "pending"]
    rows = ledger.page(task_id)[0]
    assert [(row["attempts"], row["provider_id"], row["error"]) for row in rows] == [
        *[(1, "p1", None), (1, None, "550"), (1, None, leftovers.UNTOLD), (0, None, None)]
    ]
    assert sorted(noted) == ["done", "failed", "pending"]


def test_without_a_journal_all_that_was_declared_is_unknown(service: Service) -> None:
    task_id = filled(*"ab")
    for one in declared.waiting(task_id, 2):
        declared_by(f"{task_id}:dead", [one], f"k{one.position}")

    leftovers.take_up(task_id, set(), nothing)
    leftovers.give_back(task_id, set())

    assert states(task_id) == ["unknown", "unknown"]


def test_a_sender_that_sleeps_while_its_work_is_taken_up_begins_nothing_more(service: Service) -> None:
    """Frozen between two mails of a flight; when it wakes, others have its work."""
    task_id, calls = filled(*"abc"), []

    def call(ready: list[Item], key: str, beginning: flights.Beginning) -> None:
        beginning.sure()
        calls.append(ready[0].value)
        if len(calls) == 1:
            leftovers.take_up(task_id, set(), nothing)
            leftovers.give_back(task_id, set())
        ready[0].done()

    with pytest.raises(QueueDown):
        send(work_of(task_id), call, 3, singly=True)

    assert calls == ["a"]
    assert states(task_id) == ["done", "pending", "pending"], "its late answer still counts"
