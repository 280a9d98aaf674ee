"""The sandbox's mail server: real SMTP, every mail becomes a row for each of its recipients."""

import asyncio
import email
import email.policy
import logging
from email.message import EmailMessage
from typing import Any

from aiosmtpd.smtp import SMTP

from app import sandbox_originals as originals
from app.sandbox_log import MessageLog
from workers import logs
from workers.db import storable
from workers.models import SandboxMessage

MAX_BYTES = 48 << 20  # a file of MAX_UPLOAD_MB grows by a third on its way
BUSY = "451 4.3.0 The sandbox can't record it now"

log = logs.get(__name__)


def mail_protocol(messages: MessageLog, loop: asyncio.AbstractEventLoop) -> SMTP:
    """For one connection."""
    logging.getLogger("mail.log").setLevel(logging.ERROR)  # it logs every line of every mail
    handler = _Handler(messages)
    return SMTP(handler, hostname="sandbox.localhost", ident="Sira", loop=loop, data_size_limit=MAX_BYTES)


class _Handler:
    """aiosmtpd's hooks; each gives the reply."""

    def __init__(self, messages: MessageLog) -> None:
        self._messages = messages

    async def handle_EHLO(
        self, server: SMTP, session: Any, envelope: Any, hostname: str, responses: list[str]
    ) -> list[str]:
        session.host_name = hostname
        return [*responses[:-1], "250-PIPELINING", responses[-1]]

    async def handle_DATA(self, server: SMTP, session: Any, envelope: Any) -> str:
        rows = await asyncio.to_thread(rows_of, envelope.content, envelope.mail_from, [*envelope.rcpt_tos])
        await asyncio.wrap_future(self._messages.write(lambda session: session.add_all(rows)))
        if rows and rows[0].key:
            await asyncio.to_thread(originals.keep, rows[0].key, envelope.content)
        return "250 2.0.0 Kept in the sandbox"

    async def handle_exception(self, error: Exception) -> str:
        log.error("mail not recorded", error=type(error).__name__)
        return BUSY


def rows_of(content: bytes, sender: str, recipients: list[str]) -> list[SandboxMessage]:
    """A row for each recipient; what the mail lacks stays empty, what is too long for its column is cut."""
    mail: EmailMessage = email.message_from_bytes(content, policy=email.policy.default)
    shown = {
        "key": storable(str(mail["Message-ID"] or ""))[:320],
        "sender": storable(_written_by(mail) or sender)[:320],
        "subject": storable(str(mail["Subject"] or "")),
        "body": _text(mail, "plain") or "",
        "html": _text(mail, "html"),
        "attachments": [_attachment(part) for part in mail.iter_attachments()],
    }
    return [SandboxMessage(channel="mail", recipient=storable(to)[:320], **shown) for to in recipients]


def _written_by(mail: EmailMessage) -> str:
    """From, decoded."""
    return originals.decoded(next((str(value) for name, value in mail.raw_items() if name.lower() == "from"), ""))


def _text(mail: EmailMessage, kind: str) -> str | None:
    part = mail.get_body((kind,))
    if part is None:
        return None
    data = part.get_payload(decode=True)
    text = data.decode(errors="replace") if isinstance(data, bytes) else ""
    return storable(text.replace("\r\n", "\n"))


def _attachment(part: Any) -> dict[str, Any]:
    return {"name": storable(part.get_filename() or ""), "size": len(part.get_payload(decode=True) or b"")}
