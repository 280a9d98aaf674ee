"""Signing in and out, and all that ends a session."""

import hashlib
import re
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from limits import parse_many
from werkzeug.test import TestResponse

from app import create_app, people
from app.passwords import hashed
from tests import desk as desks
from tests.desk import Desk, Visitor, sign_in
from tests.face import Face, open_face
from workers import db, settings
from workers.models import User

face, desk, face_anywhere = desks.face, desks.desk, desks.face_anywhere
PASSWORD = "kırmızı bisiklet sayfa"
DIGEST = hashed(PASSWORD)


def person(face: Face, email: str = "ayse@ornek.example", **more: Any) -> Visitor:
    """Somebody with a password, not signed in."""
    visitor = sign_in(face, email, face.ayse.company_id, **{"password_hash": DIGEST, **more})
    visitor.client.delete_cookie("sira")
    return visitor


def token_of(answer: TestResponse) -> str:
    found = re.search(r'name="csrf_token" value="([^"]+)"', answer.text)
    assert found is not None
    return found[1]


def log_in(
    client: FlaskClient, email: str, password: str = PASSWORD, *, address: str = "127.0.0.1", **more: str
) -> TestResponse:
    data = {"csrf_token": token_of(client.get("/login")), "email": email, "password": password, **more}
    return client.post("/login", data=data, environ_overrides={"REMOTE_ADDR": address})


def is_in(client: FlaskClient) -> bool:
    return client.get("/").status_code == 200


def test_the_right_password_opens_the_desk_in_a_new_session(face_anywhere: Face) -> None:
    ayse = person(face_anywhere)
    ayse.client.get("/login")
    before = ayse.client.get_cookie("sira")

    answer = log_in(ayse.client, " AYSE@ornek.example ", next="/tasks?state=FAILURE")

    assert (answer.status_code, answer.location) == (302, "/tasks?state=FAILURE")
    after = ayse.client.get_cookie("sira")
    assert before is not None
    assert after is not None
    assert before.value != after.value
    assert (after.http_only, after.same_site, after.secure, after.path) == (True, "Lax", False, "/")
    with ayse.client.session_transaction() as kept:
        assert kept["who"] == f"session:{ayse.user_id}:0"
        assert "csrf_token" not in kept, "a token from before the login is worth nothing after it"
    assert is_in(ayse.client)


def test_under_https_no_other_host_can_set_the_cookie(face: Face) -> None:
    settings.use(settings.load(**{**face_settings(), "public_url": "https://sira.example"}))
    client = create_app().test_client()

    told = client.get("/login", base_url="https://sira.example").headers["Set-Cookie"]

    assert told.startswith("__Host-sira=")
    assert all(word in told for word in ("Secure", "HttpOnly", "SameSite=Lax", "Path=/"))
    assert "Domain" not in told


def face_settings() -> dict[str, Any]:
    chosen = settings.current()
    return {"redis_url": chosen.redis_url, "data_dir": chosen.data_dir, "secret_key": chosen.secret_key}


def test_an_unknown_address_and_a_wrong_password_get_one_answer_after_the_same_work(
    face: Face, monkeypatch: pytest.MonkeyPatch
) -> None:
    person(face)
    person(face, "imported@ornek.example", password_hash="!")
    person(face, "gone@ornek.example", active=False)
    hashings: list[int] = []
    scrypt = hashlib.scrypt
    monkeypatch.setattr(hashlib, "scrypt", lambda *a, **k: hashings.append(k["n"]) or scrypt(*a, **k))

    answers = [
        log_in(face.client, email, password)
        for email, password in [
            ("ayse@ornek.example", "wrong"),
            ("nobody@ornek.example", PASSWORD),
            ("imported@ornek.example", "!"),
            ("gone@ornek.example", PASSWORD),
        ]
    ]

    assert {answer.status_code for answer in answers} == {401}
    told = [re.search(r'role="alert">([^<]+)<', answer.text) for answer in answers]
    assert {found[1] for found in told if found} == {"E-posta ya da parola yanlış."}
    assert hashings == [32768] * 4


