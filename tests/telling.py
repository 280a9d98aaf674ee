"""What the tests of tellings need: a company that wants to be told, tasks that have ended, and a receiver."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from tests.conftest import Service
from tests.face import new_company
from tests.hands import put_row
from tests.receiver import SECRET, Receiver, receiving
from workers import db, settings, tellings
from workers.db import now
from workers.engine.job import params_in
from workers.engine.tables import items, tasks
from workers.errors import SiraError
from workers.models import Channel, Telling

VKN, OTHER = "4540536920", "1729171602"
NOTE, HOOK = tellings.NOTE, tellings.HOOK


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as one:
        yield one


@pytest.fixture
def company(service: Service) -> int:
    """A company that existed yesterday; webhooks may go to this machine."""
    allow_loopback(service)
    return new_company(VKN)


def allow_loopback(service: Service) -> None:
    service.env["WEBHOOK_ALLOW_LOOPBACK"] = "true"
    service.settings = service.settings.model_copy(update={"webhook_allow_loopback": True})
    settings.use(service.settings)


def wants(company_id: int, url: str | None = None, emails: tuple[str, ...] = ()) -> None:
    """From an hour ago on."""
    if url:
        tellings.want(company_id, HOOK, {"url": url, "secret": SECRET})
    if emails:
        tellings.want(company_id, NOTE, {"emails": list(emails)})
    with db.writing() as session:
        session.execute(update(Channel).values(since=now() - timedelta(hours=1)))


def ended(company_id: int | None, *, kind: str = "add", state: str = "SUCCESS", minutes_ago: float = 1) -> str:
    """The id of a task that has ended, as the recorder would have written it."""
    at, scope = now() - timedelta(minutes=minutes_ago), str(company_id) if company_id else None
    return put_row(kind=kind, scope=scope, state=state, created_at=at, ended_at=at)


def fell(company_id: int, error: SiraError) -> str:
    """The id of a task that has ended with this error."""
    at = now() - timedelta(minutes=1)
    row = {"state": "FAILURE", "created_at": at, "ended_at": at}
    return put_row(scope=str(company_id), error_type=error.type, error_message=error.message, **row)


def told(company_id: int) -> list[Telling]:
    return list(reversed(tellings.log(company_id)))


def mails() -> list[tuple[str, str, str]]:
    """To whom, subject and body of what was given to the mail queue."""
    query = select(tasks.c.id, items.c.value, tasks.c.params).join(tasks, tasks.c.id == items.c.task_id)
    with db.reading() as session:
        found = [params_in(row.id, row.params) for row in session.execute(query.where(tasks.c.kind == "send_notice"))]
    return [(one["to_email"], one["subject"], one["body"]) for one in found]


def move_back(column: Any, by: timedelta) -> None:
    """As if all of it had been so much earlier."""
    with db.writing() as session:
        for row in session.scalars(select(column.class_)).all():
            if getattr(row, column.key):
                setattr(row, column.key, getattr(row, column.key) - by)
