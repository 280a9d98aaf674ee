"""The API as its callers see it: what is accepted, for whom, and in which words."""

from pathlib import Path

import pytest
from werkzeug.test import TestResponse

from app import create_app
from tests import face as faces
from tests.conftest import Service
from tests.face import Face, Person, at_once, open_face
from workers import settings
from workers.engine import queues, wire

face = faces.face

STATUS_KEYS = {
    *(
        "task_id",
        "kind",
        "queue",
        "state",
        "current",
        "total",
        "percent",
        "status",
        "eta_seconds",
        "counts",
        "position",
    ),
    *("next_run_at", "created_at", "started_at", "ended_at", "attempts", "max_attempts", "result", "error", "links"),
}
ENGLISH = {"Accept-Language": "en-GB,en;q=0.8"}
GERMAN = {"Accept-Language": "de"}


def test_what_is_accepted_answers_at_once_and_says_where_to_look(face: Face) -> None:
    answer = face.ayse.post("/api/mutabakat/generate-pdf-async", {"mutabakat_id": face.ayse.letter()})

    assert answer.status_code == 202
    assert set(answer.json) == {"task_id", "status_url", "status"}
    assert answer.json["status"] == "PDF oluşturuluyor..."
    assert answer.json["status_url"] == answer.headers["Location"] == f"/api/tasks/{answer.json['task_id']}/status"
    status = face.ayse.get(answer.json["status_url"]).json
    assert set(status) == STATUS_KEYS
    assert (status["state"], status["current"], status["total"], status["percent"]) == ("PENDING", 0, 100, 0)
    assert status["position"] == 1
    assert status["created_at"].endswith("Z")
    assert status["links"]["result"] is None
    assert status["links"]["cancel"] == f"/api/tasks/{status['task_id']}/cancel"


def test_making_the_application_opens_neither_database_nor_redis(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("a connection was opened")

    monkeypatch.setattr("socket.socket.connect", refuse)
    create_app(settings.load(data_dir=tmp_path / "none"))
    create_app(settings.load(redis_url="redis://127.0.0.1:1", secret_key="x" * 40, data_dir=tmp_path / "none"))
    settings.use(None)

    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize(
    ("headers", "accepted", "waiting"),
    [
        ({}, "Toplanıyor...", "Bekliyor..."),
        (ENGLISH, "Adding...", "Waiting..."),
        (GERMAN, "Toplanıyor...", "Bekliyor..."),
        ({"Accept-Language": "en;q=0.5,tr"}, "Toplanıyor...", "Bekliyor..."),
    ],
)
def test_sentences_are_turkish_unless_english_is_preferred(
    face: Face, headers: dict[str, str], accepted: str, waiting: str
) -> None:
    answer = face.ayse.post("/api/jobs/add", {"a": 1}, headers=headers)
    assert answer.json["status"] == accepted
    assert face.ayse.status(answer.json["task_id"], headers=headers)["status"] == waiting


def post_with_key(who: Person, key: str, **body: int) -> TestResponse:
    return who.post("/api/jobs/add", body, headers={"Idempotency-Key": key})


def test_the_same_key_gives_the_same_task(face: Face) -> None:
    first, again = post_with_key(face.ayse, "k", a=1), post_with_key(face.ayse, "k", a=1)

    assert first.json == again.json
    assert "Idempotent-Replayed" not in first.headers
    assert again.headers["Idempotent-Replayed"] == "true"


def test_the_same_key_for_another_request_is_refused(face: Face) -> None:
    post_with_key(face.ayse, "k", a=1)
    answer = post_with_key(face.ayse, "k", a=2)
    assert (answer.status_code, answer.json["type"]) == (422, "urn:sira:error:KeyReused")


def test_the_keys_of_different_callers_never_meet(face: Face) -> None:
    bora = face.bora.company_id
    answers = [post_with_key(who, "k", a=1) for who in (face.ayse, face.bora, face.operator)]
    answers.append(post_with_key(face.operator, "k", a=1, company_id=bora))
    assert len({answer.json["task_id"] for answer in answers}) == 4


def test_a_key_pressed_many_times_at_once_makes_one_task(face: Face) -> None:
    answers = at_once(12, lambda: post_with_key(face.ayse.elsewhere(), "once", a=1))
    assert [answer.status_code for answer in answers] == [202] * 12
    assert len({answer.json["task_id"] for answer in answers}) == 1


@pytest.mark.parametrize("key", ["", "x" * 256, "anahtar\x7f", "ölçü"])
def test_keys_are_printable_and_short(face: Face, key: str) -> None:
    answer = face.ayse.post("/api/jobs/add", {"a": 1}, headers={"Idempotency-Key": key})
    assert answer.status_code == 422
    assert answer.json["errors"][0]["field"] == "Idempotency-Key"


def test_every_answer_carries_the_security_headers(face: Face) -> None:
    for answer in (
        *(
            face.client.get("/"),
            face.client.get("/api/docs"),
            face.client.get("/static/docs.js"),
            face.client.get("/x"),
        ),
        *(face.client.get("/api/tasks"), face.ayse.get("/api/tasks"), face.client.get("/healthz")),
    ):
        assert "default-src 'self'" in answer.headers["Content-Security-Policy"]
        assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Referrer-Policy"]
        assert "Strict-Transport-Security" not in answer.headers
    assert face.ayse.get("/api/tasks").headers["Cache-Control"] == "no-store"


def test_https_is_kept_where_the_public_url_has_it(service: Service) -> None:
    settings.use(service.settings.model_copy(update={"public_url": "https://sira.example"}))
    answer = open_face().client.get("/healthz")
    assert answer.headers["Strict-Transport-Security"].startswith("max-age=")


def test_operators_change_companies_and_members_see_their_own(face: Face) -> None:
    path = f"/api/companies/{face.ayse.company_id}"
    changes = {"tax_office": "Beşiktaş", "address": "Bir Sok. 1\r\nİstanbul", "email": "muhasebe@örnek.com.tr"}

    assert face.operator.call("PATCH", path, json=changes).status_code == 200

    seen = face.ayse.get(path).json
    assert (seen["tax_office"], seen["address"]) == ("Beşiktaş", "Bir Sok. 1\nİstanbul")
    assert seen["email"] == "muhasebe@örnek.com.tr"
    assert face.operator.call("PATCH", path, json={"tax_office": None}).json["tax_office"] is None
    assert face.ayse.call("PATCH", path, json=changes).status_code == 403
    assert face.bora.call("PATCH", path, json=changes).status_code == 404
    assert face.operator.call("PATCH", "/api/companies/999999", json=changes).status_code == 404
    for wrong in (
        {"name": ""},
        {"name": None},
        {"vkn": "4540536920"},
        {"email": "x"},
        {"legal_text": "a\x00b"},
        {"id": 2},
    ):
        assert face.operator.call("PATCH", path, json=wrong).status_code == 422, wrong


def test_what_is_enqueued_is_in_redis_under_its_id(face: Face) -> None:
    task_id = face.ayse.enqueue("add", a=1)
    assert wire.connect().exists(f"rq:job:{task_id}")
    assert queues.find(task_id).scope == str(face.ayse.company_id)
