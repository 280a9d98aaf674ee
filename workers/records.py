"""Records for the jobs and the API: read as plain dicts, accounts and snapshots written the one way, in few queries."""

from collections.abc import Iterable, Mapping
from datetime import date, timedelta
from functools import lru_cache
from operator import itemgetter
from typing import Any

from sqlalchemy import Select, bindparam, select
from sqlalchemy.orm import Session

from workers.db import insert, many, now, reading, writing
from workers.models import Account, Mutabakat

CHUNK = 500
SENDER = ("name", "vkn", "tax_office", "address", "phone", "email")
RECEIVER = ("vkn", "tckn", "tax_office", "email", "phone")
DRAFT, SENT, CANCELLED = "draft", "sent", "cancelled"
UNSENT = (DRAFT, CANCELLED)
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


def sent(session: Session, gone: Iterable[tuple[int, int, dict[str, Any] | None]]) -> None:
    """Say of letters that they are sent: their ids, the items by which they went out, and the snapshots that these were
    made of, where known. A draft that was corrected meanwhile keeps what went out, and its new balances become a draft
    beside it, as if they had come later."""
    by_letter: dict[int, dict[int, dict[str, Any] | None]] = {}
    for letter_id, item_id, made_of in gone:
        by_letter.setdefault(letter_id, {})[item_id] = made_of
    for letter in session.scalars(_held(by_letter)) if by_letter else ():
        carried = by_letter[letter.id]
        if letter.state in UNSENT:
            letter.state, letter.sent_by = SENT, [*carried]
            _keep(session, letter, next(iter(carried.values())))
        elif letter.sent_by is not None:  # None: sent before it was kept, nobody knows by which
            letter.sent_by = [*dict.fromkeys([*letter.sent_by, *carried])]


def not_sent(session: Session, failed: Iterable[tuple[int, int]]) -> None:
    """Say of letters (their ids) by which items they were not sent after all. One that no other has sent, or may have,
    is a draft again; cancelled where the same account has a newer letter of the day, for that one counts."""
    by_letter: dict[int, set[int]] = {}
    for letter_id, item_id in failed:
        by_letter.setdefault(letter_id, set()).add(item_id)
    for letter in session.scalars(_held(by_letter).where(M.state == SENT)):
        left = [item_id for item_id in letter.sent_by or () if item_id not in by_letter[letter.id]]
        if letter.sent_by and not left:
            letter.state = CANCELLED if session.scalar(_newer(letter)) else DRAFT
        letter.sent_by = left if letter.sent_by else letter.sent_by


def _held(ids: Iterable[int]) -> Select[Mutabakat]:
    """Also those that are sent already: of two channels at once, one may say that it was not."""
    return select(Mutabakat).where(M.id.in_(list(ids))).order_by(M.id).with_for_update()


def _newer(letter: Mutabakat) -> Select[int]:
    beside = select(M.id).where(M.account_id == letter.account_id, M.as_of == letter.as_of)
    return beside.where(M.id > letter.id).limit(1)


def _keep(session: Session, letter: Mutabakat, made_of: dict[str, Any] | None) -> None:
    corrected, letter.snapshot = letter.snapshot, made_of or letter.snapshot
    if lines(corrected) != lines(letter.snapshot):
        kept = {name: getattr(letter, name) for name in ("company_id", "account_id", "as_of", "reply_by", "variant")}
        session.add(Mutabakat(**kept, snapshot=corrected))
