"""From rows to records: what a sheet means, that it is applied once whatever dies, and that a dry run is true."""

import io
import os
import random
import signal
import time
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import update

from tests import face as faces
from tests.conftest import Service
from tests.face import Face
from tests.hands import FORK
from tests.imports_made import (
    ACCOUNT_HEAD,
    BALANCE_HEAD,
    DAY,
    account_rows,
    accounts,
    counts,
    dying_after,
    letters,
    users,
    xlsx,
)
from workers import db, files
from workers.errors import MissingRecord, SheetRefused
from workers.imports import orders, runs
from workers.models import Mutabakat, User

face, face_anywhere = faces.face, faces.face_anywhere


def keep(company_id: int, content: bytes, name: str = "cari.xlsx") -> dict[str, Any]:
    return files.uploaded(files.keep_upload(io.BytesIO(content), name, "x", company_id), company_id)


def run(company_id: int, content: bytes, target: str, **more: Any) -> dict[str, Any]:
    """Import without a queue."""
    told = more.pop("tell", lambda *_: None)
    pause = more.pop("pause", lambda: None)
    return runs.run(orders.Order(keep(company_id, content), target, **more), tell=told, pause=pause)


def balance_rows(letters_wanted: int, days: int = 1) -> Iterator[tuple[Any, ...]]:
    """Accounts with a line in two currencies for each of so many days."""
    for n in range(letters_wanted):
        for line in range(2):
            day = f"{1 + n % days:02d}.12.2025"
            yield (f"120.{n // days:05d}", f"Şirket {n // days}", "", day, ("TRY", "USD")[line], n + line + 0.5, "")


def test_a_column_that_is_named_with_the_upload_is_there_or_the_file_is_refused(face: Face) -> None:
    own, sheet = face.ayse.company_id, xlsx(("Cari Kodu", "Unvan", "Tarih", "Bakiye"), ("1", "Çınar", DAY, 10))

    with pytest.raises(SheetRefused, match="“Bakiye TL” başlığı sayfada yok; görülenler: Cari Kodu, Unvan, Tarih"):
        run(own, sheet, "mutabakat", mapping={"bakiye": "Bakiye TL"})

    with pytest.raises(SheetRefused, match="balance diye bir alan yok"):
        run(own, sheet, "mutabakat", mapping={"balance": "Bakiye"})
    assert letters(own) == []
    assert run(own, sheet, "mutabakat", mapping={"bakiye": "BAKİYE", "side": ""})["new"] == 1


def test_a_column_that_the_company_keeps_for_its_files_need_not_be_in_each(face: Face) -> None:
    own, path = face.ayse.company_id, "/api/excel/mappings/mutabakat"
    assert face.ayse.call("PUT", path, json={"mapping": {"bakiye": "Kalan"}}).status_code == 200
    run(own, xlsx(("Cari Kodu", "Unvan", "Tarih", "Bakiye"), ("1", "Çınar", DAY, 10)), "mutabakat")

    assert letters(own)[0]["snapshot"]["lines"][0]["amount"] == "10.00"


def test_every_import_works_on_every_database(face_anywhere: Face) -> None:
    own = face_anywhere.ayse.company_id
    sheets = {
        "accounts": (
            xlsx(ACCOUNT_HEAD, *account_rows(range(600))),
            xlsx(ACCOUNT_HEAD, *account_rows(range(2), "Yeni")),
        ),
        "mutabakat": (
            xlsx(BALANCE_HEAD, *balance_rows(300, 3)),
            xlsx(BALANCE_HEAD, ("120.00001", "Ş", "", "01.12.2025", "", 1, "")),
        ),
        "users": (
            xlsx(("E-posta", "Ad", "Dil"), *((f"u{n}@a.example", f"Ad {n}", "en") for n in range(600))),
            xlsx(("E-posta", "Ad", "Dil"), ("u1@a.example", "Başka", "")),
        ),
    }
    rows = {"accounts": accounts, "mutabakat": letters, "users": users}

    for target, (many, few) in sheets.items():
        total = counts(run(own, many, target, dry_run=True))[0]
        assert rows[target]() == [] or target == "mutabakat"
        assert counts(run(own, many, target)) == (total, 0, 0, 0)
        before = rows[target](own)
        assert counts(run(own, many, target)) == (0, 0, total, 0)
        assert rows[target](own) == before
        assert counts(run(own, few, target, dry_run=True))[1] == counts(run(own, few, target))[1] > 0
        assert rows[target](own) != before
    assert len(letters(own)) == 300


