"""The form of a company's own mail server: what is stored shows without its login, and stays until it is taken away."""

from typing import Any

from flask import request
from flask_babel import gettext as _

from workers import messages
from workers.errors import InvalidInput
from workers.services.mail_servers import with_login, without_login

FIELDS = ("url", "user", "password", "mail_from")
LOGIN = ("user", "password")


def stored(company_id: int) -> dict[str, str]:
    """The address and the sender of the company's own server, as a page may show them; empty where it has none."""
    own = _own(company_id)
    return {"url": without_login(own["url"]), "mail_from": own.get("mail_from", "")} if own else {}


def shown(company_id: int, *, typed: bool) -> dict[str, str]:
    """What stands in the fields: what is stored, or what was typed. A login is typed anew each time."""
    if not typed:
        return stored(company_id)
    return {"url": without_login(request.form.get("url", "").strip()), "mail_from": request.form.get("mail_from", "")}


def given(company_id: int) -> dict[str, Any]:
    """What the form changes, as the API's PATCH takes it: nothing where it is empty or was left as it stood."""
    if request.form.get("remove"):
        return {"mail_gateway": None}
    typed = {name: request.form.get(name, "").strip() for name in FIELDS}
    untouched = {**dict.fromkeys(FIELDS, ""), **stored(company_id)}
    if typed == untouched or not any(typed.values()):
        return {}
    return {
        "mail_gateway": {"url": _url(typed, _own(company_id).get("url", "")), "mail_from": typed["mail_from"] or None}
    }


def _url(typed: dict[str, str], own: str) -> str:
    """The address with its login; the stored login never goes to another address. Raises InvalidInput."""
    missing = [name for name in LOGIN if not typed[name]]
    if not missing:
        return with_login(typed["url"] or own, typed["user"], typed["password"])
    if len(missing) == 1:
        raise InvalidInput([{"field": f"mail_gateway.{missing[0]}", "message": "Field required"}])
    if typed["url"] in ("", without_login(own)):
        return own
    if own != without_login(own) and "@" not in typed["url"]:
        said = _("Another address needs the user and the password again.")
        raise InvalidInput([{"field": "mail_gateway.user", "message": said}])
    return typed["url"]


def _own(company_id: int) -> dict[str, str]:
    way = messages.way(company_id, "email")
    return way.options if way.own else {}
