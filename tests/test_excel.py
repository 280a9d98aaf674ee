"""Imports end to end: a sheet is uploaded, a real worker brings it into the database, its result is downloaded."""

import io
import os
import signal
from typing import Any

import openpyxl
from sqlalchemy import delete

from tests import face as faces
from tests.conftest import Service, wait_until
from tests.face import Face
from tests.imports_made import (
    ACCOUNT_HEAD,
    BALANCE_HEAD,
    DAY,
    account_rows,
    accounts,
    counts,
    ended,
    imported,
    letters,
    read_back,
    reports,
    upload,
    xlsx,
)
from workers import db, files
from workers.engine import find
from workers.engine.tasks import _eta_s
from workers.models import Account, Mutabakat
from workers.services.workbooks import Styled

face = faces.face


def test_a_sheet_of_accounts_is_uploaded_imported_and_counted(service: Service, face: Face) -> None:
    service.run_worker()
    sheet = xlsx(ACCOUNT_HEAD, *account_rows(range(3)), ("120.10", "Iğdır & <Şeker>", "", "", "", "=1+1"))

    result = imported(face.ayse, sheet, "accounts")

    assert counts(result) == (4, 0, 0, 0)
    assert (result["dry_run"], result["sheet"], result["header_row"]) == (False, "Cari", 1)
    assert result["mapping"]["code"] == "Cari Kodu"
    assert (result["errors"], result["error_file"]) == ([], None)
    kept = {row["code"]: row for row in accounts(face.ayse.company_id)}
    assert kept["120.000001"]["title"] == "Şirket 1"
    assert kept["120.000001"]["vkn"] == "4540536920"
    assert kept["120.10"]["title"] == "Iğdır & <Şeker>"
    assert face.ayse.get(f"/api/tasks/{result['task_id']}/result").json["new"] == 4
    assert accounts(face.bora.company_id) == []


def test_a_dry_run_counts_the_same_and_changes_nothing(service: Service, face: Face) -> None:
    service.run_worker()
    imported(face.ayse, xlsx(ACCOUNT_HEAD, *account_rows(range(4))), "accounts")
    before = accounts()
    sheet = xlsx(
        ACCOUNT_HEAD, *account_rows(range(2)), *account_rows([2], "Yeni ad"), *account_rows(range(4, 9)), ("", "x")
    )

    dry = imported(face.ayse, sheet, "accounts", dry_run="true")
    assert accounts() == before
    real = imported(face.ayse, sheet, "accounts")

    assert counts(dry) == counts(real) == (5, 1, 2, 1)
    assert dry["dry_run"] is True
    assert dry["file"] == real["file"], "the same bytes are the same file"


def test_a_real_run_may_take_the_file_of_its_dry_run_and_no_other_bytes(service: Service, face: Face) -> None:
    service.run_worker()
    dry = imported(face.ayse, xlsx(ACCOUNT_HEAD, *account_rows(range(3))), "accounts", dry_run="1")

    task_id = face.ayse.enqueue("process_excel_upload", file_path=dry["file"]["id"], target="accounts")
    assert counts(ended(face.ayse, task_id)["result"]) == (3, 0, 0, 0)

    key = files.uploaded(dry["file"]["id"], None)["storage_key"]
    files.storage().put(key, xlsx(ACCOUNT_HEAD, *account_rows(range(9))))
    task_id = face.ayse.enqueue("process_excel_upload", file_path=dry["file"]["id"], target="accounts")
    assert "not those that were uploaded" in wait_until(
        lambda: (face.ayse.status(task_id)["error"] or {}).get("message")
    )


def test_the_same_sheet_twice_changes_nothing(service: Service, face: Face) -> None:
    service.run_worker()
    sheet = xlsx(BALANCE_HEAD, *((f"120.{n}", f"Ş {n}", "4540536920", DAY, "", 10 + n, "") for n in range(7)))

    first, second = imported(face.ayse, sheet, "mutabakat"), imported(face.ayse, sheet, "mutabakat")

    assert (counts(first), counts(second)) == ((7, 0, 0, 0), (0, 0, 7, 0))
    assert len(letters()) == 7


def test_balances_become_letters_that_can_be_drawn(service: Service, face: Face) -> None:
    service.run_worker()
    sheet = xlsx(
        BALANCE_HEAD,
        ("120.10", "Çınar A.Ş.", "4540536920", DAY, "USD", "", 20),
        ("320.1", "Ünye Ltd.", "4540536920", DAY, "", "", "1.500,00"),
        ("120.10", "Çınar A.Ş.", "4540536920", DAY, "", "1.234,56", ""),
    )

    result = imported(face.ayse, sheet, "mutabakat")

    assert counts(result) == (3, 0, 0, 0)
    first, second = letters(face.ayse.company_id)
    assert first["snapshot"]["lines"] == [
        {"currency": "USD", "amount": "20.00", "side": "alacak"},
        {"currency": "TRY", "amount": "1234.56", "side": "borc"},
    ]
    assert first["snapshot"]["receiver"]["name"] == "Çınar A.Ş."
    assert second["snapshot"]["lines"] == [{"currency": "TRY", "amount": "1500.00", "side": "alacak"}]
    with db.reading() as session:
        letter_id = session.query(Mutabakat.id).order_by(Mutabakat.id).first()[0]
    drawn = face.ayse.post("/api/mutabakat/generate-pdf-async", {"mutabakat_id": letter_id}).json["task_id"]
    assert ended(face.ayse, drawn)["state"] == "SUCCESS"


