"""Companies and the people of each, as operators keep them; the rules are those of the API and the command line."""

from typing import Any

from flask import Blueprint, redirect, render_template, request
from flask_babel import gettext as _
from sqlalchemy import func, select
from werkzeug.wrappers import Response

from app import joining
from app.api import companies as api
from app.api.companies import CompanyChange
from app.auth import known_company, record_id, require_operator
from app.desk import acts, gate, mail_server
from app.desk.reasons import Refusal, refusal_of
from workers import db, messages
from workers.errors import Conflict, InvalidInput, SiraError
from workers.models import Company, User
from workers.services import sms_gateways, turkish

ABOUT = ("name", "tax_office", "address", "phone", "email", "legal_text")
NUMBERS = ("sms_daily_cap", "mail_daily_cap", "k", "password_max_age_days")
LIMITS = (*NUMBERS[:1], "sms_per_number", *NUMBERS[1:])

pages = Blueprint("desk_companies", __name__, url_prefix="/admin/companies")
pages.before_request(require_operator)


@pages.get("")
def listed() -> str:
    return _listed({}, None)


@pages.post("")
def create() -> Response | tuple[str, int]:
    """A new company; what was typed stays where something of it is wrong."""
    typed = {name: request.form.get(name, "").strip() for name in ("vkn", *ABOUT[:-1])}
    try:
        _refuse_twin(typed)
        company_id = joining.new_company({name: text for name, text in typed.items() if text or name == "name"})
    except SiraError as error:
        refused = refusal_of(error)
        return _listed(typed, refused), refused.status
    acts.note("company created", detail=f"{company_id} {typed['name']}")
    gate.say(_("%(name)s was added. Now add its people.", name=typed["name"]))
    return redirect(f"/admin/companies/{company_id}", 303)


def _refuse_twin(typed: dict[str, str]) -> None:
    """A second click is no second company."""
    same = (Company.name == db.storable(typed["name"]), Company.vkn == db.storable(typed["vkn"]))
    with db.reading() as session:
        if session.execute(select(Company.id).where(*same).limit(1)).first():
            raise Conflict(reason=_("there is a company of this name and tax number already"))


def _listed(typed: dict[str, str], refused: Refusal | None) -> str:
    people = (
        select(User.company_id, func.count().label("people")).where(User.active).group_by(User.company_id).subquery()
    )
    query = select(Company.id, Company.name, Company.vkn, Company.created_at, func.coalesce(people.c.people, 0))
    with db.reading() as session:
        found = session.execute(query.outerjoin(people, people.c.company_id == Company.id).order_by(Company.id)).all()
    rows = sorted(found, key=lambda company: turkish.order(company.name))
    return render_template("desk/admin_companies.html", companies=rows, typed=typed, refused=refused)


@pages.get("/<number>")
def one(number: str) -> str:
    return _shown(known_company(record_id(number)), None, None)


@pages.post("/<number>")
def change(number: str) -> Response | tuple[str, int]:
    """What stands in the form of the page becomes what the API's PATCH takes. Names of changed fields are noted, no
    values: there are credentials among them."""
    company_id = known_company(record_id(number))
    part = request.form.get("part", "")
    try:
        given = PARTS.get(part, _nothing)(company_id)
        api.change(company_id, joining.checked(given, of=CompanyChange))  # type: ignore[arg-type]
    except SiraError as error:
        refused = refusal_of(error)
        return _shown(company_id, part, refused), refused.status
    if given:
        acts.note("company changed", detail=f"{company_id}: {', '.join(given)}")
    gate.say(_("Saved.") if given else _("Nothing was changed."))
    return redirect(f"/admin/companies/{company_id}", 303)


def _shown(company_id: int, part: str | None, refused: Refusal | None) -> str:
    company = api.view(company_id)
    typed = {**company, **{name: text for name, text in request.form.items() if name in (*ABOUT, *LIMITS)}}
    gateways = {name: kind.options for name, kind in sms_gateways.KINDS.items()}
    known = {"typed": typed, "refused": refused, "part": part, "gateways": gateways, "limits": LIMITS}
    own_sms = messages.way(company_id, "sms").own
    known |= {"own_sms": own_sms, "chosen_provider": request.form.get("provider", own_sms)}
    known |= {"own_mail": mail_server.stored(company_id), "mail": mail_server.shown(company_id, typed=part == "mail")}
    return render_template("desk/admin_company.html", company=company, **known)


def _about(company_id: int) -> dict[str, Any]:
    given = {name: request.form.get(name, "").strip().replace("\r\n", "\n") for name in ABOUT}
    return {name: text if text or name == "name" else None for name, text in given.items()}


def _limits(company_id: int) -> dict[str, Any]:
    """Numbers as text are numbers for the API only if they are whole; an empty field is the service's own limit."""
    given = {name: request.form.get(name, "").strip() for name in LIMITS}
    typed = {
        name: int(text) if name in NUMBERS and text.isascii() and text.isdigit() else text
        for name, text in given.items()
    }
    return {name: value if value != "" else None for name, value in typed.items()}


def _sms(company_id: int) -> dict[str, Any]:
    """A gateway with its credentials, which are written and never shown; none: the service's own. The present one
    without credentials is a form that nobody touched."""
    provider = request.form.get("provider", "")
    names = sms_gateways.KINDS[provider].options if provider in sms_gateways.KINDS else ()
    typed = {name: request.form.get(f"{provider}.{name}", "").strip() for name in names}
    credentials = {name: text for name, text in typed.items() if text}
    if provider == messages.way(company_id, "sms").own and not credentials:
        return {}
    return {"sms_gateway": {"provider": provider, **credentials} if provider else None}


def _resume(company_id: int) -> dict[str, Any]:
    return {"resume": request.form.getlist("channel")}


def _nothing(company_id: int) -> dict[str, Any]:
    raise InvalidInput([{"field": "part", "message": "is no part of this page"}])


PARTS = {"about": _about, "limits": _limits, "sms": _sms, "mail": mail_server.given, "resume": _resume}
