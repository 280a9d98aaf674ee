"""What stands in front of every page: who may see it, forms of other sites, forms of sessions that ended, refusals."""

import html
import json
import re
from typing import Any

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from app.desk import gate
from app.headers import CONTENT_SECURITY_POLICY
from app.passwords import hashed
from tests import desk as desks
from tests.conftest import SECRET
from tests.desk import Desk, sign_in, token
from tests.face import UNKNOWN_TASK, Face
from workers import db, settings
from workers.models import Company

face, desk = desks.face, desks.desk

PASSWORD = "kırmızı bisiklet sayfa"
HERE = {"Sec-Fetch-Site": "same-origin"}
FORM = {"phone": "0555 111 22 33", "message": 'Çok <b>önemli</b> & "acil"', "old_password": "secret", "phone2": ""}


def routes(app: Flask, method: str) -> list[str]:
    """The paths of the desk's pages that need a login, filled with ids that nobody has."""
    rules = [
        rule
        for rule in app.url_map.iter_rules()
        if rule.endpoint.startswith("desk_")
        and method in (rule.methods or ())
        and not hasattr(app.view_functions[rule.endpoint], "open_to_all")
    ]
    return [filled(rule.rule) for rule in rules]


def filled(rule: str) -> str:
    """The path of a rule, with an id that nobody has, or the first of the words that it takes."""
    words = re.sub(r"<any\((\w+)[^>]*>", r"\1", rule)
    return re.sub(r"<int(\([^)]*\))?:\w+>", "9", re.sub(r"<(path:)?\w+>", UNKNOWN_TASK, words))


def test_no_page_opens_without_a_login_and_none_does_what_a_stranger_posts(face: Face) -> None:
    reading, writing = routes(face.app, "GET"), routes(face.app, "POST")
    assert len(reading) > 3
    for path in reading:
        answer = face.client.get(path)
        assert answer.status_code == 302, path
        assert answer.location.startswith("/login?next=%2F") or answer.location.startswith("/login?next=/"), path
        hurried = face.client.get(path, headers={"HX-Request": "true"})
        if hurried.headers.get("HX-Retarget") != "#signed-out":
            assert (hurried.status_code, hurried.headers["HX-Redirect"]) == (204, "/login?next=/"), path
    for path in writing:
        answer = face.client.post(path, data={"a": "b"})
        assert 'action="/login"' in answer.text, path
        assert answer.headers["Cache-Control"] == "no-store"


def test_every_page_has_the_strict_policy_and_holds_no_inline_script_or_style(desk: Desk) -> None:
    for path in (path for path in routes(desk.face.app, "GET") if not path.startswith("/admin/rq")):
        answer = desk.operator.get(path)
        assert answer.headers["Content-Security-Policy"] == CONTENT_SECURITY_POLICY, path
        if answer.mimetype == "text/html":
            assert not re.search(r"<script(?![^>]*\ssrc=)|\sstyle=|\son\w+=|javascript:", answer.text), path
            assert answer.headers["Cache-Control"] == "no-store", path


def test_what_people_typed_stays_text_wherever_it_stands(desk: Desk) -> None:
    with db.writing() as session:
        session.get_one(Company, desk.member.company_id).name = "<script>alert(1)</script>"
    visitor = sign_in(desk.face, "x@ornek.example", desk.member.company_id, name="<script>alert(2)</script>")

    page = visitor.get("/?q=<script>alert(3)</script>").text

    assert "&lt;script&gt;alert(1)" in page
    assert "&lt;script&gt;alert(2)" in page
    assert "<script>alert" not in page


def continue_of(answer: TestResponse) -> dict[str, str]:
    """The fields of the form that waits, as a browser would send it."""
    form = answer.text[answer.text.index("<main") :]
    pairs = re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', form)
    return {name: html.unescape(value) for name, value in pairs}


def test_a_form_whose_session_had_ended_goes_on_after_the_login(face: Face) -> None:
    sign_in(face, "ayse@ornek.example", face.ayse.company_id, password_hash=hashed(PASSWORD))
    client = face.client

    asked = client.post("/sms?draft=1", data={"csrf_token": token(), **FORM}, headers=HERE)

    assert (asked.status_code, "yazdıklarınızın hiçbiri kaybolmadı" in asked.text) == (200, True)
    assert "secret" not in asked.text
    login = {**continue_of(asked), "email": "ayse@ornek.example", "password": "wrong"}
    again = client.post("/login", data=login, headers=HERE)
    assert again.status_code == 401
    login = {**continue_of(again), "email": "ayse@ornek.example", "password": PASSWORD}
    ready = client.post("/login", data=login, headers=HERE)
    assert 'action="/sms?draft=1"' in ready.text
    fields = continue_of(ready)
    assert {name: fields.get(name) for name in ("phone", "message", "phone2")} == {
        name: FORM[name] for name in ("phone", "message", "phone2")
    }
    assert fields.keys() == {"phone", "message", "phone2", "csrf_token"}


def test_a_form_of_the_session_before_goes_on_with_one_click_and_its_files_are_asked_for(desk: Desk) -> None:
    data: dict[str, Any] = {"csrf_token": "of another tab", "mode": "skip-bad", "file": (__file__, "a.xlsx")}

    answer = desk.member.client.post("/upload", data=data, headers=HERE)

    assert 'enctype="multipart/form-data"' in answer.text
    assert '<input type="file" name="file" required>' in answer.text
    assert continue_of(answer) | {"csrf_token": ""} == {"csrf_token": "", "mode": "skip-bad"}


def test_a_path_that_is_nothing_keeps_no_form(desk: Desk) -> None:
    headers = {**HERE, "Accept": "text/html"}
    for client in (desk.member.client, desk.face.client):
        answer = client.post("//evil.example/x", data=FORM, headers=headers)
        assert (answer.status_code, "önemli" in answer.text, "<form" in answer.text[answer.text.index("<main") :]) == (
            404,
            False,
            False,
        )


