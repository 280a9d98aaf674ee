"""Composing mails: from a sender, an address and words to a message that is the same, byte for byte, at every try."""

import hashlib
import re
from base64 import b64encode
from binascii import b2a_qp
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import EmailMessage, MIMEPart
from email.utils import format_datetime
from typing import TypeVar

from workers.errors import BadAddress, InvalidInput
from workers.services import addresses, mail_headers
from workers.services.mail_headers import AS_WRITTEN, is_line

MAX_SUBJECT, MAX_NAME, MAX_URL = 400, 200, 900  # characters; no header may reach 998 in a line
ATTACHED_AT_MOST_BYTES = 20 * 2**20  # in one mail, before they grow by a third on their way
BASE64_LINE = 76

_MESSAGE_ID = re.compile(r"<[\w.!#$%&'*+/=?^`{|}~-]{1,200}@[\w.-]{1,253}>", re.ASCII)
_SENDER = re.compile(r'\s*"?(?P<name>[^"<>]*?)"?\s*<(?P<address>[^<>]+)>\s*')
_TYPE = re.compile(r"(application|audio|font|image|text|video)/[a-z0-9][a-z0-9!#$&^_.+-]{0,99}")
_URL = re.compile(r"https?://[!-;=?-~]+")  # printable ASCII without < and >

Part = TypeVar("Part", bound=MIMEPart)


@dataclass(frozen=True)
class Sender:
    """Who writes: the name that people see (may be empty), and the address."""

    name: str
    address: str


@dataclass(frozen=True)
class Attachment:
    """A file for the reader, under the name that it is saved by."""

    filename: str
    content_type: str
    data: bytes


def message_id(key: str, domain: str) -> str:
    """The Message-ID of what `key` names, the same at every try; to be stored before the first. Raises BadAddress."""
    return f"<mutabakat-{hashlib.sha256(key.encode()).hexdigest()[:40]}@{addresses.domain(domain)}>"


def sender_of(text: str) -> Sender:
    """Read MAIL_FROM: `Sıra <sira@example.com>`, or the address alone. Raises BadAddress."""
    named = _SENDER.fullmatch(text)
    name, address = (named["name"], named["address"]) if named else ("", text)
    if not is_line(name):
        raise BadAddress(reason="gönderen adında satır sonu veya denetim karakteri var")
    return Sender(name, addresses.check(address))


def compose(
    *,
    message_id: str,
    sender: Sender,
    to: str,
    subject: str,
    body: str,
    reply_to: str | None = None,
    html: str | None = None,
    attachments: Sequence[Attachment] = (),
    unsubscribe_url: str | None = None,
    date: datetime | None = None,
) -> EmailMessage:
    """A mail to one address, with an HTML twin if given, ready for MailSession.

    `date`: aware, now by default. `unsubscribe_url` (where a POST without cookies unsubscribes) is for bulk mail alone
    and makes it one click (RFC 8058). Raises InvalidInput naming the fields, BadAddress for one of the addresses.
    """
    lines = {"subject": (subject, MAX_SUBJECT), "sender.name": (sender.name, MAX_NAME)}
    lines |= {f"attachments.{n}.filename": (file.filename, MAX_NAME) for n, file in enumerate(attachments)}
    refused = [*_lines(lines), *_texts({"body": body, "html": html or ""}), *_ids(message_id, unsubscribe_url)]
    if refused:
        raise InvalidInput([{"field": field, "message": message} for field, message in refused])
    head = {
        "From": mail_headers.address("From", addresses.check(sender.address), sender.name),
        "To": addresses.check(to),
        "Reply-To": addresses.check(reply_to) if reply_to else None,
        "Subject": mail_headers.text("Subject", subject),
        "Date": format_datetime(date or datetime.now(UTC)),
        "Message-ID": message_id,
        "X-Entity-Ref-ID": message_id.strip("<>"),  # mail programs must not fold equal subjects into one conversation
        "Auto-Submitted": "auto-generated",  # RFC 3834: no holiday notices, please
        "List-Unsubscribe": f"<{unsubscribe_url}>" if unsubscribe_url else None,
        "List-Unsubscribe-Post": "List-Unsubscribe=One-Click" if unsubscribe_url else None,
        "MIME-Version": "1.0",
    }
    mark = hashlib.sha256(message_id.encode()).hexdigest()[:24]
    return _whole(EmailMessage(AS_WRITTEN), head, _contents(body, html, attachments, mark))


