"""What only the number formats of cells say: zeros, currencies, days; and cells that have nothing but a format."""

import datetime
import re
import zipfile
from decimal import Decimal
from functools import partial

import pytest

from tests import workbooks
from tests.oldbooks import Euros, Shown
from tests.test_sheets_reading import read
from tests.workbooks import FIELDS, GOOD, HEAD, Raw, parts, rows, sheet, workbook, write
from workers.services import sheets
from workers.services.sheets import pieces


@pytest.mark.parametrize("kind", ["xls", "xlsb", "ods"])
def test_zeros_that_only_a_number_format_shows_are_kept_in_the_other_workbooks_too(tmp_path, kind):
    lines = (HEAD, (Shown(1001), *GOOD[1:]), (1002, *GOOD[1:]))
    given = ["".join(map(workbooks.ods_row, lines))] if kind == "ods" else lines
    path = getattr(workbooks, kind)(tmp_path / f"cari.{kind}", *given)

    found = read(path)[1]

    assert [row.values["code"] for row in found] == ["0001001", "1002"]
    assert [len(row.warnings) for row in found] == [1, 0]
    assert found[0].cells[0].format == "0000000"


@pytest.mark.parametrize("kind", ["xls", "xlsb", "ods"])
def test_a_currency_that_only_a_number_format_shows_counts_in_the_other_workbooks_too(tmp_path, kind):
    lines = (HEAD[:5], (*GOOD[:4], Euros(12.5)), (*GOOD[:4], 13.5), (*GOOD[:4], Euros(-14)))
    lines = [(*line, more) for line, more in zip(lines, ("Para Birimi", "", "", "TL"), strict=True)]
    given = ["".join(map(workbooks.ods_row, lines))] if kind == "ods" else lines
    path = getattr(workbooks, kind)(tmp_path / f"cari.{kind}", *given)

    found = read(path)[1]

    assert [row.values["currency"] for row in found] == ["EUR", None, "TRY"]
    assert re.search("EUR|€", found[0].cells[4].format)
    assert not found[0].reasons


@pytest.mark.parametrize("first_own", [27, 50, 57, 164])
def test_a_format_that_a_file_brings_along_counts_whatever_its_number_means_elsewhere(tmp_path, first_own):
    lines = (HEAD[:5], (Shown(1001), *GOOD[1:4], Euros(12.5)))

    row = read(workbooks.xls(tmp_path / "cari.xls", *lines, first_own=first_own))[1][0]

    assert (row.values["code"], row.values["amount"], row.values["currency"]) == ("0001001", Decimal("12.50"), "EUR")


@pytest.mark.parametrize("number", [27, 36, 50, 58])
def test_the_numbers_of_east_asian_days_are_those_of_no_day_here(tmp_path, number):
    there = parts({"Cari": sheet(rows(HEAD, ("1", "A", None, DAY := Raw('<c r="{r}" s="1"><v>46022</v></c>'), DAY)))})
    there["xl/styles.xml"] = there["xl/styles.xml"].replace("</cellXfs>", f'<xf numFmtId="{number}"/></cellXfs>')

    row = read(write(tmp_path / "cari.xlsx", there))[1][0]

    assert (row.values["amount"], row.values["as_of"]) == (46022, datetime.date(2025, 12, 31))


@pytest.mark.parametrize("kind", ["xls", "xlsb", "ods"])
@pytest.mark.parametrize(("from_1904", "year", "day"), [(False, 2021, 30), (True, 2025, 31)])
def test_a_bare_number_is_a_day_of_the_calendar_of_its_file(tmp_path, kind, from_1904, year, day):
    lines = (HEAD, (*GOOD[:3], 44560, *GOOD[4:]))
    given = ["".join(map(workbooks.ods_row, lines))] if kind == "ods" else lines
    path = getattr(workbooks, kind)(tmp_path / f"cari.{kind}", *given, from_1904=from_1904)

    (found,) = read(path)[1]

    assert (found.values["as_of"], len(found.warnings)) == (datetime.date(year, 12, day), 1)


def test_rows_whose_cells_are_only_formatted_are_passed_over_unparsed(tmp_path):
    formatted = "".join(f'<row r="{n}"><c r="A{n}" s="1"/><c r="B{n}" s="1"/></row>' for n in range(3, 60_003))
    there = parts({"Cari": sheet(rows(HEAD, GOOD) + formatted + rows(GOOD, start=60_003))})
    path = write(tmp_path / "cari.xlsx", there)

    opened, found = read(path)
    with zipfile.ZipFile(path) as archive:
        cut = list(pieces._pieces(partial(archive.open, "xl/worksheets/sheet1.xml"), 0))

    assert (opened.total, [row.number for row in found]) == (2, [2, 60_003])
    assert sum(len(piece.xml) for piece in cut) < len(formatted) / 2


def test_the_side_that_a_number_format_shows_counts_where_nothing_else_says_one(tmp_path):
    def shown(style, amount):
        return Raw(f'<c r="{{r}}" s="{style}"><v>{amount}</v></c>')

    path = workbook(
        tmp_path / "cari.xlsx",
        ("Cari Kodu", "Unvan", "Bakiye", "B/A"),
        *[("1", "A", shown(1, 5), None), ("2", "B", shown(2, 6), None), ("3", "C", shown(1, 7), "B")],
        *[("4", "D", shown(3, 8), None), ("5", "E", shown(3, -9), None)],
        formats=['#,##0.00\\ "(A)"', '#,##0.00 "Alacak"', '#,##0.00 "(B)";#,##0.00 "(A)"'],
    )

    with sheets.read(path, filename=path.name, fields=FIELDS) as opened:
        found = [row for chunk in opened.rows() for row in chunk]

    assert [(row.values["amount"], row.values["side"]) for row in found] == [
        *[(5, "alacak"), (6, "alacak"), (7, "borc"), (8, "borc"), (9, "alacak")]
    ]
    assert not any(row.reasons for row in found)
    assert getattr(found[0].cells[2], "format", None) == '#,##0.00\\ "(A)"', "a row that is given back shows it, too"
