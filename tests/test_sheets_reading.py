"""Rows come out of every kind of file as they stand in it, with their true numbers, whoever wrote the file."""

import codecs
import datetime
import os
import signal
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pytest

from tests import workbooks
from tests.conftest import ROOT, wait_until
from tests.faults import alive
from tests.oldbooks import Err
from tests.workbooks import FIELDS, GOOD, HEAD, balances, parts, row, rows, sheet, workbook, write
from workers.errors import NoSuchSheet, SheetRefused
from workers.services import sheets
from workers.services.sheets import CellError, Limits

UNDERSTOOD = {
    "code": "120.01.0001",
    "title": "Çınar Gıda A.Ş.",
    "tax_number": "4540536920",
    "as_of": datetime.date(2025, 12, 31),
    "currency": "TRY",
    "amount": Decimal("1234.56"),
    "side": "borc",
}


def read(path, **more):
    """The sheet, and all its rows."""
    with sheets.read(path, filename=path.name, fields=FIELDS, **more) as opened:
        return opened, [row for chunk in opened.rows() for row in chunk]


def meant(row):
    return {name: value for name, value in row.values.items() if value is not None}


def test_the_other_workbooks_give_the_same_rows(tmp_path):
    old = workbooks.xls(tmp_path / "cari.xls", HEAD, GOOD)
    binary = workbooks.xlsb(tmp_path / "cari.xlsb", HEAD, GOOD)
    open_document = workbooks.ods(tmp_path / "cari.ods", "".join(map(workbooks.ods_row, (HEAD, GOOD))))

    assert [[meant(row) for row in read(path)[1]] for path in (old, binary, open_document)] == [[UNDERSTOOD]] * 3


def test_errors_in_the_other_workbooks_are_named_too(tmp_path):
    lines = ((), (), (), HEAD, GOOD, (*GOOD[:4], Err(7), "B", "TRY"), (*GOOD[:3], Err(42), 5, "B", "TRY"))
    old = workbooks.xls(tmp_path / "cari.xls", *lines)
    binary = workbooks.xlsb(tmp_path / "cari.xlsb", *lines)
    empty = '<table:table-row table:number-rows-repeated="3"/>'
    open_document = workbooks.ods(tmp_path / "cari.ods", empty + "".join(map(workbooks.ods_row, lines[3:])))

    for path in (old, binary, open_document):
        opened, (good, divided, missing) = read(path)
        assert (opened.header_row, good.number, divided.number, missing.number) == (4, 5, 6, 7)
        assert (good.reasons, divided.cells[4], missing.cells[3]) == ((), CellError("#DIV/0!"), CellError("#N/A"))
        assert "#DIV/0!" in divided.reasons[0].tr


def test_a_row_that_holds_nothing_but_an_error_is_a_row(tmp_path):
    lines = (HEAD, (None, None, None, None, Err(7)), GOOD)
    open_document = "".join(workbooks.ods_row("" if cell is None else cell for cell in line) for line in lines)
    paths = (
        workbooks.xls(tmp_path / "cari.xls", *lines),
        workbooks.xlsb(tmp_path / "cari.xlsb", *lines),
        workbooks.ods(tmp_path / "cari.ods", open_document),
    )

    for path in paths:
        opened, (bad, good) = read(path)
        assert (opened.total, bad.number, bad.cells[4], good.number) == (2, 2, CellError("#DIV/0!"), 3)


def test_an_open_document_that_is_indented_is_read(tmp_path):
    indented = "".join(map(workbooks.ods_row, (HEAD, GOOD))).replace("<t", "\n    <t").replace("</table", "\n  </table")
    head, broken = indented.replace("Çınar Gıda", "Çınar<text:line-break/>Gıda").split("/table:table-row>", 1)
    path = workbooks.ods(tmp_path / "cari.ods", f"{head}/table:table-row>{broken * 4_000}")

    assert [meant(row) for row in read(path)[1]] == [UNDERSTOOD] * 4_000