def _lines(texts: dict[str, tuple[str, int]]) -> Iterator[tuple[str, str]]:
    for field, (text, limit) in texts.items():
        if not is_line(text):
            yield field, "must not hold control characters"
        elif len(text) > limit:
            yield field, f"must have at most {limit} characters"


def _texts(texts: dict[str, str]) -> Iterator[tuple[str, str]]:
    for field, text in texts.items():
        if "\0" in text or re.search("[\ud800-\udfff]", text):
            yield field, "must not hold NUL or half characters"


def _ids(message_id: str, unsubscribe_url: str | None) -> Iterator[tuple[str, str]]:
    if not _MESSAGE_ID.fullmatch(message_id):
        yield "message_id", "must be <name@domain>"
    if unsubscribe_url and not (_URL.fullmatch(unsubscribe_url) and len(unsubscribe_url) <= MAX_URL):
        yield "unsubscribe_url", f"must be an http(s) URL of at most {MAX_URL} characters"


def _contents(body: str, html: str | None, attachments: Sequence[Attachment], mark: str) -> MIMEPart:
    content = _text("plain", body)
    if html is not None:
        content = _multipart("alternative", [content, _text("html", html)], mark)
    if attachments:
        content = _multipart("mixed", [content, *map(_attached, attachments)], mark)
    return content


def _text(subtype: str, text: str) -> MIMEPart:
    """Quoted-printable whatever it holds: no server needs to know 8BITMIME, and no line is too long."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n").encode()
    head = {"Content-Type": f'text/{subtype}; charset="utf-8"', "Content-Transfer-Encoding": "quoted-printable"}
    part = _headed(MIMEPart(AS_WRITTEN), head)
    part.set_payload(b2a_qp(lines, istext=True).decode("ascii"))
    return part


def _attached(file: Attachment) -> MIMEPart:
    plain = file.content_type.partition(";")[0].strip().lower()
    head = {
        "Content-Type": plain if _TYPE.fullmatch(plain) else "application/octet-stream",
        "Content-Transfer-Encoding": "base64",
        "Content-Disposition": mail_headers.disposition(file.filename),
    }
    part, text = _headed(MIMEPart(AS_WRITTEN), head), b64encode(file.data).decode("ascii")
    part.set_payload("\n".join(text[at : at + BASE64_LINE] for at in range(0, len(text), BASE64_LINE)))
    return part


def _multipart(subtype: str, parts: list[MIMEPart], mark: str) -> MIMEPart:
    """Its boundary can't occur inside: base64 has no underscore, quoted-printable no equals sign before one."""
    part = _headed(MIMEPart(AS_WRITTEN), {"Content-Type": f'multipart/{subtype}; boundary="=_{mark}_{subtype[:3]}"'})
    for each in parts:
        part.attach(each)
    return part


def _whole(message: EmailMessage, head: Mapping[str, str | None], content: MIMEPart) -> EmailMessage:
    _headed(message, head)
    _headed(message, dict(content.raw_items()))
    message.set_payload(content.get_payload())
    return message


def _headed(part: Part, head: Mapping[str, str | None]) -> Part:
    """The part with these headers, none of which it has yet: `part[name] = value` would look through all for each."""
    for name, value in head.items():
        if value is not None:
            part.set_raw(name, mail_headers.unbroken(name, value))
    return part
