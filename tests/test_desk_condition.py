"""The overview: the service at a glance, also while half of it is away."""

import pytest

from tests import desk as desks
from tests.conftest import Service
from tests.desk import Desk
from tests.hands import redis_away

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


def test_the_lists_open_on_each_kind_of_database(desk_anywhere: Desk) -> None:
    paths = ("", "/companies", "/users?q=ş&of=1&cursor=9", "/mail?q=ş&cursor=9", "/sms", "/schedules", "/doctor")

    assert {path: desk_anywhere.operator.get(f"/admin{path}").status_code for path in paths} == dict.fromkeys(
        paths, 200
    )
