"""The pages of tasks: what they show, what can be done on them and by whom, and what is left when things go wrong."""

import html
import re
from datetime import timedelta
from io import BytesIO
from typing import Any

import pytest
from openpyxl import load_workbook
from sqlalchemy import delete, select, update

from app.desk.tasks import steps_of
from tests import desk as desks
from tests.desk import Desk
from tests.hands import put_row, record_all, redis_away, work_off
from tests.test_desk_search import put_item
from workers.db import now, reading, writing
from workers.engine import control, enqueue, find, ledger
from workers.engine.seal import Seal
from workers.engine.tables import items
from workers.errors import Conflict
from workers.models import Act, File

face, desk = desks.face, desks.desk
SCRIPT = "<script>alert(1)</script>"


def bulk(desk: Desk, *numbers: int) -> str:
    """A bulk of the member's company that has ended; negative numbers fail."""
    task_id = enqueue("square_all", {"numbers": numbers, "pause_s": 0.0}, scope=str(desk.member.company_id)).id
    work_off()
    record_all()
    return task_id


def settled(task_id: str) -> dict[str, int]:
    return {state: count for state, count in (find(task_id).counts or {}).items() if count}


def acts_of(task_id: str) -> list[tuple[str, int | None, int | None]]:
    with reading() as session:
        rows = session.execute(
            select(Act.what, Act.user_id, Act.item_id).where(Act.task_id == task_id).order_by(Act.id)
        )
        return [tuple(row) for row in rows]


def buttons(page: Any) -> set[str]:
    return set(re.findall(r'id="do-([a-z-]+)"', page.text))


def words(page: Any) -> str:
    """The text of a page without its tags."""
    return html.unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", page.text)))


def test_a_task_s_page_shows_its_counts_its_items_and_what_can_be_done(desk: Desk) -> None:
    task_id = bulk(desk, 1, -2, 3)

    page = desk.member.get(f"/tasks/{task_id}")

    assert page.status_code == 200
    for state, count in (("done", 2), ("failed", 1), ("unknown", 0)):
        assert re.search(rf'id="count-{state}"[^>]*state={state}#items"><strong>{count}</strong>', page.text)
    assert page.text.count('<td class="item ') == 3
    assert "negative" in page.text
    assert buttons(page) == {"retry", "retry-failed"}
    failed = desk.member.get(f"/tasks/{task_id}?state=failed")
    assert failed.text.count('<td class="item ') == 1
    assert desk.member.get(f"/tasks/{task_id}?state=GONE").status_code == 422


def test_items_come_page_by_page(desk: Desk) -> None:
    task_id = enqueue("square_all", {"numbers": list(range(60))}, scope=str(desk.member.company_id)).id

    first = desk.member.get(f"/tasks/{task_id}")
    [older] = re.findall(r'href="([^"]*cursor=50)#items" rel="next"', first.text)

    assert first.text.count('<td class="item ') == 50
    assert desk.member.get(html.unescape(older)).text.count('<td class="item ') == 10
    assert desk.member.get(f"/tasks/{task_id}/items?state=pending", htmx=True).text.count('<td class="item ') == 50


def test_a_task_of_another_company_is_as_unknown_as_one_that_never_was(desk: Desk) -> None:
    task_id = bulk(desk, 1)
    for path in ("", "/live", "/row", "/items", "/result"):
        assert desk.stranger.get(f"/tasks/{task_id}{path}").status_code == 404
        assert desk.operator.get(f"/tasks/{task_id}{path}").status_code == 200
        assert desk.member.get(f"/tasks/x{path}").status_code == 404
    for path in ("cancel", "retry", "verdict", "export"):
        assert desk.stranger.post(f"/tasks/{task_id}/{path}", {"one": "arrived:1"}).status_code == 404
    assert acts_of(task_id) == []


def test_a_waiting_task_is_cancelled_once_and_it_is_noted_by_whom(desk: Desk) -> None:
    task_id = enqueue("add", {"a": 1}, scope=str(desk.member.company_id), due_at=now() + timedelta(hours=1)).id
    assert buttons(desk.member.get(f"/tasks/{task_id}")) == {"cancel"}

    answers = [desk.member.post(f"/tasks/{task_id}/cancel") for _ in range(2)]

    assert [(answer.status_code, answer.location) for answer in answers] == [(303, f"/tasks/{task_id}")] * 2
    assert find(task_id).state == "REVOKED"
    assert acts_of(task_id) == [("cancel", desk.member.user_id, None)]
    page = desk.member.get(f"/tasks/{task_id}")
    assert "Ayşe Çınar" in page.text
    assert 'class="toast error"' in page.text
    assert buttons(page) == {"retry"}


