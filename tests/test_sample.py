import re
from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, delete, event, func, select
from werkzeug.security import check_password_hash

from app import fields, sample
from workers import db, migrations, records, settings
from workers.models import Account, Company, Mutabakat, User
from workers.services import letters, snapshots

ACCOUNTS = list(sample.accounts())
RESERVED = (".example", ".example.com", ".example.org", ".example.net", "@example.com", "@example.org", "@example.net")


@pytest.fixture
def database(tmp_path: Path) -> Iterator[None]:
    settings.use(settings.load(data_dir=tmp_path, database_url="", redis_url="", secret_key=""))
    migrations.upgrade()
    yield
    db.engine().dispose()
    db.close()
    settings.use(None)


def everything() -> list[Any]:
    with db.reading() as session:
        rows = [session.execute(select(*model.__table__.columns)).all() for model in (Company, Account, Mutabakat)]
    return [list(map(tuple, each)) for each in rows]


def some(condition: Any) -> bool:
    return any(condition(account) for account in ACCOUNTS)


def test_loading_gives_a_company_and_a_letter_for_each_account(database: None) -> None:
    loaded = sample.load()

    with db.reading() as session:
        assert session.get_one(Company, loaded.company_id).name == "Sıra Örnek Ticaret ve Sanayi A.Ş."
        assert session.scalar(select(func.count(Account.id))) == len(ACCOUNTS) >= 200
        first = session.get_one(Mutabakat, loaded.mutabakat_ids[0])
    assert len(set(loaded.mutabakat_ids)) == len(ACCOUNTS)
    assert (first.as_of, first.state) == (date(2025, 12, 31), "draft")
    assert db.now().date() < first.reply_by < db.now().date() + timedelta(days=40), "a day that is yet to come"
    assert first.snapshot["sender"] == sample.COMPANY
    assert first.snapshot["receiver"]["name"] == "Çınaraltı Gıda Sanayi ve Ticaret A.Ş."
    assert first.snapshot["lines"] == [{"currency": "TRY", "amount": "1234.56", "side": "borc"}]
    assert first.snapshot["legal_text"] is None


def test_loading_twice_changes_nothing(database: None) -> None:
    once = sample.load()
    before = everything()

    assert sample.load() == once
    assert everything() == before


def test_loading_completes_what_was_interrupted_and_keeps_what_people_changed(database: None) -> None:
    loaded = sample.load()
    with db.writing() as session:
        session.execute(delete(Mutabakat).where(Mutabakat.account_id > 100))
        session.execute(delete(Account).where(Account.id > 100))
    with db.writing() as session:
        session.get_one(Account, 1).title = "Değişti"
        session.get_one(Company, loaded.company_id).phone = "0212 000 00 01"

    again = sample.load()

    with db.reading() as session:
        assert session.get_one(Account, 1).title == "Değişti"
        assert session.get_one(Mutabakat, again.mutabakat_ids[-1]).snapshot["sender"]["phone"] == "0212 000 00 01"
    assert again.company_id == loaded.company_id
    assert len(again.mutabakat_ids) == len(ACCOUNTS)


def test_no_transaction_writes_more_than_500_rows(database: None) -> None:
    changes = [0]

    def commit(connection: Connection) -> None:
        changes.append(connection.connection.driver_connection.total_changes)  # of SQLite, since it was opened

    event.listen(db.engine(), "commit", commit)
    sample.load()

    rows = [after - before for before, after in pairwise(changes)]
    assert sum(rows) > 2 * len(ACCOUNTS)
    assert max(rows) <= 500


def test_every_field_passes_the_rules_of_the_api() -> None:
    assert len({account["code"] for account in ACCOUNTS}) == len(ACCOUNTS)
    for account in ACCOUNTS:
        assert fields.line(account["title"]) == account["title"]
        assert len(account["title"]) <= 200
        assert not (account["vkn"] and account["tckn"])
        assert account["vkn"] is None or fields.vkn(account["vkn"])
        assert account["tckn"] is None or fields.tckn(account["tckn"])
        assert account["email"] is None or fields.email(account["email"]) == account["email"]
        for line in account["lines"]:
            assert fields.currency(line["currency"]) == line["currency"]
            assert fields.amount(line["amount"]) == line["amount"]
            assert line["side"] in ("borc", "alacak")
    assert fields.vkn(sample.COMPANY["vkn"])


