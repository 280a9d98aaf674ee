"""Whose password expires: a company's `password_max_age_days` (90 unless set, 0 for never) after its last change."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import select, update

from workers import db, settings
from workers.models import NO_PASSWORD, Company, User

MAX_AGE_DAYS = 90
CHUNK = 500


@dataclass(frozen=True)
class Expiry:
    """A user's password and the day on which it expires, by the calendar of TIMEZONE. `flagged`: known as expired."""

    user_id: int
    company_id: int | None
    email: str
    name: str | None
    language: str
    day: date
    days_left: int
    flagged: bool
    told_for: date | None

    @property
    def expired(self) -> bool:
        return self.days_left <= 0


def expiries(at: datetime) -> Iterator[Expiry]:
    """Of every active user who has a password that expires."""
    after, today = 0, _day(at)
    query = select(User, Company.options).outerjoin(Company, Company.id == User.company_id)
    query = query.where(User.active, User.password_hash != NO_PASSWORD)
    while True:
        with db.reading() as session:
            found = session.execute(query.where(User.id > after).order_by(User.id).limit(CHUNK)).all()
        yield from (made for user, options in found if (made := _expiry(user, options or {}, today)))
        if len(found) < CHUNK:
            return
        after = found[-1][0].id


def is_expired(user: User, company: Company | None, at: datetime) -> bool:
    """Whether the person must choose another password before anything else."""
    found = _expiry(user, (company.options if company else None) or {}, _day(at))
    return user.password_expired_at is not None or (found is not None and found.expired)


def _expiry(user: User, options: dict[str, Any], today: date) -> Expiry | None:
    max_age_days = options.get("password_max_age_days", MAX_AGE_DAYS)
    if not isinstance(max_age_days, int) or max_age_days <= 0:
        return None
    day = _day(user.password_changed_at) + timedelta(days=max_age_days)
    return Expiry(
        user_id=user.id,
        company_id=user.company_id,
        email=user.email,
        name=user.name,
        language=user.language,
        day=day,
        days_left=(day - today).days,
        flagged=user.password_expired_at is not None,
        told_for=user.password_notice_for,
    )


def _day(instant: datetime) -> date:
    return instant.astimezone(ZoneInfo(settings.current().timezone)).date()


def flag(expiry: Expiry, at: datetime) -> None:
    """Note that the password is expired, or that it no longer is."""
    if expiry.expired != expiry.flagged:
        _write(expiry.user_id, password_expired_at=at if expiry.expired else None)


def told(expiry: Expiry) -> None:
    """Note for which expiry the user got a mail: this outlives the idempotency key of that mail."""
    _write(expiry.user_id, password_notice_for=expiry.day)


def _write(user_id: int, **values: Any) -> None:
    with db.writing() as session:
        session.execute(update(User).where(User.id == user_id).values(**values))
