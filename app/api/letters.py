"""Letters in the database: what was posted becomes an account that is up to date and a snapshot that stays."""

from datetime import date
from typing import Any

from sqlalchemy import select

from app.api.status import iso
from workers import db, records
from workers.errors import NotFound
from workers.models import Account, Company, Mutabakat
from workers.records import RECEIVER


def record(company_id: int, letter: dict[str, Any]) -> int:
    """Keep a checked letter (only what was given); its id. One transaction: account, snapshot and letter."""
    with db.writing() as session:
        company = session.get_one(Company, company_id)
        account = records.put_account(session, company_id, letter["account"])
        row = Mutabakat(
            company_id=company_id,
            account_id=account.id,
            as_of=letter["as_of"],
            reply_by=letter.get("reply_by"),
            variant=letter.get("variant", "pozitif"),
            snapshot=records.snapshot(records.sender(company), vars(account), letter["lines"]),
        )
        session.add(row)
        session.flush()
        return row.id


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