def test_every_sample_letter_can_be_made(database: None) -> None:
    found = records.mutabakat(list(sample.load().mutabakat_ids))

    made = [snapshots.letter(record) for record in found.values()]

    assert [letter.account_code for letter in made] == [account["code"] for account in ACCOUNTS]
    for letter in made[:50]:
        assert letters.draw(letter).startswith(b"%PDF")


def test_mail_and_numbers_reach_nobody() -> None:
    for account in ACCOUNTS:
        assert account["email"] is None or account["email"].endswith(RESERVED)
        assert account["phone"] is None or "000" in account["phone"].replace(" ", "")


@pytest.mark.parametrize(
    ("oddity", "condition"),
    {
        "a title of 200 characters": lambda a: len(a["title"]) == 200,
        "a word of 60 letters": lambda a: max(map(len, a["title"].split())) >= 60,
        "a title in capitals with İ and I": lambda a: a["title"].isupper() and {"İ", "I"} <= set(a["title"]),
        "a title in small letters with ı": lambda a: a["title"].islower() and "ı" in a["title"],
        "ğ and ş": lambda a: {"ğ", "ş"} & set(a["title"]),
        "an ampersand": lambda a: "&" in a["title"],
        "angle brackets": lambda a: "<" in a["title"] and ">" in a["title"],
        "double quotes": lambda a: '"' in a["title"],
        "an apostrophe": lambda a: "'" in a["title"],
        "characters that file names can't have": lambda a: {"\\", "/", ":", "*", "?"} <= set(a["title"]),
        "a title that a sheet would compute": lambda a: a["title"].startswith("="),
        "letters that are not Latin": lambda a: re.search("[А-Я]", a["title"]),
        "TRY, USD and EUR": lambda a: {"TRY", "USD", "EUR"} <= {line["currency"] for line in a["lines"]},
        "both sides on one account": lambda a: len({line["side"] for line in a["lines"]}) == 2,
        "20 lines": lambda a: len(a["lines"]) == 20,
        "a currency of three decimals": lambda a: "KWD" in {line["currency"] for line in a["lines"]},
        "a zero balance": lambda a: {line["amount"] for line in a["lines"]} == {"0.00"},
        "an alacak balance": lambda a: a["lines"][0]["side"] == "alacak",
        "5 kuruş": lambda a: a["lines"][0]["amount"] == "0.05",
        "more than a trillion": lambda a: Decimal(a["lines"][0]["amount"]) > 10**12,
        "a person": lambda a: a["tckn"],
        "a VKN with a zero in front": lambda a: (a["vkn"] or "").startswith("0"),
        "no tax number, foreign": lambda a: not a["vkn"] and not a["tckn"] and a["title"].endswith("GmbH"),
        "no tax office": lambda a: a["vkn"] and not a["tax_office"],
        "no e-mail": lambda a: not a["email"] and a["phone"],
        "no telephone": lambda a: not a["phone"] and a["email"],
        "neither": lambda a: not a["phone"] and not a["email"],
        "an international domain": lambda a: "@çınar." in (a["email"] or ""),
        "a landline": lambda a: (a["phone"] or "").startswith("0212"),
        "code 120.01.0001": lambda a: a["code"] == "120.01.0001",
        "code 120.10": lambda a: a["code"] == "120.10",
        "code 120.1": lambda a: a["code"] == "120.1",
        "code 320.10": lambda a: a["code"] == "320.10",
        "pozitif": lambda a: a["variant"] == "pozitif",
        "negatif": lambda a: a["variant"] == "negatif",
        "bakiyesiz": lambda a: a["variant"] == "bakiyesiz",
    }.items(),
)
def test_the_sample_has(oddity: str, condition: Any) -> None:
    assert some(condition), oddity


def test_the_first_login_is_an_operator_and_its_password_is_told_once(database: None) -> None:
    told = sample.first_login()

    assert told is not None
    email, password = told
    assert email == "operator@ornek.example"
    with db.reading() as session:
        user = session.scalars(select(User)).one()
        assert session.get_one(Company, user.company_id).vkn == sample.COMPANY["vkn"]
    assert (user.email, user.role, user.active) == (email, "operator", True)
    assert re.fullmatch(r"[a-z2-9]{5}(-[a-z2-9]{5}){3}", password)
    assert check_password_hash(user.password_hash, password)
    assert not check_password_hash(user.password_hash, password[:-1])
    assert sample.first_login() is None
