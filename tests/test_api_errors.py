"""What the API refuses, and what it says when something behind it is gone."""

import io
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from app import create_app
from tests import face as faces
from tests.conftest import HURRIED_S, Service
from tests.face import LETTER, UNKNOWN_TASK, Face, open_face
from tests.proxy import Proxy
from workers import db, logs, settings
from workers.engine import queues, wire

face = faces.face


@pytest.mark.parametrize("name", ["no_such", "x" * 5000, "__init__", "add%00", "a b"])
def test_unknown_kinds_are_not_found(face: Face, name: str) -> None:
    answer = face.ayse.post(f"/api/jobs/{name}", {})
    assert answer.status_code == 404
    assert "GET /api/jobs" in answer.json["detail"]


@pytest.mark.parametrize(
    "body", [b"{", b"", b"nonsense", b'{"a": NaN}', b'{"a": 1,}', b"\xff\xfe", b'{"a": "\\ud800"}', b"[" * 100_000]
)
def test_broken_json_is_400(face: Face, body: bytes) -> None:
    answer = face.ayse.call("POST", "/api/mutabakat", data=body, content_type="application/json")
    assert answer.status_code == (400 if body else 422)
    assert not body or answer.json["detail"].startswith("The body is no JSON: ")
    assert answer.content_type == "application/problem+json"


@pytest.mark.parametrize("body", [b"[]", b'"{}"', b'"{\\"a\\": 1}"', b"null", b"1", b"true"])
def test_json_that_is_no_object_is_422(face: Face, body: bytes) -> None:
    for path in ("/api/mutabakat", "/api/jobs/add", "/api/mutabakat/generate-pdf-async"):
        answer = face.ayse.call("POST", path, data=body, content_type="application/json")
        assert (answer.status_code, answer.json["errors"][0]["field"]) == (422, "body")


@pytest.mark.parametrize(
    "content_type", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", None]
)
def test_other_content_types_are_415(face: Face, content_type: str | None) -> None:
    for path in ("/api/mutabakat", "/api/jobs/add", f"/api/tasks/{UNKNOWN_TASK}/retry"):
        assert face.ayse.call("POST", path, data=b"{}", content_type=content_type).status_code == 415
        assert face.client.post(path, data=b"{}", content_type=content_type).status_code == 401


def test_parameters_are_checked_before_anything_is_kept(face: Face) -> None:
    wrong = [{}, {"a": "1"}, {"a": 1.5}, {"a": None}, {"a": True}, {"a": 1, "c": 2}, {"a": [1]}, {"a": 1, "b": {}}]
    for params in wrong:
        answer = face.ayse.post("/api/jobs/add", params)
        assert answer.status_code == 422, params
        assert answer.json["errors"][0]["field"] in "abc"
    assert face.operator.get("/api/tasks").json["items"] == []


def test_too_many_items_are_422_and_name_the_field(face: Face) -> None:
    answer = face.ayse.post("/api/mutabakat/generate-bulk-pdfs-async", {"mutabakat_ids": [1] * 100_001})
    assert (answer.status_code, answer.json["errors"][0]["field"]) == (422, "mutabakat_ids")
    none = face.ayse.post("/api/mutabakat/generate-bulk-pdfs-async", {"mutabakat_ids": []})
    assert (none.status_code, none.json["errors"][0]["field"]) == (422, "mutabakat_ids")


def test_what_is_no_object_where_one_must_be_is_told_without_the_name_of_a_class(face: Face) -> None:
    empty = face.ayse.call("POST", "/api/mutabakat", data=b"", content_type="application/json")
    inside = face.ayse.post("/api/mutabakat", {**LETTER, "account": "120.01"})

    assert [answer.status_code for answer in (empty, inside)] == [422, 422]
    assert empty.json["errors"] == [{"field": "body", "message": "is empty; send a JSON object"}]
    assert inside.json["errors"] == [{"field": "account", "message": "must be a JSON object"}]


@pytest.mark.parametrize(
    "params",
    [
        *({}, {"mutabakat_ids": 1}, {"mutabakat_ids": ["1"]}, {"mutabakat_ids": [1.5]}, {"mutabakat_ids": [None]}),
        *({"mutabakat_ids": [1], "format": "doc"}, {"mutabakat_ids": [1], "x": 1}, {"mutabakat_ids": {"0": 1}}),
    ],
)
def test_bulks_of_the_wrong_shape_are_422(face: Face, params: dict[str, Any]) -> None:
    answer = face.ayse.post("/api/mutabakat/generate-bulk-pdfs-async", params)
    assert answer.status_code == 422
    assert answer.json["errors"]


def test_too_many_bytes_are_413(face: Face, service: Service) -> None:
    settings.use(service.settings.model_copy(update={"max_upload_mb": 1}))
    client = create_app().test_client()
    signed = {"Authorization": "Bearer ayse-token"}
    body = b'{"a": "' + b"x" * 2**20 + b'"}'
    refused = client.post("/api/jobs/add", data=body, content_type="application/json", headers=signed)
    assert refused.status_code == 413
    assert "1,048,576 bytes at most" in refused.json["detail"]
    assert "Send less at once" in refused.json["detail"]
    chunked = {"wsgi.input_terminated": True, "HTTP_TRANSFER_ENCODING": "chunked"}
    answer = client.post(
        "/api/jobs/add",
        input_stream=io.BytesIO(body),
        content_type="application/json",
        headers=signed,
        environ_overrides=chunked,
    )
    assert answer.status_code == 413