@pytest.mark.parametrize("encoding", ["cp1254", "utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("delimiter", [";", ",", "\t"])
def test_csv_is_read_in_the_encodings_and_with_the_signs_that_excel_uses(tmp_path, encoding, delimiter):
    good = [*GOOD[:4], "1.234,56", *GOOD[5:]]
    lines = [delimiter.join(f'"{cell}"' for cell in cells) for cells in (HEAD, good)]
    (tmp_path / "cari.csv").write_bytes("\r\n".join(lines).encode(encoding))

    opened, found = read(tmp_path / "cari.csv")

    assert (opened.name, opened.total, [meant(row) for row in found]) == ("cari", 1, [UNDERSTOOD])


def test_amounts_with_commas_do_not_make_a_csv_of_commas(tmp_path):
    text = "Cari Kodu;Unvan;Bakiye\r\n" + "".join(f"{n};A, B, C;1,5\r\n" for n in range(9)) + "\r\n\r\n9;Son;2,5"
    (tmp_path / "cari.csv").write_bytes(codecs.BOM_UTF8 + text.encode())

    found = read(tmp_path / "cari.csv")[1]

    assert [row.number for row in found] == [*range(2, 11), 13]
    assert found[0].cells == ["0", "A, B, C", "1,5"]


def test_a_line_break_inside_quotes_does_not_shift_the_rows_of_a_csv(tmp_path):
    (tmp_path / "cari.csv").write_text('sep=,\nCari Kodu,Unvan\n1,"A\nB"\n2,C\n', encoding="utf-8")

    assert [(row.number, row.values["title"]) for row in read(tmp_path / "cari.csv")[1]] == [(3, "A B"), (4, "C")]


def test_a_csv_may_have_thousands_of_empty_lines_and_one_of_nothing_else_is_empty(tmp_path):
    (tmp_path / "cari.csv").write_text("Cari Kodu;Unvan\n1;A\n" + "\n" * 5_000 + "2;B\n" + "\n" * 5_000)
    (tmp_path / "boş.csv").write_text("\n\n")

    assert [row.number for row in read(tmp_path / "cari.csv")[1]] == [2, 5_003]
    with pytest.raises(SheetRefused, match="sayfa boş"):
        read(tmp_path / "boş.csv")


@pytest.mark.parametrize("first", ["PKNO", "MZ No"])
def test_a_csv_may_begin_as_a_zip_or_a_program_does(tmp_path, first):
    (tmp_path / "cari.csv").write_text(f"{first};Cari Kodu;Unvan\n1;120;A\n")

    assert read(tmp_path / "cari.csv")[1][0].values["code"] == "120"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_a_text_that_a_program_marked_for_excel_is_that_text(tmp_path, encoding):
    (tmp_path / "cari.csv").write_text('Cari Kodu;Unvan\n="007";"=""A"""\n', encoding=encoding)

    assert read(tmp_path / "cari.csv")[1][0].cells == ["007", "A"]


def test_a_quote_that_is_never_closed_does_not_swallow_the_rows_behind_it(tmp_path):
    (tmp_path / "cari.csv").write_text('Cari Kodu;Unvan\n1;5" Boru\n2;"Yarım\n3;C\n', encoding="utf-8")

    with pytest.raises(SheetRefused, match=r"3\. satırdaki çift tırnak kapanmıyor"):
        read(tmp_path / "cari.csv")


@pytest.mark.parametrize("delimiter", [";", ","])
@pytest.mark.parametrize("closes", ['"Ev" Ltd', '"Ev Ltd', 'Ev" Ltd'])
def test_a_quote_that_one_of_another_row_closes_does_not_make_one_row_of_both(tmp_path, closes, delimiter):
    text = f'Cari Kodu;Unvan;Bakiye\n1;"A\n""B"" Ltd";3\n2;"Kale Ltd;5\n3;{closes};7\n4;"C" Ltd;8\n'
    (tmp_path / "cari.csv").write_text(text.replace(";", delimiter), encoding="utf-8")

    with pytest.raises(SheetRefused, match=r"3\. satırdaki çift tırnak kapanmıyor"):
        read(tmp_path / "cari.csv")


def test_a_quote_that_is_open_for_thousands_of_rows_is_found_in_its_own(tmp_path):
    (tmp_path / "cari.csv").write_text('Cari Kodu;Unvan\n1;A\n2;"B\n' + "3;Çınar\n" * 20_000, encoding="utf-8")

    with pytest.raises(SheetRefused, match=r"3\. satırdaki çift tırnak kapanmıyor"):
        read(tmp_path / "cari.csv")


def test_rows_keep_their_numbers_over_gaps_empty_rows_and_sums(tmp_path):
    total = ("GENEL TOPLAM", None, None, None, 5)
    xml = (
        row(3, HEAD)
        + row(4, GOOD)
        + row(5, ["", None])
        + row(6, [" ", "\n"])
        + row(9, GOOD)
        + row(90_000, GOOD)
        + row(90_001, total)
    )
    path = write(tmp_path / "cari.xlsx", parts({"Cari": sheet(xml)}))

    opened, found = read(path)

    assert [row.number for row in found] == [4, 9, 90_000]
    assert opened.header_row == 3
    assert opened.skipped == 90_001 - 3 - 3


@pytest.mark.parametrize(
    "word",
    ["TOPLAM", "Genel Toplam:", "ARA TOPLAM", "Genel Toplam (TL)", "Yekûn", "Total", "DİP TOPLAM", "Toplam: 2 cari"],
)
def test_sums_are_left_out_but_not_companies_called_so(tmp_path, word):
    path = balances(tmp_path / "cari.xlsx", ("1", "Toplam Gıda A.Ş."), (None, word, None, None, 7), (word,), ("2", "A"))

    assert [row.values["code"] for row in read(path)[1]] == ["1", "2"]


def test_a_sum_whose_word_stands_over_any_column_is_left_out(tmp_path):
    path = balances(tmp_path / "cari.xlsx", GOOD, (None, None, None, "TOPLAM", 5), (None, None, None, None, 7))

    opened, found = read(path)

    assert ([row.number for row in found], opened.skipped) == ([2, 4], 1)
    assert len(found[1].reasons) == 2, "an amount that nothing names is no sum"


def test_a_header_that_is_repeated_on_each_page_is_no_row(tmp_path):
    again = tuple(f" {title}\n" for title in HEAD[1:])
    path = balances(tmp_path / "cari.xlsx", GOOD, (HEAD[0], *again), GOOD, (HEAD[0], "Unvan A.Ş."))

    assert [row.number for row in read(path)[1]] == [2, 4, 5]


def test_empty_columns_stay_where_they_are(tmp_path):
    path = workbook(tmp_path / "cari.xlsx", (None, None, "Cari Kodu", None, "Unvan"), (None, None, "1", None, "A", "x"))

    opened, found = read(path)

    assert opened.headers == ["", "", "Cari Kodu", "", "Unvan", ""]
    assert found[0].cells == [None, None, "1", None, "A", "x"]


@pytest.mark.parametrize("name", ["cari.xlsx", "cari.xls", "cari.ods", "cari.csv"])
def test_reading_goes_on_after_any_row(tmp_path, name):
    values = [HEAD, *((str(n), "A") for n in range(5_000))]
    path = tmp_path / name
    match path.suffix:
        case ".xls":
            workbooks.xls(path, *values[:1_000])
        case ".ods":
            workbooks.ods(path, "".join(map(workbooks.ods_row, values)))
        case ".csv":
            path.write_text("\n".join(";".join(cells) for cells in values))
        case _:
            workbook(path, *values)

    with sheets.read(path, filename=name, fields=FIELDS) as opened:
        whole = [row.number for chunk in opened.rows() for row in chunk]
        for after in (0, 1, 2, 500, 999, whole[-2], whole[-1], whole[-1] + 7):
            rest = [row.number for chunk in opened.rows(after) for row in chunk]
            assert rest == [number for number in whole if number > after]
    assert whole == list(range(2, len(whole) + 2))


def test_chunks_are_of_a_thousand_rows_at_most(tmp_path):
    path = balances(tmp_path / "cari.xlsx", *[GOOD] * 20_500)

    with sheets.read(path, filename="cari.xlsx", fields=FIELDS) as opened:
        sizes = [len(chunk) for chunk in opened.rows()]

    assert opened.total == sum(sizes) == 20_500
    assert max(sizes) <= 1_000


def test_the_sheet_is_the_one_asked_for_or_the_visible_one_that_fits_best(tmp_path):
    notes, good = sheet(rows(("Notlar",), ("Unvan", "Cari Kodu"), ("x", "y"))), sheet(rows(HEAD, GOOD))
    path = write(
        tmp_path / "cari.xlsx", parts({"Gizli": good, "Notlar": notes, "Bakiye": good}, states={"Gizli": "veryHidden"})
    )

    assert read(path)[0].name == "Bakiye"
    assert read(path)[0].sheets == ["Gizli", "Notlar", "Bakiye"]
    assert read(path)[0].unread == ["Notlar"], "nobody expects what is hidden"
    assert read(path, sheet_name="NOTLAR ")[0].name == "Notlar"
    assert read(path, sheet_name="Gizli")[0].name == "Gizli"
    with pytest.raises(NoSuchSheet, match="“Yok”; dosyadaki sayfalar: “Gizli”, “Notlar”, “Bakiye”"):
        read(path, sheet_name="Yok")


def test_a_sheet_without_rows_gives_way_to_one_with_rows(tmp_path):
    path = write(
        tmp_path / "cari.xlsx",
        parts({"Şablon": sheet(rows((*HEAD, "E-posta"))), "Ocak": sheet(rows(("Notlar",), HEAD, GOOD))}),
    )

    assert (read(path)[0].name, read(path)[0].header_row) == ("Ocak", 2)


def test_the_reader_knows_no_secret_and_dies_with_its_caller(tmp_path):
    path = balances(tmp_path / "cari.xlsx", *[GOOD] * 50_000)
    caller = (
        "import pathlib, time; from tests.workbooks import FIELDS; from workers.services import sheets\n"
        f"with sheets.read(pathlib.Path({str(path)!r}), filename='cari.xlsx', fields=FIELDS) as opened:\n"
        "    print(opened._child._process.pid, flush=True); time.sleep(60)"
    )
    secret = {**os.environ, "SECRET_KEY": "very secret"}
    with subprocess.Popen([sys.executable, "-c", caller], cwd=ROOT, env=secret, stdout=subprocess.PIPE) as process:
        child = Path("/proc", process.stdout.readline().decode().strip())
        environment = (child / "environ").read_bytes()
        process.send_signal(signal.SIGKILL)
        process.wait()

    assert b"secret" not in environment
    wait_until(lambda: not alive(int(child.name)))


def test_a_sheet_larger_than_a_piece_reads_the_same_with_little_memory(tmp_path):
    path = balances(tmp_path / "cari.xlsx", *((str(n), f"Ünvan {n}", None, None, n / 100) for n in range(60_000)))

    with sheets.read(path, filename="cari.xlsx", fields=FIELDS, limits=Limits(memory_mb=200)) as opened:
        found = [(row.values["code"], row.values["amount"]) for chunk in opened.rows() for row in chunk]

    assert found == [(str(n), Decimal(n) / 100) for n in range(60_000)]
