"""SMS: what is found out later about messages that were sent."""

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import update

from tests import messaging
from tests.messaging import (
    Office,
    counts_of,
    deliveries,
    items_of,
    letters,
    phone,
)
from tests.test_sms import bulk, single
from workers import messages
from workers.db import now, writing
from workers.engine import find, registry
from workers.jobs import reports
from workers.messages import Way
from workers.models import Delivery

office, office_anywhere = messaging.office, messaging.office_anywhere


def has_work() -> dict[str, bool]:
    """Whether the clock would make a task of each schedule now."""
    kinds = (registry.get(name) for name in ("look_up_messages", "fetch_delivery_reports"))
    return {kind.name: kind.when() for kind in kinds}


def test_unknown_messages_are_looked_up_where_the_gateway_can_tell(office: Office) -> None:
    office.send_by("verimor")
    office.gateway.trouble, office.gateway.times = "drop", 1
    office.service.run_worker()
    task_id = single(office)
    assert office.ended(task_id).state == "FAILURE"

    assert reports.look_up_messages() == {"asked": 1, "done": 1, "failed": 0}

    assert counts_of(task_id) == {"done": 1}
    assert find(task_id).state == "FAILURE", "the task's state stays"
    assert [row.state for row in deliveries(task_id)] == ["done"]
    assert reports.look_up_messages() == {"asked": 0, "done": 0, "failed": 0}


def test_sending_evidence_look_up_and_reports_on_each_database(office_anywhere: Office) -> None:
    office = office_anywhere
    office.send_by("verimor", verimor_batch=2)
    office.gateway.trouble, office.gateway.times = "drop", 1
    office.gateway.deliveries = {phone(3): "undelivered"}
    office.service.run_worker()

    assert has_work() == {"look_up_messages": False, "fetch_delivery_reports": False}, "no run, and no row of one"

    task_id = bulk(office, letters(6))

    assert office.ended(task_id).state == "SUCCESS"
    assert counts_of(task_id) == {"done": 4, "unknown": 2}
    assert has_work() == {"look_up_messages": True, "fetch_delivery_reports": True}
    assert reports.look_up_messages() == {"asked": 2, "done": 2, "failed": 0}
    assert counts_of(task_id) == {"done": 6}
    assert reports.fetch_delivery_reports() == {"asked": 6, "delivered": 5, "undelivered": 1}
    assert has_work() == {"look_up_messages": False, "fetch_delivery_reports": False}
    rows = deliveries(task_id)
    assert {row.state for row in rows} == {"done"}
    assert sorted(row.opened for row in rows) == [phone(number) for number in range(6)]
    assert set(office.gateway.per_phone().values()) == {1}

    with writing() as session:  # as a killed sender leaves it, whose items were settled as its journal tells
        session.execute(update(Delivery).values(state="sending", provider_id=None))
    assert has_work()["look_up_messages"]
    assert reports.look_up_messages() == {"asked": 0, "done": 0, "failed": 0}
    assert [(row.state, row.provider_id) for row in deliveries(task_id)] == [("done", row.provider_id) for row in rows]


@pytest.mark.parametrize("gateway", ["netgsm", "iletimerkezi", "verimor", "twilio", "sandbox"])
def test_reports_are_fetched_later_and_written_beside_the_item(office: Office, gateway: str) -> None:
    office.send_by(gateway)
    office.gateway.deliveries = {phone(1): "undelivered", phone(2): "waiting"}
    office.service.run_worker()
    task_id = bulk(office, letters(3))
    office.ended(task_id)

    told = reports.fetch_delivery_reports()

    assert told == {"asked": 3, "delivered": 1, "undelivered": 1}
    rows = {row.opened: row for row in deliveries(task_id)}
    assert rows[phone(0)].delivered_at or rows[phone(0)].report == "delivered"
    assert rows[phone(2)].report is None
    assert [bool(item["error"]) for item in items_of(task_id)] == [False, True, False]
    assert {item["state"] for item in items_of(task_id)} == {"done"}


def test_the_same_account_is_asked_with_another_password_and_the_sandbox_at_another_port() -> None:
    first = Way("sms", 1, "verimor", {"base_url": "https://v.example", "username": "u", "password": "a", "source": "S"})
    box = Way("sms", 1, "sandbox", {"base_url": "http://127.0.0.1:1"})

    assert replace(first, options={**first.options, "password": "b", "source": "T"}).identity == first.identity
    assert replace(first, options={**first.options, "username": "other"}).identity != first.identity
    assert replace(box, options={"base_url": "http://127.0.0.1:2"}).identity == box.identity


def test_reports_that_never_come_hold_up_no_others(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(messages, "ROWS_AT_ONCE", 2)
    office.gateway.deliveries = {phone(number): "waiting" for number in range(3)}
    office.service.run_worker()
    task_id = bulk(office, letters(6))
    office.ended(task_id)
    days = {phone(number): now() - timedelta(hours=60 - 10 * number) for number in range(6)}
    with writing() as session:
        for row in deliveries(task_id):
            session.execute(update(Delivery).where(Delivery.id == row.id).values(sent_at=days[row.opened]))

    for _ in range(60):
        reports.fetch_delivery_reports()

    told = {row.opened: row.report for row in deliveries(task_id)}
    assert [told[phone(number)] for number in range(6)] == [None] * 3 + ["delivered"] * 3
