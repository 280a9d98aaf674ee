"""What a session lives through: pages, nights, other keys, another password, and its end."""

import time
from datetime import timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select, update
from werkzeug.test import TestResponse

from app.passwords import hashed
from tests import desk as desks
from tests.conftest import SECRET
from tests.desk import Desk
from tests.face import Face
from tests.test_desk_login import PASSWORD, face_settings, is_in, log_in, person, token_of
from workers import db, settings
from workers.models import Company, User

face, desk = desks.face, desks.desk


def test_cookies_survive_a_rotation_of_the_secret_key_and_die_with_the_old_key(desk: Desk) -> None:
    for keys, inside in ((f"{'n' * 40},{SECRET}", True), ("n" * 40, False)):
        settings.use(settings.load(**{**face_settings(), "secret_key": keys}))
        assert is_in(desk.member.client) is inside


def test_a_cookie_that_was_changed_is_nobodys(desk: Desk) -> None:
    cookie = desk.member.client.get_cookie("sira")
    assert cookie is not None
    signed, _, signature = cookie.value.rpartition(".")
    for forged in (f"{signed}.{signature[::-1]}", cookie.value.partition(".")[2], "", "x" * 3000):
        desk.member.client.set_cookie("sira", forged)
        assert desk.member.get("/").location == "/login?next=/"


@pytest.mark.parametrize(("name", "age_s"), [("seen", 13 * 3600), ("at", 8 * 24 * 3600)])
def test_a_session_ends_after_a_night_without_a_page_and_after_a_week(desk: Desk, name: str, age_s: int) -> None:
    with desk.member.client.session_transaction() as kept:
        kept[name] = time.time() - age_s

    assert not is_in(desk.member.client)


def test_opening_pages_keeps_a_session_alive(desk: Desk) -> None:
    with desk.member.client.session_transaction() as kept:
        kept["seen"] = time.time() - 11 * 3600
    desk.member.get("/")
    with desk.member.client.session_transaction() as kept:
        assert time.time() - kept["seen"] < 60


def change(user_id: int, **values: Any) -> None:
    with db.writing() as session:
        session.execute(update(User).where(User.id == user_id).values(**values))


@pytest.mark.parametrize("values", [{"active": False}, {"session_epoch": 1}, {"company_id": None}])
def test_a_session_ends_with_the_person(desk: Desk, values: dict[str, Any]) -> None:
    change(desk.member.user_id, **values)

    assert not is_in(desk.member.client)


def test_an_operator_of_the_whole_service_needs_no_company(desk: Desk) -> None:
    change(desk.operator.user_id, company_id=None)

    assert is_in(desk.operator.client)


def test_signing_out_ends_this_session_or_all(face: Face) -> None:
    ayse = person(face)
    here, there, elsewhere = (face.app.test_client() for _ in range(3))
    for client in (here, there, elsewhere):
        log_in(client, ayse.email)

    here.post("/logout", data={"csrf_token": token_of(here.get("/"))})
    assert [is_in(client) for client in (here, there, elsewhere)] == [False, True, True]

    there.post("/logout", data={"csrf_token": token_of(there.get("/")), "everywhere": "1"})
    assert [is_in(client) for client in (here, there, elsewhere)] == [False, False, False]


def new_password(client: FlaskClient, old: str, new: str) -> TestResponse:
    token = token_of(client.get("/password"))
    return client.post("/password", data={"csrf_token": token, "old_password": old, "new_password": new})


def test_another_password_ends_all_sessions_but_this_one(face: Face) -> None:
    ayse = person(face)
    here, there = face.app.test_client(), face.app.test_client()
    log_in(here, ayse.email)
    log_in(there, ayse.email)

    answer = new_password(here, PASSWORD, "mavi defter penceresi")

    assert (answer.status_code, is_in(here), is_in(there)) == (302, True, False)
    assert log_in(there, ayse.email).status_code == 401
    assert log_in(there, ayse.email, "mavi defter penceresi").status_code == 302


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("wrong", "mavi defter penceresi", "Şimdiki parola yanlış."),
        (PASSWORD, "kısa", "Parola en az 10 karakter olmalıdır."),
        (PASSWORD, "aaaaaaaaaaaa", "çok kolay tahmin edilir"),
        (PASSWORD, "ayse1234567", "çok kolay tahmin edilir"),
        (PASSWORD, PASSWORD, "Şimdikinden farklı"),
    ],
)
def test_a_password_that_will_not_do_is_refused_in_words(face: Face, old: str, new: str, told: str) -> None:
    ayse = person(face)
    log_in(ayse.client, ayse.email)

    answer = new_password(ayse.client, old, new)

    assert answer.status_code == 422
    assert told in answer.text
    assert is_in(ayse.client)


def test_a_letter_typed_in_two_parts_is_the_same_password(face: Face) -> None:
    ayse = person(face, password_hash=hashed("ş" * 3 + "çöğü ırmak"))

    assert log_in(ayse.client, ayse.email, "s\u0327" * 3 + "c\u0327o\u0308g\u0306u\u0308 ırmak").status_code == 302


@pytest.mark.parametrize("why", ["flagged", "old"])
def test_an_expired_password_is_changed_before_anything_else(face: Face, why: str) -> None:
    at = db.now()
    more = {"password_expired_at": at} if why == "flagged" else {"password_changed_at": at - timedelta(days=40)}
    ayse = person(face, **more)
    with db.writing() as session:
        session.get_one(Company, ayse.company_id).options = {"password_max_age_days": 30}
    log_in(ayse.client, ayse.email)

    assert ayse.get("/").location == "/password"
    assert ayse.get("/", htmx=True).headers["HX-Redirect"] == "/password"
    assert "süresi doldu" in ayse.get("/password").text
    assert new_password(ayse.client, PASSWORD, "mavi defter penceresi").location == "/"
    assert is_in(ayse.client)
    with db.reading() as session:
        kept = session.scalars(select(User).where(User.id == ayse.user_id)).one()
        assert (kept.password_expired_at, kept.password_notice_for) == (None, None)
