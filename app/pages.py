"""Pages for people; the desk will stand here."""

from flask import Blueprint, render_template

from app.api.status import language
from workers import settings

pages = Blueprint("pages", __name__)


@pages.get("/")
def start() -> str:
    return render_template("start.html", lang=language(), base=settings.current().base_url)
