"""The fixture of the desk's tests: people signed in at the application of tests/face.py, whose forms have a token."""

import time
from dataclasses import dataclass
from typing import Any

import pytest
from flask.testing import FlaskClient
from itsdangerous import URLSafeTimedSerializer
from sqlalchemy import select
from werkzeug.test import TestResponse

from app.auth import digest_of_session
from app.desk import session
from tests import face as faces
from tests.face import Face
from workers import db
from workers.models import Act, User

TOKEN = "0123456789abcdef0123456789abcdef01234567"
face, face_anywhere = faces.face, faces.face_anywhere


@dataclass
class Visitor:
    """Somebody at the desk, signed in. `htmx=True` asks as htmx does."""

    client: FlaskClient
    user_id: int
    company_id: int | None
    email: str

    def get(self, path: str, *, htmx: bool = False, **more: Any) -> TestResponse:
        return self.client.get(path, headers=self._headers(htmx), **more)

    def post(self, path: str, data: dict[str, Any] | None = None, *, htmx: bool = False, **more: Any) -> TestResponse:
        return self.client.post(path, data={**(data or {}), "csrf_token": token()}, headers=self._headers(htmx), **more)

    def _headers(self, htmx: bool) -> dict[str, str]:
        return {"Accept": "text/html", **({"HX-Request": "true"} if htmx else {})}


@dataclass
class Desk:
    """A member of each of two companies and an operator (of the first); `face` has the same as callers with tokens."""

    face: Face
    member: Visitor
    stranger: Visitor
    operator: Visitor


def token() -> str:
    """The form token of every visitor."""
    return str(URLSafeTimedSerializer(session.keys(), salt="wtf-csrf-token").dumps(TOKEN))


def sign_in(face: Face, email: str, company_id: int | None, role: str = "member", **more: Any) -> Visitor:
    """A new person, signed in without a password (a scrypt hash costs 50 ms). `more`: columns of users."""
    with db.writing() as writer:
        person = User(email=email, company_id=company_id, role=role, **{"password_hash": "!", **more})
        writer.add(person)
        writer.flush()
        user_id = person.id
    client = face.app.test_client()
    with client.session_transaction() as kept:
        kept.permanent = True
        now = time.time()
        kept.update(who=digest_of_session(user_id, 0), at=now, seen=now, csrf_token=TOKEN)
    return Visitor(client, user_id, company_id, email)


def open_desk(face: Face) -> Desk:
    return Desk(
        face,
        sign_in(face, "ayse@ornek.example", face.ayse.company_id, name="Ayşe Çınar"),
        sign_in(face, "bora@baska.example", face.bora.company_id, name="Bora Şahin"),
        sign_in(face, "operator@ornek.example", face.ayse.company_id, "operator", name="Işıl Öğüt"),
    )


@pytest.fixture
def desk(face: Face) -> Desk:
    return open_desk(face)


@pytest.fixture
def desk_anywhere(face_anywhere: Face) -> Desk:
    """On each kind of database in turn."""
    return open_desk(face_anywhere)


@pytest.fixture
def english_desk(face: Face) -> Desk:
    """Its operator reads English."""
    desk = open_desk(face)
    desk.operator.client.set_cookie("lang", "en")
    return desk


def acts() -> list[tuple[str, str | None]]:
    """What was noted of what people did: the deed and its detail, the oldest first."""
    with db.reading() as session:
        return [(what, detail) for what, detail in session.execute(select(Act.what, Act.detail).order_by(Act.id))]
