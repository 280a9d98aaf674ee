"""Schedules on the desk: shown with what came of them, run now, paused, resumed."""

import re
from datetime import timedelta

import pytest
from sqlalchemy import update

from tests import desk as desks
from tests.conftest import Service
from tests.desk import Desk, acts
from tests.timing import Declare, only_declared
from workers import db
from workers.db import now
from workers.engine.tables import schedules

face, desk = desks.face, desks.english_desk


@pytest.fixture
def catalogue(monkeypatch: pytest.MonkeyPatch, service: Service) -> Declare:
    declare = only_declared(monkeypatch)
    declare("hourly", cron="0 * * * *")
    return declare


def test_a_schedule_is_shown_run_paused_and_resumed(catalogue: Declare, desk: Desk) -> None:
    assert "0 * * * *" in desk.operator.get("/admin/schedules").text

    form = {"form_id": "once"}
    ran = [desk.operator.post("/admin/schedules/hourly/run", form).location for _ in range(2)]
    desk.operator.post("/admin/schedules/hourly/pause")
    paused = desk.operator.get("/admin/schedules").text
    its_page = desk.operator.get("/admin/schedules/hourly").text
    desk.operator.post("/admin/schedules/hourly/resume")

    task_id = ran[0].rpartition("/")[2]
    assert ran[0] == ran[1]
    assert "Paused" in its_page
    assert f"/tasks/{task_id}" in desk.operator.get("/admin/schedules/hourly").text
    assert (
        "/admin/schedules/hourly/resume" in paused,
        "hourly/resume" in desk.operator.get("/admin/schedules").text,
    ) == (True, False)
    assert acts() == [("schedule run", "hourly"), ("schedule pause", "hourly"), ("schedule resume", "hourly")]
    assert desk.operator.get("/admin/schedules/nope").status_code == 404


def last_run(page: str, name: str) -> str:
    """The last cell of the schedule's row."""
    row = page.partition(f'href="/admin/schedules/{name}">')[2].partition("</tr>")[0]
    return " ".join(re.sub(r"<[^>]+>", " ", row.rpartition("<td>")[2]).split())


def test_a_run_that_no_worker_has_begun_is_not_said_to_be_running(catalogue: Declare, desk: Desk) -> None:
    desk.operator.post("/admin/schedules/hourly/run", {"form_id": "once"})

    assert last_run(desk.operator.get("/admin/schedules").text, "hourly").startswith("not ended yet")


def test_that_no_clock_is_at_work_is_said(catalogue: Declare, desk: Desk) -> None:
    before = desk.operator.get("/admin/schedules").text
    with db.writing() as session:
        session.execute(update(schedules).values(due_at=now() - timedelta(minutes=2)))

    after = desk.operator.get("/admin/schedules").text

    assert ["No clock runs" in page for page in (before, after)] == [False, True]
    assert ["Overdue" in page for page in (before, after)] == [False, True]


def test_a_schedule_that_runs_only_when_there_is_work_says_so_and_seems_not_dead(
    catalogue: Declare, desk: Desk
) -> None:
    catalogue("now_and_then", cron="* * * * *", when=lambda: False)

    before = desk.operator.get("/admin/schedules").text
    one = desk.operator.get("/admin/schedules/now_and_then").text
    desk.operator.post("/admin/schedules/now_and_then/run", {"form_id": "once"})
    after = desk.operator.get("/admin/schedules").text

    assert last_run(before, "now_and_then") == "only when there is work"
    assert last_run(before, "hourly") == "never"
    assert last_run(after, "now_and_then").endswith("only when there is work")
    assert "leaves no record" in before
    assert "leaves no record" in one
    assert "leaves no record" not in desk.operator.get("/admin/schedules/hourly").text
