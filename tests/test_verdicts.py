"""What people decide about messages of unknown outcome: written once, with the evidence, and nothing else moves."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from tests import messaging
from tests.conftest import Service, wait_until
from tests.hands import record_all, redis_away, waiters, work_off
from tests.messaging import Office, counts_of, deliveries, items_of, letters
from workers import messages, settings
from workers.db import now, writing
from workers.engine import control, enqueue, find, reconcile, verdicts
from workers.engine.events import newest
from workers.engine.tables import items
from workers.errors import Conflict
from workers.models import Delivery

office, office_anywhere = messaging.office, messaging.office_anywhere


def nothing(_: Any) -> None:
    """Note nothing beside."""


def half_known(office: Office) -> tuple[str, list[int]]:
    """A bulk of four that has ended, and the items of two of which nobody knows whether they arrived."""
    task_id = enqueue("send_bulk_sms", {"messages": letters(4), "company_id": 1}, scope="1").id
    work_off()
    record_all()
    ids = [row["id"] for row in items_of(task_id)[:2]]
    with writing() as session:
        session.execute(update(items).where(items.c.id.in_(ids)).values(state="unknown", error="?"))
        session.execute(update(Delivery).where(Delivery.item_id.in_(ids)).values(state="unknown"))
    assert counts_of(task_id) == {"done": 2, "unknown": 2}
    return task_id, ids


def test_a_message_that_arrived_is_done_and_its_evidence_says_so(office_anywhere: Office) -> None:
    task_id, (first, second) = half_known(office_anywhere)
    beside: list[str] = []

    verdicts.arrived(task_id, [first], messages.told, lambda _: beside.append("noted"))

    assert counts_of(task_id) == {"done": 3, "unknown": 1}
    assert {row.item_id: row.state for row in deliveries(task_id)}[first] == "done"
    assert {row.item_id: row.state for row in deliveries(task_id)}[second] == "unknown"
    assert items_of(task_id)[0]["error"] is None
    assert beside == ["noted"]
    [(*_, asked_for)] = messages.unsure("sms", now() - timedelta(days=1), ["netgsm"])
    assert [item.id for found in asked_for.values() for item, *_ in found] == [second]
    assert [*messages.unsure("sms", now() - timedelta(days=1), ["verimor"])] == []


def test_a_message_that_did_not_arrive_is_sent_again_and_no_other_is(office_anywhere: Office) -> None:
    task_id, (first, second) = half_known(office_anywhere)
    sent_before = office_anywhere.gateway.per_phone()

    assert verdicts.send_again(task_id, [first], nothing).state == "PENDING"
    work_off()

    assert find(task_id).state == "SUCCESS"
    assert counts_of(task_id) == {"done": 3, "unknown": 1}
    sent = [row for row in deliveries(task_id) if row.item_id == first]
    assert [row.state for row in sent] == ["unknown", "done"]
    assert len({row.request_key for row in sent}) == 2
    assert len([row for row in deliveries(task_id) if row.item_id == second]) == 1
    assert office_anywhere.gateway.per_phone() - sent_before == {messaging.phone(0): 1}


@pytest.mark.parametrize("decide", ["arrived", "again"])
def test_a_verdict_counts_once_and_only_on_what_is_unknown(office: Office, decide: str) -> None:
    task_id, (first, second) = half_known(office)
    done = items_of(task_id)[3]["id"]

    def say(ids: list[int], of: str = task_id) -> None:
        if decide == "arrived":
            verdicts.arrived(of, ids, messages.told, nothing)
        else:
            verdicts.send_again(of, ids, nothing)

    for wrong in ([done], [first, done], [10**9], []):
        with pytest.raises(Conflict):
            say(wrong)
    other = enqueue("nothing").id
    with pytest.raises(Conflict):
        say([first], other)
    assert counts_of(task_id) == {"done": 2, "unknown": 2}

    say([first, second])
    with pytest.raises(Conflict):
        say([first])


def test_what_is_decided_while_redis_is_away_is_sent_when_it_is_back(
    office: Office, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    task_id, (first, _) = half_known(office)
    with redis_away(monkeypatch):
        verdicts.send_again(task_id, [first], nothing)

    monkeypatch.setattr(reconcile, "NEVER_PUSHED_FOR", timedelta(0))
    reconcile.reconcile()
    work_off()

    assert counts_of(task_id) == {"done": 3, "unknown": 1}


def test_a_message_is_not_sent_again_by_who_saw_the_task_before_another_ran_it_again(office: Office) -> None:
    """It would begin the task anew in the middle of the other's run."""
    task_id, (first, _) = half_known(office)
    seen, lock = find(task_id), Path(f"{settings.current().database.removeprefix('sqlite:///')}.lock")

    with ThreadPoolExecutor(1) as pool:
        with writing() as session:
            late = pool.submit(verdicts.send_again, task_id, [first], nothing)
            wait_until(lambda: waiters(lock) == 1)
            control.begin_anew(session, seen, newest())

        assert "has just been retried" in str(late.exception())
    assert counts_of(task_id) == {"done": 2, "unknown": 2}
