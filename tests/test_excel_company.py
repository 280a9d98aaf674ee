"""Imports end to end, continued: users, exports, whose upload it is, and headings of a company's own."""

import io
from datetime import UTC, timedelta
from typing import Any

import openpyxl
import pytest
from sqlalchemy import delete, update

from tests import face as faces
from tests.conftest import Service
from tests.face import UNKNOWN_TASK, Face
from tests.imports_made import (
    ACCOUNT_HEAD,
    BALANCE_HEAD,
    DAY,
    account_rows,
    counts,
    ended,
    imported,
    read_back,
    upload,
    users,
    xlsx,
)
from workers import db, files
from workers.engine.queues import enqueue
from workers.engine.tables import items as item_rows
from workers.engine.tasks import params_of
from workers.errors import FileGone
from workers.models import File, User

face = faces.face
ENDS = [["Cari Kodu", "Durum"], ["0320", "Taslak"], *[["120.10", "Taslak"]] * 2]  # of the rows of an export


def test_users_are_made_members_of_the_company_and_nobody_elses_is_touched(service: Service, face: Face) -> None:
    with db.writing() as session:
        session.add(User(company_id=face.bora.company_id, email="bora@b.example", password_hash="x", name="Bora"))
        session.add(User(company_id=face.ayse.company_id, email="op@a.example", password_hash="x", role="operator"))
    service.run_worker()
    sheet = xlsx(
        ("E-posta", "Ad Soyad", "Rol", "Telefon", "Dil"),
        ("Ayse@A.example", "Ayşe Ak", "member", "", "tr"),
        ("can@a.example", "Can", "operator", "", ""),
        ("bora@b.example", "Çalıntı", "", "", ""),
        ("op@a.example", "Çalıntı", "", "", ""),
        ("deniz@a.example", "Deniz", "", "", "en"),
    )

    result = imported(face.ayse, sheet, "users")

    assert counts(result) == (2, 0, 0, 3)
    assert [error["row"] for error in result["errors"]] == [3, 4, 5]
    assert "Bora" not in str(result["errors"])
    assert result["errors"][1]["reasons"] == result["errors"][2]["reasons"], "whose it is stays untold"
    kept = {row["email"]: row for row in users()}
    assert kept["bora@b.example"]["name"] == "Bora"
    assert kept["op@a.example"]["name"] is None
    assert {kept[email]["role"] for email in ("ayse@a.example", "deniz@a.example")} == {"member"}
    assert kept["deniz@a.example"]["language"] == "en"
    assert counts(imported(face.ayse, sheet, "users")) == (0, 0, 2, 3)


def test_exports_read_back_as_what_was_imported(service: Service, face: Face) -> None:
    service.run_worker()
    sheet = xlsx(
        BALANCE_HEAD,
        ("120.10", "=Çınar", "4540536920", DAY, "USD", "", 20),
        ("120.10", "=Çınar", "4540536920", DAY, "", 1234.56, ""),
        ("0320", "Işıl Öğüt", "17291716060", DAY, "", "", 5),
    )
    imported(face.ayse, sheet, "mutabakat")
    face.bora.letter()

    made: list[str] = []

    def export(what: str, **more: Any) -> bytes:
        task_id = face.ayse.enqueue("export_sheet", what=what, **more)
        made.append(task_id)
        assert ended(face.ayse, task_id)["result"]["filename"] == f"{what}.xlsx"
        return face.ayse.get(f"/api/tasks/{task_id}/result").data

    exported = export("mutabakat")
    assert [row[::11] for row in read_back(exported)] == ENDS
    amounts = openpyxl.load_workbook(io.BytesIO(exported)).worksheets[0].column_dimensions["I"]
    assert amounts.width >= len("-123.456.789.012,34"), "less would be shown as ###"
    assert counts(imported(face.ayse, exported, "mutabakat", name="geri.xlsx")) == (0, 0, 3, 0)
    assert counts(imported(face.ayse, export("accounts"), "accounts", name="cariler.xlsx")) == (0, 0, 2, 0)

    bulk = face.ayse.enqueue("touch", mutabakat_ids=[face.ayse.letter(), face.ayse.letter()])
    ended(face.ayse, bulk)
    items = read_back(export("items", task_id=bulk))
    assert [row[0] for row in items] == ["Sıra", 1, 2]
    hours = (items[1][-1].replace(tzinfo=UTC) - db.now()) / timedelta(hours=1)
    assert 2.9 < hours <= 3, "by the clock of Istanbul"
    bora = face.bora.company_id
    foreign = enqueue("export_sheet", {"what": "items", "task_id": bulk, "company_id": bora}, scope=str(bora)).id
    assert ended(face.bora, foreign)["error"]["type"] == "MissingRecord"

    with db.writing() as session:
        session.execute(delete(File))
    expired = face.ayse.get(f"/api/tasks/{made[0]}/result")
    assert (expired.status_code, "expired" in expired.json["detail"]) == (409, True)


