"""Composed mails, read back as a mail program reads them."""

import email
import email.policy
import re
from datetime import UTC, datetime
from email.message import EmailMessage
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.errors import BadAddress, InvalidInput
from workers.services.mail_headers import is_line
from workers.services.mail_text import Attachment, Sender, compose, message_id, sender_of

ID = message_id("task/1", "sira.example.com")
FIRM = Sender("Boğaziçi Endüstriyel Makine Sanayi ve Ticaret A.Ş.", "mutabakat@sira.example.com")
PDF = Attachment("Mutabakat mektubu – Çınar Gıda.pdf", "application/pdf", b"%PDF-1.7" + bytes(range(256)) * 300)
UNSUBSCRIBE = "https://sira.example.com/u/" + "A1b_-" * 40


def made(**changes: Any) -> EmailMessage:
    plain: dict[str, Any] = {
        "message_id": ID,
        "sender": FIRM,
        "to": "ali@ornek.com",
        "subject": "Konu",
        "body": "Metin",
    }
    return compose(**(plain | changes))


def read(**changes: Any) -> EmailMessage:
    """What arrives of the mail; every line on the wire fits into every server."""
    wire = made(**changes).as_bytes()
    assert wire.isascii()
    assert max(map(len, wire.split(b"\r\n"))) <= 998
    assert not re.search(rb"(?<!\r)\n|\r(?!\n)", wire)
    return email.message_from_bytes(wire, policy=email.policy.default)  # type: ignore[return-value]


def text_of(part: Any) -> str:
    return str(part.get_content()).replace("\r\n", "\n")


def refused(**changes: Any) -> list[str]:
    """The fields that are refused."""
    with pytest.raises(InvalidInput) as found:
        made(**changes)
    return [problem["field"] for problem in found.value.problems]


def test_a_mail_says_who_writes_to_whom_and_that_a_machine_does():
    seen = read(reply_to="muhasebe@örnek.com.tr", subject="Çınar Gıda – 31.12.2025 mutabakatı")

    assert seen["From"].addresses[0].addr_spec == FIRM.address
    assert seen["From"].addresses[0].display_name.startswith("Boğaziçi Endüstriyel Makine")
    assert (seen["To"], seen["Reply-To"]) == ("ali@ornek.com", "muhasebe@xn--rnek-4qa.com.tr")
    assert seen["Subject"] == "Çınar Gıda – 31.12.2025 mutabakatı"
    assert seen["Auto-Submitted"] == "auto-generated"
    assert f"<{seen['X-Entity-Ref-ID']}>" == seen["Message-ID"] == ID
    assert seen["MIME-Version"] == "1.0"
    assert seen.keys().count("To") == 1
    assert "Bcc" not in seen


def test_text_alone_is_one_part():
    seen = read(body="Sayın yetkili,\n.\n..nokta\nFrom başta\n" + "uzun satır " * 300)

    assert seen.get_content_type() == "text/plain"
    assert text_of(seen) == "Sayın yetkili,\n.\n..nokta\nFrom başta\n" + "uzun satır " * 300


def test_html_is_an_alternative_to_the_text_beside_which_files_lie():
    seen = read(body="düz", html="<p>süslü</p>", attachments=[PDF, Attachment("a.csv", "text/csv", b"\xff\r\n")])

    assert seen.get_content_type() == "multipart/mixed"
    assert seen.get_body(("plain",)).get_content() == "düz"  # type: ignore[union-attr]
    assert seen.get_body(("html",)).get_content() == "<p>süslü</p>"  # type: ignore[union-attr]
    files = [
        (part.get_filename(), part.get_content_type(), part.get_payload(decode=True))
        for part in seen.iter_attachments()
    ]
    assert files == [(PDF.filename, "application/pdf", PDF.data), ("a.csv", "text/csv", b"\xff\r\n")]


@given(
    body=st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=300),
    data=st.binary(max_size=300),
)
def test_any_text_and_any_bytes_arrive_whole(body, data):
    seen = read(body=body, html=body, attachments=[Attachment("a.bin", "application/zip", data)])

    texts = [text_of(seen.get_body((kind,))) for kind in ("plain", "html")]
    assert texts == [body.replace("\r\n", "\n").replace("\r", "\n")] * 2
    assert [part.get_content() for part in seen.iter_attachments()] == [data]


@given(st.text(max_size=200).filter(is_line))
def test_any_line_can_be_a_name_a_subject_and_a_file_name(line):
    seen = read(
        subject=line, sender=Sender(line, "a@ornek.com"), attachments=[Attachment(line, "application/pdf", b"")]
    )

    assert [each.addr_spec for each in seen["From"].addresses] == ["a@ornek.com"]
    assert len(seen.defects) == 0
    assert {*seen.keys()} == {"From", "To", "Subject", "Date", "Message-ID", "X-Entity-Ref-ID", "Auto-Submitted"} | {
        "MIME-Version",
        "Content-Type",
    }


