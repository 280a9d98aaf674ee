"""What operators see of queues and workers, and how they let a queue stand still."""

from typing import Any

import pytest

from tests import face as faces
from tests.conftest import Service, wait_until
from tests.face import Face
from tests.hands import redis_away
from workers.engine import enqueue, find

face = faces.face


def queue(face: Face, name: str) -> dict[str, Any]:
    rows = face.operator.get("/api/queues").json["items"]
    return next(row for row in rows if row["name"] == name)


def test_all_queues_are_listed_with_what_waits_in_them(face: Face) -> None:
    enqueue("add", {"a": 1})

    answer = face.operator.get("/api/queues").json

    assert [row["name"] for row in answer["items"]] == ["pdf", "sms", "email", "excel", "maintenance"]
    assert answer["next_cursor"] is None
    counts = {"waiting": 1, "running": 0, "scheduled": 0, "failed": 0, "finished": 0}
    assert queue(face, "sms") == {"name": "sms", "paused": False, "draining": False, **counts}


def test_nothing_is_taken_from_a_paused_queue_until_it_is_resumed(face: Face, service: Service) -> None:
    assert face.operator.post("/api/queues/sms/pause").json["paused"] is True
    service.run_worker()
    waiting, other = enqueue("add", {"a": 1}), enqueue("nothing")

    other.get(timeout=60)
    assert find(waiting.id).state == "PENDING"

    assert face.operator.post("/api/queues/sms/resume").json["paused"] is False
    assert waiting.get(timeout=60) == {"sum": 3}


def test_a_queue_drains_until_it_is_resumed(face: Face) -> None:
    enqueue("add", {"a": 1})

    assert face.operator.post("/api/queues/sms/drain").json["draining"] is True
    assert face.operator.post("/api/queues/sms/resume").json["draining"] is False


def test_a_worker_is_listed_with_what_it_runs(face: Face, service: Service, tmp_path: Any) -> None:
    service.run_worker()
    task = enqueue("sleep", {"seconds": 30, "path": str(tmp_path / "lines")})

    def busy() -> dict[str, Any] | None:
        rows = face.operator.get("/api/workers").json["items"]
        return next((row for row in rows if row["current_task"] == task.id), None)

    row = wait_until(busy, what="a busy worker")
    assert (row["state"], row["done"], row["failed"]) == ("busy", 0, 0)
    assert "maintenance" in row["queues"]
    assert row["last_seen_at"].endswith("Z")


def test_metrics_are_prometheus_text_for_operators(face: Face) -> None:
    enqueue("add", {"a": 1})

    answer = face.operator.get("/metrics")

    assert answer.status_code == 200
    assert answer.content_type.startswith("text/plain")
    assert 'sira_jobs{queue="sms",state="waiting"} 1.0' in answer.text
    assert 'sira_occurrences{state="missed"} 0.0' in answer.text
    assert 'sira_queue_oldest_seconds{queue="pdf"} 0.0' in answer.text
    assert 'sira_queue_oldest_seconds{queue="sms"} 0.0\n' not in answer.text
    assert face.client.get("/metrics").status_code == 401
    assert face.ayse.get("/metrics").status_code == 403


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/api/queues"),
        ("POST", "/api/queues/sms/pause"),
        ("POST", "/api/queues/sms/resume"),
        ("POST", "/api/queues/sms/drain"),
        ("GET", "/api/workers"),
    ],
)
def test_members_and_strangers_are_refused(face: Face, method: str, path: str) -> None:
    assert face.ayse.call(method, path).status_code == 403
    assert face.client.open(path, method=method).status_code == 401


@pytest.mark.parametrize("name", ["fax", "sira:paused", "%00", "SMS"])
def test_an_unknown_queue_is_404(face: Face, name: str) -> None:
    assert face.operator.post(f"/api/queues/{name}/pause").status_code == 404


def test_without_redis_the_answer_is_503(face: Face, monkeypatch: pytest.MonkeyPatch) -> None:
    with redis_away(monkeypatch):
        answers = [
            face.operator.get("/api/queues"),
            face.operator.post("/api/queues/sms/pause"),
            face.operator.get("/metrics"),
        ]

    assert [(answer.status_code, answer.content_type) for answer in answers] == [(503, "application/problem+json")] * 3