def test_arguments_that_are_too_large_are_413(face: Face) -> None:
    assert face.ayse.post("/api/jobs/fail", {"message": "x" * 300_000}).status_code == 413


def test_a_wrong_method_is_told_the_right_ones(face: Face) -> None:
    answer = face.ayse.call("DELETE", f"/api/companies/{face.ayse.company_id}")
    assert answer.status_code == 405
    assert set(answer.headers["Allow"].split(", ")) == {"GET", "HEAD", "OPTIONS", "PATCH"}
    assert answer.content_type == "application/problem+json"


def test_without_a_database_everything_is_503_and_tells_when_to_come_back(
    face: Face, tmp_path: Any, service: Service
) -> None:
    settings.use(service.settings.model_copy(update={"database_url": f"sqlite:///{tmp_path}"}))
    calls = [
        *(("GET", "/api/tasks"), ("POST", "/api/mutabakat"), ("GET", "/api/mutabakat/1"), ("GET", "/api/events")),
        *(("GET", f"/api/tasks/{UNKNOWN_TASK}/status"), ("POST", "/api/jobs/add"), ("GET", "/api/companies/1")),
    ]
    for method, path in calls:
        answer = face.ayse.call(method, path, **({"json": {"a": 1}} if method == "POST" else {}))
        assert answer.status_code == 503, (method, path)
        assert int(answer.headers["Retry-After"]) > 0
        assert answer.content_type == "application/problem+json"
    assert face.client.get("/readyz").status_code == 503
    assert face.client.get("/readyz").json == {"status": "down", "database": False, "redis": True}
    assert face.client.get("/healthz").status_code == 200


def test_a_database_that_is_none_is_503(face: Face, tmp_path: Path, service: Service) -> None:
    (tmp_path / "broken.db").write_bytes(b"no database at all" * 100)
    settings.use(service.settings.model_copy(update={"database_url": f"sqlite:///{tmp_path}/broken.db"}))

    for answer in (face.ayse.get("/api/tasks"), face.ayse.post("/api/jobs/add", {"a": 1}), face.client.get("/readyz")):
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")


@pytest.mark.parametrize(("revision", "status"), [(None, 503), ("0001", 503), ("9999", 200)])
def test_a_database_is_ready_from_its_upgrade_on_also_for_an_older_release(
    face: Face, revision: str | None, status: int
) -> None:
    sql = f"UPDATE alembic_version SET version_num = '{revision}'" if revision else "DROP TABLE alembic_version"
    with db.writing() as session:
        session.execute(text(sql))

    assert face.client.get("/readyz").status_code == status


def test_without_redis_tasks_are_accepted_all_the_same(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queues, "_closed_until", 0.0)  # the breaker that opens here must not outlive this test
    settings.use(service.settings.model_copy(update={"redis_url": "redis://127.0.0.1:1/0"}))
    face = open_face()

    task_id = face.ayse.enqueue("add", a=1)

    assert face.ayse.status(task_id)["state"] == "PENDING"
    assert len(face.ayse.get("/api/tasks").json["items"]) == 1
    ready = face.client.get("/readyz")
    assert (ready.status_code, ready.json) == (200, {"status": "degraded", "database": True, "redis": False})
    answer = face.ayse.post(f"/api/tasks/{task_id}/cancel")
    assert (answer.status_code, answer.headers.get("Retry-After")) == (503, "5")


def test_a_full_redis_is_a_degraded_service(face: Face, service: Service) -> None:
    service.redis.config_set("maxmemory", 1)
    try:
        ready = face.client.get("/readyz")
    finally:
        service.redis.config_set("maxmemory", 0)

    assert (ready.status_code, ready.json) == (200, {"status": "degraded", "database": True, "redis": False})
    assert face.client.get("/readyz").json["status"] == "ok"


def test_a_redis_that_says_nothing_keeps_nobody_waiting_for_long(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, seconds in HURRIED_S.items():
        monkeypatch.setattr(wire, name, seconds)
    with Proxy(service.settings.redis_url) as line, ThreadPoolExecutor() as pool:
        settings.use(service.settings.model_copy(update={"redis_url": line.url}))
        face = open_face()
        task_id = face.ayse.enqueue("add", a=1)

        line.stall()
        asked = pool.submit(lambda: face.ayse.status(task_id)["state"])

        try:
            assert asked.result(timeout=7) == "PENDING"
        finally:
            line.open()


def test_a_fault_of_ours_shows_nothing_and_logs_no_values(
    face: Face, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def burst(*_: Any, **__: Any) -> None:
        raise RuntimeError("-".join(("kartal", "42")))

    logs.setup()
    monkeypatch.setattr("app.api.tasks.tasks.search", burst)

    answer = face.ayse.get("/api/tasks?q=kuzgun-7")

    assert answer.status_code == 500
    assert answer.content_type == "application/problem+json"
    assert answer.json["instance"].startswith("urn:uuid:")
    assert "kartal" not in answer.text
    assert "Traceback" not in answer.text
    logged = capfd.readouterr().err
    assert answer.json["instance"] in logged
    assert "RuntimeError" in logged
    assert "kartal-42" not in logged
    assert "kuzgun-7" not in logged
