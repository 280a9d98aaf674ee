"""Balances become mutabakat: one for each account and day, with a line for each currency, ready for its letter.

A day that has a mutabakat already keeps it: its draft is changed where the sheet says something else; one that was sent
stays as it is, and a new one is made beside it. The newest counts.
"""

from collections import Counter
from datetime import date
from decimal import Decimal
from functools import lru_cache
from operator import itemgetter
from typing import Any

from sqlalchemy import bindparam, insert, select, update
from sqlalchemy.orm import Session

from workers import db, records
from workers.db import now
from workers.imports import accounts
from workers.imports.scratch import Key, Part, Words
from workers.models import Account, Company, Mutabakat

MAX_AMOUNT = Decimal(10**15)
MAX_LINES = 20
TRY = "TRY"
DRAFT, VARIANT = "draft", "pozitif"
A, M = Account.__table__.c, Mutabakat.__table__.c
LETTERS = (
    select(M.id, M.account_id, M.as_of, M.state, M.snapshot)
    .where(M.account_id.in_(bindparam("accounts", expanding=True)), M.as_of.in_(bindparam("days", expanding=True)))
    .order_by(M.id)
)
THE_ACCOUNT = select(A.id).where(A.company_id == bindparam("of_company"), A.code == bindparam("of_code"))
ADD = insert(Mutabakat.__table__).values(account_id=THE_ACCOUNT.scalar_subquery())  # type: ignore[arg-type]  # a Table
CHANGE = (
    update(Mutabakat.__table__)  # type: ignore[arg-type]
    .where(M.id == bindparam("letter_id"))
    .values(snapshot=bindparam("new_snapshot", type_=M.snapshot.type))
)


def understand(values: dict[str, Any]) -> tuple[Key, dict[str, Any], dict[str, Any]]:
    """The newest day comes first, so that its row decides about the account."""
    who, amount = accounts.account_of(values), balance(values)
    line = {"currency": values.get("currency") or TRY, "amount": f"{abs(amount):.2f}", "side": _side(amount)}
    return Key(who["code"], -values["as_of"].toordinal(), line["currency"]), who, line


def balance(values: dict[str, Any]) -> Decimal:
    """The balance of a row, above zero where the account owes (borç). A bare bakiye beside borç and alacak has the sign
    of their difference."""
    net, amount, side = _net(values), values.get("bakiye"), values.get("side")
    if amount is None:
        return net or Decimal(0)
    if side is not None:
        return abs(amount) if side == "borc" else -abs(amount)
    return -amount if net is not None and net < 0 < amount else amount


def _net(values: dict[str, Any]) -> Decimal | None:
    """Borç minus alacak; None where a row has neither."""
    borc, alacak = values.get("borc"), values.get("alacak")
    return None if borc is None and alacak is None else (borc or Decimal(0)) - (alacak or Decimal(0))


def faults(values: dict[str, Any]) -> list[tuple[str, Words]]:
    """What is wrong with a row beside its single cells, by column."""
    found = accounts.faults(values)
    if words := _day_fault(values.get("as_of")):
        found.append(("as_of", words))
    if words := _amount_fault(values):
        found.append(("bakiye", words))
    return found


def _day_fault(as_of: date | None) -> Words | None:
    if as_of is None:
        return "Tarih yok: sütun ekleyin ya da as_of verin", "No date: add a column or give as_of"
    if not records.is_balance_day(as_of):
        return "Tarih 1990'dan önce ya da bir yıldan ileride", "The date is before 1990 or more than a year ahead"
    return None


def _amount_fault(values: dict[str, Any]) -> Words | None:
    net, amount = _net(values), balance(values)
    if net is None and values.get("bakiye") is None:
        return "Tutar yok: borç, alacak ya da bakiye yazın", "No amount: give debit, credit or balance"
    if abs(amount) > MAX_AMOUNT:
        return "Tutar 10^15'ten büyük", "The amount is above 10^15"
    if net not in (None, amount):
        tr = "Bakiye, borç eksi alacağa eşit değil; devir ayrı sütundaysa borç ve alacak sütunlarını eşleştirmeyin"
        return tr, "The balance is not debit minus credit; leave those columns out if a sum carried over stands apart"
    return None


def _side(amount: Decimal) -> str:
    return "alacak" if amount < 0 else "borc"


def apply(session: Session, company: Company, parts: list[Part], *, write: bool) -> Counter[str]:
    """Count what these rows do, per row; and do it if `write`."""
    before = accounts.known(session, company.id, {part.group for part in parts})
    made = accounts.outcomes(before, [part.who for part in parts])
    if write:
        records.put_accounts(session, company.id, accounts.to_write(made))
    there, sender = _letters(session, parts, before), records.sender(company)
    plans = [_Plan(part, sender, made[part.group], there.get((part.group, part.part))) for part in parts]
    if write:
        _write(session, company.id, plans)
    counts: Counter[str] = Counter()
    for plan in plans:
        counts[plan.outcome] += len(plan.part.rows)
    return counts


class _Plan:
    """What becomes of the mutabakat of one account and day; `letter` is the newest that is there."""

    def __init__(self, part: Part, sender: dict[str, Any], account: tuple[str, dict[str, Any]], letter: Any) -> None:
        account_outcome, after = account
        self.part, self.letter = part, letter
        self.snapshot = records.snapshot(sender, after, [line for _, line in part.rows])
        same_lines = letter is not None and _sorted(letter.snapshot) == _sorted(self.snapshot)
        same_receiver = letter is not None and letter.snapshot["receiver"] == self.snapshot["receiver"]
        draft = letter is not None and letter.state == DRAFT
        self.adds = not same_lines and not draft
        self.changes = draft and not (same_lines and same_receiver)
        moved = self.adds or self.changes or (part.leads and account_outcome != "unchanged")
        self.outcome = "new" if letter is None else "changed" if moved else "unchanged"


@lru_cache(maxsize=64)
def _day(part: int) -> date:
    return date.fromordinal(-part)


def _sorted(snapshot: dict[str, Any]) -> list[dict[str, str]]:
    return sorted(snapshot["lines"], key=itemgetter("currency"))


def _letters(session: Session, parts: list[Part], known: dict[str, Any]) -> dict[tuple[str, int], Any]:
    """The newest mutabakat of each account that was known before, by code and part."""
    codes = {account["id"]: code for code, account in known.items()}
    if not codes:
        return {}
    days = [_day(part) for part in {part.part for part in parts}]
    found = session.connection().execute(LETTERS, {"accounts": list(codes), "days": days})
    return {(codes[row.account_id], -row.as_of.toordinal()): row for row in found}


def _write(session: Session, company_id: int, plans: list[_Plan]) -> None:
    at = now()
    db.many(session, CHANGE, [{"letter_id": p.letter.id, "new_snapshot": p.snapshot} for p in plans if p.changes])
    added = [
        {
            **{
                "company_id": company_id,
                "of_company": company_id,
                "of_code": plan.part.group,
                "as_of": _day(plan.part.part),
            },
            **{"variant": VARIANT, "state": DRAFT, "snapshot": plan.snapshot, "created_at": at},
        }
        for plan in plans
        if plan.adds
    ]
    db.many(session, ADD, added)
