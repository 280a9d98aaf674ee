"""The sample company: fictitious accounts with every oddity that real books have, each with a letter for 2025-12-31."""

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import islice, product
from pathlib import Path
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from workers import db, records
from workers.models import Account, Company, Mutabakat, User
from workers.services.tax_numbers import is_tckn, is_vkn

COMPANY = {
    "name": "Sıra Örnek Ticaret ve Sanayi A.Ş.",
    "vkn": "9990001006",
    "tax_office": "Beşiktaş",
    "address": "Örnek Mah. Sıra Sok. No: 1\n34000 Beşiktaş / İstanbul",
    "phone": "0212 000 00 00",
    "email": "mutabakat@ornek.example",
}
AS_OF, REPLY_WITHIN = date(2025, 12, 31), timedelta(days=30)
HAND_WRITTEN = Path(__file__).with_name("sample_accounts.csv")
MADE = 194
ACCOUNTS_PER_TRANSACTION = 50

FIELDS = ("code", "title", *records.RECEIVER)
LOGIN = "operator@ornek.example"

PLACES = ("Çorum", "Iğdır", "İnegöl", "Muğla", "Şırnak", "Düzce", "Göreme", "Ünye", "Kırşehir", "Iğneada")
TRADES = ("Gıda", "Tekstil", "İnşaat", "Işıklandırma", "Çiçekçilik", "Döküm", "Sağlık", "Ulaşım", "Yazılım", "Kâğıt")
FORMS = ("A.Ş.", "Ltd. Şti.", "San. ve Tic. A.Ş.", "& Oğulları Koll. Şti.")
PEOPLE = ("Işıl Öğüt", "İsmail Şenyüz", "Gül Ağca", "Çağan Ünlüer", "Ümit Iraklı", "Şirin Aydınoğlu")
VARIANTS = ("pozitif", "pozitif", "pozitif", "negatif", "bakiyesiz")


@dataclass(frozen=True)
class Sample:
    """The sample company and its letters, in the order of their accounts' first loading."""

    company_id: int
    mutabakat_ids: tuple[int, ...]


def load() -> Sample:
    """Write the sample company where it is missing; what is there already stays as it is. Safe to repeat."""
    rows = list(accounts())
    for start in range(0, len(rows), ACCOUNTS_PER_TRANSACTION):
        with db.writing() as session:
            _add_missing(session, _company(session), rows[start : start + ACCOUNTS_PER_TRANSACTION])
    with db.reading() as session:
        company = _company(session)
        letters = select(Mutabakat.id).where(Mutabakat.company_id == company.id, Mutabakat.as_of == AS_OF)
        return Sample(company.id, tuple(session.scalars(letters.order_by(Mutabakat.id))))


def first_login() -> tuple[str, str] | None:
    """Make the sample company's operator; gives e-mail and password, once: None when there is such a user already."""
    from app.passwords import hashed, new_password

    password = new_password()
    digest = hashed(password)  # takes 50 ms: before the transaction
    with db.writing() as session:
        company = _company(session)
        if session.scalar(select(User.id).where(User.email == LOGIN)):
            return None
        session.add(User(company_id=company.id, email=LOGIN, role="operator", password_hash=digest))
    return LOGIN, password


def accounts() -> Iterator[dict[str, Any]]:
    """Each account as the fields of Account plus `variant` and `lines`; the same ones at every call."""
    with HAND_WRITTEN.open(encoding="utf-8", newline="") as file:
        yield from (_read(row) for row in csv.DictReader(file))
    for number, (form, place, trade) in enumerate(islice(product(FORMS, PLACES, TRADES), MADE)):
        yield _read(_made(number, place, trade, form))


def _company(session: Session) -> Company:
    found = session.scalar(select(Company).where(Company.vkn == COMPANY["vkn"]).order_by(Company.id))
    if found is None:
        found = Company(**COMPANY)
        session.add(found)
        session.flush()
    return found


def _add_missing(session: Session, company: Company, rows: list[dict[str, Any]]) -> None:
    query = select(Account.code).where(
        Account.company_id == company.id, Account.code.in_([row["code"] for row in rows])
    )
    there = set(session.scalars(query))
    missing = [row for row in rows if row["code"] not in there]
    added = [Account(company_id=company.id, **{name: row[name] for name in FIELDS}) for row in missing]
    session.add_all(added)
    session.flush()  # gives the accounts their ids
    session.add_all(_letter(company, account, row) for account, row in zip(added, missing, strict=True))


def _letter(company: Company, account: Account, row: dict[str, Any]) -> Mutabakat:
    return Mutabakat(
        company_id=company.id,
        account_id=account.id,
        as_of=AS_OF,
        reply_by=db.now().date() + REPLY_WITHIN,
        variant=row["variant"],
        snapshot=records.snapshot(records.sender(company), row, row["lines"]),
    )


def _read(row: dict[str, str]) -> dict[str, Any]:
    """A row of the file: `number` is a VKN or a TCKN, `lines` such as `TRY 1234.56 borc|USD 20.00 alacak`."""
    number = row["number"]
    lines = [dict(zip(("currency", "amount", "side"), line.split(), strict=True)) for line in row["lines"].split("|")]
    return {
        "code": row["code"],
        "title": row["title"],
        "vkn": number if len(number) == 10 else None,
        "tckn": number if len(number) == 11 else None,
        **{name: row[name] or None for name in ("tax_office", "email", "phone")},
        "variant": row["variant"],
        "lines": lines,
    }


def _made(number: int, place: str, trade: str, form: str) -> dict[str, str]:
    """An account of the sort that books hold by the hundred; one in nine is a person."""
    person = PEOPLE[number // 9 % len(PEOPLE)] if number % 9 == 4 else None
    stem = f"{'900001' if person else '999001'}{number:03d}"
    return {
        "code": f"{'320' if number % 4 == 3 else '120'}.05.{number + 1:04d}",
        "title": f"{person} – {place} {trade}" if person else f"{place} {trade} {form}",
        "number": _checked(stem, is_tckn, 2) if person else _checked(stem, is_vkn, 1),
        "tax_office": place,
        "email": "" if number % 11 == 7 else f"muhasebe{number:03d}@example.{('com', 'org', 'net')[number % 3]}",
        "phone": "" if number % 13 == 5 else f"0555 000 {10 + number // 100:02d} {number % 100:02d}",
        "variant": VARIANTS[number % len(VARIANTS)],
        "lines": "|".join(_made_lines(number)),
    }


def _made_lines(number: int) -> Iterator[str]:
    for currency, every in (("TRY", 1), ("USD", 7), ("EUR", 10), ("GBP", 31)):
        if number % every == 0:
            kurus = (number + 1) * 1_299_721 * every % 50_000_000 if number % 25 != 24 else 0
            yield f"{currency} {kurus // 100}.{kurus % 100:02d} {'alacak' if number % 4 == 3 else 'borc'}"


def _checked(stem: str, check: Any, digits: int) -> str:
    """The number that begins with `stem` and whose last `digits` make it pass."""
    return next(stem + f"{end:0{digits}d}" for end in range(10**digits) if check(stem + f"{end:0{digits}d}"))
