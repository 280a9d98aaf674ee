"""Companies: what stands at the head and the foot of their letters."""

from typing import Annotated, Any

from flask import Response, jsonify
from pydantic import BaseModel, Field

from app.api import documented
from app.api.documented import problems
from app.api.status import iso
from app.auth import record_id, require_operator, sees
from app.fields import Email, Input, Lines, OneLine, Phone
from workers import db
from workers.errors import NotFound
from workers.models import Company

SHOWN = ("id", "name", "vkn", "tax_office", "address", "phone", "email", "legal_text")

api = documented.blueprint("companies", "Companies: the senders of letters", "/api/companies")


class CompanyPath(BaseModel):
    company_id: str = Field(description="The number that `flask companies create` printed")


class CompanyView(BaseModel):
    id: int
    name: str
    vkn: str
    tax_office: str | None
    address: str | None
    phone: str | None
    email: str | None
    legal_text: str | None
    created_at: str


class CompanyChange(Input):
    """What is given is changed, null empties; letters made before keep what they say."""

    name: Annotated[str, OneLine, Field(min_length=1, max_length=200)] = Field(default_factory=str)
    tax_office: Annotated[str, OneLine, Field(max_length=100)] | None = None
    address: Annotated[str, Lines, Field(max_length=500)] | None = None
    phone: Phone | None = None
    email: Email | None = None
    legal_text: Annotated[str, Lines, Field(max_length=5000)] | None = None


@api.get("/<company_id>", responses={200: CompanyView, **problems(404)})
def show_company(path: CompanyPath) -> Response:
    """Show a company; members see their own."""
    company_id = _visible(path.company_id)
    with db.reading() as session:
        return jsonify(_view(session.get(Company, company_id)))


@api.patch("/<company_id>", responses={200: CompanyView, **problems(400, 403, 404, 415, 422)})
def change_company(path: CompanyPath, body: CompanyChange) -> Response:
    """Change a company (operators)."""
    company_id = _visible(path.company_id)
    require_operator()
    with db.writing() as session:
        company = session.get(Company, company_id)
        if company is not None:
            for name, value in body.model_dump(exclude_unset=True).items():
                setattr(company, name, value)
        return jsonify(_view(company))


def _visible(text: str) -> int:
    company_id = record_id(text)
    if not sees(company_id):
        raise NotFound()
    return company_id


def _view(company: Company | None) -> dict[str, Any]:
    if company is None:
        raise NotFound()
    return {name: getattr(company, name) for name in SHOWN} | {"created_at": iso(company.created_at)}
