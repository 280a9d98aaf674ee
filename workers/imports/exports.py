"""Records as rows of a sheet, under the headings that the import of the same name understands."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from sqlalchemy import Select, func, select

from workers.db import reading
from workers.models import Account, Mutabakat
from workers.records import RECEIVER
from workers.services.columns import ACCOUNT, BALANCE, Column

PAGE = 500
STATE = Column("state", "Durum", "State")
NUMBER = Column("id", "No", "Number")
SIDES = {"borc": ("B", "D"), "alacak": ("A", "C")}
BALANCE_SHOWN = tuple(column for column in BALANCE if column.name not in ("borc", "alacak"))
COLUMNS = {"accounts": ACCOUNT, "mutabakat": (*ACCOUNT, *BALANCE_SHOWN, NUMBER, STATE)}
A, M = Account.__table__.c, Mutabakat.__table__.c
QUERIES: dict[str, Select[Any]] = {
    "accounts": select(A.id, A.code, A.title, *(A[name] for name in RECEIVER)),
    "mutabakat": select(M.id, M.as_of, M.state, M.snapshot, A.code).join_from(
        Mutabakat.__table__, Account.__table__, A.id == M.account_id
    ),
}
IDS = {"accounts": A, "mutabakat": M}
WIDTHS = {"money": 20, "date": 18, "side": 8, "currency": 14}  # 123.456.789.012,34 is shown as ### where it has no room
TEXT_WIDTH = 26


def widths(what: str) -> list[int]:
    """How wide the columns are, in characters."""
    return [WIDTHS.get(column.kind, TEXT_WIDTH) for column in COLUMNS[what]]


def count(what: str, company_id: int) -> int:
    """How many records there are to export."""
    columns = IDS[what]
    with reading() as session:
        return session.scalar(select(func.count(columns.id)).where(columns.company_id == company_id)) or 0


def rows(what: str, company_id: int, language: str, states: dict[str, str]) -> Iterator[list[list[Any]]]:
    """The company's records in the order they were made, each as its rows of cells, read page by page. `states`: what
    people call those of letters."""
    columns, after = IDS[what], 0
    while True:
        query = QUERIES[what].where(columns.company_id == company_id, columns.id > after)
        with reading() as session:
            page = session.execute(query.order_by(columns.id).limit(PAGE)).mappings().all()
        for record in page:
            yield [_account(record)] if what == "accounts" else _balances(record, language, states)
        if len(page) < PAGE:
            return
        after = page[-1]["id"]


def _account(record: Any) -> list[Any]:
    return [record["code"], record["title"], record["vkn"] or record["tckn"], *(record[name] for name in RECEIVER[2:])]


def _balances(record: Any, language: str, states: dict[str, str]) -> list[list[Any]]:
    """A row for each line; credit is marked, not below zero."""
    receiver = record["snapshot"]["receiver"]
    account = _account({**receiver, "code": record["code"], "title": receiver["name"]})
    return [
        [
            *account,
            record["as_of"],
            line["currency"],
            Decimal(line["amount"]),
            SIDES[line["side"]][language == "en"],
            record["id"],
            states.get(record["state"], record["state"]),
        ]
        for line in record["snapshot"]["lines"]
    ]
