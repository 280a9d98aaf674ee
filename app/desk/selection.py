"""Which letters of a company are meant: by a filter, by their ids, and both small enough to stand in a form."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any

from flask_babel import gettext as _
from sqlalchemy import Text, and_, cast, false, func, or_, select

from app.auth import MAX_ID
from workers import db, settings
from workers.errors import InvalidInput
from workers.models import Account, Mutabakat

M, A = Mutabakat.__table__.c, Account.__table__.c
STATES = ("draft", "sent", "opened", "agreed", "disagreed", "expired", "cancelled")
VARIANTS = ("pozitif", "negatif", "bakiyesiz")
CURRENCY = re.compile(r"[A-Z]{3}")
PAGE, PERIODS = 100, 60
FOLDED = (*zip("İIıŞşĞğÜüÖöÇçÂâÎîÛû", "iiissgguuooccaaiiuu", strict=True),)
JOIN = (Mutabakat.__table__, Account.__table__, A.id == M.account_id)
EMAIL, PHONE = (  # as records.contact finds them
    func.coalesce(func.nullif(M.snapshot[("receiver", name)].as_string(), ""), A[name]) for name in ("email", "phone")
)


@dataclass(frozen=True)
class Filter:
    """Letters of one company; an empty field does not narrow. `email` and `phone` are "yes", "no" or "". A currency or
    a day that is none stays as it was typed, and no letter has it."""

    company_id: int
    as_of: str = ""
    q: str = ""
    currency: str = ""
    variant: str = ""
    state: str = ""
    email: str = ""
    phone: str = ""

    @property
    def fields(self) -> dict[str, Any]:
        """For the hidden inputs of a form and the query of a link: only what narrows."""
        return {name: value for name, value in asdict(self).items() if value}

    @property
    def narrows(self) -> bool:
        return len(self.fields) > 1

    @property
    def faults(self) -> list[str]:
        """What of it no letter can have, for its reader."""
        found = []
        if self.currency and not CURRENCY.fullmatch(self.currency):
            found.append(_("“%(text)s” is no currency. Use three letters, such as TRY.", text=self.currency))
        if self.as_of and _day(self.as_of) is None:
            found.append(_("“%(text)s” is no day. Use one such as 2025-12-31.", text=self.as_of))
        return found

    def where(self) -> list[Any]:
        """The conditions, over Mutabakat and its Account."""
        if self.faults:
            return [false()]
        found: list[Any] = [M.company_id == self.company_id]
        for column, value in ((M.variant, self.variant), (M.state, self.state)):
            found += [column == value] if value else []
        for contact, wanted in ((EMAIL, self.email), (PHONE, self.phone)):
            found += {"yes": [contact != ""], "no": [or_(contact.is_(None), contact == "")]}.get(wanted, [])
        found += [M.as_of == date.fromisoformat(self.as_of)] if self.as_of else []
        # orjson wrote it without spaces, and a quotation mark in somebody's name has a backslash
        found += [cast(M.snapshot, Text).contains(f'"currency":"{self.currency}"')] if self.currency else []
        if self.q:  # of the few accounts, not of the many letters: it works on each text
            found.append(M.account_id.in_(select(A.id).where(*accounts(self.company_id, self.q))))
        return found


def filter_of(given: Mapping[str, str], company_id: int) -> Filter:
    """The filter that a query or a form names. A state or the like that the page does not offer does not narrow; what
    people type does, for else a slip would choose every letter."""
    text = {
        name: db.storable(given.get(name, "")).strip() for name in Filter.__dataclass_fields__ if name != "company_id"
    }
    known = {"variant": VARIANTS, "state": STATES, "email": ("yes", "no"), "phone": ("yes", "no")}
    text |= {name: text[name] if text[name] in values else "" for name, values in known.items()}
    day = _day(text["as_of"])
    text |= {"currency": text["currency"].upper(), "as_of": day.isoformat() if day else text["as_of"]}
    return Filter(company_id, **{name: value[:100] for name, value in text.items()})


def page(chosen: Filter, cursor: str = "") -> tuple[list[Any], str | None]:
    """A page of letters in the order of their accounts' codes, and the cursor of the next."""
    account = A.code, A.email.label("account_email"), A.phone.label("account_phone")
    query = _from(select(M.id, M.as_of, M.variant, M.state, M.snapshot, *account), chosen).order_by(A.code, M.id)
    number, _, code = cursor.partition(":")
    if number.isascii() and number.isdigit() and int(number) <= MAX_ID:
        query = query.where(or_(A.code > db.storable(code), and_(A.code == db.storable(code), M.id > int(number))))
    with db.reading() as session:
        rows = session.execute(query.limit(PAGE + 1)).all()
    last = rows[PAGE - 1] if len(rows) > PAGE else None
    return list(rows[:PAGE]), f"{last.id}:{last.code}" if last else None


