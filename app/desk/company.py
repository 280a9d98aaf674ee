"""The company's own settings: who is told by mail or webhook that a task has ended, and what became of it."""

from typing import Any

from flask import Blueprint, redirect, render_template, request
from flask_babel import gettext as _
from werkzeug.wrappers import Response

from app import notified
from app.auth import caller, require_operator
from app.desk import acts, gate, whose
from app.desk.told import worded
from workers import tellings
from workers.errors import Conflict, InvalidInput, NotFound
from workers.models import Telling

PAGE = 50
MAX_ID = 2**63 - 1
pages = Blueprint("desk_company", __name__)
Faults = dict[str, str]


@pages.get("/company")
def company() -> str:
    return _page()


@pages.post("/company/notices")
def change_mails() -> Response | tuple[str, int]:
    """Who gets a mail: one address a line."""
    company_id = _changeable()
    typed = request.form.get("emails", "")
    try:
        notified.set_mails(company_id, typed.split())
    except InvalidInput as error:
        return _page(typed={"emails": typed}, faults=_faults(error)), 422
    acts.note("notice addresses changed", detail=str(company_id))
    gate.say(_("Saved."))
    return _back(company_id)


@pages.post("/company/webhook")
def change_webhook() -> Response | str | tuple[str, int]:
    """Where webhooks go to. Without a secret the known one stays; the first one is made here and shown once."""
    company_id = _changeable()
    typed = {"url": request.form.get("url", "").strip(), "secret": request.form.get("secret", "").strip()}
    try:
        made = notified.set_webhook(company_id, typed["url"] or None, typed["secret"] or None)
    except InvalidInput as error:
        return _page(typed={"url": typed["url"]}, faults=_faults(error)), 422
    acts.note("webhook changed" if typed["url"] else "webhook removed", detail=str(company_id))
    if made:
        return _page(secret=made)
    gate.say(_("Saved."))
    return _back(company_id)


@pages.post("/company/webhook/test")
def test() -> Response:
    company_id = _changeable()
    tellings.test(company_id)
    gate.say(_("A test is on its way; the log shows what becomes of it."))
    return _back(company_id)


@pages.post("/company/webhook/on")
def switch_on() -> Response:
    """After it was switched off because nothing was taken for days."""
    company_id = _changeable()
    hook = tellings.wish(company_id, tellings.HOOK)
    if hook is None:
        raise Conflict(reason="there is no webhook")
    tellings.want(company_id, tellings.HOOK, hook.options)
    acts.note("webhook switched on", detail=str(company_id))
    gate.say(_("The webhook is switched on again."))
    return _back(company_id)


@pages.post("/company/log/<int:telling_id>/again")
def send_again(telling_id: int) -> Response:
    company_id = _changeable()
    if telling_id > MAX_ID:
        raise NotFound()
    tellings.again(company_id, telling_id)
    acts.note("webhook sent again", detail=str(telling_id))
    gate.say(_("It is sent again."))
    return _back(company_id)


def _changeable() -> int:
    """The company of this form, which only operators may change."""
    require_operator()
    return whose.choice().known


def _back(company_id: int) -> Response:
    own = company_id == caller().company_id
    return redirect("/company" if own else f"/company?{whose.FIELD}={company_id}")


def _page(*, typed: Faults | None = None, faults: Faults | None = None, secret: str | None = None) -> str:
    choice = whose.choice()
    shown: dict[str, Any] = {"choice": choice, "may": caller().is_operator, "faults": faults or {}, "secret": secret}
    if choice.id is not None:
        told = notified.shown(choice.id)
        shown["told"] = told
        shown["typed"] = {"emails": "\n".join(told["emails"]), "url": told["webhook_url"] or "", **(typed or {})}
        why = told["webhook_paused"]
        shown["paused"] = worded(why) if why else ""
        shown["log"] = log = tellings.log(choice.id, _before(), PAGE)
        shown["stays"] = {row.id for row in log if tellings.is_on_its_way(row)}
        shown["said"] = {row.id: _answer(row) for row in log}
    return render_template("desk/company.html", page=PAGE, **shown)


def _answer(row: Telling) -> str:
    """With a status it is what the receiver said, which stays as it came; without one it is our own sentence."""
    return worded(row.answer or "") if row.status_code is None else row.answer or ""


def _before() -> int | None:
    text = request.args.get("before", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None


def _faults(error: InvalidInput) -> Faults:
    found = ((problem["field"].partition(".")[0], problem["message"]) for problem in error.problems)
    return {field: worded(words) for field, words in found}
