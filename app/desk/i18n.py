"""Languages of the desk: sentences in the code are English, Turkish stands in app/translations."""

from flask import Flask, g, request
from flask_babel import Babel, gettext

from app.api.status import LANGUAGES
from app.api.status import language as accepted
from workers import settings
from workers.errors import SiraError

COOKIE = "lang"


def lazy(sentence: str) -> str:
    """Marks a sentence for the catalogue; it is translated where it is shown."""
    return sentence


ERRORS = (  # the docstrings of the errors that people meet on a page, for the catalogue
    lazy("Something went wrong that has no name yet. Look at the log of the service."),
    lazy("The request can't be used as it is: {summary}."),
    lazy("There is no such thing here. Check the id."),
    lazy("There is no job kind of that name. GET /api/jobs lists the kinds."),
    lazy("A valid token is needed. Send it as `Authorization: Bearer <token>`."),
    lazy("Your role does not allow this. Ask an operator."),
    lazy("That can't be done in the present state: {reason}."),
    lazy("This Idempotency-Key was used for another request. Use a new key for a new request."),
    lazy("{what} is too large: {size:,} bytes where {limit:,} are allowed. {advice}"),
    lazy("{what}. Try again in {retry_after_s} s."),
    lazy("The database does not answer. Nothing was lost; try again in a few seconds."),
    lazy("The database lacks tables or columns of this release. Run `flask db upgrade`, then try again."),
    lazy("Redis does not answer. Accepted tasks are kept and will run when it is back."),
    lazy("The file storage refused {what}: {reason}. Free space or mend the storage, then retry the task."),
)


def register(app: Flask) -> None:
    Babel(app, locale_selector=language, timezone_selector=lambda: settings.current().timezone)
    app.context_processor(lambda: {"lang": language()})


def language() -> str:
    """`tr` or `en`: what was chosen here, else what the person's record says, else what the browser asks for."""
    chosen = request.cookies.get(COOKIE)
    if chosen not in LANGUAGES and (user := g.get("user")):
        chosen = user.language
    return chosen if chosen in LANGUAGES else accepted()


def told(error: SiraError) -> str:
    """The error's message, translated where the catalogue has it."""
    words = " ".join((type(error).__doc__ or "").split())
    sentence = gettext(words)
    return sentence.format(**error.fields) if error.fields else sentence