def test_htmx_gets_the_whole_page_that_asks(face: Face) -> None:
    headers = {**HERE, "HX-Request": "true", "HX-Current-URL": "http://localhost/sms"}
    answer = face.client.post("/sms", data=FORM, headers=headers)

    assert (answer.headers["HX-Retarget"], answer.headers["HX-Reswap"]) == ("body", "innerHTML")


@pytest.mark.parametrize(("method", "path"), [("POST", "/sms/preview"), ("GET", "/mail/files"), ("GET", "/letters/1")])
def test_what_is_asked_while_somebody_types_takes_no_page_away(desk: Desk, method: str, path: str) -> None:
    headers = {**HERE, "HX-Request": "true", "HX-Current-URL": "http://localhost/sms"}
    nobody = desk.face.client.open(path, method=method, data=FORM, headers=headers)

    assert (nobody.status_code, nobody.headers["HX-Retarget"]) == (200, "#signed-out")
    assert "Yazdıklarınız duruyor" in nobody.text
    assert "HX-Redirect" not in nobody.headers
    if method == "POST":
        elsewhere = desk.member.client.post(path, data=FORM, headers=headers)  # with the token of another session
        assert elsewhere.headers["HX-Retarget"] == "#signed-out"


@pytest.mark.parametrize(
    "headers",
    [{}, {"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"}, {"Origin": "https://evil.example"}],
)
def test_what_another_site_posts_is_neither_done_nor_kept(desk: Desk, headers: dict[str, str]) -> None:
    refused = desk.member.client.post("/logout", data={**FORM, "everywhere": "1"}, headers=headers)
    stranger = desk.face.client.post("/sms", data=FORM, headers=headers)

    assert refused.status_code == 400
    assert "önemli" not in refused.text + stranger.text
    assert desk.member.get("/").status_code == 200


def test_a_program_needs_its_token_alone(desk: Desk) -> None:
    assert desk.face.ayse.get("/").status_code == 200
    assert desk.face.ayse.call("POST", "/preferences", data={"lang": "en"}).status_code == 302
    assert desk.face.client.get("/", headers={"Authorization": "Bearer wrong"}).status_code == 302


def test_the_cookie_reads_the_api_and_writes_nothing_there(desk: Desk) -> None:
    mine = desk.face.ayse.enqueue("add", a=1)
    client = desk.member.client

    assert client.get(f"/api/tasks/{mine}/status").status_code == 200
    assert desk.stranger.client.get(f"/api/tasks/{mine}/status").status_code == 404
    for path in (f"/api/tasks/{mine}/cancel", "/api/jobs/add"):
        assert client.post(path, json={"a": 1}, headers={"X-CSRFToken": token()}).status_code == 401


def test_a_refusal_is_a_page_for_people_a_toast_for_htmx_and_json_for_programs(desk: Desk) -> None:
    path = f"/tasks/{UNKNOWN_TASK}/nothing"
    page = desk.member.get(path)
    assert (page.status_code, page.mimetype) == (404, "text/html")
    assert "Böyle bir sayfa yok" in page.text
    assert 'aria-label="Ana menü"' in page.text, "the ways on are there"

    hurried = desk.member.get(path, htmx=True)
    assert (hurried.status_code, hurried.headers["HX-Reswap"], hurried.text) == (404, "none", "")
    toast = json.loads(hurried.headers["HX-Trigger"])["toast"]
    assert toast == {"text": "Burada böyle bir kayıt yok. Numarayı denetleyin.", "kind": "error"}

    assert desk.face.client.get(path).mimetype == "application/problem+json"
    assert (
        desk.member.client.get("/api/no/such", headers={"Accept": "text/html"}).mimetype == "application/problem+json"
    )


def test_without_redis_the_home_page_says_so_and_shows_what_the_database_knows(desk: Desk) -> None:
    desk.face.ayse.enqueue("add", a=1)
    chosen = settings.current()
    settings.use(settings.load(redis_url="redis://127.0.0.1:1/0", data_dir=chosen.data_dir, secret_key=SECRET))

    page = desk.operator.get("/")

    assert page.status_code == 200
    assert "Redis yanıt vermiyor" in page.text
    assert "/tasks?state=PENDING" in page.text


def test_a_fault_of_ours_is_told_without_its_words(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> str:
        raise ZeroDivisionError("what nobody should read")

    monkeypatch.setitem(desk.face.app.view_functions, "desk_home.home", broken)

    answer = desk.member.get("/")

    assert answer.status_code == 500
    assert "urn:uuid:" in answer.text
    assert "what nobody should read" not in answer.text


@pytest.mark.parametrize(
    ("given", "safe"),
    [
        ("/tasks?x=1#y", "/tasks?x=1#y"),
        ("//a", "/"),
        ("/\\a", "/"),
        ("a", "/"),
        (None, "/"),
        ("/a\r\nSet-Cookie: x", "/"),
    ],
)
def test_a_way_back_is_a_path_of_this_site(given: str | None, safe: str) -> None:
    assert gate.safe_path(given) == safe


def test_a_form_sent_twice_has_one_key_and_an_edited_one_another(face: Face) -> None:
    def key(*more: str, **fields: str) -> str | None:
        with face.app.test_request_context("/sms", method="POST", data={"csrf_token": token(), **fields}):
            return gate.form_key(*more)

    first = key(form_id="a", message="x")
    assert first == key(form_id="a", message="x")
    assert (
        len({first, key(form_id="a", message="y"), key(form_id="b", message="x"), key("sha", form_id="a", message="x")})
        == 4
    )
    assert key(message="x") is None
