"""The filter of the list of tasks: from the words of a query to what is wanted, and back into links."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from flask import request
from flask_babel import gettext as _
from sqlalchemy import select

from app.api.enqueueing import OPERATORS_QUEUE
from app.auth import caller, company_scope
from app.desk.search import Wanted
from app.desk.shown import kind_name, queue_name, state_name
from app.desk.told import worded
from workers import settings
from workers.db import reading
from workers.engine import registry
from workers.engine.tasks import STATES
from workers.errors import InvalidInput, NotAllowed
from workers.models import Company
from workers.services import turkish

WORDS = ("state", "queue", "kind", "company", "since", "until", "q", "cause")
LONGEST_CHARS, COMPANIES = 400, 500


def asked(given: Mapping[str, str] | None = None) -> Wanted:
    """What the query asks for, in the caller's company or, for operators, in any. Raises InvalidInput, NotAllowed."""
    words = {name: (given or request.args).get(name, "").strip()[:LONGEST_CHARS] for name in WORDS}
    if words["state"] and words["state"] not in STATES:
        raise InvalidInput([{"field": "state", "message": f"use one of {', '.join(STATES)}"}])
    plain = {name: words[name] or None for name in ("state", "queue", "kind")}
    since, until = _day(words, "since"), _day(words, "until")
    until = until + timedelta(days=1) if until else None
    return Wanted(_scope(words["company"]), **plain, since=since, until=until, q=words["q"], cause=words["cause"])


def words_of_query() -> dict[str, str]:
    """The filter as it was asked for, without what is empty."""
    return {name: text for name in WORDS if (text := request.values.get(name, "").strip())}


def word_name(word: str) -> str:
    """What a word of the filter is called."""
    names = {
        **{"state": _("State"), "queue": _("Queue"), "kind": _("Kind"), "company": _("Company"), "q": _("Search")},
        **{"since": _("From day"), "until": _("To day"), "cause": _("Cause")},
    }
    return names.get(word, word)


def word_text(text: str, word: str) -> str:
    """What a word of the filter asks for, as lists write it. The filter has been `asked`, so a day is one."""
    names = {"state": state_name, "queue": queue_name, "kind": kind_name, "cause": _cause}
    if word in names:
        return names[word](text)
    if word == "company":
        return company_names({text}).get(text, text)
    day = _day({word: text}, word) if word in ("since", "until") else None
    return day.strftime("%d.%m.%Y") if day else text


def _cause(cause: str) -> str:
    error_type, colon, shape = cause.partition(": ")
    return f"{error_type}{colon}{worded(shape)}"


def link(**words: Any) -> str:
    """The list under that filter."""
    return f"/tasks?{urlencode(words)}"


def choices() -> dict[str, Any]:
    """What there is to choose from, each with its name: states, queues, kinds, and for operators companies."""
    kinds = registry.kinds().values()
    theirs = sorted(kind.name for kind in kinds if caller().is_operator or kind.queue != OPERATORS_QUEUE)
    queues = [queue for queue in registry.QUEUES if caller().is_operator or queue != OPERATORS_QUEUE]
    named = {"states": (STATES, state_name), "queues": (queues, queue_name), "kinds": (theirs, kind_name)}
    pairs = {what: [(value, name(value)) for value in values] for what, (values, name) in named.items()}
    return {**pairs, "companies": _companies()}


def company_names(scopes: set[str | None]) -> dict[str, str]:
    """The names of these companies, for operators (a member knows its own)."""
    if not caller().is_operator:
        return {}
    ids = [int(scope) for scope in scopes if scope and scope.isdigit()]
    with reading() as session:
        return {
            str(row.id): row.name
            for row in session.execute(select(Company.id, Company.name).where(Company.id.in_(ids)))
        }


def _companies() -> list[tuple[int, str]]:
    if not caller().is_operator:
        return []
    with reading() as session:
        query = select(Company.id, Company.name).order_by(Company.name).limit(COMPANIES)
        found = [(row.id, row.name) for row in session.execute(query)]
    return sorted(found, key=lambda company: turkish.order(company[1]))


def _scope(company: str) -> str | None:
    scope = company_scope()
    if company and not (company.isascii() and company.isdigit() and len(company) < 11):
        raise InvalidInput([{"field": "company", "message": "must be a whole number"}])
    if company and scope not in (None, company):
        raise NotAllowed()
    return company or scope


def _day(words: Mapping[str, str], name: str) -> datetime | None:
    """The beginning of that day on the clock of the people here."""
    if not words[name]:
        return None
    try:
        return datetime.strptime(words[name], "%Y-%m-%d").replace(tzinfo=ZoneInfo(settings.current().timezone))
    except ValueError:
        raise InvalidInput([{"field": name, "message": "must be a day such as 2026-11-23"}]) from None
