"""The overview: the service at a glance, also while half of it is away."""

import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests import desk as desks
from tests.conftest import HURRIED_S, Service
from tests.desk import Desk
from tests.face import Face
from tests.hands import redis_away
from workers import settings
from workers.engine import wire

face, desk = desks.face, desks.english_desk
face_anywhere, desk_anywhere = desks.face_anywhere, desks.desk_anywhere


def test_the_overview_shows_the_service_at_a_glance(desk: Desk, service: Service) -> None:
    service.redis.sadd("rq:workers", "rq:worker:host-7-1-1")
    service.redis.hset("rq:worker:host-7-1-1", mapping={"birth": "2026-01-01T00:00:00.000000Z", "queues": "pdf"})

    text = desk.operator.get("/admin").text

    assert "Valkey 9" in text
    assert "SQLite 3" in text
    assert "1 worker process" in text
    assert "No clock runs" in text
    assert f"{service.data_dir}" in text


def test_the_overview_answers_without_redis(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    with redis_away(monkeypatch):
        answer = desk.operator.get("/admin")

    assert (answer.status_code, "Redis does not answer" in answer.text) == (200, True)


@pytest.mark.parametrize(
    ("path", "status"),
    [("/notices", 200), ("/admin", 200), ("/admin/doctor", 503), ("/api/schedules", 200), ("/api/queues", 503)],
)
def test_a_server_that_is_silent_holds_up_no_page_for_long(
    desk: Desk, service: Service, monkeypatch: pytest.MonkeyPatch, path: str, status: int
) -> None:
    desk.operator.get(path)  # what is made at the first look, such as the schedules where no clock runs
    for name, patience_s in HURRIED_S.items():
        monkeypatch.setattr(wire, name, patience_s)
    with _silent(service):
        began = time.monotonic()

        assert desk.operator.get(path).status_code == status
        assert time.monotonic() - began < wire.SOCKET_TIMEOUT_S - 1, "as what works waits for its server"


@pytest.mark.parametrize("path", ["queues/sms/pause", "queues/sms/drain", "workers/suspend", "workers/wake"])
def test_a_server_that_is_silent_holds_up_no_word_of_an_operator_for_long(
    desk: Desk, service: Service, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    for name, patience_s in HURRIED_S.items():
        monkeypatch.setattr(wire, name, patience_s)
    with _silent(service):
        began = time.monotonic()

        assert desk.operator.post(f"/admin/{path}").status_code == 503
        assert time.monotonic() - began < wire.SOCKET_TIMEOUT_S - 1, "as what works waits for its server"


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", "schedules/cleanup_old_logs/pause", {}, 200),
        ("POST", "schedules/cleanup_old_logs/resume", {}, 200),
        ("PATCH", "companies/{company_id}", {"k": 3}, 503),
        ("PATCH", "companies/{company_id}", {"resume": ["sms"]}, 503),
        ("POST", "tasks/{task_id}/retry", {}, 202),
        ("GET", "events", {}, 200),
    ],
)
def test_a_server_that_is_silent_holds_up_no_call_for_long(
    face: Face, service: Service, monkeypatch: pytest.MonkeyPatch, method: str, path: str, body: Any, status: int
) -> None:
    task_id = face.operator.enqueue("add", a=1)
    face.operator.post(f"/api/tasks/{task_id}/cancel")
    face.operator.get("/api/schedules")  # makes the rows of the schedules, as no clock runs here
    for name, patience_s in HURRIED_S.items():
        monkeypatch.setattr(wire, name, patience_s)
    with _silent(service):
        began = time.monotonic()

        url = "/api/" + path.format(company_id=face.operator.company_id, task_id=task_id)
        with face.operator.call(method, url, json=body, buffered=False) as answer:
            assert answer.status_code == status
            assert time.monotonic() - began < wire.SOCKET_TIMEOUT_S - 1, "as what works waits for its server"


@contextmanager
def _silent(service: Service) -> Iterator[None]:
    """Somebody listens where Redis should be, and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"redis://127.0.0.1:{silent.getsockname()[1]}/0"
        settings.use(service.settings.model_copy(update={"redis_url": url}))
        yield
    settings.use(service.settings)


def test_the_lists_open_on_each_kind_of_database(desk_anywhere: Desk) -> None:
    paths = ("", "/companies", "/users?q=ş&of=1&cursor=9", "/mail?q=ş&cursor=9", "/sms", "/schedules", "/doctor")

    assert {path: desk_anywhere.operator.get(f"/admin{path}").status_code for path in paths} == dict.fromkeys(
        paths, 200
    )
