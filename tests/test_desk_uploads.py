"""Sheets at the desk: tried before they are imported, bound to the bytes that were tried."""

import io
import re
from html import unescape
from typing import Any

import pytest
from sqlalchemy import select

from tests import desk as desks
from tests.conftest import Service
from tests.desk import Desk, Visitor, open_desk
from tests.face import open_face
from tests.hands import put_row, record_all, work_off
from tests.imports_made import ACCOUNT_HEAD, account_rows, accounts, counts, read_back, xlsx
from workers import db
from workers.db import now
from workers.engine import find
from workers.engine.tasks import Task, params_of
from workers.models import Act, Company, File
from workers.services import workbooks

face, desk = desks.face, desks.desk
SHEET = xlsx(ACCOUNT_HEAD, *account_rows(range(2)), ("120.9", "", "1", "", "", ""))
ODD = xlsx(("Kod no", "Kim", "Posta"), ("1", "<script>alert(1)</script>", "a@ornek.com"))
SCRIPT = "<script>alert"


def upload(visitor: Visitor, content: bytes = SHEET, name: str = "cari.xlsx", **more: str) -> Any:
    data = {"file": (io.BytesIO(content), name), "import": "accounts", "form_id": "one", **more}
    return visitor.post("/upload", data, content_type="multipart/form-data")


def tried(visitor: Visitor, content: bytes = SHEET, **more: str) -> Task:
    answer = upload(visitor, content, **more)
    assert answer.status_code == 303, answer.text
    return ended(answer)


def ended(answer: Any) -> Task:
    work_off()
    task = find(answer.location.rpartition("/")[2])
    assert task.ended
    return task


def assert_told_in_both(visitor: Visitor, trial: Task) -> None:
    """Whoever looks at it reads in the own language why a row was refused, whose language the upload was in."""
    [row] = trial.result["errors"]
    for language in ("en", "tr"):
        visitor.client.set_cookie("lang", language)
        page = unescape(visitor.get(f"/upload/{trial.id}").text)
        assert [told in page for told in row["told"][language]] == [True] * len(row["reasons"])
    assert row["told"]["tr"] != row["told"]["en"]


def rows_of(visitor: Visitor, task_id: str) -> str:
    """What the list of the latest uploads says of this one."""
    return next(row for row in visitor.get("/upload").text.split("<tr>") if f"/upload/{task_id}" in row)


def hidden(page: str, name: str) -> str:
    return re.search(f'name="{name}" value="([^"]*)"', page)[1]


def test_a_company_with_nothing_yet_gets_workbooks_to_fill_in(desk: Desk) -> None:
    page = desk.member.get("/upload")

    assert "Henüz" in page.text or "Nothing was uploaded yet" in page.text
    for target in ("accounts", "mutabakat", "users"):
        template = desk.member.get(f"/upload/template/{target}")
        assert read_back(template.data)[0], target
    assert desk.member.get("/upload/template/letters").status_code == 404


def test_a_sheet_is_tried_then_imported_as_it_was_seen(desk: Desk) -> None:
    trial = tried(desk.member)

    assert "deneme" in rows_of(desk.member, trial.id)
    assert_told_in_both(desk.member, trial)
    assert f"/upload/{trial.id}" in desk.member.get(f"/tasks/{trial.id}").text
    page = desk.member.get(f"/upload/{trial.id}").text
    assert counts(trial.result) == (2, 0, 0, 1)
    assert accounts(desk.member.company_id) == [], "a trial changes nothing"
    assert f"/api/tasks/{trial.id}/result" in page
    wrong = read_back(desk.member.get(f"/api/tasks/{trial.id}/result").data)
    assert wrong[1][0] == "120.9", "a click gives the workbook of the wrong rows"
    form = {"sha256": hidden(page, "sha256"), "mode": "skip-bad", "form_id": "two"}

    first, second = (desk.member.post(f"/upload/{trial.id}/import", form) for _ in range(2))

    assert first.location == second.location != f"/upload/{trial.id}"
    real = ended(first)
    assert "deneme" not in rows_of(desk.member, real.id)
    assert counts(real.result) == (2, 0, 0, 1)
    assert len(accounts(desk.member.company_id)) == 2
    assert params_of(real.id)["file_path"] == params_of(trial.id)["file_path"]
    with db.reading() as session:
        [act] = session.scalars(select(Act))
    assert (act.what, act.task_id, act.detail) == ("sheet imported", real.id, "cari.xlsx (accounts)")
    assert "/import" not in desk.member.get(f"/upload/{real.id}").text