def test_too_many_tries_are_told_when_to_come_back(face: Face, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(people, "TRIES_PER_PERSON", parse_many("2/10minutes"))
    monkeypatch.setattr(people, "FAILURES_PER_NETWORK", parse_many("4/10minutes"))
    ayse, bora = person(face), person(face, "bora@ornek.example")

    tries = [log_in(face.client, "ayse@ornek.example", "wrong").status_code for _ in range(2)]
    refused = log_in(face.client, "ayse@ornek.example")

    assert [*tries, refused.status_code] == [401, 401, 429]
    assert 1 <= int(refused.headers["Retry-After"]) <= 600
    assert "sonra yeniden deneyin" in refused.text
    assert log_in(bora.client, "bora@ornek.example").status_code == 302, "others at this address go on"

    wrong = [log_in(face.client, f"guess{n}@ornek.example", "wrong").status_code for n in range(3)]
    assert wrong == [401, 401, 429], "until the address itself has failed too often"
    assert not is_in(ayse.client)


def test_who_guesses_elsewhere_locks_nobody_out_and_many_networks_together_guess_no_faster(
    face: Face, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(people, "TRIES_PER_PERSON", parse_many("2/10minutes"))
    monkeypatch.setattr(people, "FAILURES_PER_PERSON", parse_many("4/10minutes"))
    ayse, stranger = person(face), face.app.test_client()

    there = [log_in(stranger, ayse.email, "no", address=f"2001:db8:0:1::{n}").status_code for n in range(3)]
    assert there == [401, 401, 429], "another address of the same network is no other network"
    assert log_in(ayse.client, ayse.email).status_code == 302, "its owner signs in all the same"

    many = [log_in(stranger, ayse.email, "no", address=f"203.0.113.{n}").status_code for n in range(3)]
    assert many == [401, 401, 429], "from wherever"


def test_a_right_password_forgives_the_tries_before_it(face: Face, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(people, "TRIES_PER_PERSON", parse_many("3/10minutes"))
    ayse = person(face)

    said = ("no", "no", PASSWORD, "no", "no", PASSWORD)
    codes = [log_in(face.app.test_client(), ayse.email, password).status_code for password in said]

    assert codes == [401, 401, 302, 401, 401, 302]


def test_no_login_leads_to_another_site(face: Face) -> None:
    person(face)
    for path in (
        "//evil.example",
        "/\\evil.example",
        "https://evil.example",
        "/\t/evil.example",
        "javascript:alert(1)",
        "",
    ):
        assert log_in(face.client, "ayse@ornek.example", next=path).location == "/", path


def test_only_where_the_first_login_was_printed_the_page_says_so(face: Face, tmp_path: Path) -> None:
    assert "login: …" not in face.client.get("/login").text
    settings.use(settings.load(data_dir=tmp_path, redis_url="", secret_key=""))

    assert "login: …" in create_app().test_client().get("/login").text


def test_nobody_who_is_signed_in_is_asked_to_sign_in(desk: Desk) -> None:
    assert desk.member.get("/login?next=/tasks").location == "/tasks"


def test_a_language_and_a_look_are_chosen_for_this_browser_before_and_after_the_login(service: Any) -> None:
    client = open_face().client
    page = client.get("/login")
    assert '<html lang="tr">' in page.text
    assert '<html lang="en">' in client.get("/login", headers={"Accept-Language": "en-GB,en;q=0.9"}).text

    for name, value in (("lang", "en"), ("theme", "dark"), ("theme", "<x>"), ("lang", "de")):
        answer = client.post("/preferences", data={"csrf_token": token_of(page), name: value, "next": "/login?next=/x"})
        assert answer.location == "/login?next=/x"

    page = client.get("/login")
    assert '<html lang="en" data-theme="dark">' in page.text
    assert "E-mail" in page.text


def test_who_switches_the_language_is_spoken_to_in_it_elsewhere_too(desk: Desk) -> None:
    assert desk.member.post("/preferences", {"lang": "en", "next": "/tasks"}).location == "/tasks"
    desk.member.post("/preferences", {"lang": "de"})

    with db.reading() as session:
        assert session.get(User, desk.member.user_id).language == "en"
        assert session.get(User, desk.operator.user_id).language == "tr"


def test_a_person_reads_in_the_language_of_their_record(face: Face) -> None:
    visitor = sign_in(face, "john@ornek.example", face.ayse.company_id, language="en")

    assert '<html lang="en"' in visitor.get("/").text
