"""The sandbox's boxes: what was sent where nothing leaves the house can be read, safely, whatever stands in it."""

from email.message import EmailMessage

import pytest

from app import sandbox_mail, sandbox_originals
from tests import desk as desks
from tests.conftest import Service
from tests.desk import Desk
from workers import db, settings
from workers.models import SandboxMessage

face, desk = desks.face, desks.english_desk
NASTY = "<script>alert(1)</script>"


def mail(subject: str = "Mutabakat", *, html: str = "<p>Sayın <b>Çınar</b></p>", key: str = "<1@ornek>") -> int:
    """A mail with a letter attached, as the sandbox takes it; its number."""
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "Örnek <a@ornek.example>", "ali@alici.example", subject
    message["Message-ID"], message["X-Sira"] = key, "evet"
    message.set_content("Ekteki mektubu yanıtlayınız.")
    message.add_alternative(html, subtype="html")
    message.add_attachment(b"%PDF-1.7", maintype="application", subtype="pdf", filename="çınar.pdf")
    sandbox_originals.keep(key, message.as_bytes())
    return stored(*sandbox_mail.rows_of(message.as_bytes(), "a@ornek.example", ["ali@alici.example"]))


def sms(text: str, phone: str = "+905551234567") -> int:
    return stored(SandboxMessage(channel="sms", key="k", recipient=phone, body=text, attachments=[]))


def stored(*rows: SandboxMessage) -> int:
    with db.writing() as session:
        session.add_all(rows)
        session.flush()
        return rows[0].id


def test_an_empty_box_says_what_to_do(desk: Desk) -> None:
    assert "Nothing was sent yet" in desk.operator.get("/admin/mail").text
    assert "Nothing was sent yet" in desk.operator.get("/admin/sms").text


def test_where_messages_leave_the_house_the_box_says_so(desk: Desk, service: Service) -> None:
    away = {"smtp_url": "smtp://u:secret@mail.example:587", "sms_provider": "netgsm"}
    settings.use(service.settings.model_copy(update=away))

    texts = [desk.operator.get(f"/admin/{box}").text for box in ("mail", "sms")]

    assert ["The sandbox is not in use" in text for text in texts] == [True, True]
    assert ("mail.example" in texts[0], "secret" in texts[0], "netgsm" in texts[1]) == (True, False, True)


def test_a_mail_is_read_with_its_headers_and_its_attachment(desk: Desk) -> None:
    number = mail()

    text = desk.operator.get(f"/admin/mail/{number}").text
    letter = desk.operator.get(f"/admin/mail/{number}/attachments/0")

    assert ("ali@alici.example" in text, "Ekteki mektubu" in text, "X-Sira" in text) == (True, True, True)
    assert (letter.data, "attachment" in letter.headers["Content-Disposition"]) == (b"%PDF-1.7", True)
    assert letter.headers["X-Content-Type-Options"] == "nosniff"
    assert desk.operator.get(f"/admin/mail/{number}/attachments/1").status_code == 404
    assert desk.operator.get(f"/admin/sms/{number}").status_code == 404


def test_the_html_of_a_mail_can_do_nothing(desk: Desk) -> None:
    answer = desk.operator.get(f"/admin/mail/{mail(html=NASTY)}/html")

    policy = answer.headers["Content-Security-Policy"]
    assert answer.headers.getlist("Content-Security-Policy") == [policy]
    assert policy.startswith("sandbox; default-src 'none'")
    assert answer.headers["X-Frame-Options"] == "SAMEORIGIN"
    assert NASTY in answer.text


def test_a_mail_that_is_not_kept_whole_shows_what_is_known(desk: Desk) -> None:
    number = mail()
    sandbox_originals.clear()

    text = desk.operator.get(f"/admin/mail/{number}").text

    assert ("çınar.pdf" in text, "can't be opened any more" in text, "/attachments/" in text) == (True, True, False)


def test_an_sms_shows_its_segments(desk: Desk) -> None:
    text = desk.operator.get(f"/admin/sms/{sms('ş' * 200)}").text

    assert ("200 characters" in text, "+905551234567" in text) == (True, True)


def test_messages_are_found_and_paged(desk: Desk) -> None:
    for number in range(52):
        sms(f"ileti {number:02}")

    first = desk.operator.get("/admin/sms").text
    second = desk.operator.get(f"/admin/sms?cursor={first.partition('cursor=')[2].partition(chr(34))[0]}").text
    found = desk.operator.get("/admin/sms?q=ileti 07").text

    assert ("ileti 51" in first, "ileti 01" in first, "ileti 01" in second) == (True, False, True)
    assert ("ileti 07" in found, "ileti 08" in found) == (True, False)
    assert "Nothing found" in desk.operator.get("/admin/sms?q=%25").text


def test_clearing_a_box_leaves_the_other(desk: Desk) -> None:
    mail()
    sms("kalır")

    desk.operator.post("/admin/mail/clear")

    assert "Nothing was sent yet" in desk.operator.get("/admin/mail").text
    assert "kalır" in desk.operator.get("/admin/sms").text
    assert sandbox_originals.read("<1@ornek>") is None


def test_a_stored_script_shows_as_text(desk: Desk) -> None:
    numbers = mail(NASTY), sms(NASTY)

    paths = ("mail", "sms", f"mail/{numbers[0]}", f"sms/{numbers[1]}")
    texts = [desk.operator.get(f"/admin/{path}").text for path in paths]

    assert [NASTY in text for text in texts] == [False] * 4
    assert all("&lt;script&gt;" in text for text in texts)


def test_only_the_last_mails_are_kept_whole(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sandbox_originals, "KEPT", 3)
    monkeypatch.setattr(sandbox_originals, "TRIM_EVERY", 1)

    for number in range(5):
        sandbox_originals.keep(f"<{number}>", b"mail")

    assert sum(sandbox_originals.read(f"<{number}>") is not None for number in range(5)) == 3
