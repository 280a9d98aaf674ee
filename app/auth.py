"""Who calls: bearer tokens, company scope and roles. Tokens count only in the Authorization header."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

from flask import g, request
from sqlalchemy import bindparam, func, or_, select

from app import lookup
from workers import db
from workers.engine.tables import tasks
from workers.errors import NotAllowed, NotFound, NotSignedIn
from workers.models import Company, File, Mutabakat, Token, User

IDS_PER_QUERY = 500
MAX_ID = 2**31 - 1  # what an id column holds on PostgreSQL

_tokens = Token.__table__.c
_HOLDER = select(_tokens.company_id, _tokens.role).where(
    _tokens.digest == bindparam("digest"),
    _tokens.revoked_at.is_(None),
    or_(_tokens.expires_at.is_(None), _tokens.expires_at > func.current_timestamp()),
)
_users = User.__table__.c
_PERSON = select(_users.company_id, _users.role).where(
    _users.id == bindparam("id"), _users.session_epoch == bindparam("epoch"), _users.active
)
_RECORDS = {  # id, and whose it is
    "mutabakat": (Mutabakat.__table__.c.id, Mutabakat.__table__.c.company_id),
    "file": (File.__table__.c.id, File.__table__.c.company_id),
    "task": (tasks.c.id, tasks.c.scope),
}
_OWNER_OF = {name: select(owner).where(key == bindparam("id")) for name, (key, owner) in _RECORDS.items()}


@dataclass(frozen=True, slots=True)
class Caller:
    """The holder of a valid token, or a person at the desk. `digest` is the SHA-256 of the token, or names the session.

    `company_id` is None for operators of the whole service alone, `user_id` for whoever calls with a token.
    """

    company_id: int | None
    role: str
    digest: str
    user_id: int | None = None

    @property
    def is_operator(self) -> bool:
        return self.role == "operator"


def digest_of(token: str) -> str:
    """What is kept of a token: its SHA-256 in hex. (256 random bits need no slow hash.)"""
    return hashlib.sha256(token.encode()).hexdigest()


def digest_of_session(user_id: int, epoch: int) -> str:
    """What stands for a session where a token has its digest; ends with the epoch (see app/desk/session.py)."""
    return f"session:{user_id}:{epoch}"


def identify() -> Caller | None:
    """Who holds the token of this request; None without a valid one (`caller()` refuses it behind the rate limit)."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    return holder(digest_of(token.strip())) if scheme.lower() == "bearer" and token.strip() else None


def holder(digest: str) -> Caller | None:
    """The caller whose token or session has that digest; None if it is unknown, expired, revoked or ended."""
    if digest.startswith("session:"):
        return _person(digest)
    for company_id, role in lookup.rows(_HOLDER, digest=digest):
        return Caller(company_id, role, digest)
    return None


def _person(digest: str) -> Caller | None:
    _, user_id, epoch = digest.split(":")
    for company_id, role in lookup.rows(_PERSON, id=int(user_id), epoch=int(epoch)):
        if company_id is not None or role == "operator":
            return Caller(company_id, role, digest, int(user_id))
    return None


def caller() -> Caller:
    """Who calls; raises NotSignedIn."""
    if g.get("caller") is None:
        raise NotSignedIn()
    return g.caller


def company_scope() -> str | None:
    """The scope whose tasks the caller may see: its company's, or None (all) for an operator."""
    return None if caller().is_operator else str(caller().company_id)


def require_operator() -> None:
    if not caller().is_operator:
        raise NotAllowed()


def sees(company_id: int | str | None) -> bool:
    """Whether records of that company (or of none) are the caller's to see."""
    return caller().is_operator or (company_id is not None and str(company_id) == str(caller().company_id))


def known_company(company_id: int) -> int:
    """The id, if such a company exists; else NotFound."""
    with db.reading() as session:
        if not 1 <= company_id <= MAX_ID or session.get(Company, company_id) is None:
            raise NotFound()
    return company_id


def record_id(text: str) -> int:
    """The number in a path; whatever is no id of ours in form is NotFound, as an unknown one is."""
    if not (text.isascii() and text.isdigit() and len(text) <= 19 and text == str(int(text)) and int(text) <= MAX_ID):
        raise NotFound()
    return int(text)


def owned(references: Mapping[str, Iterable[Any]], company_id: int | None) -> None:
    """All records named must exist and belong to `company_id` (None: to any company), else NotFound.

    `references`: ids by record, `{"mutabakat": {1, 2}, "file": {"…"}}`, as a kind's `references()` gives them.
    """
    for record, ids in references.items():
        for chunk in _chunks(ids):
            owners = _owners_of(record, chunk)
            if len(owners) != len(chunk) or (company_id is not None and set(owners) != {str(company_id)}):
                raise NotFound()


def _owners_of(record: str, ids: list[Any]) -> list[str]:
    """The companies of those ids that exist, as text, as a task has its own ("None": of none)."""
    if len(ids) == 1:
        return [str(owner) for (owner,) in lookup.rows(_OWNER_OF[record], id=ids[0])]
    key, owner = _RECORDS[record]
    with db.reading() as session:
        return [str(found) for found in session.scalars(select(owner).where(key.in_(ids)))]


def _chunks(ids: Iterable[Any]) -> Iterator[list[Any]]:
    """At most IDS_PER_QUERY at a time; NotFound for what no id column can hold."""
    rest = iter(ids)
    while chunk := list(islice(rest, IDS_PER_QUERY)):
        if not all(1 <= one <= MAX_ID if isinstance(one, int) else db.storable(one) == one for one in chunk):
            raise NotFound()
        yield chunk
