"""Mail: each is sent once, looks as it should, waits where it must; and letters go out as attachments."""

import time
from functools import partial
from typing import Any

import pytest

from tests import messaging
from tests.conftest import wait_until
from tests.mailbox import Mailbox
from tests.messaging import Office, configure, counts_of, deliveries, hurry, items_of
from workers import files
from workers.engine import enqueue, find, outgoing, running
from workers.jobs import email, sms

office, box = messaging.office, messaging.box
LETTER = {"to_email": "ali@ornek.com", "subject": "Ödeme hatırlatması", "body": "Sayın Ali Çağlı,\nBorcunuz var."}


def single(office: Office, **body: Any) -> str:
    answer = office.face.ayse.post("/api/email/send-async", {**LETTER, **body})
    assert answer.status_code == 202, answer.text
    return answer.json["task_id"]


def bulk(office: Office, count: int, **more: Any) -> str:
    emails = [{"to": f"kisi{n}@ornek.com", "subject": "Konu", "body": f"Metin {n}", **more} for n in range(count)]
    answer = office.face.ayse.post("/api/email/send-bulk-async", {"emails": emails})
    assert answer.status_code == 202, answer.text
    return answer.json["task_id"]


def recipients(box: Mailbox) -> list[str]:
    return [found.recipients[0] for found in box.messages]


def rests_after(task_id: str, attempts: int) -> bool:
    return items_of(task_id)[0]["attempts"] == attempts and find(task_id).state == "RETRY"


def test_a_mail_arrives_with_the_companys_name_and_its_evidence(office: Office, box: Mailbox) -> None:
    office.service.run_worker()

    task_id = single(office, html="<p>Borcunuz var.</p>")

    assert office.ended(task_id).state == "SUCCESS"
    [mail] = box.messages
    assert mail.message["From"] == f"Şirket {messaging.face_vkn(office)} <sira@sira.example>"
    assert (mail.message["Reply-To"], mail.message["Subject"]) == ("muhasebe@cinar.example", "Ödeme hatırlatması")
    assert (mail.message["Auto-Submitted"], mail.message["List-Unsubscribe"]) == ("auto-generated", None)
    assert "Çağlı" in mail.message.get_body(("plain",)).get_content()
    [item] = items_of(task_id)
    assert (item["ref"], item["provider_id"]) == ("a***@ornek.com", mail.message["Message-ID"])
    [sent] = deliveries(task_id)
    assert (sent.opened, sent.state, sent.provider_id) == ("ali@ornek.com", "done", mail.message["Message-ID"])


def test_a_notice_of_the_services_own_is_mailed_by_its_own_kind(office: Office, box: Mailbox) -> None:
    office.service.run_worker("maintenance")
    task = enqueue("send_notice", {"to_email": "ali@ornek.com", "subject": "PDF hazır!", "body": "…"})

    assert office.ended(task.id).state == "SUCCESS"
    assert box.messages[0].message["Subject"] == "PDF hazır!"
    assert office.face.ayse.post("/api/jobs/send_notice", {**LETTER}).status_code == 403


def test_a_bulk_goes_over_one_connection_a_slice_and_to_each_address_once(office: Office, box: Mailbox) -> None:
    office.service.run_worker()
    began = time.monotonic()

    task_id = bulk(office, 60)

    assert office.ended(task_id).result == {"done": 60}
    slices = 1 + (time.monotonic() - began) // running.SLICE_S
    assert sorted(recipients(box)) == sorted({f"kisi{n}@ornek.com" for n in range(60)})
    assert box.connections <= slices


def test_files_of_the_company_are_attached_and_anothers_are_not_found(office: Office, box: Mailbox) -> None:
    with files.new("ekstre çınar.pdf", "application/pdf", task_id=None, company_id=office.face.ayse.company_id) as file:
        file.write(b"%PDF-1.7 ekstre")
    office.service.run_worker()

    task_id = single(office, attachments=[file.result["file_id"]])

    assert office.ended(task_id).state == "SUCCESS"
    [attached] = box.messages[0].message.iter_attachments()
    assert (attached.get_filename(), attached.get_content()) == ("ekstre çınar.pdf", b"%PDF-1.7 ekstre")
    posted = {**LETTER, "attachments": [file.result["file_id"]]}
    assert office.face.bora.post("/api/email/send-async", posted).status_code == 404
    rows = [{"to": "a@b.com", "subject": "s", "body": "b", "attachments": [file.result["file_id"]]}]
    assert office.face.bora.post("/api/email/send-bulk-async", {"emails": rows}).status_code == 404


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("to_email", "ali@ornek.com\r\nBcc: veli@ornek.com"),
        ("to_email", "ali@ornek.com, veli@ornek.com"),
        ("to_email", "ali"),
        ("subject", "Konu\r\nBcc: veli@ornek.com"),
        ("subject", "Konu\u2028Bcc"),
        ("subject", "Konu\0"),
        ("body", "NUL \0"),
    ],
)
def test_what_could_break_a_header_is_refused_at_the_door(office: Office, field: str, value: str) -> None:
    answer = office.face.ayse.post("/api/email/send-async", {**LETTER, field: value})

    assert answer.status_code == 422
    assert [fault["field"] for fault in answer.json["errors"]] == [field]


