"""The main job end to end: letters asked for over HTTP, made by a real worker, downloaded, and read back."""

import csv
import hashlib
import io
import os
import signal
import time
import zipfile
from typing import Any

import pdfplumber
import pytest
from sqlalchemy import func, select

from tests import face as faces
from tests.conftest import Service, wait_until
from tests.face import Face
from workers import db, files
from workers.engine import control, find, ledger
from workers.models import File, Mutabakat
from workers.services import bundles

face = faces.face


def ended(person: Any, task_id: str) -> dict[str, Any]:
    return wait_until(lambda: (s := person.status(task_id, query_string={"wait": 30}))["ended_at"] and s, timeout_s=120)


def ask(person: Any, what: str, body: dict[str, Any]) -> dict[str, Any]:
    answer = person.post(f"/api/mutabakat/{what}", body)
    assert answer.status_code == 202, answer.text
    return ended(person, answer.json["task_id"])


def download(person: Any, status: dict[str, Any]) -> bytes:
    answer = person.get(status["links"]["result"])
    assert answer.status_code == 200
    assert answer.headers["Content-Disposition"].startswith("attachment")
    assert hashlib.sha256(answer.data).hexdigest() == status["result"]["sha256"]
    return answer.data


def text_of(pdf: bytes) -> str:
    with pdfplumber.open(io.BytesIO(pdf)) as document:
        return "\n".join(page.extract_text() for page in document.pages)


def test_a_letter_is_asked_for_made_watched_and_downloaded(service: Service, face: Face) -> None:
    service.run_worker()
    letter = face.ayse.letter(
        account={"code": "120.10", "title": "Iğdır <b>Şeker</b> & Gıda A.Ş.", "vkn": "4540536920"},
        lines=[
            {"currency": "TL", "amount": "1234.56", "side": "borc"},
            {"currency": "USD", "amount": "20.00", "side": "alacak"},
        ],
    )

    status = ask(face.ayse, "generate-pdf-async", {"mutabakat_id": letter})

    assert (status["state"], status["percent"], status["status"]) == ("SUCCESS", 100, "Tamamlandı")
    text = text_of(download(face.ayse, status))
    for expected in ("Iğdır <b>Şeker</b> & Gıda A.Ş.", "120.10", "1.234,56", "20,00", "31.12.2025", "4540536920"):
        assert expected in text
    assert "YalnızBinİkiYüzOtuzDörtTürkLirasıElliAltıKuruş" in text
    assert "■" not in text


def test_the_same_letter_made_twice_is_the_same_file(service: Service, face: Face) -> None:
    service.run_worker()
    letter = face.ayse.letter()

    first, second = (ask(face.ayse, "generate-pdf-async", {"mutabakat_id": letter}) for _ in range(2))

    assert first["result"]["sha256"] == second["result"]["sha256"]
    assert first["task_id"] != second["task_id"]


def test_a_zip_holds_each_letter_and_a_manifest_that_agrees(service: Service, face: Face) -> None:
    service.run_worker(concurrency=2)
    ids = [face.ayse.letter(account={"code": f"120.{n}", "title": f"=Şirket {n % 3}"}) for n in range(60)]

    status = ask(face.ayse, "generate-bulk-pdfs-async", {"mutabakat_ids": ids, "format": "zip"})

    assert status["counts"] == {"pending": 0, "done": 60, "failed": 0, "skipped": 0, "unknown": 0}
    with zipfile.ZipFile(io.BytesIO(download(face.ayse, status))) as archive:
        assert archive.testzip() is None
        rows = list(csv.reader(io.StringIO(archive.read("manifest.csv").decode())))
        pdfs = {name: archive.read(name) for name in archive.namelist() if name.endswith(".pdf")}
    assert rows[0] == ["file", "account code", "title", "currency lines", "sha256"]
    assert [row[1] for row in rows[1:]] == [f"120.{n}" for n in range(60)], "in the order they were posted"
    assert all(hashlib.sha256(pdfs[row[0]]).hexdigest() == row[4] for row in rows[1:])
    assert all(row[2].startswith("'=") for row in rows[1:]), "no name becomes a formula"
    assert len(pdfs) == 60
    wait_until(lambda: not list(files.storage().list("parts")), what="that the pieces are gone")


def test_in_a_zip_no_two_letters_have_one_name_also_where_very_many_would() -> None:
    def entry(name: str) -> bundles.Entry:
        return bundles.Entry(name, "120.1", "Çınar", "TRY 1.00 borc", "", [2025, 12, 31], b"%PDF")

    out, began = io.BytesIO(), time.monotonic()
    bundles.write_zip(map(entry, ["ı.pdf", "ı (3).pdf", "I.pdf", "i.pdf", "I (2).pdf"] + ["ı.pdf"] * 12_000), out)

    with zipfile.ZipFile(out) as archive:
        names = archive.namelist()
    assert names[:8] == [
        *("ı.pdf", "ı (3).pdf", "I.pdf", "i (2).pdf", "I (2) (2).pdf", "ı (2).pdf", "ı (4).pdf", "ı (5).pdf")
    ]
    assert len({name.casefold() for name in names}) == len(names) == 12_006
    assert time.monotonic() - began < 15, "to look through all numbers for each took 25 s, and 1,700 s for 100,000"


def test_one_pdf_has_a_page_for_each_letter_and_shares_its_fonts(service: Service, face: Face) -> None:
    service.run_worker(concurrency=2)
    ids = [face.ayse.letter(account={"code": f"120.{n:03d}", "title": f"Şirket {n:03d}"}) for n in range(60)]

    status = ask(face.ayse, "generate-bulk-pdfs-async", {"mutabakat_ids": ids, "format": "pdf"})

    pdf = download(face.ayse, status)
    with pdfplumber.open(io.BytesIO(pdf)) as document:
        assert [f"Şirket {n:03d}" in page.extract_text() for n, page in enumerate(document.pages)] == [True] * 60
    assert len(pdf) < 60 * 8_000, "fonts alone are 40 kB: they are there once"