def test_bad_rows_are_left_out_named_and_given_back_as_a_workbook(service: Service, face: Face) -> None:
    service.run_worker()
    head = ("Not", *ACCOUNT_HEAD)
    sheet = xlsx(
        head,
        ("=cmd|' /C calc'!A0", "120.1", "Bir", "0123", "", "", "0532 111 22 33"),
        ("", "120.2", "İki", "4540536920", "", "", ""),
        ("007", "120.3", "U" * 201, "", "", "", ""),
    )

    result = imported(face.ayse, sheet, "accounts")

    assert counts(result) == (1, 0, 0, 2)
    assert [error["row"] for error in result["errors"]] == [2, 4]
    assert "200" in result["errors"][1]["reasons"][0]
    answer = face.ayse.get(f"/api/tasks/{result['task_id']}/result")
    assert answer.headers["Content-Disposition"].startswith("attachment")
    assert result["error_file"]["filename"] == "cari-hatalar.xlsx"
    back = read_back(answer.data)
    assert back[0] == [*head, "Satır", "Hata Nedeni"]
    assert [row[0] for row in back[1:]] == ["=cmd|' /C calc'!A0", "007"]
    assert [row[-2] for row in back[1:]] == [2, 4]
    assert "Vergi No" in back[1][-1]


def test_the_workbook_of_the_bad_rows_can_be_uploaded_as_it_is(service: Service, face: Face) -> None:
    service.run_worker()
    rows = [("120.1", "Bir", "0123"), ("120.2", "İki", "4540536920"), ("120.3", "Üç", "9")]
    first = imported(face.ayse, xlsx(ACCOUNT_HEAD[:3], *rows), "accounts", headers={"Accept-Language": "en"})
    back = face.ayse.get(f"/api/tasks/{first['task_id']}/result").data
    assert read_back(back)[0][-2:] == ["Row", "Reason"]

    again = imported(face.ayse, back, "accounts", name="hatalar.xlsx")

    assert counts(again) == (0, 0, 0, 2)
    twice = read_back(face.ayse.get(f"/api/tasks/{again['task_id']}/result").data)
    assert twice[0] == [*ACCOUNT_HEAD[:3], "Satır", "Hata Nedeni"], "the columns of the round before are replaced"


def test_a_refused_row_keeps_the_zeros_that_only_its_number_format_shows(service: Service, face: Face) -> None:
    service.run_worker()
    rows = [(Styled(1001, "0000000"), "Bir", "0123"), (Styled(1002, "0000000"), "İki", "4540536920")]
    rows += [(Styled(1003, "0.00"), "Üç", "4540536920"), (Styled(120.1, "0.00"), "Dört", "4540536920")]

    first = imported(face.ayse, xlsx(ACCOUNT_HEAD[:3], *rows), "accounts")
    back = face.ayse.get(f"/api/tasks/{first['task_id']}/result").data
    mended = openpyxl.load_workbook(io.BytesIO(back))
    mended.active["C2"] = "4540536920"
    mended.save(out := io.BytesIO())
    again = imported(face.ayse, out.getvalue(), "accounts", name="hatalar.xlsx")

    assert (counts(first), counts(again)) == ((1, 0, 0, 3), (1, 0, 0, 2)), "what nobody mended is still refused"
    assert [row["code"] for row in accounts()] == ["0001001", "0001002"]


def test_all_or_nothing_leaves_everything_as_it_was_if_a_row_is_bad(service: Service, face: Face) -> None:
    service.run_worker()
    good = account_rows(range(5))

    refused = imported(face.ayse, xlsx(ACCOUNT_HEAD, *good, ("", "x")), "accounts", mode="all-or-nothing")
    assert (counts(refused), accounts()) == ((0, 0, 0, 1), [])
    assert refused["error_file"]

    taken = imported(face.ayse, xlsx(ACCOUNT_HEAD, *good), "accounts", mode="all-or-nothing")
    assert counts(taken) == (5, 0, 0, 0)


def test_doubles_are_refused_and_each_names_the_others(service: Service, face: Face) -> None:
    service.run_worker()
    rows = [*account_rows(range(3)), *account_rows([1], "Başka")]

    result = imported(face.ayse, xlsx(ACCOUNT_HEAD, *rows), "accounts")

    assert counts(result) == (2, 0, 0, 2)
    assert [error["row"] for error in result["errors"]] == [3, 5]
    assert all("3, 5" in error["reasons"][0] for error in result["errors"])


