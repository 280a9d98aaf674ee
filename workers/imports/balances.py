"""Balances become mutabakat: one for each account and day, with a line for each currency, ready for its letter.

A day that has a mutabakat already keeps it: its draft is changed where the sheet says something else; one that was sent
stays as it is, and a new one is made beside it. The newest counts. A line is known by its currency: those that a sheet
does not name stay, for it may hold one currency alone, or the rows that were mended.
"""

from collections import Counter
from datetime import date
from decimal import Decimal
from functools import lru_cache
from typing import Any

from sqlalchemy import bindparam, insert, select, update
from sqlalchemy.orm import Session

from workers import db, records
from workers.db import now
from workers.imports import accounts
from workers.imports.scratch import Key, Part, Words
from workers.models import Account, Company, Mutabakat
from workers.services.turkish import format_number

MAX_AMOUNT = Decimal(10**15)
MAX_LINES = 20
TRY = "TRY"
VARIANT = "pozitif"
A, M = Account.__table__.c, Mutabakat.__table__.c
LETTERS = (
    select(M.id, M.account_id, M.as_of, M.state, M.snapshot)
    .where(M.account_id.in_(bindparam("accounts", expanding=True)), M.as_of.in_(bindparam("days", expanding=True)))
    .order_by(M.id)
    .with_for_update()  # a draft that is just being sent is looked at when it has been
)
THE_ACCOUNT = select(A.id).where(A.company_id == bindparam("of_company"), A.code == bindparam("of_code"))
ADD = insert(Mutabakat.__table__).values(account_id=THE_ACCOUNT.scalar_subquery())  # type: ignore[arg-type]  # a Table
THERE = (
    select(A.code, M.as_of, M.snapshot)
    .join_from(Mutabakat.__table__, Account.__table__, A.id == M.account_id)
    .where(A.company_id == bindparam("of_company"), A.code.in_(bindparam("codes", expanding=True)))
    .where(M.as_of.in_(bindparam("days", expanding=True)))
    .order_by(M.id)
)
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


def place(values: dict[str, Any]) -> tuple[str, int] | None:
    """The group and part of a row, also of a bad one, if it says them."""
    code, as_of = values.get("code"), values.get("as_of")
    return (code, -as_of.toordinal()) if isinstance(code, str) and isinstance(as_of, date) else None


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
        return (
            "Tarih yok: sütun ekleyin ya da yüklerken “Bakiyelerin günü” alanını doldurun",
            "No date: add a column, or fill in “Day of the balances” at the upload",
        )
    if not records.is_balance_day(as_of):
        return "Tarih 1990'dan önce ya da bir yıldan ileride", "The date is before 1990 or more than a year ahead"
    return None


def _amount_fault(values: dict[str, Any]) -> Words | None:
    net, amount = _net(values), balance(values)
    if net is None and values.get("bakiye") is None:
        return "Tutar yok: borç, alacak ya da bakiye yazın", "No amount: give debit, credit or balance"
    if abs(amount) > MAX_AMOUNT:
        return f"Tutar {format_number(MAX_AMOUNT, 0)} sınırının üstünde", f"The amount is above {MAX_AMOUNT:,}"
    if net not in (None, amount):
        tr = "Bakiye, borç eksi alacağa eşit değil; devir ayrı sütundaysa borç ve alacak sütunlarını eşleştirmeyin"
        return tr, "The balance is not debit minus credit; leave those columns out if a sum carried over stands apart"
    return None


def _side(amount: Decimal) -> str:
    return "alacak" if amount < 0 else "borc"


def kept(session: Session, company_id: int, parts: list[Part]) -> list[tuple[int, Words]]:
    """Where a letter that is there has lines in currencies that the sheet does not name: they stay."""
    asked = {"of_company": company_id, "codes": [part.group for part in parts]}
    asked["days"] = [_day(part) for part in {part.part for part in parts}]
    found = session.connection().execute(THERE, asked)
    newest = {(row.code, -row.as_of.toordinal()): row.snapshot["lines"] for row in found}
    there = [(part, _others(newest.get((part.group, part.part), []), part)) for part in parts]
    return [(part.rows[0][0], _stays(lines)) for part, lines in there if lines]


def _others(lines: list[dict[str, str]], part: Part) -> list[dict[str, str]]:
    named = {line["currency"] for _, line in part.rows}
    return [line for line in lines if line["currency"] not in named]


def _lines(part: Part, before: list[dict[str, str]]) -> list[dict[str, str]]:
    """The lines of the sheet, and those that stay, at their places."""
    named = [line for _, line in part.rows]
    if not (stay := _others(before, part)):
        return named
    places = {line["currency"]: place for place, line in reversed(list(enumerate(before)))}
    return sorted([*stay, *named], key=lambda line: places.get(line["currency"], len(before)))


def _stays(lines: list[dict[str, str]]) -> Words:
    amounts = [(Decimal(line["amount"]), line["currency"]) for line in lines]
    turkish = ", ".join(f"{format_number(amount)} {currency}" for amount, currency in amounts)
    english = ", ".join(f"{amount:,.2f} {currency}" for amount, currency in amounts)
    tr = f"Mektupta duran {turkish} bu dosyada yok, olduğu gibi kaldı; artık yoksa 0 tutarla yükleyin"
    return tr, f"The letter also has {english}, which this file does not name: it stays; upload it as 0 if it is gone"


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
        self.snapshot = records.snapshot(sender, after, _lines(part, letter.snapshot["lines"] if letter else []))
        same_lines = letter is not None and records.lines(letter.snapshot) == records.lines(self.snapshot)
        same_receiver = letter is not None and letter.snapshot["receiver"] == self.snapshot["receiver"]
        draft = letter is not None and letter.state == records.DRAFT
        self.adds = not same_lines and not draft
        self.changes = draft and not (same_lines and same_receiver)
        moved = self.adds or self.changes or (part.leads and account_outcome != "unchanged")
        self.outcome = "new" if letter is None else "changed" if moved else "unchanged"


@lru_cache(maxsize=64)
def _day(part: int) -> date:
    return date.fromordinal(-part)


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
            **{"variant": VARIANT, "state": records.DRAFT, "snapshot": plan.snapshot, "created_at": at},
        }
        for plan in plans
        if plan.adds
    ]
    db.many(session, ADD, added)
