"""Accounts: known by their code, changed only where a cell says something else; an empty cell leaves what was."""

from collections import Counter
from collections.abc import Iterable
from typing import Any

from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from workers import records
from workers.imports.scratch import Key, Part, Words
from workers.models import Account, Company

FIELDS = ("title", *records.RECEIVER)
LIMITS = {"code": 60, "title": 200, "tax_office": 100, "email": 320, "phone": 40}
VKN_DIGITS = 10
A = Account.__table__.c
BY_CODES = select(A.id, A.code, *(A[name] for name in FIELDS)).where(
    A.company_id == bindparam("company_id"), A.code.in_(bindparam("codes", expanding=True))
)


def understand(values: dict[str, Any]) -> tuple[Key, dict[str, Any], dict[str, Any]]:
    """The key of a row, and what it says of its account."""
    who = account_of(values)
    return Key(who["code"]), who, {}


def account_of(values: dict[str, Any]) -> dict[str, Any]:
    """The account's fields that have a value, the tax number under the name of its kind."""
    given = {name: values[name] for name in ("code", "title", "tax_office", "email", "phone") if values.get(name)}
    number = values.get("tax_number")
    return given | ({"vkn" if len(number) == VKN_DIGITS else "tckn": number} if number else {})


def too_long(values: dict[str, Any], limits: dict[str, int]) -> list[tuple[str, Words]]:
    """What does not fit the database, by column."""
    long = [(name, limit) for name, limit in limits.items() if (text := values.get(name)) and len(text) > limit]
    return [(name, (f"En çok {limit} karakter olabilir", f"At most {limit} characters")) for name, limit in long]


def faults(values: dict[str, Any]) -> list[tuple[str, Words]]:
    return too_long(values, LIMITS)


def known(session: Session, company_id: int, codes: Iterable[str]) -> dict[str, dict[str, Any]]:
    """The company's accounts with these codes: id, code and fields."""
    found = session.connection().execute(BY_CODES, {"company_id": company_id, "codes": list(codes)}).mappings()
    return {row["code"]: dict(row) for row in found}


def outcomes(
    before: dict[str, dict[str, Any]], given: Iterable[dict[str, Any]]
) -> dict[str, tuple[str, dict[str, Any]]]:
    """By code: what an import makes of an account (new, changed, unchanged), and all its fields afterwards."""
    return {who["code"]: _outcome(before.get(who["code"]), who) for who in given}


def _outcome(before: dict[str, Any] | None, who: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    after = {**(before or dict.fromkeys(FIELDS)), **records.one_number(who)}
    return ("new" if before is None else "unchanged" if after == before else "changed"), after


def to_write(made: dict[str, tuple[str, dict[str, Any]]]) -> list[dict[str, Any]]:
    """The accounts that are new or changed, as their rows."""
    written = (after for what, after in made.values() if what != "unchanged")
    return [{name: after[name] for name in ("code", *FIELDS)} for after in written]


def apply(session: Session, company: Company, parts: list[Part], *, write: bool) -> Counter[str]:
    """Count what these rows do, per row; and do it if `write`."""
    before = known(session, company.id, [part.group for part in parts])
    made = outcomes(before, [part.who for part in parts])
    if write:
        records.put_accounts(session, company.id, to_write(made))
    return Counter(what for what, _ in made.values())
