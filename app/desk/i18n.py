"""Languages of the desk: sentences in the code are English, Turkish stands in workers/wording/translations."""

from flask import Flask, g, request
from flask_babel import Babel

from app.api.status import LANGUAGES
from app.api.status import language as accepted
from workers import settings
from workers.wording.told import TRANSLATIONS

COOKIE = "lang"


def register(app: Flask) -> None:
    Babel(
        app,
        default_translation_directories=str(TRANSLATIONS),
        locale_selector=language,
        timezone_selector=lambda: settings.current().timezone,
    )
    app.context_processor(lambda: {"lang": language(), "zone": settings.current().timezone})


def language() -> str:
    """`tr` or `en`: what was chosen here, else what the person's record says, else what the browser asks for."""
    chosen = request.cookies.get(COOKIE)
    if chosen not in LANGUAGES and (user := g.get("user")):
        chosen = user.language
    return chosen if chosen in LANGUAGES else accepted()
