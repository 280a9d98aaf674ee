"""Workbooks are read back as what was written: text stays text, numbers and days what they are, in little memory."""

import io
import subprocess
import sys
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import openpyxl
import pytest
import python_calamine
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.conftest import ROOT
from tests.imports_made import read_back, xlsx
from workers.services import workbooks
from workers.services.workbooks import Workbook, sheet_name

LARGE = """
import sys
from tests.peak import peak_kb
from workers.services.workbooks import Workbook


class Sink:
    size = 0

    def write(self, data):
        self.size += len(data)
        return len(data)

    def tell(self):
        return self.size

    def flush(self):
        pass


def write(rows):
    with Workbook(Sink()) as book:
        page = book.page("x")
        page.rows([f"text {n} {column}" for column in range(12)] for n in range(rows))


write(100)
before = peak_kb()
write(int(sys.argv[1]))
print(peak_kb() - before)
"""


def written(*values: Any) -> list[Any]:
    """What openpyxl finds in the row that these values were written as; a formula fails."""
    return read_back(xlsx(values))[0]


TEXTS = (
    *("=1+1", "=cmd|' /C calc'!A0", "+1", "-1", "@SUM(A1)", "007", "4540536920", " sp ", "a\nb", "120.10", "1.234,56"),
    *("<r>a & <b>b</b></r>", "<r><t>x</t></r>", "{=1}", "http://a.example", "mailto:a@b.example", "#DIV/0!", "İğŞçÖü"),
)


@pytest.mark.parametrize("text", TEXTS)
def test_a_text_stays_the_text_that_it_was(text: str) -> None:
    assert written(text) == [text]


@given(st.text(st.characters(codec="utf-8", categories=("L", "N", "P", "S", "Zs")), min_size=1, max_size=40))
@settings(max_examples=60, deadline=None)
def test_any_text_comes_back_from_the_reader_that_imports_use(text: str) -> None:
    sheet = python_calamine.load_workbook(io.BytesIO(xlsx([text]))).get_sheet_by_index(0)

    assert sheet.to_python() == [[text]]


def test_numbers_days_and_moments_are_cells_of_their_kind() -> None:
    noon = datetime(2025, 12, 31, 12, 0, 5, tzinfo=UTC)

    assert written(1.5, Decimal("1234.50"), date(2025, 12, 31), noon, True, 7) == [
        *(1.5, 1234.5, datetime(2025, 12, 31), datetime(2025, 12, 31, 12, 0, 5), True, 7)
    ]


def test_what_no_cell_can_hold_becomes_text() -> None:
    assert written(12345678901234567, float("nan"), date(1800, 1, 1), "x" * 40_000, "a\ud800\0b") == [
        *("12345678901234567", "nan", "1800-01-01", "x" * workbooks.MAX_CHARS, "a?b")
    ]


def test_the_head_is_bold_and_nothing_is_written_where_nothing_is() -> None:
    out = io.BytesIO()
    with Workbook(out) as book:
        page = book.page("Sayfa")
        page.head(["=Kod", "Unvan"])
        page.rows([[None, ""], ["a", None]])

    sheet = openpyxl.load_workbook(io.BytesIO(out.getvalue())).active
    assert (sheet["A1"].value, sheet["A1"].font.bold, sheet.freeze_panes) == ("=Kod", True, "A2")
    assert [sheet["A2"].value, sheet["B2"].value, sheet["A3"].value] == [None, None, "a"]


@pytest.mark.parametrize(
    ("name", "taken"),
    [
        ("Ocak/Şubat", "Ocak-Şubat"),
        ("[a]:*?\\", "-a-----"),
        ("'tırnak'", "tırnak"),
        ("", "Sayfa1"),
        ("History", "Sayfa1"),
        ("x" * 40, "x" * 31),
        ("a\0b", "a b"),
    ],
)
def test_a_sheet_gets_a_name_that_excel_takes(name: str, taken: str) -> None:
    assert sheet_name(name) == taken
    assert openpyxl.load_workbook(io.BytesIO(xlsx(["x"], sheet=name))).sheetnames == [taken]


def test_an_unfinished_workbook_writes_nothing_and_leaves_nothing(tmp_path: Any) -> None:
    out = io.BytesIO()

    def rows() -> Any:
        yield ["a"]
        assert list(tmp_path.iterdir())
        raise KeyError

    with pytest.raises(KeyError), Workbook(out, str(tmp_path)) as book:
        book.page("x").rows(rows())

    assert (out.getvalue(), list(tmp_path.iterdir())) == (b"", [])


def test_a_large_workbook_takes_no_more_memory_than_a_small_one() -> None:
    told = subprocess.run([sys.executable, "-c", LARGE, "20000"], cwd=ROOT, capture_output=True, text=True, check=True)

    assert int(told.stdout) < 16 * 1024, "kB"
