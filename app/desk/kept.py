"""Nothing typed is lost: a form that came with an ended session, or with another session's token, waits for its sender.

Its fields are kept as hidden inputs of the page that asks. Only a form of our own pages is kept: what another site
made a browser post must not be offered for a second try.
"""

import json
from typing import Any

from flask import Response, render_template, request

from workers import settings

TOKEN = "csrf_token"
NEVER = (TOKEN, "password")


def login_page(*, next: str, packed: str = "", email: str = "", refused: str | None = None) -> Response:
    """The login page; `packed`: the form that waits for the login."""
    chosen = settings.current()
    first = chosen.app_env == "development" and chosen.embedded_redis and not chosen.database_url
    return _shown("desk/login.html", next=next, kept=packed, email=email, refused=refused, first=first)


def ask_to_sign_in() -> Response:
    """The login page, with the form that was sent inside it."""
    return login_page(next=request.full_path.rstrip("?"), packed=_packed())


def ask_again() -> Response | None:
    """ "Continue?" for a form whose token does not fit: the person signed in anew in another tab. None for others'."""
    if not _from_here():
        return None
    return again(request.full_path.rstrip("?"), _packed())


def again(path: str, packed: str) -> Response:
    """The page with the form that was kept; one click sends it to `path`."""
    form = unpacked(packed)
    return _shown("desk/again.html", path=path, fields=form["fields"], files=form["files"])


def unpacked(packed: str) -> dict[str, Any]:
    """`{"fields": [[name, text]], "files": [[name, filename]]}`; empty for what is none of ours."""
    try:
        form = json.loads(packed)
        return {part: [[str(name), str(text)] for name, text in form[part]] for part in ("fields", "files")}
    except (ValueError, TypeError, KeyError):
        return {"fields": [], "files": []}


def _packed() -> str:
    if not _from_here():
        return ""
    fields = [[n, t] for n, t in request.form.items(multi=True) if not any(word in n for word in NEVER)]
    return json.dumps({"fields": fields, "files": [[n, file.filename] for n, file in request.files.items()]})


def _from_here() -> bool:
    site = request.headers.get("Sec-Fetch-Site")
    return site == "same-origin" if site else request.headers.get("Origin") == request.host_url.rstrip("/")


def _shown(template: str, **values: Any) -> Response:
    """The whole page, also where htmx asked for a part of one."""
    headers = {"HX-Retarget": "body", "HX-Reswap": "innerHTML"} if "HX-Request" in request.headers else {}
    return Response(render_template(template, **values), headers=headers, mimetype="text/html")