def test_executions_that_are_killed_at_any_moment_leave_what_a_calm_one_leaves(service: Service, face: Face) -> None:
    sheet = xlsx(BALANCE_HEAD, *balance_rows(2_500, 7), ("", "kötü", "", DAY, "", 1, ""))
    told: list[str] = []
    calm = run(face.bora.company_id, sheet, "mutabakat", tell=lambda *words: told.append(words[2]))
    checks = sum("kontrol" in status for status in told)
    file, seed = keep(face.ayse.company_id, sheet), random.randrange(10**6)
    print("seed", seed)
    chance, is_checked = random.Random(seed), service.data_dir / "imports/stormy/rows.db"

    for execution in range(12):
        order = orders.Order(file, "mutabakat", task_id="stormy", execution=f"e{execution}")
        dies_at = chance.randrange(3) + (checks if execution and not is_checked.exists() else 0)
        tell = dying_after(dies_at if execution < 8 else 10**6, chance.uniform(0.0, 0.02))
        child = FORK.Process(target=runs.run, args=(order,), kwargs={"tell": tell, "pause": lambda: None})
        child.start()
        child.join()
        if child.exitcode == 0:
            break
        assert child.exitcode == -signal.SIGALRM

    assert execution >= 3, "so often it was killed"
    again = runs.run(orders.Order(file, "mutabakat", task_id="stormy"), tell=lambda *_: None, pause=lambda: None)
    assert counts(again) == counts(calm) == (5_000, 0, 0, 1), "also if the end was reached and not told"
    assert without_company(accounts(face.ayse.company_id)) == without_company(accounts(face.bora.company_id))
    assert without_company(letters(face.ayse.company_id)) == without_company(letters(face.bora.company_id))


