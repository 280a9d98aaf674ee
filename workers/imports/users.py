"""Users: known by their e-mail in the whole service. An import makes members only, without a password."""

from collections import Counter
from functools import cache
from typing import Any

from sqlalchemy import bindparam, select, update
from sqlalchemy.orm import Session

from workers import db
from workers.db import insert, now
from workers.imports.accounts import too_long
from workers.imports.scratch import Key, Part, Words
from workers.models import NO_PASSWORD, Company, User

FIELDS = ("name", "phone", "language")
LIMITS = {"email": 320, "name": 200, "phone": 40}
MEMBER = "member"
U = User.__table__.c
BY_EMAIL = select(U.id, U.company_id, U.role, U.email, *(U[name] for name in FIELDS)).where(
    U.email.in_(bindparam("emails", expanding=True))
)
CHANGE = (
    update(User.__table__)  # type: ignore[arg-type]  # declared as FromClause, is a Table
    .where(U.id == bindparam("user_id"))
    .values({name: bindparam(f"new_{name}") for name in FIELDS})
)


def understand(values: dict[str, Any]) -> tuple[Key, dict[str, Any], dict[str, Any]]:
    email = values["email"].lower()
    return Key(email), {"email": email, **{name: values[name] for name in FIELDS if values.get(name)}}, {}


def faults(values: dict[str, Any]) -> list[tuple[str, Words]]:
    found = too_long(values, LIMITS)
    if values.get("role") not in (None, MEMBER):
        found.append(("role", ("Rol yalnız member olabilir", "The role can only be member")))
    return found


def taken(session: Session, company_id: int, parts: list[Part]) -> list[tuple[Part, Words]]:
    """Whose e-mail belongs to somebody that this company may not change; whose it is stays untold."""
    words = ("Bu e-posta adresi kullanılamaz", "This e-mail address can't be used")
    there = _known(session, parts)
    return [(part, words) for part in parts if part.group in there and not _ours(there[part.group], company_id)]


def _ours(user: Any, company_id: int) -> bool:
    return user["company_id"] == company_id and user["role"] == MEMBER


def _known(session: Session, parts: list[Part]) -> dict[str, Any]:
    found = session.connection().execute(BY_EMAIL, {"emails": [part.group for part in parts]}).mappings()
    return {row["email"]: row for row in found}


def apply(session: Session, company: Company, parts: list[Part], *, write: bool) -> Counter[str]:
    """Count what these rows do, per row; and do it if `write`. What was taken since the check counts as unchanged."""
    there = _known(session, parts)
    new = [part.who for part in parts if part.group not in there]
    ours = [(there[part.group], part.who) for part in parts if part.group in there]
    changed = [(user, who) for user, who in ours if _ours(user, company.id) and _differs(user, who)]
    if write:
        db.many(session, _adding(session.get_bind().dialect.name), [_row(who, company.id) for who in new])
        db.many(session, CHANGE, [{"user_id": user["id"], **_after(user, who)} for user, who in changed])
    return Counter(new=len(new), changed=len(changed), unchanged=len(parts) - len(new) - len(changed))


def _differs(user: Any, who: dict[str, Any]) -> bool:
    return any(who.get(name, user[name]) != user[name] for name in FIELDS)


def _after(user: Any, who: dict[str, Any]) -> dict[str, Any]:
    return {f"new_{name}": who.get(name, user[name]) for name in FIELDS}


def _row(who: dict[str, Any], company_id: int) -> dict[str, Any]:
    given = {"email": who["email"], **{name: who.get(name) for name in FIELDS}, "company_id": company_id}
    given["language"] = given["language"] or "tr"
    return {
        **given,
        "role": MEMBER,
        "password_hash": NO_PASSWORD,
        "password_changed_at": now(),
        "created_at": now(),
    } | {"active": True, "session_epoch": 0}


@cache
def _adding(dialect: str) -> Any:
    """An address that somebody else took this very moment stays theirs."""
    return insert(dialect, User.__table__).on_conflict_do_nothing(index_elements=["email"])
