"""Letters in the database: what was posted becomes an account that is up to date and a snapshot that stays."""

from datetime import date
from typing import Any

from sqlalchemy import select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from app.api.status import iso
from workers import db
from workers.errors import NotFound
from workers.models import Account, Company, Mutabakat

SENDER = ("name", "vkn", "tax_office", "address", "phone", "email")
RECEIVER = ("vkn", "tckn", "tax_office", "email", "phone")


def record(company_id: int, letter: dict[str, Any]) -> int:
    """Keep a checked letter (only what was given); its id. One transaction: account, snapshot and letter."""
    with db.writing() as session:
        company = session.get_one(Company, company_id)
        account = _upsert(session, company_id, letter["account"])
        row = Mutabakat(
            company_id=company_id,
            account_id=account.id,
            as_of=letter["as_of"],
            reply_by=letter.get("reply_by"),
            variant=letter.get("variant", "pozitif"),
            snapshot=_snapshot(company, account, letter["lines"]),
        )
        session.add(row)
        session.flush()
        return row.id


def _upsert(session: Session, company_id: int, given: dict[str, Any]) -> Account:
    """The account of that code with these fields; one that has become a person is no company any more."""
    for number, other in (("vkn", "tckn"), ("tckn", "vkn")):
        if given.get(number):
            given = {**given, other: None}
    dialect = sqlite if session.get_bind().dialect.name == "sqlite" else postgresql
    row = dialect.insert(Account).values(company_id=company_id, updated_at=db.now(), **given)
    changed = {**given, "updated_at": db.now()}
    upsert = row.on_conflict_do_update(index_elements=["company_id", "code"], set_=changed).returning(Account)
    return session.scalars(upsert).one()


def _snapshot(company: Company, account: Account, lines: list[dict[str, str]]) -> dict[str, Any]:
    return {
        "sender": {name: getattr(company, name) for name in SENDER},
        "receiver": {"name": account.title, **{name: getattr(account, name) for name in RECEIVER}},
        "lines": lines,
        "legal_text": company.legal_text,
    }


def view(letter_id: int, company_id: int | None) -> dict[str, Any]:
    """The letter as JSON, if it belongs to `company_id` (None: to any company); else NotFound."""
    query = select(Mutabakat, Account.code).join(Account, Account.id == Mutabakat.account_id)
    query = query.where(Mutabakat.id == letter_id)
    if company_id is not None:
        query = query.where(Mutabakat.company_id == company_id)
    with db.reading() as session:
        found = session.execute(query).one_or_none()
    if found is None:
        raise NotFound()
    letter, code = found
    receiver = letter.snapshot["receiver"]
    return {
        "id": letter.id,
        "company_id": letter.company_id,
        "account": {"code": code, "title": receiver["name"], **{name: receiver[name] for name in RECEIVER}},
        "as_of": _text(letter.as_of),
        "reply_by": _text(letter.reply_by),
        "variant": letter.variant,
        "state": letter.state,
        "lines": letter.snapshot["lines"],
        "created_at": iso(letter.created_at),
    }


def _text(day: date | None) -> str | None:
    return day.isoformat() if day else None
