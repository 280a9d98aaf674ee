"""Balances of several currencies: no import takes a line off a letter that its sheet does not name."""

from datetime import date, datetime
from typing import Any

import pytest
from sqlalchemy import update

from tests import face as faces
from tests.conftest import Service
from tests.face import Face
from tests.imports_made import BALANCE_HEAD, DAY, counts, letters, read_back, xlsx
from tests.test_imports import run
from workers import db, files
from workers.models import Mutabakat

face, face_anywhere = faces.face, faces.face_anywhere


def row(currency: str, amount: Any, code: str = "1") -> tuple[Any, ...]:
    return (code, "Bir", "", DAY, currency, amount, "")


def lines(company_id: int) -> list[list[tuple[str, str]]]:
    """The currencies and amounts of each letter."""
    return [[(each["currency"], each["amount"]) for each in it["snapshot"]["lines"]] for it in letters(company_id)]


def test_a_refused_row_that_was_mended_joins_the_lines_that_were_good(face_anywhere: Face) -> None:
    own = face_anywhere.ayse.company_id
    first = run(own, xlsx(BALANCE_HEAD, row("TRY", "12x"), row("USD", 2), row("USD", 3, code="2")), "mutabakat")
    assert (counts(first), first["warnings"]) == ((2, 0, 0, 1), 1)
    assert [told["row"] for told in first["warned"]] == [3]
    assert "2. satırı hatalı" in first["warned"][0]["reasons"][0]

    head, bad = read_back(files.attachment(first["error_file"]["file_id"], own)[2])
    mended = run(own, xlsx(head, [12 if cell == "12x" else cell for cell in bad]), "mutabakat")

    assert counts(mended) == (0, 1, 0, 0)
    assert lines(own) == [[("USD", "2.00"), ("TRY", "12.00")], [("USD", "3.00")]]


def test_a_file_for_each_currency_makes_one_letter_and_what_stays_is_told(service: Service, face: Face) -> None:
    own = face.ayse.company_id
    run(own, xlsx(BALANCE_HEAD, row("TRY", 1)), "mutabakat")

    trial = run(own, xlsx(BALANCE_HEAD, row("USD", 2)), "mutabakat", dry_run=True)
    second = run(own, xlsx(BALANCE_HEAD, row("USD", 2)), "mutabakat")

    assert counts(trial) == counts(second) == (0, 1, 0, 0)
    assert lines(own) == [[("TRY", "1.00"), ("USD", "2.00")]]
    [told] = second["warned"]
    assert (told["row"], "1,00 TRY" in told["reasons"][0]) == (2, True)
    assert trial["warned"] == second["warned"]
    assert counts(run(own, xlsx(BALANCE_HEAD, row("TRY", 1)), "mutabakat")) == (0, 0, 1, 0)


def test_a_sent_letter_is_followed_by_one_with_all_its_lines(service: Service, face: Face) -> None:
    own = face.ayse.company_id
    run(own, xlsx(BALANCE_HEAD, row("TRY", 1), row("USD", 2)), "mutabakat")
    with db.writing() as session:
        session.execute(update(Mutabakat).values(state="sent"))

    assert counts(run(own, xlsx(BALANCE_HEAD, row("TRY", 5)), "mutabakat")) == (0, 1, 0, 0)

    assert lines(own) == [[("TRY", "1.00"), ("USD", "2.00")], [("TRY", "5.00"), ("USD", "2.00")]]


@pytest.mark.parametrize("rows", [[row("TRY", "x"), row("USD", 7)], [row("TRY", 3), row("TRY", 4), row("USD", 7)]])
def test_a_row_that_is_refused_takes_no_line_off_the_letter(
    service: Service, face: Face, rows: list[tuple[Any, ...]]
) -> None:
    own = face.ayse.company_id
    run(own, xlsx(BALANCE_HEAD, row("TRY", 1), row("USD", 2)), "mutabakat")

    result = run(own, xlsx(BALANCE_HEAD, *rows), "mutabakat")

    assert (counts(result), result["warnings"]) == ((0, 1, 0, len(rows) - 1), 1)
    assert lines(own) == [[("TRY", "1.00"), ("USD", "7.00")]]
    assert len(result["warned"][0]["reasons"]) == 2


@pytest.mark.parametrize("language", ["tr", "en"])
def test_refused_rows_bear_the_day_that_was_given_by_hand_and_need_it_no_more(
    service: Service, face: Face, language: str
) -> None:
    own = face.ayse.company_id
    sheet = xlsx(("Cari Kodu", "Unvan", "Bakiye"), ("1", "Bir", "çok"), ("2", "İki", 2))
    first = run(own, sheet, "mutabakat", as_of=date(2025, 12, 31), language=language)

    head, bad = read_back(files.attachment(first["error_file"]["file_id"], own)[2])
    mended = run(own, xlsx(head, [1 if cell == "çok" else cell for cell in bad]), "mutabakat", language=language)

    assert (counts(first), counts(mended)) == ((1, 0, 0, 1), (1, 0, 0, 0))
    assert {each["as_of"] for each in letters(own)} == {date(2025, 12, 31)}
    assert len(letters(own)) == 2


def test_the_day_given_by_hand_fills_the_empty_cells_of_refused_rows_and_no_others(
    service: Service, face: Face
) -> None:
    own, days = face.ayse.company_id, ("", "-", "yok", "30.11.2025")
    sheet = xlsx(("Cari Kodu", "Unvan", "Tarih", "Bakiye"), *(("1", "Bir", day, "çok") for day in days))

    result = run(own, sheet, "mutabakat", as_of=date(2025, 12, 31))

    head, *bad = read_back(files.attachment(result["error_file"]["file_id"], own)[2])
    assert head == ["Cari Kodu", "Unvan", "Tarih", "Bakiye", "Satır", "Hata Nedeni"]
    assert [row[2] for row in bad] == [*[datetime(2025, 12, 31)] * 2, "yok", "30.11.2025"]


def test_a_day_that_no_column_of_the_import_holds_is_in_no_refused_row(service: Service, face: Face) -> None:
    own = face.ayse.company_id

    result = run(own, xlsx(("Cari Kodu", "Unvan"), ("1", "U" * 300)), "accounts", as_of=date(2025, 12, 31))

    head, _ = read_back(files.attachment(result["error_file"]["file_id"], own)[2])
    assert head == ["Cari Kodu", "Unvan", "Satır", "Hata Nedeni"]
