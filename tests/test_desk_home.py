"""The home page: what runs, waits and failed, how it went, and that a long history makes none of it slow."""

import json
import re
from datetime import UTC, datetime, timedelta
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Select, insert, text
from sqlalchemy.dialects import sqlite

from app.desk import charts, home
from app.desk.charts import Pace, paces
from tests import desk as desks
from tests.conftest import wait_until
from tests.desk import Desk
from workers import db
from workers.engine import queues, tables
from workers.engine.seal import Seal

face, desk, face_anywhere, desk_anywhere = desks.face, desks.desk, desks.face_anywhere, desks.desk_anywhere
NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


def store(scope: int, state: str, *, at: datetime, ago_s: float = 0.0, waited_s: float = 0.0, **more: Any) -> str:
    """The id of a task as the recorder leaves it, ended so long before `at`."""
    ended = at - timedelta(seconds=ago_s)
    row = {"id": queues.new_id(), "kind": "add", "queue": "maintenance", "scope": str(scope), "state": state}
    row |= {"params": Seal.dumps({}), "max_attempts": 1, "started_at": ended, "ended_at": ended}
    row |= {"created_at": ended - timedelta(seconds=waited_s), **more}
    with db.writing() as session:
        session.execute(insert(tables.tasks).values(**row))
    return str(row["id"])


def waiting(scope: int, *, at: datetime, since_s: float, **more: Any) -> str:
    made = at - timedelta(seconds=since_s)
    return store(scope, "PENDING", at=at, **{"started_at": None, "ended_at": None, "created_at": made, **more})


def test_a_company_with_nothing_yet_reads_what_to_do_first(desk: Desk) -> None:
    page = desk.member.get("/").text

    assert "Cari hesaplarınızı ve bakiyelerinizi yükleyin" in page
    assert all(f'href="{path}"' in page for path in ("/upload", "/letters"))
    assert '<li class="done">' not in page
    desk.face.ayse.letter()
    assert desk.member.get("/").text.count('<li class="done">') == 2, "accounts and letters are there"
    assert "yöneticisiniz" not in page.lower()
    assert "Yönetim bölümünden" in desk.operator.get("/").text


def test_the_page_shows_what_runs_waits_and_failed_of_the_own_company_alone(desk: Desk) -> None:
    at, mine, theirs = db.now(), desk.member.company_id or 0, desk.stranger.company_id or 0
    running = store(mine, "PROGRESS", at=at, ended_at=None, current=40, total=80, status="Mektuplar hazırlanıyor")
    failed = store(mine, "FAILURE", at=at, ago_s=60, error_type="X", error_message="<b>Kağıt bitti</b>")
    old = store(mine, "FAILURE", at=at, ago_s=2 * 86400, error_type="X", error_message="Dünden önce")
    foreign = [
        store(theirs, "PROGRESS", at=at, ended_at=None),
        store(theirs, "FAILURE", at=at, error_type="X", error_message="Yabancı"),
        waiting(theirs, at=at, since_s=9000, queue="sms"),
    ]
    for since_s in (700, 30):
        waiting(mine, at=at, since_s=since_s, queue="pdf")
    waiting(mine, at=at, since_s=10, queue="pdf", due_at=at + timedelta(hours=1))

    page = desk.member.get("/").text

    assert f'href="/tasks/{running}"' in page
    assert re.search(r'<progress max="100" value="50"', page)
    assert "%50" in page
    assert "Mektuplar hazırlanıyor" in page
    assert f'href="/tasks/{failed}"' in page
    assert "&lt;b&gt;Kağıt bitti&lt;/b&gt;" in page
    row = page[page.index('id="q-pdf"') :].partition("</tr>")[0]
    assert "1\N{NO-BREAK SPACE}ileri tarihli" in row or "1 ileri tarihli" in row
    assert re.search(r'<td class="number">2<br>', row)
    minutes, seconds = re.search(r"(\d+)\sdk (\d+)\ssn", row).groups()
    assert 700 <= 60 * int(minutes) + int(seconds) <= 701 + (db.now() - at).total_seconds()
    assert not any(task_id in page for task_id in (old, *foreign))
    assert "q-sms" not in page

    everything = desk.operator.get("/").text
    assert all(task_id in everything for task_id in (running, failed, foreign[0], foreign[1]))
    assert "Şirket 1729171602" in everything, "operators see whose it is"


def test_a_retry_that_rests_is_no_wait_of_its_queue(desk: Desk) -> None:
    at, mine = db.now(), desk.member.company_id or 0
    store(mine, "RETRY", at=at, ended_at=None, created_at=at - timedelta(hours=3), queue="pdf")

    with db.reading() as session:
        [(queue, count, later, since)] = session.execute(home.by_queue(str(mine), at)).all()

    assert (queue, count, later, since) == ("pdf", 0, 1, None)


def test_operators_read_that_no_worker_runs_and_what_is_paused(desk: Desk) -> None:
    desk.face.ayse.enqueue("add", a=1)
    assert desk.face.operator.post("/api/queues/sms/pause").status_code == 200

    page = desk.operator.get("/").text

    assert "çalışan işçi yok" in page
    assert "SMS (sms) kuyruğu duraklatıldı" in page
    assert "çalışan işçi yok" not in desk.member.get("/").text


