"""Messages that a job of another kind calls for: they have no ledger, and still nobody gets one twice."""

from pathlib import Path

from tests import messaging
from tests.mailbox import Mailbox
from tests.messaging import Office, deliveries, phone
from workers.engine import control, enqueue
from workers.engine.running import Run

office, box = messaging.office, messaging.box


def test_what_was_said_before_a_crash_is_not_said_again_and_what_comes_twice_is_said_twice(
    office: Office, tmp_path: Path
) -> None:
    office.service.run_worker()
    phones = [phone(0), phone(1), phone(1), phone(2), phone(3)]
    own = office.face.ayse.company_id

    task = enqueue("remind", {"company_id": own, "phones": phones, "path": str(tmp_path / "died"), "die_at": 3})

    assert office.ended(task.id).state == "SUCCESS"
    assert (tmp_path / "died").exists()
    assert dict(office.gateway.per_phone()) == {phone(0): 1, phone(1): 2, phone(2): 1, phone(3): 1}
    assert [each.state for each in deliveries(task.id)] == ["done"] * 5


def test_a_mail_that_was_sent_before_a_crash_is_not_sent_again(office: Office, box: Mailbox, tmp_path: Path) -> None:
    office.service.run_worker()
    own, to = office.face.ayse.company_id, ["a@ornek.com", "b@ornek.com"]
    given = {"company_id": own, "phones": to, "path": str(tmp_path / "died"), "die_at": 1, "channel": "email"}

    task = enqueue("remind", given, scope=str(own))

    assert office.ended(task.id).state == "SUCCESS"
    assert sorted(mail.recipients[0] for mail in box.messages) == to


def test_a_name_is_that_of_the_task_the_item_and_how_often_it_was_asked_for() -> None:
    first, again, other = Run("t", "t", "e1"), Run("t", "t", "e2"), Run("u", "u", "e1")

    names = [first.name(["sms", "a"]), first.name(["sms", "a"]), first.name(["sms", "b"])]
    first.item = 2
    later = first.name(["sms", "a"])

    assert [again.name(["sms", "a"]), again.name(["sms", "a"]), again.name(["sms", "b"])] == names
    assert len({*names, later, other.name(["sms", "a"])}) == 5


def test_what_may_have_arrived_is_asked_for_and_not_said_again_when_the_task_is_run_again(
    office: Office, tmp_path: Path
) -> None:
    office.service.run_worker()
    office.gateway.trouble, office.gateway.times = "drop", 1
    given = {"phones": [phone(0), phone(1)], "path": str(tmp_path / "died"), "die_at": 9}
    task = enqueue("remind", {"company_id": office.face.ayse.company_id, **given})
    assert (office.ended(task.id).error or {})["type"] == "NotDone"
    assert [each.state for each in deliveries(task.id)] == ["unknown"]

    control.retry(task.id)

    assert office.ended(task.id).state == "SUCCESS"
    assert dict(office.gateway.per_phone()) == {phone(0): 1, phone(1): 1}
    assert [each.state for each in deliveries(task.id)] == ["done", "done"]
