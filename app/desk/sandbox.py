"""The sandbox's mailbox and SMS box: what was sent where nothing leaves the house."""

import email
import email.policy
from email.message import EmailMessage
from io import BytesIO
from typing import Any
from urllib.parse import urlsplit

from flask import Blueprint, Response, redirect, render_template, request, send_file
from flask_babel import ngettext
from sqlalchemy import delete, or_, select
from werkzeug.wrappers import Response as AnyResponse

from app import sandbox_originals as originals
from app.auth import record_id, require_operator
from app.desk import acts, gate
from workers import db, settings
from workers.errors import BadText, NotFound
from workers.models import SandboxMessage
from workers.services.mail_servers import LOOPBACK
from workers.services.sms_text import Measure, measure

PER_PAGE, TOGETHER = 50, 500
BOX = "<any(mail, sms):box>"
M = SandboxMessage
# The mail as its sender drew it, but without scripts, forms, links out of its frame, or anything from elsewhere.
MAIL_POLICY = "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'self'"

pages = Blueprint("desk_sandbox", __name__, url_prefix="/admin")
pages.before_request(require_operator)


@pages.get(f"/{BOX}")
def listed(box: str) -> str:
    """The newest first; `q` is looked for in sender, recipient, subject and text."""
    q, cursor = request.args.get("q", "").strip(), request.args.get("cursor", "")
    query = select(M).where(M.channel == box).order_by(M.id.desc()).limit(PER_PAGE + 1)
    if q:
        looked_in = (M.sender, M.recipient, M.subject, M.body)
        query = query.where(or_(*(column.contains(db.storable(q), autoescape=True) for column in looked_in)))
    if cursor:
        query = query.where(M.id < record_id(cursor))
    with db.reading() as session:
        rows = list(session.scalars(query))
    following = str(rows[PER_PAGE - 1].id) if len(rows) > PER_PAGE else None
    known = {"q": q, "cursor": following, "goes_out": _goes_out(box), "measured": _measured}
    return render_template("desk/admin_messages.html", box=box, messages=rows[:PER_PAGE], **known)


@pages.get(f"/{BOX}/<number>")
def one(box: str, number: str) -> str:
    message = _message(box, number)
    mail = _original(message) if box == "mail" else None
    headers = [(name, originals.decoded(str(value))) for name, value in mail.raw_items()] if mail else []
    known = {"headers": headers, "kept": mail is not None, "measured": _measured(message.body)}
    return render_template("desk/admin_message.html", box=box, message=message, **known)


@pages.get("/mail/<number>/html")
def html(number: str) -> AnyResponse:
    """The HTML of a mail, for the frame in its page."""
    message = _message("mail", number)
    if not message.html:
        raise NotFound()
    answer = Response(message.html, mimetype="text/html")
    answer.headers.update({"Content-Security-Policy": MAIL_POLICY, "X-Frame-Options": "SAMEORIGIN"})
    return answer


@pages.get("/mail/<number>/attachments/<int:position>")
def attachment(number: str, position: int) -> AnyResponse:
    """An attachment, from 0; NotFound where the mail itself is not kept any more."""
    mail = _original(_message("mail", number))
    parts = list(mail.iter_attachments()) if mail else []
    if position >= len(parts):
        raise NotFound()
    content: Any = parts[position].get_payload(decode=True) or b""
    name = " ".join((parts[position].get_filename() or f"{number}-{position}").split())
    return send_file(BytesIO(content), "application/octet-stream", as_attachment=True, download_name=name)


@pages.post(f"/{BOX}/clear")
def clear(box: str) -> AnyResponse:
    """Delete all messages of the box, some at a time: no transaction may last long."""
    gone = 0
    while ids := _some(box):
        with db.writing() as session:
            session.execute(delete(M).where(M.id.in_(ids)))
        gone += len(ids)
    if box == "mail":
        originals.clear()
    acts.note(f"sandbox {box} cleared", detail=str(gone))
    gate.say(ngettext("%(num)s message was deleted.", "%(num)s messages were deleted.", gone))
    return redirect(f"/admin/{box}", 303)


def _some(box: str) -> list[int]:
    with db.reading() as session:
        return list(session.scalars(select(M.id).where(M.channel == box).limit(TOGETHER)))


def _message(box: str, number: str) -> SandboxMessage:
    with db.reading() as session:
        message = session.get(M, record_id(number))
    if message is None or message.channel != box:
        raise NotFound()
    return message


def _original(message: SandboxMessage) -> EmailMessage | None:
    content = originals.read(message.key) if message.key else None
    if content is None:
        return None
    mail: EmailMessage = email.message_from_bytes(content, policy=email.policy.default)
    return mail


def _measured(text: str) -> Measure | None:
    """How many SMS it takes; None for what a gateway of the real world would refuse."""
    try:
        return measure(text)
    except BadText:
        return None


def _goes_out(box: str) -> str | None:
    """Through what messages leave the house; None where the sandbox takes them."""
    chosen = settings.current()
    if box == "sms":
        return None if chosen.sms_provider == "sandbox" else chosen.sms_provider
    host = urlsplit(chosen.smtp_url).hostname
    return None if not host or (host in LOOPBACK and chosen.app_env != "production") else host
