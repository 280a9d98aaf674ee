"""Notices: the bell counts what ended since a person last looked, and pages are told by one stream or by asking."""

from contextlib import closing
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import update

from app.api import streams
from app.desk import session as sessions
from tests import desk as desks
from tests.desk import Desk
from tests.hands import put_row, record_all, work_off
from tests.test_sse import follow, parsed
from workers import db
from workers.db import now
from workers.engine import ends, find
from workers.engine.seal import Seal
from workers.models import User

face, desk = desks.face, desks.desk
face_anywhere, desk_anywhere = desks.face_anywhere, desks.desk_anywhere


def ended(company_id: int | None, *, state: str = "SUCCESS", kind: str = "add", s_ago: float = 0, **more: Any) -> str:
    at = now() - timedelta(seconds=s_ago)
    scope = str(company_id) if company_id else None
    return put_row(kind=kind, scope=scope, state=state, created_at=at, ended_at=at, **more)


def unread(visitor: desks.Visitor) -> int:
    return int(visitor.get("/notices/unread").json["unread"])


def since_ever(user_id: int) -> None:
    with db.writing() as session:
        session.execute(update(User).where(User.id == user_id).values(created_at=now() - timedelta(days=1)))


def test_the_bell_counts_what_ended_in_the_own_company_until_it_was_looked_at(desk_anywhere: Desk) -> None:
    desk = desk_anywhere
    for someone in (desk.member, desk.stranger, desk.operator):
        since_ever(someone.user_id)
    mine = desk.member.company_id
    ended(mine, s_ago=30)
    ended(mine, state="FAILURE", s_ago=20, error_type="ValueError", error_message="<b>no</b> way")
    ended(mine, kind="deliver_webhook")
    ended(mine, kind="cleanup_old_logs")
    ended(None)
    ended(desk.stranger.company_id, s_ago=10)
    put_row(scope=str(mine), state="PROGRESS")

    assert (unread(desk.member), unread(desk.stranger), unread(desk.operator)) == (2, 1, 2)
    page = desk.member.get("/notices")
    assert page.text.count("/tasks/0") == 2
    assert "Görev başarısız oldu" in page.text
    assert "&lt;b&gt;no&lt;/b&gt; way" in page.text
    assert (unread(desk.member), unread(desk.operator)) == (0, 2), "each person looks for himself"
    ended(mine)
    assert unread(desk.member) == 1


def test_a_new_person_is_not_told_of_the_years_before(desk: Desk) -> None:
    ended(desk.member.company_id, s_ago=60)
    assert unread(desk.member) == 0


def test_a_long_list_of_notices_has_pages(desk: Desk) -> None:
    ids = [ended(desk.member.company_id, s_ago=60 * n) for n in range(40)]
    first = desk.member.get("/notices").text
    assert [task_id in first for task_id in (ids[0], ids[29], ids[30])] == [True, True, False]
    older = first.split('rel="next"')[0].rsplit('href="', 1)[1].split('"')[0]
    second = desk.member.get(older).text
    assert [task_id in second for task_id in (ids[29], ids[30], ids[39])] == [False, True, True]


@pytest.mark.parametrize("before", ["x", "2026-01-01", "1e400", "%00"])
def test_a_cursor_that_is_none_of_ours_is_refused(desk: Desk, before: str) -> None:
    assert desk.member.get(f"/notices?before={before}").status_code == 422


def test_a_company_with_nothing_yet_is_told_what_to_do(desk: Desk) -> None:
    assert "/new" in desk.member.get("/notices").text


def test_an_operator_of_no_company_gets_a_page_and_no_bell(desk: Desk) -> None:
    nobodys = desks.sign_in(desk.face, "genel@ornek.example", None, "operator")
    ended(None)
    assert unread(nobodys) == 0
    assert nobodys.get("/notices").status_code == 200


def test_pages_without_a_stream_ask_what_lives_and_what_has_ended_since(desk: Desk) -> None:
    mine = desk.member.company_id
    lives, just = put_row(scope=str(mine), state="PENDING"), ended(mine, s_ago=5)
    ended(mine, s_ago=300)
    ended(desk.stranger.company_id)

    first = desk.member.get("/notices/live").json
    assert {task["task_id"] for task in first["tasks"]} == {lives, just}
    assert first["notices"] == []

    late = ended(mine, kind="generate_mutabakat_pdf")
    second = desk.member.get(f"/notices/live?since={first['until']}").json
    assert {task["task_id"] for task in second["tasks"]} == {lives, late}
    [notice] = second["notices"]
    assert (notice["task_id"], notice["text"], notice["url"]) == (late, "PDF hazır!", f"/tasks/{late}")
    assert {task["task_id"] for task in desk.operator.get("/notices/live").json["tasks"]} > {lives}


def streamed(visitor: desks.Visitor, path: str = "/api/events", **more: Any) -> Any:
    answer = visitor.client.get(path, **more)
    assert answer.status_code == 200
    answer.events = parsed(answer.iter_encoded())
    return answer


