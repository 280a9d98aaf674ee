"""Records for the jobs and the API: read as plain dicts, accounts and snapshots written the one way, in few queries."""

from collections.abc import Mapping
from datetime import date, timedelta
from functools import lru_cache
from operator import itemgetter
from typing import Any

from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from workers.db import insert, many, now, reading, writing
from workers.models import Account, Mutabakat

CHUNK = 500
SENDER = ("name", "vkn", "tax_office", "address", "phone", "email")
RECEIVER = ("vkn", "tckn", "tax_office", "email", "phone")
DRAFT = "draft"
FIRST_DAY, AHEAD = date(1990, 1, 1), timedelta(days=366)
M, A = Mutabakat.__table__.c, Account.__table__.c
BY_IDS = (  # made once, of tables: building it of models at each call would cost as much as a tenth of a letter
    select(M.id, M.company_id, M.as_of, M.reply_by, M.variant, M.created_at, A.code.label("account_code"), M.snapshot)
    .add_columns(A.email.label("account_email"), A.phone.label("account_phone"))
    .join_from(Mutabakat.__table__, Account.__table__, A.id == M.account_id)
    .where(M.id.in_(bindparam("ids", expanding=True)))
)


def mutabakat(ids: list[int]) -> dict[int, dict[str, Any]]:
    """Mutabakat records by id, those that exist: `{"id", "company_id", "as_of", "reply_by", "variant", "created_at",
    "account_code", "account_email", "account_phone", "snapshot"}`."""
    found: dict[int, dict[str, Any]] = {}
    with reading() as session:
        for start in range(0, len(ids), CHUNK):
            rows = session.execute(BY_IDS, {"ids": ids[start : start + CHUNK]}).mappings()
            found.update({row["id"]: dict(row) for row in rows})
    return found


def contact(record: Mapping[str, Any], name: str) -> str:
    """The `email` or `phone` that a letter goes to: its own, or where it has none what its account has got since."""
    return record["snapshot"]["receiver"].get(name) or record[f"account_{name}"] or ""


def is_balance_day(day: date) -> bool:
    """Whether a balance may be of that day: from 1990 to a year from today. Any other was mistyped, and one far ahead
    would be the newest for good, with which pages open."""
    return FIRST_DAY <= day <= now().date() + AHEAD


def one_number(given: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of an account: one that has become a person is no company any more, and the other way round."""
    for number, other in (("vkn", "tckn"), ("tckn", "vkn")):
        if given.get(number):
            return {**given, other: None}
    return dict(given)


def put_accounts(session: Session, company_id: int, rows: list[dict[str, Any]]) -> None:
    """Add accounts or change those that have the code; every row names the same fields."""
    at = now()
    values = [{**row, "company_id": company_id, "updated_at": at} for row in rows]
    if values:
        many(session, upsert(session, Account.__table__, ("company_id", "code"), tuple(values[0])), values)


def put_account(session: Session, company_id: int, given: Mapping[str, Any]) -> Account:
    """The account of that code with these fields; the others stay what they were."""
    values = {**one_number(given), "company_id": company_id, "updated_at": now()}
    query = upsert(session, Account, ("company_id", "code"), tuple(values)).values(**values).returning(Account)
    return session.scalars(query).one()


def put(table: Any, keys: tuple[str, ...], row: Mapping[str, Any]) -> None:
    """Write a row in a transaction of its own: anew, or over the one with the same keys."""
    with writing() as session:
        session.connection().execute(upsert(session, table, keys, tuple(row)), row)


def upsert(session: Session, table: Any, keys: tuple[str, ...], names: tuple[str, ...]) -> Any:
    """INSERT … ON CONFLICT of these columns; `keys` name the row, the rest of `names` is changed."""
    return _upsert(session.get_bind().dialect.name, table, keys, names)


@lru_cache(maxsize=64)
def _upsert(dialect: str, table: Any, keys: tuple[str, ...], names: tuple[str, ...]) -> Any:
    row = insert(dialect, table)
    changed = {name: row.excluded[name] for name in names if name not in keys}
    return row.on_conflict_do_update(index_elements=keys, set_=changed)


def sender(company: Any) -> dict[str, Any]:
    """The half of a snapshot that is the Company's."""
    return {
        "sender": {name: getattr(company, name) for name in SENDER},
        "legal_text": company.legal_text,
    }


def snapshot(sender: dict[str, Any], account: Mapping[str, Any], lines: list[dict[str, str]]) -> dict[str, Any]:
    """What a mutabakat keeps of its `sender`, of the fields of an account, and its lines as they are now."""
    receiver = {"name": account["title"], **{name: account[name] for name in RECEIVER}}
    return {**sender, "receiver": receiver, "lines": lines}


def lines(snapshot: Mapping[str, Any]) -> list[dict[str, str]]:
    """Its balances, in an order that says nothing."""
    return sorted(snapshot["lines"], key=itemgetter("currency"))


def sent(session: Session, letters: Mapping[int, dict[str, Any] | None]) -> None:
    """Say that these drafts are sent: by their ids the snapshots that went out, where that is known. A draft that was
    corrected meanwhile keeps what went out, and its new balances become a draft beside it, as if they had come later.
    """
    drafts = select(Mutabakat).where(M.id.in_(letters), M.state == DRAFT).order_by(M.id).with_for_update()
    for draft in session.scalars(drafts):
        corrected, draft.snapshot = draft.snapshot, letters[draft.id] or draft.snapshot
        draft.state = "sent"
        if lines(corrected) != lines(draft.snapshot):
            kept = {name: getattr(draft, name) for name in ("company_id", "account_id", "as_of", "reply_by", "variant")}
            session.add(Mutabakat(**kept, snapshot=corrected))