@pytest.mark.parametrize("left", [None, b"%PDF-1.4"], ids=["parts-gone", "parts-cut-short"])
@pytest.mark.parametrize("format", ["zip", "pdf"])
def test_a_bulk_that_ended_can_be_run_again_for_what_failed(
    service: Service, face: Face, format: str, left: bytes | None
) -> None:
    from workers.jobs.pdf import generate_bulk_pdfs

    service.run_worker()
    ids = [face.ayse.letter(account={"code": f"120.{n}", "title": f"Şirket {n}"}) for n in range(3)]
    bulk = generate_bulk_pdfs.delay(mutabakat_ids=[*ids, 999_999], format=format)
    first = bulk.get(timeout=60)
    wait_until(lambda: not list(files.storage().list("parts")))
    for part in {item.output["part"] for item in ledger.finished(bulk.id)} if left else ():
        files.storage().put(part, left or b"")

    control.retry(bulk.id, only="failed")

    again = bulk.wait(60)
    assert (again.state, again.counts["done"], again.counts["failed"]) == ("SUCCESS", 3, 1)  # type: ignore[index]
    assert again.result["sha256"] == first["sha256"]


def test_a_letter_that_was_corrected_before_its_bulk_is_run_again_agrees_with_the_manifest(
    service: Service, face: Face
) -> None:
    from workers.jobs.pdf import generate_bulk_pdfs

    service.run_worker()
    letter = face.ayse.letter()
    bulk = generate_bulk_pdfs.delay(mutabakat_ids=[letter, 999_999])
    bulk.get(timeout=60)
    wait_until(lambda: not list(files.storage().list("parts")))
    with db.writing() as session:
        row = session.get_one(Mutabakat, letter)
        row.snapshot = {**row.snapshot, "lines": [{"currency": "USD", "amount": "77.10", "side": "alacak"}]}

    control.retry(bulk.id, only="failed")

    with zipfile.ZipFile(io.BytesIO(files.storage().read(_key_of(bulk.wait(60).result["file_id"])))) as archive:
        [row] = csv.DictReader(io.StringIO(archive.read("manifest.csv").decode()))
        pdf = archive.read(row["file"])
    assert "77,10" in text_of(pdf)
    assert (row["currency lines"], row["sha256"]) == ("USD 77.10 alacak", hashlib.sha256(pdf).hexdigest())


def _key_of(file_id: str) -> str:
    with db.reading() as session:
        return session.get_one(File, file_id).storage_key


def test_a_letter_that_is_gone_fails_its_item_and_not_the_bulk(service: Service, face: Face) -> None:
    from workers.jobs.pdf import generate_bulk_pdfs, generate_mutabakat_pdf

    service.run_worker()
    letter = face.ayse.letter()

    bulk = generate_bulk_pdfs.delay(mutabakat_ids=[letter, 999_999])
    single = generate_mutabakat_pdf.delay(mutabakat_id=999_999)

    assert bulk.get(timeout=60)["filename"] == "mutabakat-mektuplari.zip"
    assert [row["error"] for row in ledger.page(bulk.id, state="failed")[0]] == ["Mutabakat kaydı bulunamadı"]
    failed = single.wait(60)
    assert (failed.state, failed.attempts) == ("FAILURE", 1), "trying again would not bring it back"
    assert "999999" in failed.error["message"]  # type: ignore[index]


def test_a_worker_killed_in_the_middle_of_a_bulk_changes_nothing_of_the_result(service: Service, face: Face) -> None:
    worker = service.run_worker()
    ids = [face.ayse.letter(account={"code": f"120.{n}", "title": f"Şirket {n}"}) for n in range(40)] * 20
    calm = face.ayse.post("/api/mutabakat/generate-bulk-pdfs-async", {"mutabakat_ids": ids}).json["task_id"]
    expected = ended(face.ayse, calm)["result"]["sha256"]

    stormy = face.ayse.post("/api/mutabakat/generate-bulk-pdfs-async", {"mutabakat_ids": ids}).json["task_id"]
    wait_until(lambda: find(stormy).current >= 100)
    os.kill(worker.children()[0], signal.SIGKILL)

    status = ended(face.ayse, stormy)
    assert status["state"] == "SUCCESS"
    assert status["counts"]["done"] == 800
    assert status["result"]["sha256"] == expected


def test_a_storage_that_refuses_fails_the_task_with_its_reason_and_serves_nothing(service: Service, face: Face) -> None:
    letter = face.ayse.letter()
    (service.data_dir / "files").write_text("a file where the folder should be")
    service.run_worker()

    task_id = face.ayse.post("/api/mutabakat/generate-pdf-async", {"mutabakat_id": letter}).json["task_id"]

    refused = wait_until(lambda: (s := face.ayse.status(task_id))["error"] and s)
    assert refused["error"]["type"] == "StorageFailed"
    assert refused["links"]["result"] is None
    with db.reading() as session:
        assert session.scalar(select(func.count()).select_from(File)) == 0


def test_each_variant_is_drawn(service: Service, face: Face) -> None:
    service.run_worker()

    for variant in ("pozitif", "negatif", "bakiyesiz"):
        status = ask(face.ayse, "generate-pdf-async", {"mutabakat_id": face.ayse.letter(variant=variant)})

        assert ("1.234,56" in text_of(download(face.ayse, status))) == (variant != "bakiyesiz"), variant
