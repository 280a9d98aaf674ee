"""Letters on their way: an item for each letter and channel, the PDF made once."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

from sqlalchemy import text, update

from tests import face as faces
from tests import messaging
from tests.conftest import wait_until
from tests.face import Face
from tests.imports_made import BALANCE_HEAD, DAY, counts, letters, xlsx
from tests.mailbox import Mailbox
from tests.messaging import Office, configure, deliveries, items_of, phone
from tests.test_imports import run
from workers import db, files, messages
from workers.engine.ledger import Item
from workers.jobs import mutabakat
from workers.models import Account

office, box, face_anywhere = messaging.office, messaging.box, faces.face_anywhere
FIRST = 1  # the id of the first letter


def letter(office: Office, number: int, **account: Any) -> int:
    code = f"120.{number}"
    return office.face.ayse.letter(account={"code": code, "title": f"Cari {number}", "vkn": "4540536920", **account})


def test_letters_are_mailed_with_their_pdf_and_announced(office: Office, box: Mailbox) -> None:
    office.service.run_worker()
    whole = letter(office, 1, email="bir@ornek.com", phone=phone(1))
    silent = letter(office, 2)
    posted = {"mutabakat_ids": [whole, silent, whole], "channels": ["sms", "email"]}

    answer = office.face.ayse.post("/api/mutabakat/send-async", posted)

    assert answer.status_code == 202, answer.text
    task_id = answer.json["task_id"]
    assert office.ended(task_id).state == "SUCCESS"
    assert [(item["state"], item["ref"]) for item in items_of(task_id)] == [
        *[("done", "b***@ornek.com"), ("failed", str(silent))],
        *[("done", "+90…0001"), ("failed", str(silent))],
    ]
    reasons = [item["error"] for item in items_of(task_id, state="failed")]
    assert "e-posta adresi yok" in reasons[0]
    assert "telefonu yok" in reasons[1]
    states = [office.face.ayse.get(f"/api/mutabakat/{one}").json["state"] for one in (whole, silent)]
    assert states == ["sent", "draft"]
    [mail] = box.messages
    [pdf] = mail.message.iter_attachments()
    assert pdf.get_content().startswith(b"%PDF")
    assert mail.message["List-Unsubscribe"]
    [text] = office.gateway.accepted
    assert "mutabakat mektubunuz" in text["text"]
    assert {row.channel for row in deliveries(task_id)} == {"email", "sms"}
    assert len(list(files.storage().list("letters"))) == 1, "kept by what stands on it"

    again = office.face.ayse.post("/api/mutabakat/send-async", {"mutabakat_ids": [whole], "channels": ["email"]})
    assert office.ended(again.json["task_id"]).state == "SUCCESS"
    [second] = box.messages[1].message.iter_attachments()
    assert second.get_content() == pdf.get_content()
    assert office.face.bora.post("/api/mutabakat/send-async", posted).status_code == 404


def test_a_number_written_as_people_do_is_shown_with_its_country(office: Office) -> None:
    office.service.run_worker()
    written = ["0532 111 22 33", "(0090) 532-111-22-34", "+905321112235", "5321112236", "0212 555 22 37", "yok"]
    ids = [letter(office, number, phone=text) for number, text in enumerate(written)]

    answer = office.face.ayse.post("/api/mutabakat/send-async", {"mutabakat_ids": ids, "channels": ["sms"]})

    assert office.ended(answer.json["task_id"]).state == "SUCCESS"
    assert [(item["state"], item["ref"]) for item in items_of(answer.json["task_id"])] == [
        *[("done", "+90…2233"), ("done", "+90…2234"), ("done", "+90…2235"), ("done", "+90…2236")],
        *[("failed", "…2237"), ("failed", "…")],
    ]


def test_it_runs_where_it_is_simply_called(office: Office, box: Mailbox) -> None:
    one = letter(office, 1, email="bir@ornek.com", phone=phone(1))

    assert mutabakat.send_mutabakat([one], ["email", "sms"]) == {"done": 2}

    assert [mail.recipients for mail in box.messages] == [["bir@ornek.com"]]
    assert [row["phone"] for row in office.gateway.accepted] == [phone(1)]


def test_channels_are_email_and_sms_and_at_least_one(office: Office) -> None:
    one = letter(office, 1)
    for channels in ([], ["fax"]):
        posted = {"mutabakat_ids": [one], "channels": channels}
        assert office.face.ayse.post("/api/mutabakat/send-async", posted).status_code == 422


def test_a_letter_whose_arrival_is_found_out_later_is_sent_too(office: Office) -> None:
    one, other = letter(office, 1), letter(office, 2)
    values = [
        {"id": one, "channel": "sms"},
        {"id": other, "channel": "sms"},
        {"phone": phone(1), "message": "no letter"},
    ]
    found = [Item(id=n, position=n, value=value, state="done", request_key="k") for n, value in enumerate(values, 1)]
    found[1].state = "failed"

    with db.writing() as session:
        messages.letters_sent(messages.told)(session, found)

    assert [office.face.ayse.get(f"/api/mutabakat/{each}").json["state"] for each in (one, other)] == ["sent", "draft"]


def test_letters_to_one_number_count_one_by_one_against_its_limit(office: Office) -> None:
    configure(office.service, sms_per_number="2/10minutes")
    office.service.run_worker()
    ids = [letter(office, number, phone=phone(1)) for number in range(3)]

    answer = office.face.ayse.post("/api/mutabakat/send-async", {"mutabakat_ids": ids, "channels": ["sms"]})

    assert office.ended(answer.json["task_id"]).result == {"done": 2, "skipped": 1}
    assert office.gateway.per_phone() == {phone(1): 2}


def test_a_letter_without_an_address_goes_to_the_one_that_its_account_has_got_since(
    office: Office, box: Mailbox
) -> None:
    office.service.run_worker()
    bare, other = letter(office, 1), letter(office, 2, email="kendi@ornek.com")
    with db.writing() as session:
        session.execute(update(Account).values(email="yeni@ornek.com", phone=phone(1)))

    sent = office.face.ayse.enqueue("send_mutabakat", mutabakat_ids=[bare, other], channels=["email", "sms"])

    assert office.ended(sent).state == "SUCCESS"
    assert [item["ref"] for item in items_of(sent)] == ["y***@ornek.com", "k***@ornek.com", "+90…0001", "+90…0001"]


def balance(amount: int) -> bytes:
    """A sheet with one balance."""
    return xlsx((*BALANCE_HEAD, "E-posta"), ("1", "Bir", "", DAY, "TRY", amount, "", "bir@ornek.com"))


def standing(company_id: int) -> list[tuple[str, str]]:
    """State and amount of each letter."""
    return [(it["state"], it["snapshot"]["lines"][0]["amount"]) for it in letters(company_id)]


def test_a_balance_corrected_while_its_letter_is_on_its_way_becomes_a_letter_of_its_own(
    office: Office, box: Mailbox
) -> None:
    own = office.face.ayse.company_id
    run(own, balance(100), "mutabakat")
    office.service.run_worker()
    box.slow_s = 3.0

    task_id = office.face.ayse.enqueue("send_mutabakat", mutabakat_ids=[FIRST], channels=["email"])
    wait_until(lambda: "DATA" in box.commands, what="the content of the mail")
    corrected = run(own, balance(250), "mutabakat")

    assert office.ended(task_id).state == "SUCCESS"
    assert standing(own) == [("sent", "100.00"), ("draft", "250.00")], "what was sent stays what it was"
    assert counts(corrected) == (0, 1, 0, 0)
    assert counts(run(own, balance(250), "mutabakat")) == (0, 0, 1, 0)


def test_a_balance_corrected_in_the_moment_its_letter_is_settled_leaves_that_one_alone(face_anywhere: Face) -> None:
    own = face_anywhere.ayse.company_id
    run(own, balance(100), "mutabakat")
    settled = Item(id=1, position=1, value={"id": FIRST, "channel": "email"}, state="done", request_key="k")

    with ThreadPoolExecutor(1) as beside:
        with db.writing() as session:
            messages.letters_sent(messages.told)(session, [settled])
            session.flush()
            correcting = beside.submit(run, own, balance(250), "mutabakat")
            wait_until(waits, what="the import at the letter")
        correcting.result()

    assert standing(own) == [("sent", "100.00"), ("draft", "250.00")]


def waits() -> bool:
    """Whether somebody waits for the transaction that is open; SQLite has one writer, and lets the others wait before
    they look at anything."""
    with db.reading() as session:
        if session.get_bind().dialect.name == "sqlite":
            return True
        return bool(session.scalar(text("SELECT count(*) FROM pg_locks WHERE NOT granted")))