def test_a_stream_by_cookie_tells_what_has_ended_in_the_language_of_the_desk(desk: Desk) -> None:
    desk.member.client.set_cookie("lang", "en")
    task_id = desk.face.ayse.enqueue("add", a=1)
    with closing(streamed(desk.member)) as stream:
        next(stream.events)
        desk.face.bora.post(f"/api/tasks/{desk.face.bora.enqueue('add', a=1)}/cancel")
        desk.face.ayse.post(f"/api/tasks/{task_id}/cancel")
        told = [event for event in (next(stream.events) for _ in range(2)) if event]

    assert [(event["event"], event["data"]["state"]) for event in told] == [
        ("status", "REVOKED"),
        ("notice", "REVOKED"),
    ]
    assert (told[0]["data"]["status"], told[1]["data"]["text"]) == ("Cancelled", "A task was cancelled")
    with closing(follow(desk.face.ayse, f"/api/tasks/{task_id}/events")) as stream:
        assert [event["event"] for event in stream.events if event] == ["status"], "programs get what the contract says"


def test_who_comes_back_with_the_last_id_is_told_of_no_end_twice(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "HEARTBEAT_S", 0.1)
    ids = [desk.face.ayse.enqueue("add", a=number) for number in range(3)]
    for task_id in ids:
        desk.face.ayse.post(f"/api/tasks/{task_id}/cancel")

    last_id, told = "0-0", []
    for _ in range(4):  # each stream breaks off as soon as something was told, as a bad line does
        with closing(streamed(desk.member, f"/api/events?last_event_id={last_id}")) as stream:
            if event := next(stream.events):
                last_id = event["id"]
                told.append((event["event"], event["data"]["task_id"], event["data"]["state"]))
                assert next(stream.events)["event"] == "notice"

    assert told == [("status", task_id, "REVOKED") for task_id in ids]


def test_the_stream_of_one_task_takes_the_cookie_as_well(desk: Desk) -> None:
    task_id = desk.face.ayse.enqueue("add", a=1)
    with closing(streamed(desk.member, f"/api/tasks/{task_id}/events")) as stream:
        assert next(stream.events)["data"]["task_id"] == task_id
    assert desk.stranger.client.get(f"/api/tasks/{task_id}/events").status_code == 404
    assert desk.face.client.get(f"/api/tasks/{task_id}/events").status_code == 401


def test_operators_see_all_and_are_told_of_their_own_company(desk: Desk) -> None:
    with closing(streamed(desk.operator)) as stream:
        desk.face.bora.post(f"/api/tasks/{desk.face.bora.enqueue('add', a=1)}/cancel")
        desk.face.ayse.post(f"/api/tasks/{desk.face.ayse.enqueue('add', a=1)}/cancel")
        told = []
        while not told or told[-1]["event"] != "notice":
            if event := next(stream.events):
                told.append(event)
    ends = [event for event in told if event["data"]["state"] == "REVOKED"]
    assert [event["event"] for event in ends] == ["status", "status", "notice"]


def test_a_stream_ends_with_its_session(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "HEARTBEAT_S", 0.05)
    with closing(streamed(desk.member)) as stream:
        assert next(stream.events) is None
        sessions.sign_out_everywhere(desk.member.user_id)
        assert all(event is None for event in stream.events)
    assert desk.member.client.get("/api/events").status_code == 401


def test_a_stream_ends_after_an_hour_so_that_its_reader_is_asked_anew(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streams, "HEARTBEAT_S", 0.05)
    monkeypatch.setattr(streams, "LONGEST_S", 0.1)
    with closing(streamed(desk.member)) as stream:
        assert set(stream.events) <= {None}


def test_what_had_ended_and_was_not_yet_written_when_somebody_looked_is_new_all_the_same(desk: Desk) -> None:
    task_id = desk.face.ayse.enqueue("add", a=1)
    work_off()
    assert task_id not in desk.member.get("/notices").text
    record_all()

    assert unread(desk.member) == 1
    assert task_id in desk.member.get("/notices").text
    assert unread(desk.member) == 0


@pytest.mark.parametrize(
    ("result", "tr", "en"),
    [
        (
            {"done": 2700, "failed": 1300, "unknown": 2},
            " Başarısız: 1.300, sonucu belirsiz: 2",
            " Failed: 1,300, unknown: 2",
        ),
        ({"done": 3, "skipped": 1}, "", ""),
        ({"done": 3, "failed": "x"}, "", ""),
        (None, "", ""),
    ],
)
def test_what_of_a_bulk_was_not_done_is_told_with_its_end(face: Any, result: Any, tr: str, en: str) -> None:
    task_id = ended(face.ayse.company_id, kind="send_bulk_sms", result=Seal.dumps(result))

    assert ends.sentence(find(task_id), "tr") == f"SMS'ler gönderildi!{tr}"
    assert ends.sentence(find(task_id), "en") == f"Messages sent!{en}"