def test_a_refusal_for_good_fails_with_the_servers_code(office: Office, box: Mailbox) -> None:
    box.answers = {"ali@ornek.com": "550 5.1.1 User unknown"}
    office.service.run_worker()

    ended = office.ended(single(office))

    assert ended.state == "FAILURE"
    assert "550 5.1.1" in ended.error["message"]
    assert "ali@" not in ended.error["message"]


def test_a_deferred_recipient_waits_and_the_others_go_on(office: Office, box: Mailbox) -> None:
    box.once = {"kisi1@ornek.com": "450 4.2.0 Greylisted"}
    office.service.run_worker()
    task_id = bulk(office, 5)

    waiting = wait_until(lambda: (task := find(task_id)).state == "RETRY" and task)
    assert counts_of(task_id) == {"done": 4, "pending": 1}
    assert 200 < (waiting.next_run_at - waiting.started_at).total_seconds() < 300, "within five minutes"

    messaging.make_due(task_id)
    hurry(task_id)
    assert office.ended(task_id).result == {"done": 5}
    assert sorted(recipients(box)) == [f"kisi{n}@ornek.com" for n in range(5)]


def test_a_recipient_whose_look_up_always_fails_holds_up_nobody_else(office: Office, box: Mailbox) -> None:
    dead = ("kisi0@ornek.com", "kisi2@ornek.com")
    box.answers = {to: f"451 4.3.0 <{to}>: Temporary lookup failure" for to in dead}
    office.service.run_worker()
    task_id = bulk(office, 5)

    resting = wait_until(lambda: (task := find(task_id)).state == "RETRY" and task)
    assert counts_of(task_id) == {"done": 3, "pending": 2}
    assert "451 4.3.0 <k***@ornek.com>: Temporary lookup failure" in resting.error["message"]
    assert office.ended(single(office)).state == "SUCCESS", "nor the company's other mail"

    messaging.make_due(task_id)  # now they hear it one behind the other
    hurry(task_id)
    wait_until(lambda: [items_of(task_id)[n]["attempts"] for n in (0, 2)] == [2, 2] and find(task_id).state == "RETRY")
    box.answers = {}
    messaging.make_due(task_id)
    hurry(task_id)
    assert office.ended(task_id).result == {"done": 5}
    assert sorted(recipients(box)) == ["ali@ornek.com", *(f"kisi{n}@ornek.com" for n in range(5))]


def test_a_recipient_who_is_always_answered_so_fails_in_the_end(office: Office, box: Mailbox) -> None:
    box.answers = {"ali@ornek.com": "451 4.3.0 Temporary lookup failure"}
    office.service.run_worker()
    task_id = single(office)
    for attempts in range(1, len(email.PAUSES_S) + 1):
        wait_until(partial(rests_after, task_id, attempts))
        messaging.make_due(task_id)
        hurry(task_id)

    ended = office.ended(task_id)

    assert (ended.state, "451 4.3.0" in ended.error["message"]) == ("FAILURE", True)
    assert len([command for command in box.commands if command.startswith("RCPT")]) == len(email.PAUSES_S) + 1

    assert office.face.ayse.post(f"/api/tasks/{task_id}/retry").status_code == 202
    wait_until(partial(rests_after, task_id, len(email.PAUSES_S) + 2), what="the wait of who is asked again by hand")


def test_a_server_in_trouble_hears_of_two_and_then_their_task_rests(office: Office, box: Mailbox) -> None:
    box.answers = {f"kisi{n}@ornek.com": "452 4.3.1 Insufficient system storage" for n in range(50)}
    office.service.run_worker()
    task_id = bulk(office, 50)

    resting = wait_until(lambda: (task := find(task_id)).state == "RETRY" and task)
    assert "asks to wait 240 s (452 4.3.1" in resting.error["message"]
    assert {command for command in box.commands if "RCPT" in command} == {f"RCPT kisi{n}@ornek.com" for n in (0, 1)}
    assert [item["attempts"] for item in items_of(task_id)] == [1] + [0] * 49
    assert office.ended(single(office)).state == "SUCCESS", "what one list meets holds up nobody else"

    box.answers = {}
    messaging.rested(office)
    messaging.make_due(task_id)
    hurry(task_id)
    assert office.ended(task_id).result == {"done": 50}
    assert len(recipients(box)) == len(set(recipients(box))) == 51


def test_a_task_that_rests_names_the_reason_of_one_that_still_waits(office: Office, box: Mailbox) -> None:
    box.answers = {"kisi0@ornek.com": "550 5.1.1 User unknown", "kisi1@ornek.com": "450 4.2.0 Greylisted"}
    office.service.run_worker()

    task_id = bulk(office, 3)

    resting = wait_until(lambda: (task := find(task_id)).state == "RETRY" and task)
    assert counts_of(task_id) == {"done": 1, "failed": 1, "pending": 1}
    assert "450 4.2.0" in resting.error["message"]


