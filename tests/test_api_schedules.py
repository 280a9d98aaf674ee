"""GET /api/schedules and its verbs: operators see what comes and what came of it, and steer it; nobody else."""

from datetime import timedelta
from typing import Any

import pytest

from tests.conftest import Service
from tests.face import Face, open_face
from tests.hands import work_off
from tests.timing import Declare, only_declared, queued, states
from workers.db import now
from workers.engine import mirror, occurrences, schedules

VERBS = ("run", "pause", "resume")


@pytest.fixture
def catalogue(monkeypatch: pytest.MonkeyPatch, service: Service) -> Declare:
    return only_declared(monkeypatch)


@pytest.fixture
def face(catalogue: Declare) -> Face:
    catalogue("hourly", cron="0 * * * *")
    catalogue("fails_nightly", cron="0 0 * * *", zone="Asia/Tokyo", overlap="queue", missed="all")
    return open_face()


def listed(face: Face, query: str = "") -> dict[str, Any]:
    answer = face.operator.get(f"/api/schedules{query}")
    assert answer.status_code == 200, answer.text
    return {one["name"]: one for one in answer.json["items"]}


def test_the_list_shows_each_schedule_before_any_clock_has_run(face: Face) -> None:
    found = listed(face)

    nightly = found["fails_nightly"]
    assert list(found) == ["fails_nightly", "hourly"]
    assert (nightly["cron"], nightly["zone"], nightly["overlap"]) == ("0 0 * * *", "Asia/Tokyo", "queue")
    assert (nightly["missed"], nightly["state"], nightly["last_run"]) == ("all", "active", None)
    assert nightly["next_run_at"].endswith("T15:00:00.000Z")
    assert nightly["links"] == {
        "run": "/api/schedules/fails_nightly/run",
        "pause": "/api/schedules/fails_nightly/pause",
    }


def test_the_list_shows_what_came_of_each_run(face: Face, monkeypatch: pytest.MonkeyPatch) -> None:
    listed(face)
    with_miss = now() + timedelta(days=3)
    task = occurrences.fire(with_miss)
    work_off()
    occurrences.settle(with_miss)

    nightly, hourly = listed(face)["fails_nightly"], listed(face, "?history=0")["hourly"]

    assert [one["state"] for one in nightly["history"]] == ["waiting", "waiting", "failed"]
    assert (nightly["last_run"]["state"], nightly["last_run"]["message"]) == ("failed", "as it was told")
    assert nightly["last_run"]["lateness_s"] > 86_400
    assert nightly["last_run"]["task_id"] in [one["id"] for one in task]
    assert (hourly["history"], hourly["last_run"]["state"]) == ([], "done")
    monkeypatch.setattr("app.api.schedules.worded", lambda message, language: f"{message} ({language})")
    assert listed(face)["fails_nightly"]["last_run"]["message"] == "as it was told (tr)"


def test_a_schedule_runs_now_once_for_each_key(face: Face, service: Service) -> None:
    answers = [face.operator.post("/api/schedules/hourly/run", headers={"Idempotency-Key": "once"}) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [202, 202]
    assert answers[0].json == answers[1].json
    assert answers[1].headers["Idempotent-Replayed"] == "true"
    assert queued(service) == [answers[0].json["task_id"]]
    assert states("hourly") == ["enqueued"]
    refused = face.operator.post("/api/schedules/hourly/run")
    assert (refused.status_code, "has not ended" in refused.json["detail"]) == (409, True)


def test_a_paused_schedule_has_no_next_run_until_it_is_resumed(face: Face) -> None:
    paused = face.operator.post("/api/schedules/hourly/pause").json
    assert (paused["state"], paused["next_run_at"], "resume" in paused["links"]) == ("paused", None, True)
    assert listed(face)["hourly"]["state"] == "paused"

    resumed = face.operator.post("/api/schedules/hourly/resume").json

    assert (resumed["state"], resumed["next_run_at"] is not None) == ("active", True)


def test_only_operators_see_and_steer(face: Face) -> None:
    assert face.ayse.get("/api/schedules").status_code == 403
    assert face.client.get("/api/schedules").status_code == 401
    assert [face.ayse.post(f"/api/schedules/hourly/{verb}").status_code for verb in VERBS] == [403, 403, 403]


@pytest.mark.parametrize("name", ["no_such", "%00", "ş", "x" * 300])
def test_an_unknown_schedule_is_404(face: Face, name: str) -> None:
    assert [face.operator.post(f"/api/schedules/{name}/{verb}").status_code for verb in VERBS] == [404, 404, 404]


def test_bad_queries_are_422_and_bad_bodies_400(face: Face) -> None:
    assert face.operator.get("/api/schedules?history=many").status_code == 422
    assert face.operator.get("/api/schedules?history=101").status_code == 422
    broken = face.operator.call("POST", "/api/schedules/hourly/run", data="{", content_type="application/json")
    assert broken.status_code == 400


def test_what_others_left_in_the_sorted_set_is_shown(face: Face, service: Service) -> None:
    service.redis.zadd(mirror.KEY, {b"\xffgarbage": 1, "another": 2})

    assert face.operator.get("/api/schedules").json["set_aside"] == ["\\xffgarbage", "another"]


def test_the_list_works_while_redis_is_away(face: Face, monkeypatch: pytest.MonkeyPatch) -> None:
    from tests.hands import redis_away

    with redis_away(monkeypatch):
        assert listed(face).keys() == {"hourly", "fails_nightly"}
        assert face.operator.post("/api/schedules/hourly/run").status_code == 202
    assert schedules.get("hourly").last_run is not None