@pytest.mark.parametrize(
    ("language", "page", "told"),
    [
        ("tr", "Kalemler", ("atlandı", "sabit hat, cep telefonu değil")),
        ("en", "Items", ("skipped", "a landline, no mobile")),
    ],
)
def test_a_sheet_of_items_says_in_the_language_of_its_reader_what_became_of_them(
    service: Service, face: Face, language: str, page: str, told: tuple[str, str]
) -> None:
    service.run_worker()
    bulk = face.ayse.enqueue("touch", mutabakat_ids=[face.ayse.letter()])
    ended(face.ayse, bulk)
    with db.writing() as session:
        session.execute(update(item_rows).values(state="skipped", error="sabit hat, cep telefonu değil"))

    made = face.ayse.enqueue("export_sheet", what="items", task_id=bulk, language=language)
    assert ended(face.ayse, made)["state"] == "SUCCESS"
    sheet = face.ayse.get(f"/api/tasks/{made}/result").data

    assert openpyxl.load_workbook(io.BytesIO(sheet)).sheetnames == [page]
    assert (read_back(sheet)[1][2], read_back(sheet)[1][4]) == told


def test_a_task_of_another_company_is_no_task_whose_items_could_be_exported(face: Face) -> None:
    bulk = face.ayse.enqueue("touch", mutabakat_ids=[face.ayse.letter()])
    none = face.operator.enqueue("add", a=1)
    wanted = {"what": "items", "task_id": bulk}

    refused = [
        face.bora.post("/api/jobs/export_sheet", wanted),
        face.bora.post("/api/jobs/export_sheet", {**wanted, "task_id": UNKNOWN_TASK}),
        face.bora.post("/api/jobs/export_sheet", {**wanted, "task_id": none}),
        face.operator.post("/api/jobs/export_sheet", {**wanted, "company_id": face.bora.company_id}),
    ]

    assert [answer.status_code for answer in refused] == [404] * 4
    assert len({answer.data for answer in refused}) == 1
    assert face.ayse.post("/api/jobs/export_sheet", wanted).status_code == 202


def test_an_upload_of_another_company_is_unknown(service: Service, face: Face) -> None:
    service.run_worker()
    result = imported(face.ayse, xlsx(ACCOUNT_HEAD, *account_rows(range(2))), "accounts", dry_run="true")

    for path in (result["file"]["id"], "../../etc/passwd", "/etc/passwd", "nope", ""):
        answer = face.bora.post("/api/jobs/process_excel_upload", {"file_path": path, "target": "accounts"})
        assert answer.status_code == 404, path

    letter = face.bora.enqueue("generate_mutabakat_pdf", mutabakat_id=face.bora.letter())
    pdf = ended(face.bora, letter)["result"]["file_id"]
    task_id = face.bora.enqueue("process_excel_upload", file_path=pdf, target="accounts")
    assert ended(face.bora, task_id)["error"]["type"] == "MissingRecord", "only uploads are taken"


@pytest.mark.parametrize("given", [{"mapping": '{"title": "Kim"}'}, {}])
def test_headings_may_be_named_for_once_or_kept_for_the_company(
    service: Service, face: Face, given: dict[str, str]
) -> None:
    service.run_worker()
    if not given:
        saved = face.ayse.call("PUT", "/api/excel/mappings/accounts", json={"mapping": {"title": "Kim", "code": "Yok"}})
        assert saved.status_code == 200
        assert face.ayse.get("/api/excel/mappings").json["mappings"]["accounts"]["title"] == "Kim"

    result = imported(face.ayse, xlsx(("Cari Kodu", "Kim"), ("1", "Bir")), "accounts", **given)

    assert (counts(result), result["mapping"]["title"]) == ((1, 0, 0, 0), "Kim")


def test_refused_rows_come_back_under_the_groups_that_their_columns_stood_under(service: Service, face: Face) -> None:
    service.run_worker()
    groups, head = ("Hesap", "", "Devir", "", "USD", ""), ("Kodu", "Adı", "Borç", "Alacak", "Borç", "Alacak")
    sheet = xlsx(("MİZAN",), groups, head, ("1", "Bir", 1, 0, 50, 0), ("2", "İki", 1, 0, "çok", 0))
    given = {"as_of": "2025-12-31", "mapping": '{"borc": "USD Borç", "alacak": "USD Alacak"}'}

    first = imported(face.ayse, sheet, "mutabakat", **given)
    back = face.ayse.get(f"/api/tasks/{first['task_id']}/result").data
    again = imported(face.ayse, back, "mutabakat", name="hatalar.xlsx", **given)

    added = ["Mutabakat Tarihi", "Satır", "Hata Nedeni"]
    assert read_back(back)[:2] == [[*groups, "İçe aktarma", "", ""], [*head, *added]]
    assert (counts(first), counts(again)) == ((1, 0, 0, 1), (0, 0, 0, 1))
    assert {**first["mapping"], "as_of": added[0]} == again["mapping"]
    twice = read_back(face.ayse.get(f"/api/tasks/{again['task_id']}/result").data)
    assert [row[:6] for row in twice] == [row[:6] for row in read_back(back)]
    assert twice[1][6:] == added


def test_an_uploaded_file_that_was_deleted_meanwhile_is_called_by_its_name(service: Service, face: Face) -> None:
    task_id = upload(face.ayse, xlsx(ACCOUNT_HEAD), "accounts", "Bakiye 2025.xlsx").json["task_id"]
    file = files.uploaded(params_of(task_id)["file_path"], None)
    files.storage().delete([file["storage_key"]])

    service.run_worker()

    failed = ended(face.ayse, task_id)
    assert failed["status"] == "Bakiye 2025.xlsx dosyası bu arada silinmiş. Yeniden yükleyin ya da yeniden oluşturun."
    with pytest.raises(FileGone) as gone:
        files.attachment(file["id"], None)
    assert "Bakiye 2025.xlsx" in gone.value.message
    assert file["storage_key"] not in gone.value.message + failed["error"]["message"]