@pytest.mark.parametrize(("only", "left"), [(None, {"done": 1, "failed": 1}), ("failed", {"done": 1, "failed": 1})])
def test_what_failed_is_run_again_and_it_is_noted(desk: Desk, only: str | None, left: dict[str, int]) -> None:
    task_id = bulk(desk, 1, -2)

    desk.member.post(f"/tasks/{task_id}/retry", {"only": only} if only else {})
    assert find(task_id).state == "PENDING"
    work_off()

    assert settled(task_id) == left
    assert acts_of(task_id) == [("retry", desk.member.user_id, None)]


def test_unknown_messages_wait_for_a_person_and_what_that_person_says_is_noted(desk: Desk) -> None:
    task_id = bulk(desk, 1, 2, 3)
    [first, second, third] = [row["id"] for row in ledger.page(task_id)[0]]
    with writing() as session:
        session.execute(update(items).where(items.c.task_id == task_id).values(state="unknown"))
    page = desk.member.get(f"/tasks/{task_id}?state=unknown")
    assert {f"arrived:{first}", f"again:{third}"} <= set(re.findall(r'name="one" value="([^"]+)"', page.text))

    desk.member.post(f"/tasks/{task_id}/verdict", {"one": f"arrived:{first}"})
    assert settled(task_id) == {"done": 1, "unknown": 2}
    desk.member.post(f"/tasks/{task_id}/verdict", {"verdict": "again", "item": [second, third]})
    work_off()

    assert settled(task_id) == {"done": 3}
    who = desk.member.user_id
    assert acts_of(task_id) == [
        ("item arrived", who, first),
        ("item sent again", who, second),
        ("item sent again", who, third),
    ]
    assert "Ayşe Çınar" in desk.member.get(f"/tasks/{task_id}").text


@pytest.mark.parametrize(
    "form",
    [{}, {"verdict": "arrived"}, {"one": "lost:1"}, {"verdict": "again", "item": "x"}, {"one": "arrived:" + "9" * 30}],
)
def test_a_verdict_that_says_nothing_is_refused(desk: Desk, form: dict[str, Any]) -> None:
    task_id = bulk(desk, 1)
    assert desk.member.post(f"/tasks/{task_id}/verdict", form).status_code == 422
    assert desk.member.post(f"/tasks/{task_id}/verdict", {"one": "arrived:999999"}).status_code == 303
    assert acts_of(task_id) == []


def test_the_failed_items_can_be_had_as_a_sheet(desk: Desk) -> None:
    task_id = bulk(desk, 1, -2, -3)
    form = {"state": "failed", "form_id": "once"}

    made = {desk.member.post(f"/tasks/{task_id}/export", form).location for _ in range(2)}
    work_off()
    record_all()

    [place] = made
    page = desk.member.get(place)
    assert find(place.rpartition("/")[2]).state == "SUCCESS"
    assert 'id="download"' in page.text
    sheet = desk.member.get(f"{place}/result")
    assert sheet.data.startswith(b"PK")
    assert sheet.headers["Content-Disposition"].startswith("attachment; ")
    rows = list(load_workbook(BytesIO(sheet.data)).active.iter_rows(values_only=True))
    assert [row[2] for row in rows[1:]] == ["başarısız", "başarısız"]


def test_a_result_that_was_cleaned_up_says_so(desk: Desk) -> None:
    task_id = enqueue(
        "export_sheet", {"what": "accounts", "company_id": desk.member.company_id}, scope=str(desk.member.company_id)
    ).id
    work_off()
    record_all()
    with writing() as session:
        session.execute(delete(File))

    page = desk.member.get(f"/tasks/{task_id}")

    assert 'id="download"' not in page.text
    assert "accounts.xlsx" not in page.text
    assert desk.member.get(f"/tasks/{task_id}/result").status_code == 409


