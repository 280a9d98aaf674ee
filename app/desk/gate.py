"""What stands in front of every page: who it is, where a form came from, and how a refusal looks.

A page's blueprint is called "desk_…". `g.caller` and `g.user` are set before its view runs. htmx gets a refusal as a
toast: the right status, `HX-Reswap: none`, and `HX-Trigger: {"toast": {"text", "kind": "ok"|"error"}}`.
"""

import hashlib
import json
import secrets
from typing import TypeVar
from urllib.parse import quote, urlsplit

from flask import Flask, Response, current_app, flash, g, redirect, render_template, request
from flask_babel import gettext as _
from werkzeug.wrappers import Response as AnyResponse

from app.desk import kept, session
from app.desk.told import worded
from workers.errors import SiraError
from workers.wording import lazy

View = TypeVar("View")
LOGIN, PASSWORD = "/login", "/password"
FOR_EVER_S = 10**9  # a form is as old as its session may grow
READING = ("GET", "HEAD", "OPTIONS")


def register(app: Flask) -> None:
    app.before_request(admit)
    app.after_request(finish)
    app.jinja_env.globals["csrf_token"] = form_token


def is_page() -> bool:
    """Whether this request is for a page of the desk, or for a path that is nothing while a browser asks."""
    if request.blueprint:
        return request.blueprint.startswith("desk_") or request.blueprint == "rq_dashboard"
    lost = request.endpoint is None and not request.path.startswith("/api/")
    return lost and "text/html" in request.headers.get("Accept", "")


def is_htmx() -> bool:
    return request.headers.get("HX-Request") == "true"


def open_to_all(view: View) -> View:
    """Mark a view that needs no login."""
    view.open_to_all = True  # type: ignore[attr-defined]
    return view


def beside_a_form(view: View) -> View:
    """Mark a view that htmx asks while somebody types or ticks: what is begun must not be taken away."""
    view.beside_a_form = True  # type: ignore[attr-defined]
    return view


def admit() -> AnyResponse | str | None:
    """Let a request through to its page, or answer it: log in first, change the password first, send the form again."""
    if not is_page():
        return None
    session.load()
    if request.endpoint is None:
        return None  # a path that is nothing: 404
    view = current_app.view_functions.get(request.endpoint)
    stays = is_htmx() and hasattr(view, "beside_a_form")
    if g.caller is None and not hasattr(view, "open_to_all"):
        return _say_signed_out() if stays else _ask_to_sign_in()
    if request.method not in READING and not _is_ours():
        if stays:
            return _say_signed_out()
        return kept.ask_again() or refusal(400, _("The form came from another page than ours."), headers={})
    if not hasattr(view, "open_to_all") and session.must_change_password():
        return _go(PASSWORD)
    if request.method == "GET" and not is_htmx():
        session.touch()
    return None


def form_token() -> str:
    """What every form of this session carries as `csrf_token`, and htmx as X-CSRFToken."""
    from flask_wtf.csrf import generate_csrf  # brings WTForms, 50 ms that no command line needs

    return generate_csrf(session.keys())


def _is_ours() -> bool:
    """Whether the form was drawn in this session. No browser sends a bearer token by itself, so that one is enough."""
    from flask_wtf.csrf import validate_csrf
    from wtforms import ValidationError

    if g.caller and g.caller.user_id is None:
        return True
    try:
        validate_csrf(request.form.get(kept.TOKEN) or request.headers.get("X-CSRFToken"), session.keys(), FOR_EVER_S)
    except ValidationError:
        return False
    return True


def _say_signed_out() -> AnyResponse:
    """Above the page, which stays as it is."""
    headers = {"HX-Retarget": "#signed-out", "HX-Reswap": "innerHTML"}
    return Response(render_template("desk/_signed_out.html"), headers=headers, mimetype="text/html")


def _ask_to_sign_in() -> AnyResponse | str:
    if request.method not in READING:
        return kept.ask_to_sign_in()
    return _go(f"{LOGIN}?next={quote(here(), safe='/')}")


def _go(path: str) -> AnyResponse:
    """There, also for htmx, which follows a redirect only inside the part that it swaps."""
    return Response(status=204, headers={"HX-Redirect": path}) if is_htmx() else redirect(path)


def here() -> str:
    """The path (with its query) that a person sees in the address line; `/` after a POST."""
    seen = urlsplit(request.headers.get("HX-Current-URL", "")) if is_htmx() else urlsplit(request.full_path.rstrip("?"))
    return safe_path(seen._replace(scheme="", netloc="").geturl())


def safe_path(path: str | None) -> str:
    """The path if it leads to a page of this site, else `/`: browsers read `//host` and `/\\host` as other sites."""
    if not path or not path.startswith("/") or path.startswith(("//", "/\\")) or not path.isprintable():
        return "/"
    return path


def say(text: str, kind: str = "ok") -> None:
    """A toast: with this answer for htmx, on the next page that is drawn for others. `kind`: ok or error."""
    if is_htmx():
        g.toast = {"text": text, "kind": kind}
    else:
        flash(text, kind)


def finish(response: Response) -> Response:
    if is_page():
        response.headers["Cache-Control"] = "no-store"
        if toast := g.get("toast"):
            response.headers["HX-Trigger"] = json.dumps({"toast": toast})  # headers are ASCII, and so is this JSON
    return response


def refusal(status: int, detail: str, *, headers: dict[str, str], error: SiraError | None = None) -> Response:
    """An error as people see it: what happened, and what to do."""
    found = getattr(error, "problems", [])
    title, advice = WORDS.get(status) or WORDS[400 if status < 500 else 500]
    if is_htmx():
        say("; ".join(worded(each["message"]) for each in found) or detail or _(title), "error")
        return Response(status=status, headers={**headers, "HX-Reswap": "none"})
    known = {"status": status, "title": _(title), "advice": advice and _(advice), "errors": found}
    page = render_template("desk/error.html", detail="" if found else detail, **known)
    return Response(page, status, headers, mimetype="text/html")


def form_id() -> str:
    """A new name for a form that enqueues, as its hidden field `form_id`."""
    return secrets.token_urlsafe(16)


def form_key(*more: str) -> str | None:
    """The idempotency key of the form that was sent: sent twice it is one task, sent with other fields another.

    `more`: what else makes the form another one, such as the SHA-256 of its file. None without a `form_id`.
    """
    if not request.form.get("form_id"):
        return None
    fields = sorted((name, text) for name, text in request.form.items(multi=True) if name != kept.TOKEN)
    return "form:" + hashlib.sha256(json.dumps([fields, more]).encode()).hexdigest()


WORDS: dict[int, tuple[str, str]] = {
    400: (lazy("That could not be read"), lazy("Go back, reload the page and try again.")),
    403: (lazy("You may not do that"), ""),
    404: (lazy("There is no such page"), lazy("It may have been deleted, or it belongs to another company.")),
    405: (lazy("That can't be done here"), lazy("Go back and use the buttons of the page.")),
    409: (lazy("That is not possible right now"), lazy("Reload the page: something has changed meanwhile.")),
    413: (lazy("That is too large"), lazy("Choose a smaller file, or divide it.")),
    422: (lazy("Something is missing or wrong"), lazy("Go back, correct it and send it again.")),
    429: (lazy("Too many requests"), lazy("Wait a moment and try again.")),
    500: (lazy("Something went wrong on our side"), lazy("It was logged. Try again later.")),
    503: (lazy("The service does not answer"), lazy("Nothing was lost. Try again in a moment.")),
}
