"""Finding tasks on the desk: by each filter, by recipient, file name, error; far back, and nobody else's."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import insert

from app.desk import causes, recipients, search
from app.desk.search import Wanted
from tests import desk as desks
from tests.desk import Desk
from tests.hands import put_row
from tests.test_desk_home import much_history, plan
from workers import files, messages
from workers.db import now, writing
from workers.engine import enqueue
from workers.engine.queues import new_id
from workers.engine.seal import Seal
from workers.engine.tables import first_id, items, tasks
from workers.errors import InvalidInput
from workers.models import Delivery, File

face, desk = desks.face, desks.desk
face_anywhere, desk_anywhere = desks.face_anywhere, desks.desk_anywhere
NOBODY = "0555 999 11 11"


def ids(**wanted: Any) -> list[str]:
    found = search.find(Wanted(**wanted))
    assert found.looked_at is None
    return [task.id for task in found.tasks]


def id_of(number: int) -> str:
    return f"{number:08x}-0000-7000-8000-000000000000"


def put_item(task_id: str, position: int = 1, **values: Any) -> None:
    row = {"task_id": task_id, "position": position, "value": Seal.dumps(None), "state": "done", "updated_at": now()}
    with writing() as session:
        session.execute(insert(items).values(**row | values))


def put_file(**values: Any) -> str:
    row = {"id": new_id(), "content_type": "x", "size": 1, "sha256": "0" * 64, "storage_key": "k", "created_at": now()}
    with writing() as session:
        session.execute(insert(File.__table__).values(**row | values))  # type: ignore[arg-type]
    return str(row["id"])


def test_each_filter_finds_alone_and_together(desk_anywhere: Desk) -> None:
    one = put_row(
        scope="1",
        state="FAILURE",
        kind="add",
        queue="sms",
        error_type="E",
        error_message="Kâğıt %100 bitti",
        ended_at=now(),
    )
    two = put_row(scope="2", state="PENDING", kind="count", queue="excel", status="3_000 satır")
    put_row(released=False)

    assert (ids(scope="1"), ids(scope="2"), set(ids())) == ([one], [two], {one, two})
    assert (ids(state="FAILURE"), ids(kind="count"), ids(queue="sms")) == ([one], [two], [one])
    assert (ids(q="kâğıt"), ids(q="%100"), ids(q="3_0"), ids(q="3%0"), ids(q=two)) == ([one], [one], [two], [], [two])
    assert ids(scope="1", state="FAILURE", queue="sms", kind="add", q="BITTI") == [one]
    assert ids(scope="2", state="FAILURE") == ids(scope="3") == ids(kind="%") == ids(q="\ud800") == []
    assert ids(action="cancel") == [two]
    assert ids(action="retry") == [one]


def test_days_are_found_by_the_time_in_the_ids(desk: Desk) -> None:
    second = timedelta(seconds=1)
    before, task_id, after = now() - second, enqueue("nothing").id, now() + second

    assert ids(since=before) == ids(until=after) == [task_id]
    assert ids(since=after) == ids(until=before) == []
    assert first_id(datetime(1970, 1, 1, tzinfo=UTC)) == "00000000-0000"


@pytest.mark.parametrize("typed", ["0555 123 45 67", "+905551234567", "+90…4567", "4567"])
def test_a_number_is_found_by_its_mask_and_by_its_hash(desk_anywhere: Desk, typed: str) -> None:
    masked, sent, other = put_row(scope="1"), put_row(scope="1"), put_row(scope="1")
    put_item(masked, ref="+90…4567")
    put_item(other, ref="+90…9999")
    evidence = {"channel": "sms", "recipient": b"", "provider": "p", "request_key": "k", "sent_at": now(), "item_id": 1}
    hashed = messages.digest("+905551234567")
    with writing() as session:
        session.add(Delivery(task_id=sent, recipient_hash=hashed, state="done", **evidence))

    assert ids(q=typed) == ([sent, masked] if len(typed) > 10 else [masked])
    assert ids(q=NOBODY) == []


def test_what_was_sent_is_found_in_the_whole_history(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    sent, masked = put_row(id=id_of(0)), put_row(id=id_of(1))
    put_item(masked, ref="+90…4567")
    evidence = {"channel": "sms", "recipient": b"", "provider": "p", "sent_at": now(), "item_id": 1, "state": "done"}
    with writing() as session:
        for key in ("first", "again"):
            hashed = messages.digest("+905551234567")
            session.add(Delivery(task_id=sent, recipient_hash=hashed, request_key=key, **evidence))
    for number in range(2, 6):
        put_row(id=id_of(number))
    monkeypatch.setattr(search, "GLANCE", 2)
    monkeypatch.setattr(search, "WINDOW", 3)

    found = search.find(Wanted(q="0555 123 45 67"))

    assert ([task.id for task in found.tasks], found.cursor, found.looked_at) == ([sent], None, 3)
    assert search.every(Wanted(q="0555 123 45 67"), 10) == ([sent], False)


def test_an_address_is_found_by_its_mask(desk: Desk) -> None:
    task_id = put_row(scope="1")
    put_item(task_id, ref="a***@ornek.com")
    assert ids(q="Ali@ÖRNEK.com") == []
    assert ids(q="ali@ornek.com") == ids(q="a***@ornek.com") == [task_id]
    assert ids(q="ali@ornek.com", scope="2") == []


def test_words_of_an_item_s_error_and_of_file_names_find_their_task(desk_anywhere: Desk) -> None:
    of_item, of_file = put_row(scope="1"), put_row(scope="1")
    put_item(of_item, state="failed", error="Ağ geçidi kabul etmedi (kod 42)")
    put_file(task_id=of_file, purpose="result", filename="Mutabakat Çınar 2025.pdf")

    assert ids(q="kod 42") == [of_item]
    assert ids(q="2025") == [of_file]
    assert ids(q="çınar 2025") == ids(q="ÇINAR") == [of_file]
    assert ids(q="kod 43") == ids(q="kod 42", scope="2") == []


def test_an_import_is_found_by_the_name_of_its_upload(desk_anywhere: Desk) -> None:
    company = desk_anywhere.member.company_id or 0
    upload = put_file(company_id=company, purpose=files.UPLOAD, filename="Ocak cariler.xlsx")
    other = put_file(company_id=company, purpose=files.UPLOAD, filename="Mart.xlsx")
    kind: dict[str, Any] = {"kind": "process_excel_upload", "queue": "excel", "scope": str(company)}
    one = put_row(**kind, params=Seal.dumps({"file_path": upload}))
    put_row(**kind, params=Seal.dumps({"file_path": other}))

    assert ids(q="ocak cari") == ids(q="ocak cari", scope=str(company)) == [one]
    assert ids(q="ocak cari", scope="99") == []


def test_a_long_history_is_looked_through_window_by_window_and_the_page_says_so(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "GLANCE", 2)
    monkeypatch.setattr(search, "WINDOW", 5)
    made = [put_row(id=id_of(n), scope="1", state="FAILURE" if n in (1, 2, 11) else "SUCCESS") for n in range(12)]

    first = search.find(Wanted(scope="1", state="FAILURE"))
    seen, cursor, pages = [task.id for task in first.tasks], first.cursor, 1
    while cursor:
        page = search.find(Wanted(scope="1", state="FAILURE"), cursor)
        seen, cursor, pages = seen + [task.id for task in page.tasks], page.cursor, pages + 1

    assert (first.looked_at, pages) == (5, 3)
    assert seen == [made[11], made[2], made[1]]
    assert search.every(Wanted(scope="1", state="FAILURE"), 10) == (seen, True)
    assert search.every(Wanted(scope="1", state="FAILURE"), 2) == (seen[:2], False)
    assert search.every(Wanted(scope="1", state="FAILURE"), 10, windows=1) == (seen[:1], False)


def test_pages_are_complete_and_without_overlap(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "GLANCE", 4)
    made = [put_row(id=id_of(n), scope="1") for n in range(11)]
    seen: list[str] = []
    cursor: str | None = None
    while not seen or cursor:
        page = search.find(Wanted(scope="1"), cursor, 3)
        seen, cursor = seen + [task.id for task in page.tasks], page.cursor
    assert seen == made[::-1]


def test_a_cursor_that_is_not_ours_is_refused(desk: Desk) -> None:
    with pytest.raises(InvalidInput, match="link of the page"):
        search.find(Wanted(), "x")
    assert desk.member.get("/tasks?cursor=x").status_code == 422


@pytest.mark.parametrize("query", ["state=GONE", "company=x", "since=soon", "until=2026-13-01"])
def test_bad_words_of_the_filter_are_refused(desk: Desk, query: str) -> None:
    assert desk.operator.get(f"/tasks?{query}").status_code == 422


def test_a_member_finds_nothing_of_another_company(desk: Desk) -> None:
    put_row(scope=str(desk.stranger.company_id), state="FAILURE", error_type="E", error_message="gizli")
    for path in ("/tasks", "/tasks?q=gizli", "/tasks/causes", "/tasks?state=FAILURE"):
        assert "data-task" not in desk.member.get(path).text
        assert "gizli" not in desk.member.get(path.replace("gizli", "x")).text
    assert desk.member.get(f"/tasks?company={desk.stranger.company_id}").status_code == 403
    assert "gizli" in desk.operator.get(f"/tasks?company={desk.stranger.company_id}").text


def test_failures_are_grouped_by_cause_with_a_link_to_them(desk: Desk) -> None:
    scope = str(desk.member.company_id)
    fault = {"scope": scope, "state": "FAILURE", "error_type": "MissingRecord"}
    for number in (12, 13):
        newest = put_row(**fault, error_message=f"mutabakat {number} does not exist (100% <b>)")
    put_row(**fault, error_message="something else")
    put_item(put_row(scope=scope, state="SUCCESS"), state="failed", error="kod 42 <i>")

    page = desk.member.get("/tasks/causes")

    assert "mutabakat … does not exist (…% &lt;b&gt;)" in page.text
    assert f"/tasks/{newest}" in page.text
    assert "kod … &lt;i&gt;" in page.text
    [href] = re.findall(r'href="(/tasks\?[^"]*cause=MissingRecord%3A(?:\+|%20)mutabakat[^"]*)"', page.text)
    listed = desk.member.get(href.replace("&amp;", "&")).text
    assert listed.count("<tr data-task=") == 2


@pytest.mark.parametrize(
    ("message", "shape"),
    [
        ("no such file '/tmp/x'", "no such file …"),
        ("row 3, 4 and 5.200,75", "row … and …"),
        ("01900000-0000-7000-8000-000000000000 is gone", "… is gone"),
        ("a***@ornek.com refused +90…4567", "… refused …"),
        ("", ""),
    ],
)
def test_what_varies_is_taken_out_of_a_message(message: str, shape: str) -> None:
    assert causes.name_of("E", message) == f"E: {shape}"
    assert causes.as_pattern("E: 5% … a_b\\", "\\") == ("E", "5\\% % a\\_b\\\\")


def test_what_is_no_recipient_is_looked_for_as_words(desk: Desk) -> None:
    for text in ("kağıt bitti", "123", "a@b@c", "0212 555 12 34", "", new_id()):
        assert not recipients.names(text), text


def test_the_order_of_a_window_needs_no_sort(desk: Desk) -> None:
    with search.reading() as session:
        for wanted in (Wanted(), Wanted(scope="1"), Wanted(state="RETRY"), Wanted(kind="add"), Wanted(queue="sms")):
            query = search.select(search.window(wanted).c.id).compile(
                session.get_bind(), compile_kwargs={"literal_binds": True}
            )
            plan = [row[3] for row in session.connection().exec_driver_sql(f"EXPLAIN QUERY PLAN {query}")]
            assert any("COVERING INDEX" in step for step in plan), plan
            assert not any("TEMP B-TREE" in step for step in plan), plan
    assert tasks.c.id.name == "id"


@pytest.mark.parametrize("action", ["cancel", "retry", None])
def test_each_task_of_a_window_is_looked_up_by_its_id(desk: Desk, action: str | None) -> None:
    put_row(state="PENDING")
    much_history()  # and one that lives: statistics of a quiet night, behind which 50,000 tasks may wait
    wanted = Wanted(state="PENDING", action=action)
    newest = search.window(wanted)

    looked = plan(search.select(newest.c.id).join(tasks, tasks.c.id == newest.c.id).where(*search.rest(wanted)))

    assert looked.endswith("SEARCH tasks USING INDEX sqlite_autoindex_tasks_1 (id=?)")