def test_without_redis_a_page_shows_what_the_database_knows(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    task_id = enqueue("square_all", {"numbers": [1, 2]}, scope=str(desk.member.company_id)).id
    with redis_away(monkeypatch):
        page, listed = desk.member.get(f"/tasks/{task_id}"), desk.member.get("/tasks")
        cancelled = desk.member.post(f"/tasks/{task_id}/cancel")
    assert page.status_code == listed.status_code == 200
    assert "Redis" in words(page)
    assert page.text.count('<td class="item ') == 2
    assert task_id in listed.text
    assert cancelled.status_code == 503
    assert "Redis" not in words(desk.member.get(f"/tasks/{task_id}"))


def test_the_log_of_attempts_and_the_traceback_are_kept(desk: Desk) -> None:
    task_id = enqueue("fail", {"message": "kâğıt bitti"}, scope=str(desk.member.company_id)).id
    for _ in range(2):
        work_off()
        record_all()
        if find(task_id).state == "FAILURE" and not acts_of(task_id):
            desk.member.post(f"/tasks/{task_id}/retry")
    page, seen = desk.member.get(f"/tasks/{task_id}"), desk.operator.get(f"/tasks/{task_id}")

    assert len(re.findall(r"<td>kâğıt bitti</td>", page.text)) == 2
    assert "Traceback" not in page.text
    assert '<pre tabindex="0">Traceback (most recent call last)' in seen.text, "what scrolls is reached by keyboard"


def test_a_page_whose_history_is_behind_the_end_asks_once_more(desk: Desk) -> None:
    scope = str(desk.member.company_id)
    task_id = enqueue("square_all", {"numbers": [1, -1], "pause_s": 0.0}, scope=scope).id
    work_off()
    unheard = desk.member.get(f"/tasks/{task_id}/live", htmx=True).text
    record_all()
    heard = desk.member.get(f"/tasks/{task_id}/live", htmx=True).text
    control.retry(task_id)
    work_off()
    again = desk.member.get(f"/tasks/{task_id}/live", htmx=True).text
    long_ago = now() - timedelta(minutes=5)
    forgotten = put_row(scope=scope, state="SUCCESS", started_at=long_ago, ended_at=long_ago)

    assert "data-behind" in unheard
    assert "data-behind" not in heard
    assert "data-behind" in again
    assert "data-behind" not in desk.member.get(f"/tasks/{forgotten}/live", htmx=True).text


def test_scripts_are_text_wherever_they_stand(desk: Desk) -> None:
    scope = str(desk.member.company_id)
    fault = {"error_type": "E<b>", "error_message": SCRIPT, "status": SCRIPT}
    task_id = put_row(scope=scope, state="FAILURE", item_count=1, result=Seal.dumps({"x": SCRIPT}), **fault)
    put_item(task_id, ref=SCRIPT[:40], error=SCRIPT, state="unknown")
    done = put_row(scope=scope, state="SUCCESS", result=Seal.dumps({"x": SCRIPT}), kind="add")
    put_row(scope=scope, state="PROGRESS", status=SCRIPT)
    with writing() as session:
        session.add(Act(what=SCRIPT, task_id=task_id, detail=SCRIPT, user_id=desk.member.user_id))
    for path in (
        *(
            "/tasks",
            f"/tasks/{task_id}",
            f"/tasks/{done}",
            "/tasks/causes",
            f"/tasks?q={SCRIPT}",
            f"/tasks?cause={SCRIPT}",
        ),
        f"/tasks/steer?action=retry&q={SCRIPT}",
    ):
        page = desk.operator.get(path)
        assert page.status_code == 200, path
        assert SCRIPT not in page.text, path
        assert "&lt;script&gt;" in page.text, path


def test_a_row_and_the_live_part_are_drawn_alone(desk: Desk) -> None:
    task_id = bulk(desk, 1)
    row, live = (desk.member.get(f"/tasks/{task_id}/{part}", htmx=True).text for part in ("row", "live"))
    assert row.strip().startswith(f'<tr data-task="{task_id}"')
    assert live.strip().startswith('<div id="live"')
    assert "<html" not in row + live


def test_a_company_with_nothing_yet_is_told_what_to_do_first(desk: Desk) -> None:
    assert 'href="/upload"' in desk.member.get("/tasks").text
    assert 'href="/tasks"' in desk.member.get("/tasks?q=x").text
    assert desk.member.get("/tasks/causes").status_code == 200


def test_an_operator_sees_whose_task_it_is_and_may_filter_by_company(desk: Desk) -> None:
    put_row(scope=str(desk.stranger.company_id))
    page = desk.operator.get("/tasks").text
    assert 'name="company"' in page
    assert page.count("Şirket 1729171602</small>") == 1
    assert 'name="company"' not in desk.stranger.get("/tasks").text


@pytest.mark.parametrize("state", ["SUCCESS", "FAILURE", "REVOKED"])
@pytest.mark.parametrize("made", ["done", "failed", "unknown", "skipped", "done unknown", ""])
def test_what_can_be_done_is_what_control_does(desk: Desk, state: str, made: str) -> None:
    for step, only in (("retry", None), ("retry failed", "failed")):
        task_id = put_row(state=state, kind="add", item_count=len(made) or None, ended_at=now())
        for position, name in enumerate(made.split(), 1):
            put_item(task_id, position, state=name)
        if step in steps_of(find(task_id)):
            assert control.retry(task_id, only).state == "PENDING"
        elif made or not only:  # a single task is not asked what of it failed
            with pytest.raises(Conflict):
                control.retry(task_id, only)
