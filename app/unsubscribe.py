"""The link in bulk mails: one click, without cookies or a login (RFC 8058)."""

from flask import Blueprint, render_template

from app.api.status import language
from workers import messages

pages = Blueprint("unsubscribe", __name__)


@pages.get("/u/<token>")
def ask(token: str) -> str:
    """Only asks: mail scanners open every link."""
    messages.opened(token)
    return render_template("unsubscribe.html", lang=language(), done=False)


@pages.post("/u/<token>")
def unsubscribe(token: str) -> str:
    messages.unsubscribe(token)
    return render_template("unsubscribe.html", lang=language(), done=True)
