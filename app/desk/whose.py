"""For which company a page is: a member's own; operators choose."""

from dataclasses import dataclass

from flask import request
from sqlalchemy import select

from app.auth import caller, known_company, record_id
from workers import db
from workers.errors import InvalidInput
from workers.models import Company
from workers.services import turkish

FIELD = "company_id"


@dataclass(frozen=True)
class Choice:
    """`id` is None where an operator has not chosen; `companies` (id, name) are empty for members, who never choose."""

    id: int | None
    companies: tuple[tuple[int, str], ...] = ()

    @property
    def known(self) -> int:
        """The id; InvalidInput where none was chosen."""
        if self.id is None:
            raise InvalidInput([{"field": FIELD, "message": "operators must say for which company"}])
        return self.id

    @property
    def named(self) -> dict[str, int]:
        """The parameter that tells it to `submit`; members need none."""
        return {FIELD: self.known} if self.companies else {}


def choice() -> Choice:
    """Of this request: what `company_id` says, else the caller's own. NotFound for a company that isn't there."""
    who = caller()
    if not who.is_operator:
        return Choice(who.company_id)
    with db.reading() as session:
        found = session.execute(select(Company.id, Company.name).order_by(Company.id)).all()
    companies = tuple(sorted(found, key=lambda company: turkish.order(company.name)))
    named = request.values.get(FIELD, "")
    return Choice(known_company(record_id(named)) if named else who.company_id, companies)