def test_an_unreadable_sheet_fails_the_task_with_its_reason_and_changes_nothing(service: Service, face: Face) -> None:
    service.run_worker()
    imported(face.ayse, xlsx(ACCOUNT_HEAD, *account_rows(range(2))), "accounts")
    before = accounts()

    sheet = xlsx(("Boş", "Sayfa"), (1, 2))
    task_id = upload(face.ayse, sheet, "accounts").json["task_id"]
    english = upload(face.ayse, sheet, "accounts", language="en").json["task_id"]

    status = ended(face.ayse, task_id)
    assert (status["state"], status["attempts"]) == ("FAILURE", 1), "trying again would not help"
    assert status["error"]["type"] == "NoHeader"
    assert status["error"]["message"].startswith("Başlık satırı bulunamadı: ")
    assert ended(face.ayse, english)["error"]["message"].startswith("The header row was not found: ")
    assert face.ayse.get(f"/api/tasks/{task_id}/result").status_code == 409
    assert accounts() == before


def test_a_worker_killed_again_and_again_leaves_what_a_calm_run_leaves(service: Service, face: Face) -> None:
    worker = service.run_worker()
    rows = [
        (f"120.{n % 5000:05d}", f"Şirket {n % 5000}", "", DAY, ("TRY", "USD")[n // 5000], n % 977 + 0.25, "")
        for n in range(10_000)
    ]
    sheet = xlsx(BALANCE_HEAD, *rows, ("", "kötü", "", DAY, "", 1, ""), *account_rows([]))
    calm = imported(face.bora, sheet, "mutabakat")

    stormy = upload(face.ayse, sheet, "mutabakat").json["task_id"]
    for mark in (4_000, 6_500):
        wait_until(lambda mark=mark: find(stormy).current >= mark, timeout_s=180, what=f"row {mark}")
        os.kill(wait_until(worker.children)[0], signal.SIGKILL)  # the one that came after the one before

    result = wait_until(lambda: (task := find(stormy)).ended and task.result, timeout_s=180)
    assert counts(result) == counts(calm) == (10_000, 0, 0, 1)
    mine, theirs = face.ayse.company_id, face.bora.company_id
    assert without_company(accounts(mine)) == without_company(accounts(theirs))
    assert without_company(letters(mine)) == without_company(letters(theirs))
    assert len(letters(mine)) == 5_000
    assert not list((service.data_dir / "imports").iterdir()), "the scratch folders are gone"


def test_all_or_nothing_is_one_of_both_whenever_it_is_cancelled_and_killed(service: Service, face: Face) -> None:
    worker, many = service.run_worker(), 6_000
    sheet = xlsx(ACCOUNT_HEAD, *account_rows(range(many)))
    # given: it is cancelled while its rows are checked, and at several places while they are written
    for mark, kills in ((1, False), (many // 3, False), (many // 2, True)):
        with db.writing() as session:
            session.execute(delete(Account))
        task_id = upload(face.ayse, sheet, "accounts", mode="all-or-nothing").json["task_id"]
        there = lambda task_id=task_id, mark=mark: (task := find(task_id)).ended or task.current >= mark  # noqa: E731
        wait_until(there, timeout_s=180, what=f"row {mark}")

        # when
        answer = face.ayse.post(f"/api/tasks/{task_id}/cancel")
        if kills:
            for child in worker.children():
                os.kill(child, signal.SIGKILL)
            assert face.ayse.post(f"/api/tasks/{task_id}/cancel").status_code == 409

        # then
        status = ended(face.ayse, task_id)
        left = len(accounts(face.ayse.company_id))
        assert (status["state"], left) == (("REVOKED", 0) if answer.status_code == 202 else ("SUCCESS", many))
        assert answer.status_code == 409 or mark < many // 2, "its rows were being written"


def without_company(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    kept = [{name: value for name, value in row.items() if name != "company_id"} for row in rows]
    for row in kept:
        row["snapshot"] = {**row["snapshot"], "sender": None} if "snapshot" in row else None
    return kept


def test_progress_is_told_in_rows_with_the_time_that_is_left(service: Service, face: Face) -> None:
    service.run_worker()
    task_id = upload(face.ayse, xlsx(ACCOUNT_HEAD, *account_rows(range(20_000))), "accounts").json["task_id"]

    wait_until(lambda: find(task_id).ended, timeout_s=300)

    told = reports(task_id)
    assert {meta["total"] for meta in told} == {20_000}
    assert [meta["current"] for meta in told] == sorted(meta["current"] for meta in told)
    assert len({meta["current"] for meta in told}) > 5
    assert any(_eta_s(meta) is not None for meta in told)
    assert "aktarılıyor" in str({meta["status"] for meta in told})


def test_a_large_import_gives_others_their_turn(service: Service, face: Face) -> None:
    rows = ((f"120.{n:05d}", "Şirket", "", DAY, "TRY", n, "") for n in range(90_000))
    large = upload(face.ayse, xlsx(BALANCE_HEAD, *rows), "mutabakat").json["task_id"]
    service.run_worker()
    wait_until(lambda: find(large).attempts, timeout_s=60)

    small = face.bora.enqueue("count", path=str(service.data_dir / "small"), n=1, pause_s=0)

    assert counts(wait_until(lambda: find(large).result, timeout_s=300)) == (90_000, 0, 0, 0)
    assert (find(small).ended_at or db.now()) < (find(large).ended_at or db.now())
