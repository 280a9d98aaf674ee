"""What operators see of the whole service, and how they steer queues, workers and schedules; nobody else."""

import re
from typing import Any

import pytest

from tests import browser as browsers
from tests import desk as desks
from tests.conftest import SECRET, Service
from tests.desk import Desk, acts
from tests.hands import claim, redis_away, settle
from workers import settings
from workers.engine import clock, enqueue, find, outcome, steering

face, desk = desks.face, desks.english_desk
live, browser = browsers.live, browsers.browser
signed_in, page = browsers.signed_in, browsers.page
PART = re.compile(r"<(?:any\((\w+)[^)]*\):|[^<>]*:)?(\w+)>")
AWAY = ("/queues", "/workers", "/doctor", "/rq/")
NAMES = {"queue": "sms", "name": "hourly", "verb": "pause", "file": "css/main.css"}


def every_way(desk: Desk) -> list[tuple[str, str]]:
    """Method and path of all that lies below /admin."""
    return [
        (method, PART.sub(lambda part: part[1] or NAMES.get(part[2], "1"), rule.rule))
        for rule in desk.face.app.url_map.iter_rules()
        if rule.rule.startswith("/admin")
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    ]


def test_members_and_strangers_come_to_nothing_below_admin(desk: Desk) -> None:
    ways = every_way(desk)

    told = {
        (
            *way,
            desk.member.get(way[1]).status_code if way[0] == "GET" else desk.member.post(way[1]).status_code,
        )
        for way in ways
    }
    strangers = [desk.face.client.open(path, method=method) for method, path in ways]

    assert len(ways) > 40
    assert {status for *_, status in told} == {403}, [way for way in told if way[2] != 403]
    assert {answer.headers.get("Location", "").partition("?")[0] or answer.status_code for answer in strangers} <= {
        "/login",
        200,
    }
    assert all("desk/admin" not in answer.text and "rq_dashboard" not in answer.text for answer in strangers)
    assert acts() == []


def test_the_pages_are_turkish_by_default(desk: Desk) -> None:
    desk.operator.client.delete_cookie("lang")

    text = desk.operator.get("/admin/queues").text

    assert ('lang="tr"' in text, "Duraklat" in text, "Kuyruktan yeni görev alınmaz." in text) == (True, True, True)


def test_metrics_are_open_to_an_operator_who_is_signed_in(desk: Desk) -> None:
    assert desk.operator.get("/metrics").status_code == 200
    assert desk.member.get("/metrics").status_code == 403


def test_a_queue_is_paused_and_resumed(desk: Desk, service: Service) -> None:
    assert desk.operator.post("/admin/queues/sms/pause").headers["Location"] == "/admin/queues"
    assert service.redis.smembers("sira:paused") == {b"sms"}
    assert "Paused: sms." in desk.operator.get("/admin/queues").text

    desk.operator.post("/admin/queues/sms/resume")

    assert service.redis.smembers("sira:paused") == set()
    assert acts() == [("queue pause", "sms"), ("queue resume", "sms")]
    assert [desk.operator.post(f"/admin/queues/{way}").status_code for way in ("fax/pause", "sms/burn")] == [
        404,
        404,
    ]


@pytest.mark.parametrize(
    ("stop", "go_on"), [("queues/sms/pause", "queues/sms/resume"), ("workers/suspend", "workers/wake")]
)
def test_given_a_task_that_waits_when_its_queue_is_paused_then_its_member_is_told_until_it_goes_on(
    desk: Desk, service: Service, stop: str, go_on: str
) -> None:
    path = f"/tasks/{enqueue('add', {'a': 1}, scope=str(desk.member.company_id)).id}"
    told = [desk.member.get(path).text]

    for verb in (stop, go_on):
        desk.operator.post(f"/admin/{verb}")
        told.append(desk.member.get(path).text)

    assert ["Kuyruğu duraklatıldı" in page for page in told] == [False, True, False]


def test_a_queue_that_drains_ends_what_it_has_and_then_stands_still(desk: Desk, service: Service) -> None:
    old = enqueue("add", {"a": 1})
    desk.operator.post("/admin/queues/sms/drain")
    new = enqueue("add", {"a": 2})
    clock.tick()
    assert "Draining" in desk.operator.get("/admin/queues").text

    job_id, execution = claim("sms")
    clock.tick()
    assert (job_id, service.redis.scard("sira:paused")) == (old.id, 0)
    settle(job_id, execution, "sms", outcome.finished({"sum": 3}))
    clock.tick()

    assert (service.redis.smembers("sira:paused"), service.redis.exists("sira:draining")) == ({b"sms"}, 0)
    assert (find(old.id).state, find(new.id).state) == ("SUCCESS", "PENDING")


def test_a_drain_ends_with_resume_and_an_empty_queue_drains_at_once(service: Service) -> None:
    enqueue("add", {"a": 1})
    steering.drain("sms")
    steering.drain("pdf")
    steering.resume("sms")

    steering.settle(service.redis)

    assert service.redis.smembers("sira:paused") == {b"pdf"}


def test_the_doctor_names_what_is_broken_and_mends_it(desk: Desk, service: Service) -> None:
    task = enqueue("add", {"a": 1})
    service.redis.lpop("rq:queue:sms")

    found = desk.operator.get("/admin/doctor").text
    mended = desk.operator.post("/admin/doctor").text

    assert ("Taken and lost" in found, f"/tasks/{task.id}" in found) == (True, True)
    assert "1 finding was mended." in mended
    assert service.redis.lrange("rq:queue:sms", 0, -1) == [task.id.encode()]
    assert acts() == [("doctor mend", "2 found, 1 mended")]


def test_settings_are_shown_masked_and_tried(desk: Desk, service: Service) -> None:
    settings.use(service.settings.model_copy(update={"netgsm_password": "pw-1"}))

    shown = desk.operator.get("/admin/settings").text
    tried = desk.operator.post("/admin/settings").text

    assert ("DATA_DIR" in shown, "pw-1" in shown, SECRET in shown) == (True, False, False)
    assert "is writable." in tried


def test_the_operators_pages_hold_in_a_browser(page: Any) -> None:
    for name in ("", "queues", "workers", "schedules", "doctor", "companies", "users", "mail", "sms", "settings"):
        page.goto(f"/admin/{name}".rstrip("/"))
        page.wait_for_selector("nav.sub a[aria-current=page]")

        assert browsers.serious_faults(page) == [], name
        browsers.shot(page, f"admin-{name or 'overview'}")


def test_while_redis_is_away_no_page_of_operators_breaks(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    with redis_away(monkeypatch):
        told = {path: desk.operator.get(f"/admin{path}").status_code for path in ("", *AWAY)}

    assert told == {"": 200, **dict.fromkeys(AWAY, 503)}