def test_an_import_that_took_no_row_over_says_so_on_its_page_and_in_its_notice(desk: Desk) -> None:
    trial = tried(desk.member)
    form = {"sha256": trial.result["file"]["sha256"], "mode": "all-or-nothing", "form_id": "two"}

    real = ended(desk.member.post(f"/upload/{trial.id}/import", form))

    record_all()
    page, notices = desk.member.get(f"/upload/{real.id}").text, desk.member.get("/notices").text
    assert "Hiçbir satır aktarılmadı: 1 hatalı satır var" in desk.member.get(f"/tasks/{real.id}").text
    assert (real.state, counts(real.result)) == ("SUCCESS", (0, 0, 0, 1)), "what programs get stays as it was"
    assert "Hiçbir satır aktarılmadı: 1 hatalı satır var. Doğru satırlar da alınmadı." in page
    assert "o dosyayı yükleyin" not in page, "that workbook lacks the good rows"
    assert "Hiçbir satır aktarılmadı: 1 hatalı satır var" in notices
    assert "Deneme bitti" in notices
    assert "Dosya işlendi!" not in notices


def test_a_trial_of_all_or_nothing_advises_to_mend_the_whole_file(desk: Desk) -> None:
    trial = tried(desk.member, mode="all-or-nothing")

    page = desk.member.get(f"/upload/{trial.id}").text

    assert "hiçbiri aktarılmazdı. Hatalı olanları kendi dosyanızda düzeltip" in page
    assert "o dosyayı yükleyin" not in page, "that workbook lacks the good rows"
    assert 'role="alert"' not in page


def test_an_import_that_left_out_only_its_bad_rows_is_told_as_an_import(desk: Desk) -> None:
    trial = tried(desk.member)
    form = {"sha256": trial.result["file"]["sha256"], "mode": "skip-bad", "form_id": "two"}

    real = ended(desk.member.post(f"/upload/{trial.id}/import", form))

    record_all()
    assert "aktarılmadı" not in desk.member.get(f"/upload/{real.id}").text
    assert "o dosyayı yükleyin" in desk.member.get(f"/upload/{real.id}").text
    assert "Dosya işlendi! Hatalı satır: 1" in desk.member.get("/notices").text


def test_a_trial_in_which_every_row_is_wrong_says_so(desk: Desk) -> None:
    trial = tried(desk.member, content=xlsx(ACCOUNT_HEAD, ("1", "", "", "", "", ""), ("2", "", "", "", "", "")))

    page = desk.member.get(f"/upload/{trial.id}").text

    assert counts(trial.result) == (0, 0, 0, 2)
    assert "satırların hepsi hatalı" in page
    assert "zaten kayıtlı" not in page


@pytest.mark.parametrize(("count", "said"), [(50, False), (51, True)])
def test_given_more_wrong_rows_than_are_listed_then_the_page_says_so(desk: Desk, count: int, said: bool) -> None:
    trial = tried(desk.member, content=xlsx(ACCOUNT_HEAD, *((str(n), "", "", "", "", "") for n in range(count))))

    page = desk.member.get(f"/upload/{trial.id}").text

    assert (f"{count} satırın ilk 50 tanesi listelendi. Hatalı satırların dosyasında hepsi var." in page) == said


def test_an_import_whose_result_can_not_be_opened_any_more_is_told_all_the_same(desk: Desk) -> None:
    more = {"kind": "process_excel_upload", "ended_at": now(), "result": b"sealed with a key that is gone"}
    put_row(scope=str(desk.member.company_id), state="SUCCESS", **more)

    assert "Dosya işlendi!" in desk.member.get("/notices").text


def test_nothing_else_than_the_tried_bytes_is_imported(desk: Desk) -> None:
    trial = tried(desk.member)

    other = desk.member.post(f"/upload/{trial.id}/import", {"sha256": "0" * 64})
    with db.writing() as session:
        session.scalars(select(File).where(File.purpose == "upload")).one().sha256 = "1" * 64
    changed = desk.member.post(f"/upload/{trial.id}/import", {"sha256": trial.result["file"]["sha256"]})

    assert [other.status_code, changed.status_code] == [409, 409]


def test_a_double_click_is_one_trial_and_another_file_another(desk: Desk) -> None:
    places = [upload(desk.member).location, upload(desk.member).location, upload(desk.member, ODD).location]

    assert places[0] == places[1] != places[2]