def test_a_lost_answer_is_unknown_and_the_mail_is_not_sent_again(office: Office, box: Mailbox) -> None:
    box.hang_up = {"content": 1}
    office.service.run_worker()

    task_id = bulk(office, 10)

    assert office.ended(task_id).state == "SUCCESS"
    assert counts_of(task_id) == {"done": 9, "unknown": 1}
    assert len(recipients(box)) == len(set(recipients(box))) == 10


def test_a_mail_that_somebody_sends_once_more_has_the_message_id_of_the_first(office: Office, box: Mailbox) -> None:
    """So that a mail server or a reader's program that has it already can tell."""
    box.hang_up = {"content": 1}
    office.service.run_worker()
    task_id = single(office)
    assert office.ended(task_id).state == "FAILURE"
    assert counts_of(task_id) == {"unknown": 1}

    assert office.face.ayse.post(f"/api/tasks/{task_id}/retry", {"only": "unknown"}).status_code == 202

    assert office.ended(task_id).state == "SUCCESS"
    assert len({mail.message["Message-ID"] for mail in box.messages}) == 1 < len(box.messages)
    assert [row.state for row in deliveries(task_id)] == ["unknown", "done"], "both are evidence"


def test_mails_have_a_cap_of_their_own(office: Office, box: Mailbox) -> None:
    configure(office.service, sms_daily_cap=1, sms_per_number="1/hour")
    office.service.run_worker()
    assert office.ended(bulk(office, 3)).result == {"done": 3}, "the cap of SMS is none of mails"
    path = f"/api/companies/{office.face.ayse.company_id}"
    assert office.face.operator.call("PATCH", path, json={"mail_daily_cap": 2}).status_code == 200

    single(office)
    task_id = bulk(office, 3)

    assert office.ended(task_id).result == {"done": 1, "skipped": 2}
    assert {item["error"] for item in items_of(task_id, state="skipped")} == {sms.STOPPED["day"]}
    refused = office.face.ayse.post("/api/email/send-async", LETTER)
    assert (refused.status_code, "Retry-After" in refused.headers) == (429, True)


def test_a_login_that_fails_pauses_the_company_until_it_is_mended(office: Office) -> None:
    with Mailbox(user="sira", password="right") as box:
        configure(office.service, smtp_url=box.url.replace("right", "wrong"))
        office.service.run_worker()
        task_id = bulk(office, 5)
        wait_until(lambda: find(task_id).state == "RETRY")
        assert counts_of(task_id) == {"pending": 5}
        path = f"/api/companies/{office.face.ayse.company_id}"
        wait_until(lambda: office.face.operator.get(path).json["mail_paused"])

        own = {"url": f"smtp://sira:right@127.0.0.1:{box.port}?tls=none", "mail_from": "fatura@cinar.example"}
        answer = office.face.operator.call("PATCH", path, json={"mail_gateway": own})

        assert answer.json["mail_paused"] is None
        assert "right" not in answer.text
        assert office.ended(task_id).result == {"done": 5}
        assert box.messages[0].message["From"].endswith("<fatura@cinar.example>")


def test_a_bulk_mail_is_unsubscribed_by_one_click_and_later_bulks_honour_it(office: Office, box: Mailbox) -> None:
    office.service.run_worker()
    office.ended(bulk(office, 1))
    header = box.messages[0].message["List-Unsubscribe"]
    link = "/u/" + header.strip("<>").rpartition("/u/")[2]
    assert box.messages[0].message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"

    assert "<form" in office.face.client.get(link).text
    second = bulk(office, 2)
    assert office.ended(second).result == {"done": 2}, "a scanner that opens the link unsubscribes nobody"
    assert office.face.client.post(link, data={"List-Unsubscribe": "One-Click"}).status_code == 200
    assert office.face.client.post("/u/yanlis").status_code == 404

    third = bulk(office, 2)
    assert office.ended(third).result == {"done": 1, "skipped": 1}
    assert office.ended(single(office, to_email="kisi0@ornek.com")).state == "SUCCESS", "only bulk mail is meant"


def test_it_runs_where_it_is_simply_called(office: Office, box: Mailbox) -> None:
    assert email.send_email("ali@ornek.com", "Konu", "Metin") == {"done": 1}
    assert recipients(box) == ["ali@ornek.com"]
    rows = [
        {"to": to, "subject": "Konu", "body": "Metin"} for to in ("can@ornek.com", "ece@ornek.com", "can@ornek.com")
    ]
    sent = [email.send_bulk_emails(rows) for _ in range(2)]
    assert sent == [{"done": 2, "skipped": 1}] * 2, "another call is another task: only its own doubles are left out"
    assert len({found.message_id for found in box.messages}) == len(box.messages) == 5
    box.answers = {"ali@ornek.com": "451 4.3.0 Temporary lookup failure"}
    with pytest.raises(outgoing.NotDone, match=r"451 4\.3\.0"):
        email.send_email("ali@ornek.com", "Konu", "Metin")