def without_company(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    kept = [{**row, "company_id": None} for row in rows]
    for row in kept:
        if "snapshot" in row:
            row["snapshot"] = {**row["snapshot"], "sender": None}
    return kept


class Leaves(BaseException):
    """What a slice that is over raises."""


def test_an_import_goes_on_where_its_slice_ended_without_reading_the_sheet_again(service: Service, face: Face) -> None:
    first, many = runs.ROWS_AT_FIRST, 3 * runs.ROWS_AT_FIRST
    order = orders.Order(
        keep(face.ayse.company_id, xlsx(ACCOUNT_HEAD, *account_rows(range(many)))), "accounts", task_id="t"
    )
    status: list[str] = []

    def over() -> None:
        raise Leaves

    for expected, said in (
        (first, {"kontrol", "aktarılıyor..."}),
        (2 * first, {"aktarılıyor..."}),
        (many, {"aktarılıyor..."}),
    ):
        with pytest.raises(Leaves):
            runs.run(order, tell=lambda *told: status.append(told[2]), pause=over)
        assert len(accounts()) == expected
        assert {word.split()[1] for word in status} == said
        status.clear()

    assert counts(runs.run(order, tell=lambda *_: None, pause=over)) == (many, 0, 0, 0)


def test_a_crash_in_the_middle_of_all_or_nothing_ends_in_all(service: Service, face: Face) -> None:
    file = keep(face.ayse.company_id, xlsx(("E-posta", "Ad"), *((f"u{n}@a.example", "Ad") for n in range(900))))
    order = orders.Order(file, "users", task_id="t", all_or_nothing=True)

    def over() -> None:
        raise Leaves

    with pytest.raises(Leaves):
        runs.run(order, tell=lambda *_: None, pause=over)
    with db.writing() as session:  # what would have refused the sheet comes too late
        session.add(User(company_id=face.bora.company_id, email="u899@a.example", password_hash="x"))
    (orders.settings.current().data_dir / "imports/t/rows.db").unlink()

    result = runs.run(order, tell=lambda *_: None, pause=lambda: None)
    assert (result["new"], result["bad"], len(users(face.ayse.company_id))) == (899, 1, 899)


def test_a_sent_letter_stays_and_its_new_balance_is_a_new_one(service: Service, face: Face) -> None:
    own = face.ayse.company_id
    first = xlsx(BALANCE_HEAD, ("1", "Bir", "", DAY, "", 10, ""), ("2", "İki", "", DAY, "", 10, ""))
    changed = xlsx(BALANCE_HEAD, ("1", "Bir", "", DAY, "", 11, ""), ("2", "İki", "", DAY, "", 11, ""))
    run(own, first, "mutabakat")
    with db.writing() as session:
        session.execute(update(Mutabakat).where(Mutabakat.id == 1).values(state="sent"))

    assert counts(run(own, changed, "mutabakat", dry_run=True)) == (0, 2, 0, 0)
    assert counts(run(own, changed, "mutabakat")) == (0, 2, 0, 0)

    kept = [(row["code"], row["state"], row["snapshot"]["lines"][0]["amount"]) for row in letters(own)]
    assert kept == [("1", "sent", "10.00"), ("1", "draft", "11.00"), ("2", "draft", "11.00")]
    assert counts(run(own, changed, "mutabakat")) == (0, 0, 2, 0)


def test_an_empty_cell_keeps_what_was_and_a_person_is_no_company_any_more(service: Service, face: Face) -> None:
    own = face.ayse.company_id
    run(own, xlsx(ACCOUNT_HEAD, ("1", "Bir", "4540536920", "Kadıköy", "a@a.example", "")), "accounts")

    result = run(own, xlsx(ACCOUNT_HEAD, ("1", "Bir", "17291716060", "", "", "")), "accounts")

    assert counts(result) == (0, 1, 0, 0)
    [kept] = accounts(own)
    assert (kept["vkn"], kept["tckn"], kept["tax_office"]) == (None, "17291716060", "Kadıköy")


def test_rows_that_differ_about_an_account_are_warned_of_and_the_newest_day_counts(
    service: Service, face: Face
) -> None:
    own = face.ayse.company_id
    sheet = xlsx(
        BALANCE_HEAD,
        ("1", "Eski Ad", "", "30.11.2025", "", 10, ""),
        ("1", "Yeni Ad", "", DAY, "", 20, ""),
        ("1", "Başka Ad", "", DAY, "USD", 30, ""),
    )

    result = run(own, sheet, "mutabakat")

    assert (counts(result), result["warnings"]) == ((3, 0, 0, 0), 2)
    assert [warned["row"] for warned in result["warned"]] == [2, 4]
    assert "3. satır" in result["warned"][0]["reasons"][0]
    assert {row["title"] for row in accounts(own)} == {"Yeni Ad"}
    assert counts(run(own, sheet, "mutabakat")) == (0, 0, 3, 0)


def test_every_reason_against_a_row_is_told_once(service: Service, face: Face) -> None:
    sheet = xlsx(BALANCE_HEAD, ("1", "U" * 201, "123", DAY, "XYZ", "on lira", ""), ("2", "İki", "", "dün", "", "", ""))

    first, second = run(face.ayse.company_id, sheet, "mutabakat")["errors"]

    assert [reason.partition(":")[0] for reason in first["reasons"]] == ["Vergi No", "Para Birimi", "Borç", "Unvan"]
    assert [reason.partition(":")[0] for reason in second["reasons"]] == ["Tarih", "Tutar yok"]


def test_a_bare_balance_beside_debit_and_credit_is_on_the_side_of_their_difference(
    service: Service, face: Face
) -> None:
    own, head = face.ayse.company_id, ("HESAP KODU", "HESAP ADI", "Tarih", "BORÇ", "ALACAK", "BAKİYE")
    rows = [("1", "Bir", DAY, 150, 100, 50), ("2", "İki", DAY, 100, 150, 50), ("3", "Üç", DAY, 100, 150, -50)]
    balances = (*head[:-1], "BORÇ BAKİYE", "ALACAK BAKİYE")

    assert counts(run(own, xlsx(head, *rows), "mutabakat")) == (3, 0, 0, 0)
    lines = [row["snapshot"]["lines"][0] for row in letters(own)]
    assert [(line["amount"], line["side"]) for line in lines] == [("50.00", side) for side in ("borc", *["alacak"] * 2)]
    trial = xlsx(balances, ("1", "Bir", DAY, 150, 100, 50, 0), ("2", "İki", DAY, 100, 150, 0, 50))
    assert counts(run(own, trial, "mutabakat")) == (0, 0, 2, 0), "as a trial balance shows the same"


@pytest.mark.parametrize("seed", range(3))
def test_a_dry_run_counts_what_the_real_one_does(service: Service, face: Face, seed: int) -> None:
    chance, own = random.Random(seed), face.ayse.company_id

    def rows(count: int) -> list[tuple[Any, ...]]:
        codes, days = [f"1{n}" for n in range(400)], ["30.09.2025", "31.12.2025", "30.06.2025"]
        made = ((chance.choice(codes), chance.choice(days), chance.choice(["TRY", "USD", "EUR"])) for _ in range(count))
        return [
            (code, f"Ş {chance.randrange(2)}", "", day, currency, chance.randrange(3), "")
            for code, day, currency in made
        ]

    run(own, xlsx(BALANCE_HEAD, *rows(700)), "mutabakat")
    sheet = xlsx(BALANCE_HEAD, *rows(900), ("", "kötü", "", DAY, "", 1, ""))

    dry = run(own, sheet, "mutabakat", dry_run=True)
    before = len(letters(own))
    real = run(own, sheet, "mutabakat")

    assert counts(dry) == counts(real)
    assert sum(counts(real)) == 901
    assert {name: dry[name] for name in ("errors", "warned")} == {name: real[name] for name in ("errors", "warned")}
    assert len(letters(own)) > before
    assert counts(run(own, sheet, "mutabakat"))[:2] == (0, 0)


def test_what_dead_workers_left_is_swept_after_a_day(service: Service, face: Face) -> None:
    left = service.data_dir / "imports" / "dead"
    left.mkdir(parents=True)
    (left / "sheet").write_text("x")
    os.utime(left, (time.time() - 90_000,) * 2)

    run(face.ayse.company_id, xlsx(ACCOUNT_HEAD, *account_rows(range(2))), "accounts")

    assert list((service.data_dir / "imports").iterdir()) == []


def test_an_upload_is_found_by_its_company_alone(service: Service, face: Face) -> None:
    file = keep(face.ayse.company_id, b"x")
    assert keep(face.ayse.company_id, b"x")["id"] == file["id"] != keep(face.ayse.company_id, b"y")["id"]
    assert files.uploaded(file["id"], None)["filename"] == "cari.xlsx"
    for file_id, company_id in ((file["id"], face.bora.company_id), ("../../etc/passwd", None), ("\0", None)):
        with pytest.raises(MissingRecord):
            files.uploaded(file_id, company_id)