def counted(chosen: Filter) -> tuple[int, int, int]:
    """How many letters, and how many of these have an e-mail address, a telephone number."""
    sums = (func.count(), func.count(func.nullif(EMAIL, "")), func.count(func.nullif(PHONE, "")))
    with db.reading() as session:
        letters, with_email, with_phone = session.execute(_from(select(*sums), chosen)).one()
    return letters, with_email, with_phone


def accounts(company_id: int, q: str) -> list[Any]:
    """The conditions for accounts of a company whose title or code hold each of these words."""
    text = _folded(A.code + " " + A.title)
    return [
        A.company_id == company_id,
        *(text.contains(_plain(word), autoescape=True) for word in db.storable(q).split()),
    ]


def contacts(company_id: int, q: str, what: str) -> list[str]:
    """Each `email` or `phone` of such accounts once, in the order of their codes."""
    query = select(A[what]).where(*accounts(company_id, q), A[what] != "").order_by(A.code)
    with db.reading() as session:
        return list(dict.fromkeys(session.scalars(query.limit(settings.current().max_items))))


def periods(company_id: int) -> list[date]:
    """The days that the company's letters are of, the newest first."""
    query = select(M.as_of).where(M.company_id == company_id).distinct().order_by(M.as_of.desc()).limit(PERIODS)
    with db.reading() as session:
        return list(session.scalars(query))


def ids_of(chosen: Filter) -> list[int]:
    """All letters of the filter, in the order of their accounts' codes. InvalidInput past MAX_ITEMS."""
    limit = settings.current().max_items
    with db.reading() as session:
        found = list(session.scalars(_from(select(M.id), chosen).order_by(A.code, M.id).limit(limit + 1)))
    if len(found) > limit:
        raise InvalidInput([{"field": "", "message": f"more than {limit:,} items; split the request"}])
    return found


def packed(ids: Iterable[int]) -> str:
    """Ids as text for a form; runs of neighbours, which imports make, take no room.

    >>> packed([1, 2, 3, 9, 8, 7, 20])
    '1-3,9,8,7,20'
    """
    runs: list[list[int]] = []
    for one in ids:
        if runs and one == runs[-1][1] + 1:
            runs[-1][1] = one
        else:
            runs.append([one, one])
    return ",".join(f"{first}-{last}" if last > first else str(first) for first, last in runs)


def unpacked(text: str) -> list[int]:
    """The ids again, each once. InvalidInput for what `packed` never wrote, and past MAX_ITEMS."""
    limit, found = settings.current().max_items, list[int]()
    for run in filter(None, text.split(",")):
        ends = run.split("-")
        if not all(end.isascii() and end.isdigit() and int(end) <= MAX_ID for end in ends) or len(ends) > 2:
            raise InvalidInput([{"field": "", "message": "names no letters"}])
        first, last = int(ends[0]), int(ends[-1])
        if len(found) + last - first >= limit:
            raise InvalidInput([{"field": "", "message": f"more than {limit:,} items; split the request"}])
        found += range(first, last + 1)
    return list(dict.fromkeys(found))


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def _from(query: Any, chosen: Filter) -> Any:
    return query.join_from(*JOIN).where(*chosen.where())


def _folded(column: Any) -> Any:
    """The column without capitals and Turkish marks: no database compares I, İ, ı and i as people do."""
    for letter, plain in FOLDED:
        column = func.replace(column, letter, plain)
    return func.lower(column)


def _plain(word: str) -> str:
    return word.translate({ord(letter): plain for letter, plain in FOLDED}).lower()
