"""Mail: addresses that differ in the case of their letters are one recipient."""

from tests import messaging
from tests.mailbox import Mailbox
from tests.messaging import Office, counts_of, deliveries
from workers import messages

office, box = messaging.office, messaging.box


def test_one_address_in_two_spellings_gets_one_mail_also_when_the_bulk_is_run_again(
    office: Office, box: Mailbox
) -> None:
    rows = [{"to": to, "subject": "Konu", "body": "Metin"} for to in ("Ali@ornek.com", "ali@ornek.com")]
    office.service.run_worker()
    task_id = office.face.ayse.post("/api/email/send-bulk-async", {"emails": rows}).json["task_id"]
    office.ended(task_id)
    assert counts_of(task_id) == {"done": 1, "skipped": 1}

    assert office.face.ayse.post(f"/api/tasks/{task_id}/retry", {}).status_code == 202

    office.ended(task_id)
    assert counts_of(task_id) == {"done": 1, "skipped": 1}
    assert [found.recipients for found in box.messages] == [["Ali@ornek.com"]]
    assert [sent.recipient_hash for sent in deliveries(task_id)] == [messages.digest("ali@ornek.com")]