def test_columns_that_were_not_found_are_chosen_by_hand_and_remembered(desk: Desk) -> None:
    lost = tried(desk.member, ODD)
    page = desk.member.get(f"/upload/{lost.id}").text
    assert lost.state == "FAILURE"
    assert 'name="m.title"' in page

    mapping = {"m.code": "Kod no", "m.title": "Kim", "m.email": "", "keep": "1", "form_id": "again"}
    found = ended(desk.member.post(f"/upload/{lost.id}/again", mapping))

    assert found.result["mapping"] == {"code": "Kod no", "title": "Kim"}
    page = desk.member.get(f"/upload/{found.id}").text
    assert "<option selected>Kim</option>" in page
    assert "<option>Posta</option>" in page
    with db.reading() as session:
        kept = session.get_one(Company, desk.member.company_id).options["excel_mappings"]
    assert kept["accounts"]["title"] == "Kim"
    again = tried(desk.member, ODD, form_id="third")
    assert again.state == "SUCCESS", "the next file of the company needs no hand"
    assert SCRIPT not in page


def test_another_sheet_of_the_file_is_read_with_its_own_columns(desk: Desk) -> None:
    out = io.BytesIO()
    with workbooks.Workbook(out) as book:
        book.page("Cari").rows([("Hesap Kodu", "Unvan"), ("1", "Çınar")])
        book.page("Bayi").rows([("Bayi Kodu", "Unvan"), ("7", "Akasya")])
    trial = tried(desk.member, out.getvalue(), sheet_name="Bayi")

    form = {"m.code": "Bayi Kodu", "m.title": "Unvan", "sheet_name": "Cari", "form_id": "again"}
    found = ended(desk.member.post(f"/upload/{trial.id}/again", form))

    assert found.state == "SUCCESS", found.error
    assert found.result["mapping"] == {"code": "Hesap Kodu", "title": "Unvan"}
    assert found.result["unread_sheets"] == ["Bayi"]
    assert "Okunmayan sayfalar: Bayi" in desk.member.get(f"/upload/{found.id}").text


def test_a_running_import_shows_its_bar_and_htmx_gets_that_part_alone(desk: Desk) -> None:
    place = upload(desk.member).location

    part = desk.member.get(place, htmx=True).text

    assert "<html" not in part
    assert f'<sira-progress task="{place.rpartition("/")[2]}"' in part
    assert f'hx-get="{place}"' in part
    work_off()
    assert "hx-get" not in desk.member.get(place, htmx=True).text


@pytest.mark.parametrize(
    ("content", "name", "more", "status"),
    [
        (b"%PDF-1.7", "a.xlsx", {}, 415),
        (b"", "a.xlsx", {}, 422),
        (SHEET, "../a.xlsx", {}, 422),
        (SHEET, "a.xlsx", {"as_of": "31.12.2025"}, 422),
        (SHEET, "a.xlsx", {"import": "letters"}, 422),
        (SHEET, "a.xlsx", {"mode": "some"}, 422),
    ],
)
def test_what_can_not_be_uploaded_is_said_on_the_form_and_stores_nothing(
    desk: Desk, content: bytes, name: str, more: dict[str, str], status: int
) -> None:
    answer = upload(desk.member, content, name, sheet_name=f"{SCRIPT}()", **more)

    assert answer.status_code == status
    assert 'class="fault"' in answer.text
    assert SCRIPT not in answer.text
    assert f"{SCRIPT}()" in unescape(answer.text), "what was typed is kept"
    with db.reading() as session:
        assert session.scalars(select(File)).all() == []


def test_an_upload_is_its_companys_and_operators_choose_one(desk: Desk) -> None:
    place = upload(desk.member).location

    for path in (place, f"{place}/import", f"{place}/again"):
        call = desk.stranger.get if path == place else desk.stranger.post
        assert call(path).status_code == 404
    assert desk.operator.get(place).status_code == 200
    other = upload(desk.operator, company_id=str(desk.stranger.company_id)).location
    assert find(other.rpartition("/")[2]).scope == str(desk.stranger.company_id)
    task = desk.face.ayse.enqueue("add", a=1)
    assert desk.member.get(f"/upload/{task}").status_code == 404


def test_a_session_that_ended_says_which_file_to_choose_again(service: Service) -> None:
    desk = open_desk(open_face())
    page = desk.member.get("/upload").text
    desk.member.client.delete_cookie("sira")

    answer = desk.member.client.post(
        "/upload",
        data={"file": (io.BytesIO(SHEET), "cari 2026.xlsx"), "import": "users", "form_id": hidden(page, "form_id")},
        content_type="multipart/form-data",
        headers={"Sec-Fetch-Site": "same-origin", "Accept": "text/html"},
    )

    assert 'name="password"' in answer.text
    assert "cari 2026.xlsx" in unescape(answer.text)
    assert '"users"' in unescape(answer.text)
    with db.reading() as session:
        assert session.scalars(select(File)).all() == []
    without = desk.operator.post(
        "/upload", {"import": "users", "sheet_name": "Sayfa2"}, content_type="multipart/form-data"
    )
    assert without.status_code == 422
    assert 'value="Sayfa2"' in without.text
