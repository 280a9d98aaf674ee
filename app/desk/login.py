"""Signing in and out, the own password, and how the desk looks to this browser."""

from typing import Any

from flask import Blueprint, g, redirect, render_template, request
from flask_babel import gettext as _
from werkzeug.wrappers import Response

from app import passwords, people
from app.api.status import LANGUAGES
from app.desk import frame, gate, i18n, kept, session
from app.desk.shown import duration
from workers import settings
from workers.errors import LimitReached

YEAR_S = 31_536_000
pages = Blueprint("desk_login", __name__)


@pages.get("/login")
@gate.open_to_all
def login() -> Response | str:
    path = gate.safe_path(request.args.get("next"))
    return redirect(path) if g.caller else kept.login_page(next=path)


@pages.post("/login")
@gate.open_to_all
def sign_in() -> Any:
    """One answer, after one length of time, for an unknown e-mail and for a wrong password."""
    given = request.form
    again = {
        "next": gate.safe_path(given.get("next")),
        "packed": given.get("kept", ""),
        "email": given.get("email", ""),
    }
    try:
        user = people.signing_in(again["email"], given.get("password", ""), request.remote_addr or "unknown")
    except LimitReached as error:
        wait_s = error.fields["retry_after_s"]
        refused = _("Too many attempts. Try again in %(span)s.", span=duration(wait_s))
        return kept.login_page(**again, refused=refused), 429, {"Retry-After": str(wait_s)}
    if user is None:
        return kept.login_page(**again, refused=_("E-mail or password is wrong.")), 401
    session.sign_in(user)
    return kept.again(again["next"], again["packed"]) if again["packed"] else redirect(again["next"])


@pages.post("/logout")
@gate.open_to_all
def sign_out() -> Response:
    if g.user and request.form.get("everywhere"):
        session.sign_out_everywhere(g.user.id)
    session.sign_out()
    return redirect(gate.LOGIN)


@pages.get("/password")
@gate.open_to_all
def password() -> Response | str:
    return _password_page() if g.user else redirect(gate.LOGIN)


@pages.post("/password")
@gate.open_to_all
def change_password() -> Response | tuple[str, int]:
    if g.user is None:
        return redirect(gate.LOGIN)
    given = request.form
    fault = people.change_password(g.user, given.get("old_password", ""), given.get("new_password", ""))
    if fault:
        return _password_page(fault), 422
    session.sign_in(g.user)
    gate.say(_("The password is changed. Other sessions of yours have ended."))
    return redirect("/")


def _password_page(fault: str | None = None) -> str:
    words = {
        "wrong": _("The present password is wrong."),
        "short": _("A password has at least %(chars)s characters.", chars=passwords.MIN_CHARS),
        "plain": _("This password is too easy to guess: choose another one."),
        "same": _("Choose a password that is not the present one."),
    }
    shown = {"expired": session.must_change_password(), "fault": words.get(fault or ""), "chars": passwords.MIN_CHARS}
    return render_template("desk/password.html", **shown)


@pages.post("/preferences")
@gate.open_to_all
def preferences() -> Response:
    """Language and theme of this browser; the language is the person's, too."""
    language = request.form.get(i18n.COOKIE, "")
    if g.user and language in LANGUAGES and language != g.user.language:
        people.speaks(g.user.id, language)
    answer = redirect(gate.safe_path(request.form.get("next")))
    for name, allowed in ((i18n.COOKIE, LANGUAGES), ("theme", frame.THEMES)):
        if (chosen := request.form.get(name, "")) in allowed:
            https = settings.current().public_url.startswith("https://")
            answer.set_cookie(name, chosen, max_age=YEAR_S, secure=https, httponly=True, samesite="Lax")
    return answer
