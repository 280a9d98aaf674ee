"""Letters that were sent, or may have been, and of which it is found out later that they were not."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import update

from tests import messaging
from tests.hands import work_off
from tests.mailbox import Mailbox
from tests.messaging import Office, counts_of, items_of, phone
from workers import db, messages
from workers.db import now
from workers.engine import ledger, verdicts
from workers.engine.tables import items
from workers.jobs import reports
from workers.models import Account, Delivery, Mutabakat

office, office_anywhere, box = messaging.office, messaging.office_anywhere, messaging.box
FIRST = {"code": "120.1", "title": "Cari 1", "vkn": "4540536920"}


def state(office: Office, letter_id: int) -> Any:
    return office.face.ayse.get(f"/api/mutabakat/{letter_id}").json["state"]


def send(office: Office, letter_id: int, *channels: str) -> str:
    return office.face.ayse.enqueue("send_mutabakat", mutabakat_ids=[letter_id], channels=[*channels])


def half_sent(office: Office, *channels: str) -> tuple[int, str]:
    """A letter, and the task of it whose SMS the gateway did not answer."""
    office.send_by("verimor")
    office.gateway.trouble, office.gateway.times = "drop", 1
    one = office.face.ayse.letter(account={**FIRST, "email": "bir@ornek.com", "phone": phone(1)})
    task_id = send(office, one, *channels)
    work_off()
    assert items_of(task_id)[-1]["state"] == "unknown"
    assert state(office, one) == "sent"
    return one, task_id


def look_up_in_vain(office: Office) -> None:
    """Let the gateway say that it never got the message."""
    office.gateway.accepted.clear()
    with db.writing() as session:
        session.execute(update(Delivery).values(sent_at=now() - timedelta(minutes=20)))
    assert reports.look_up_messages()["failed"] == 1


def test_a_letter_that_the_gateway_never_got_is_to_be_sent_again(office_anywhere: Office) -> None:
    one, task_id = half_sent(office_anywhere, "sms")

    look_up_in_vain(office_anywhere)

    assert counts_of(task_id) == {"failed": 1}
    assert state(office_anywhere, one) == "draft"
    again = send(office_anywhere, one, "sms")
    work_off()
    assert counts_of(again) == {"done": 1}
    assert state(office_anywhere, one) == "sent"


def test_a_letter_that_another_channel_has_sent_stays_sent(office: Office, box: Mailbox) -> None:
    one, task_id = half_sent(office, "email", "sms")

    look_up_in_vain(office)

    assert counts_of(task_id) == {"done": 1, "failed": 1}
    assert state(office, one) == "sent"


def test_a_letter_whose_second_try_fails_is_to_be_sent_again(office: Office) -> None:
    one, task_id = half_sent(office, "sms")
    [item] = items_of(task_id)
    with db.writing() as session:
        session.execute(update(Account).values(phone=None))
        letter = session.get_one(Mutabakat, one)
        letter.snapshot = {**letter.snapshot, "receiver": {**letter.snapshot["receiver"], "phone": None}}

    verdicts.send_again(task_id, [item["id"]], lambda _: None)
    assert state(office, one) == "sent", "while it is on its way again it is in no other list"
    work_off()

    assert counts_of(task_id) == {"failed": 1}
    assert state(office, one) == "draft"


def test_a_letter_that_was_not_sent_and_has_been_replaced_is_none_to_send(office: Office) -> None:
    one, _ = half_sent(office, "sms")
    newer = office.face.ayse.letter(account=FIRST)

    look_up_in_vain(office)

    assert [state(office, each) for each in (one, newer)] == ["cancelled", "draft"]


@pytest.mark.parametrize("is_now", ["done", "pending", "unknown"])
def test_a_late_failure_of_what_is_sent_again_since_says_nothing_of_the_letter(office: Office, is_now: str) -> None:
    one, task_id = half_sent(office, "sms")
    [item] = items_of(task_id)
    with db.writing() as session:
        session.execute(update(items).where(items.c.id == item["id"]).values(state=is_now, taken_by=None))
    late = ledger.Item(item["id"], 1, {"id": one, "channel": "sms"}, "failed", request_key="k")

    ledger.settle("somebody dead", [late], messages.letters_sent(messages.told))

    assert state(office, one) == "sent"
