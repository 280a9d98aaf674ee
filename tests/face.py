"""The fixture of the API's tests: an application on a service of its own, two companies and people who call it."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime
from json import dumps
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy.orm import Session
from werkzeug.test import TestResponse

from app import create_app
from app.auth import digest_of
from tests import compiled
from workers import db
from workers.models import Company, Token

compiled.keep()
VKNS = ("4540536920", "1729171602")
UNKNOWN_TASK = "01900000-0000-7000-8000-000000000000"
LETTER: dict[str, Any] = {
    "account": {"code": "120.01.001", "title": "Çınar Ticaret Ltd. Şti.", "vkn": "4540536920"},
    "as_of": "2025-12-31",
    "lines": [{"currency": "TRY", "amount": "1234.56", "side": "borc"}],
}


@dataclass
class Person:
    """Somebody with a token."""

    client: FlaskClient
    token: str
    company_id: int

    def elsewhere(self) -> "Person":
        """The same person at another client: one client serves one thread."""
        return replace(self, client=self.client.application.test_client())

    def get(self, path: str, **more: Any) -> TestResponse:
        return self.call("GET", path, **more)

    def post(self, path: str, json: Any = None, **more: Any) -> TestResponse:
        body = {"data": dumps(json), "content_type": "application/json"} if json is not None else {}
        return self.call("POST", path, **body, **more)

    def call(self, method: str, path: str, headers: dict[str, str] | None = None, **more: Any) -> TestResponse:
        signed = {"Authorization": f"Bearer {self.token}", **(headers or {})}
        return self.client.open(path, method=method, headers=signed, **more)

    def letter(self, **changes: Any) -> int:
        """The id of a new letter."""
        answer = self.post("/api/mutabakat", {**LETTER, **changes})
        assert answer.status_code == 201, answer.text
        return answer.json["id"]

    def enqueue(self, kind: str, headers: dict[str, str] | None = None, **params: Any) -> str:
        """The id of a new task."""
        answer = self.post(f"/api/jobs/{kind}", params, headers=headers)
        assert answer.status_code == 202, answer.text
        return answer.json["task_id"]

    def status(self, task_id: str, **more: Any) -> Any:
        answer = self.get(f"/api/tasks/{task_id}/status", **more)
        assert answer.status_code == 200, answer.text
        return answer.json


@dataclass
class Face:
    """The application, a member of each of two companies, and an operator (whose token belongs to the first)."""

    app: Flask
    ayse: Person
    bora: Person
    operator: Person

    @property
    def client(self) -> FlaskClient:
        """Somebody without a token."""
        return self.app.test_client()


def new_company(vkn: str) -> int:
    with db.writing() as session:
        return _companies(session, vkn)[0]


def _companies(session: Session, *vkns: str) -> list[int]:
    companies = [Company(name=f"Şirket {vkn}", vkn=vkn, tax_office="Kadıköy") for vkn in vkns]
    session.add_all(companies)
    session.flush()
    return [company.id for company in companies]


def new_token(token: str, company_id: int, role: str = "member", *, expires_at: datetime | None = None) -> str:
    with db.writing() as session:
        session.add(Token(company_id=company_id, role=role, digest=digest_of(token), expires_at=expires_at))
    return token


def open_face() -> Face:
    app = create_app()
    with db.writing() as session:
        first, second = _companies(session, *VKNS)
        people = [
            ("ayse-token", first, "member"),
            ("bora-token", second, "member"),
            ("operator-token", first, "operator"),
        ]
        session.add_all(Token(company_id=one, role=role, digest=digest_of(token)) for token, one, role in people)
    return Face(app, *(Person(app.test_client(), token, company_id) for token, company_id, _ in people))


def at_once(times: int, call: Callable[[], TestResponse]) -> list[TestResponse]:
    """What as many threads get when they call side by side."""
    with ThreadPoolExecutor(times) as threads:
        return list(threads.map(lambda _: call(), range(times)))


@pytest.fixture
def face(service: Any) -> Face:
    return open_face()


@pytest.fixture
def face_anywhere(anywhere: Any) -> Face:
    """On each kind of database in turn."""
    return open_face()