@pytest.mark.parametrize(
    "kind", ["message/rfc822", "multipart/mixed", "application/pdf\r\nX-A: b", "pdf", "", "text/html; x"]
)
def test_the_type_of_a_file_can_not_break_the_mail(kind):
    seen = read(attachments=[Attachment("a.pdf", kind, b"x")])

    (file,) = seen.iter_attachments()
    assert file.get_content_type() in ("application/octet-stream", "text/html")
    assert file.get_payload(decode=True) == b"x"


def test_bulk_mail_unsubscribes_with_one_click_and_the_link_stays_in_one_piece():
    wire = made(unsubscribe_url=UNSUBSCRIBE).as_bytes()

    assert f"\r\nList-Unsubscribe: <{UNSUBSCRIBE}>\r\n".encode() in wire
    assert b"\r\nList-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n" in wire
    assert not [name for name in made() if name.startswith("List-")]


def test_a_second_try_is_the_same_mail_to_the_last_byte():
    day = datetime(2026, 1, 5, 9, 30, tzinfo=UTC)
    first, second = (made(date=day, html="<p>", attachments=[PDF]).as_bytes() for _ in range(2))

    assert first == second
    assert b"\r\nDate: Mon, 05 Jan 2026 09:30:00 +0000\r\n" in first


def test_without_a_date_it_is_now():
    assert abs((read()["Date"].datetime - datetime.now(UTC)).total_seconds()) < 60


@pytest.mark.parametrize("mark", ["\r\nBcc: x@ornek.com", "\n", "\r", "\0", "\u2028", "\u2029", "\x85", "\u202e"])
def test_what_would_break_a_header_is_refused_by_its_field(mark):
    assert refused(subject=f"Konu{mark}") == ["subject"]
    assert refused(sender=Sender(f"Ad{mark}", "a@ornek.com")) == ["sender.name"]
    assert refused(attachments=[PDF, Attachment(f"a{mark}.pdf", "application/pdf", b"")]) == ["attachments.1.filename"]
    assert refused(message_id=f"<a{mark}@ornek.com>") == ["message_id"]
    assert refused(unsubscribe_url=f"https://a.com/{mark}") == ["unsubscribe_url"]
    for field in ("to", "reply_to"):
        with pytest.raises(BadAddress):
            made(**{field: f"ali@ornek.com{mark}x"})


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"subject": "a" * 401}, "subject"),
        ({"body": "a\0b"}, "body"),
        ({"html": "\ud83d"}, "html"),
        ({"message_id": "task/1"}, "message_id"),
        ({"unsubscribe_url": "mailto:a@ornek.com"}, "unsubscribe_url"),
        ({"unsubscribe_url": "https://a.com/>, <mailto:b@c.com"}, "unsubscribe_url"),
        ({"unsubscribe_url": "https://a.com/" + "a" * 900}, "unsubscribe_url"),
    ],
)
def test_what_can_not_be_written_is_refused_by_its_field(change, field):
    assert refused(**change) == [field]


def test_two_addresses_in_one_field_are_refused():
    with pytest.raises(BadAddress, match="iki adres"):
        made(to="ok@ornek.com, kurban@ornek.com")


def test_a_message_id_is_the_same_for_the_same_key_and_valid_for_any():
    assert message_id("görev 1/ş\r\n", "ÖRNEK.com.tr") == message_id("görev 1/ş\r\n", "xn--rnek-4qa.com.tr")
    assert message_id("1", "ornek.com") != message_id("2", "ornek.com")
    assert re.fullmatch(r"<mutabakat-[0-9a-f]{40}@xn--rnek-4qa\.com\.tr>", message_id("\r\n", "örnek.com.tr"))
    with pytest.raises(BadAddress):
        message_id("1", "localhost")


@pytest.mark.parametrize(
    ("text", "sender"),
    [
        ("Sıra <sira@example.com>", Sender("Sıra", "sira@example.com")),
        ('"Sıra, A.Ş." <sira@ÖRNEK.com>', Sender("Sıra, A.Ş.", "sira@xn--rnek-4qa.com")),
        ("<sira@example.com>", Sender("", "sira@example.com")),
        ("sira@example.com", Sender("", "sira@example.com")),
    ],
)
def test_the_sender_is_read_from_one_line(text, sender):
    assert sender_of(text) == sender


@pytest.mark.parametrize(
    "text", ["", "Sıra", "a@x.com, b@y.com", "A\r\nBcc: c <a@x.com>", "a <b@c.com> d@e.com", "A <b@c.com"]
)
def test_what_is_no_sender_is_refused(text):
    with pytest.raises(BadAddress):
        sender_of(text)
