"""One list of balances as real programs write it: whoever saved it, and as what, it says the same.

The files in tests/programs were saved by LibreOffice 7.4 and Gnumeric 1.12 from one workbook of ours, with titles,
merged groups, a sum, hidden rows, columns and sheets, a filter, frozen panes, formulas with their results, an error, a
VKN whose zeros only its format shows, and currencies that only formats show. The companies are invented. To make them
anew: open one of them in such a program and save it as the other kinds.
"""

from pathlib import Path
from typing import Any

import pytest

from workers.services import columns, sheets
from workers.services.sheets import CellError

FIELDS = {
    one.name: sheets.Field(one.name, (one.tr, *one.aliases), one.kind, one.required)
    for one in columns.COLUMNS["mutabakat"]
}
FOLDER = Path(__file__).with_name("programs")
OTHERS = ["libreoffice.xls", "libreoffice.ods", "gnumeric.xlsx", "gnumeric.xls", "gnumeric95.xls", "gnumeric.ods"]
# What a program loses by itself, as (row, field): a text that is a formula's result (LibreOffice writes 0 into an .xls
# where it has not calculated anew), and letters and signs that are not in the code page of Excel 95.
LOST = {
    "libreoffice.xls": {(20, "tax_number")},
    "gnumeric95.xls": {*((row, "title") for row in (6, 7, 8, 10, 11, 12, 14, 23)), (18, "currency")},
}


def read(name: str) -> tuple[Any, dict[int, Any]]:
    with sheets.read(FOLDER / name, filename=name, fields=FIELDS) as opened:
        return opened, {row.number: row for rows in opened.rows() for row in rows}


def said(row: Any) -> tuple[list[str], list[str]]:
    return [one.en for one in row.reasons], [one.en for one in row.warnings]


def test_a_list_of_balances_is_understood() -> None:
    opened, rows = read("libreoffice.xlsx")

    assert (opened.name, opened.header_row, list(rows)) == ("Cari Bakiye", 5, list(range(6, 24)))
    assert [rows[number].values["currency"] for number in (6, 7, 8, 9, 10, 15, 16, 18)] == [
        *("TRY", "TRY", "USD", "EUR", None, "USD", "EUR", "TRY")
    ]
    assert (rows[7].values["tax_number"], rows[14].values["code"]) == ("0123456798", "0001001")
    assert (rows[10].values["bakiye"], rows[10].values["side"]) == (750.25, "alacak")
    assert [number for number, row in rows.items() if row.reasons] == [12]
    assert rows[12].cells[4] == CellError("#DIV/0!")


@pytest.mark.parametrize("name", OTHERS)
def test_whoever_saved_it_it_says_the_same(name: str) -> None:
    expected, lost = read("libreoffice.xlsx")[1], LOST.get(name, set())

    rows = read(name)[1]

    assert list(rows) == list(expected)
    for number, row in expected.items():
        kept = {field for field in FIELDS if (number, field) not in lost}
        assert {f: rows[number].values[f] for f in kept} == {f: row.values[f] for f in kept}, number
        if (number, "tax_number") not in lost:
            assert said(rows[number]) == said(row)


def test_as_text_of_the_turkish_code_page_it_says_the_same_but_for_a_month_without_a_day() -> None:
    expected, rows = read("libreoffice.xlsx")[1], read("libreoffice.csv")[1]

    different = {number for number in expected if rows[number].values != expected[number].values}
    assert (different, rows[21].reasons[0].en) == ({21}, "“Aralık 2025” is no date")
    assert "#DIV/0!" in rows[12].reasons[0].en


def test_a_small_old_workbook_tells_its_errors_and_formats_too() -> None:
    first, second = read("libreoffice-small.xls")[1].values()

    assert (first.values["code"], first.cells[2]) == ("0001001", CellError("#DIV/0!"))
    assert (second.values["title"], second.values["currency"]) == ("AB", "EUR")
