"""What stands around every page: the ways to go, the look that was chosen, and links that keep their query."""

from typing import Any
from urllib.parse import urlencode

from flask import Flask, g, request
from flask_babel import gettext as _

from app.desk import gate

THEMES = ("light", "dark", "auto")


def register(app: Flask) -> None:
    app.jinja_env.globals.update(
        navigation=navigation, is_here=is_here, with_query=with_query, here=gate.here, form_id=gate.form_id
    )
    app.context_processor(lambda: {"theme": theme()})


def theme() -> str:
    chosen = request.cookies.get("theme", "auto")
    return chosen if chosen in THEMES else "auto"


def navigation() -> list[tuple[str, str]]:
    """Paths and their names, in order."""
    ways = [
        ("/", _("Home")),
        ("/tasks", _("Tasks")),
        ("/letters", _("Letters")),
        ("/mail", _("Mail")),
        ("/sms", _("SMS")),
        ("/upload", _("Excel")),
        ("/new", _("Other work")),
    ]
    return [*ways, ("/admin", _("Operation"))] if g.caller.is_operator else ways


def is_here(href: str) -> bool:
    """Whether the page lies under that way."""
    return request.path == href or (href != "/" and request.path.startswith(f"{href}/"))


def with_query(**changes: Any) -> str:
    """This page with its query changed; None takes a word out."""
    query = {**request.args.to_dict(), **changes}
    left = {name: value for name, value in query.items() if value is not None}
    return f"{request.path}?{urlencode(left)}" if left else request.path
