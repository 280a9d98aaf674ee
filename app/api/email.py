"""Mail: one or many, with files of the company as attachments."""

from flask import Response

from app.api import documented
from app.api.documented import enqueues
from app.api.enqueueing import accept

api = documented.blueprint("email", "Mail: text, HTML and attachments", "/api/email")


@api.post("/send-async", **enqueues("send_email"))
def send_email() -> tuple[Response, int]:
    """Send a mail."""
    return accept("send_email")


@api.post("/send-bulk-async", **enqueues("send_bulk_emails"))
def send_bulk_emails() -> tuple[Response, int]:
    """Send many mails, one to each recipient; each can be unsubscribed by one click."""
    return accept("send_bulk_emails")