def test_a_task_is_on_the_page_while_it_runs(desk: Desk, run_worker: Any, tmp_path: Path) -> None:
    run_worker()
    task_id = desk.face.ayse.enqueue("count", path=str(tmp_path / "counted"), n=200)

    row = wait_until(lambda: found(desk.member.get("/home/now", htmx=True).text, task_id), what="the running task")

    assert "<sira-progress" in row
    desk.face.ayse.post(f"/api/tasks/{task_id}/cancel")


def found(page: str, task_id: str) -> str | None:
    return page[page.index(task_id) :] if f"/tasks/{task_id}" in page and "<progress" in page else None


def test_charts_count_ends_and_waits_by_five_minutes_and_by_hours(desk_anywhere: Desk) -> None:
    at, mine = NOON + timedelta(minutes=7), desk_anywhere.member.company_id or 0
    for ago_s, state, waited_s in [(0, "SUCCESS", 2), (60, "SUCCESS", 6), (100, "FAILURE", 1), (400, "SUCCESS", 0)]:
        store(mine, state, at=at, ago_s=ago_s, waited_s=waited_s)
    store(mine, "SUCCESS", at=at, ago_s=5 * 3600, waited_s=30)
    store(mine, "REVOKED", at=at, ago_s=10, started_at=None)
    store(mine, "FAILURE", at=at, ago_s=86400 + 60)
    store(desk_anywhere.stranger.company_id or 0, "SUCCESS", at=at, ago_s=1)

    (hour, day), whole = paces(str(mine), at)

    assert whole
    assert [(bar.start.hour, bar.start.minute) for bar in hour.bars[-2:]] == [(12, 0), (12, 5)]
    assert [(bar.done, bar.failed) for bar in hour.bars[-2:]] == [(1, 0), (2, 1)]
    assert (hour.bars[-1].wait_s, hour.bars[-1].longest_s) == (pytest.approx(3, abs=0.001), pytest.approx(6, abs=0.001))
    assert (hour.done, hour.failed, hour.rate) == (3, 1, 75)
    assert (len(hour.bars), len(day.bars)) == (12, 24)
    assert (day.done, day.failed, day.rate, day.bars[-6].done) == (4, 1, 80, 1)
    assert paces(None, at)[0][0].done == 4
    assert len(set(map(len, day.columns().values()))) == 1


def test_nothing_divided_by_nothing_is_no_rate(desk: Desk) -> None:
    (hour, _), whole = paces("1", NOON)

    assert (hour.rate, hour.wait_s, whole) == (None, None, True)
    assert Pace("hour", []).columns() == {"at": [], "done": [], "failed": [], "wait": [], "longest": []}


def test_more_ends_than_are_counted_are_told(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(charts, "WINDOW", 3)
    for ago_s in range(4):
        store(desk.member.company_id or 0, "SUCCESS", at=db.now(), ago_s=ago_s)

    assert "yalnızca en yeni 3 görev" in desk.member.get("/home/pace", htmx=True).text


def test_the_charts_numbers_stand_in_the_page_and_as_a_table(desk: Desk) -> None:
    for state in ("SUCCESS", "SUCCESS", "FAILURE"):
        store(desk.member.company_id or 0, state, at=db.now(), ago_s=1, waited_s=4)

    page = desk.member.get("/").text

    values = [json.loads(unescape(one)) for one in re.findall(r'data-values="([^"]+)"', page)]
    assert [sum(one["done"]) for one in values] == [2, 2, 2, 2]
    assert "%66" in page
    assert page.count("<summary>Tablo olarak göster</summary>") == 2


def plan(query: Select[Any]) -> str:
    sql = query.compile(dialect=sqlite.dialect(), compile_kwargs={"literal_binds": True})
    with db.reading() as session:
        return "; ".join(row[-1] for row in session.connection().exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}"))


def much_history() -> None:
    """Three thousand tasks that have ended, and statistics that say so: without them a planner knows no better."""
    row = {"kind": "add", "queue": "sms", "scope": "1", "state": "SUCCESS", "params": Seal.dumps({}), "max_attempts": 1}
    row |= {"created_at": NOON, "ended_at": NOON}
    with db.writing() as session:
        session.execute(insert(tables.tasks), [{**row, "id": queues.new_id()} for _ in range(3000)])
        session.execute(text("ANALYZE"))


@pytest.mark.parametrize("scope", [None, "1"])
def test_no_query_of_the_page_reads_the_history(service: Any, scope: str | None) -> None:
    much_history()
    with db.reading() as session:
        ends = charts.by_minute(session, scope, NOON)

    going = plan(home.going(scope))
    assert "SEARCH tasks USING INDEX sqlite_autoindex_tasks_1 (id=?)" in going
    assert re.search(r"USING (COVERING )?INDEX ix_tasks_state \(state=\?\)", going)
    newest = "SEARCH tasks USING COVERING INDEX ix_tasks_scope" if scope else "SCAN tasks USING COVERING INDEX sqlite"
    assert newest in going
    assert "SCAN tasks USING INDEX" not in going
    assert "SEARCH tasks USING COVERING INDEX ix_tasks_live (ended_at=?" in plan(home.by_queue(scope, NOON))
    assert "SEARCH tasks USING INDEX ix_tasks_pace (ended_at>?)" in plan(home.fallen(scope, NOON))
    assert "SEARCH tasks USING COVERING INDEX ix_tasks_pace (ended_at>?)" in plan(ends)
