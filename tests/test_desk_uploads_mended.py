"""What was said of a sheet by hand holds for its real import, and for the workbook of its wrong rows."""

import io
from typing import Any

from tests import desk as desks
from tests.desk import Desk, Visitor
from tests.imports_made import accounts, letters, read_back, xlsx
from tests.test_desk_uploads import ended, upload
from workers.engine.tasks import Task

face, desk = desks.face, desks.desk
ODD = (("Kod no", "Kim", "Kalan", "Bakiye"), ("1", "Bir", "çok", 7), ("2", "İki", 2, 7))
BY_HAND = {"m.code": "Kod no", "m.title": "Kim", "m.bakiye": "Kalan", "as_of": "2025-12-31"}


def tried_by_hand(visitor: Visitor, content: bytes, target: str, **form: str) -> Task:
    lost = ended(upload(visitor, content, **{"import": target}))
    return ended(visitor.post(f"/upload/{lost.id}/again", {**form, "form_id": f"again {lost.id}"}))


def imported(visitor: Visitor, trial: Task) -> Task:
    form = {"sha256": trial.result["file"]["sha256"], "form_id": f"import {trial.id}"}
    return ended(visitor.post(f"/upload/{trial.id}/import", form))


def send_mended(visitor: Visitor, task: Task, content: bytes, name: str = "hatalar.xlsx") -> Any:
    data = {"file": (io.BytesIO(content), name), "form_id": "mended"}
    return visitor.post(f"/upload/{task.id}/mended", data, content_type="multipart/form-data")


def test_a_column_that_was_left_out_by_hand_is_left_out_of_the_import_too(desk: Desk) -> None:
    sheet = xlsx(("Kod no", "Kim", "Telefon"), ("1", "Bir", "0532 111 22 33"))

    trial = tried_by_hand(desk.member, sheet, "accounts", **{"m.code": "Kod no", "m.title": "Kim", "m.phone": ""})
    imported(desk.member, trial)

    assert trial.result["mapping"] == {"code": "Kod no", "title": "Kim"}
    assert [(each["title"], each["phone"]) for each in accounts()] == [("Bir", None)]


def test_the_mended_rows_are_read_by_the_columns_and_the_day_that_were_given_by_hand(desk: Desk) -> None:
    first = imported(desk.member, tried_by_hand(desk.member, xlsx(*ODD), "mutabakat", **BY_HAND))
    assert 'action="/upload/' + first.id + '/mended"' in desk.member.get(f"/upload/{first.id}").text
    head, bad = read_back(desk.face.ayse.get(f"/api/tasks/{first.id}/result").data)

    trial = ended(send_mended(desk.member, first, xlsx(head, [1 if cell == "çok" else cell for cell in bad])))
    assert trial.result["dry_run"]
    imported(desk.member, trial)

    told = [(each["code"], each["as_of"].isoformat(), each["snapshot"]["lines"][0]["amount"]) for each in letters()]
    assert told == [("1", "2025-12-31", "1.00"), ("2", "2025-12-31", "2.00")]


def test_a_mended_file_that_can_not_be_taken_is_refused_on_the_page_of_its_import(desk: Desk) -> None:
    bad = tried_by_hand(desk.member, xlsx(*ODD), "mutabakat", **BY_HAND)
    good = tried_by_hand(desk.member, xlsx(ODD[0], ODD[2]), "mutabakat", **BY_HAND)

    answers = [send_mended(desk.member, task, b"%PDF-1.7") for task in (bad, good)]
    without = desk.member.post(f"/upload/{bad.id}/mended", {}, content_type="multipart/form-data")

    assert [answer.status_code for answer in (*answers, without)] == [415, 409, 422]
    assert all('class="fault"' in answer.text for answer in (*answers, without))
    assert send_mended(desk.stranger, bad, xlsx(*ODD)).status_code == 404


def test_a_sheet_without_days_says_where_to_give_the_day_and_shows_the_field(desk: Desk) -> None:
    sheet = xlsx(("Cari Kodu", "Unvan", "Bakiye"), ("1", "Bir", 1))
    desk.member.client.set_cookie("lang", "tr")

    lacking = ended(upload(desk.member, sheet, **{"import": "mutabakat"}))
    page = desk.member.get(f"/upload/{lacking.id}").text
    given = ended(upload(desk.member, sheet, **{"import": "mutabakat", "as_of": "2025-12-31", "form_id": "given"}))

    assert lacking.result["bad"] == 1
    assert "“Bakiyelerin günü” alanını doldurun" in lacking.result["errors"][0]["told"]["tr"][0]
    assert "as_of" not in str(lacking.result["errors"])
    assert ("<details open>" in page, 'href="#f-as_of"' in page) == (True, True)
    assert "kendi dosyanızda düzeltip" not in page
    page = desk.member.get(f"/upload/{given.id}").text
    assert ("<details open>" in page, 'href="#f-as_of"' in page) == (False, False)
