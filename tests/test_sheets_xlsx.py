"""xlsx as its many writers make it: the same rows come out, and what a cell really holds is told."""

import datetime
import re

import openpyxl
import pytest
import xlsxwriter

from tests.test_sheets_reading import UNDERSTOOD, meant, read
from tests.workbooks import GOOD, HEAD, Raw, balances, parts, rows, sheet, workbook, write
from workers.errors import SheetRefused
from workers.services.sheets import UNCACHED, CellError


def by_openpyxl(path):
    book = openpyxl.Workbook()
    for values in (HEAD, GOOD):
        book.active.append(values)
    book.save(path)


def by_xlsxwriter(path):
    with xlsxwriter.Workbook(path) as book:
        page = book.add_worksheet()
        for number, values in enumerate((HEAD, GOOD)):
            page.write_row(number, 0, values)


def by_xlsxwriter_in_constant_memory(path):
    with xlsxwriter.Workbook(path, {"constant_memory": True}) as book:
        page = book.add_worksheet()
        for number, values in enumerate((HEAD, GOOD)):
            page.write_row(number, 0, values)


def with_prefixes(path):
    """As the Open XML SDK writes it."""
    xml = sheet(rows(HEAD, GOOD)).replace("<", "<x:").replace("<x:/", "</x:").replace("xmlns=", "xmlns:x=")
    write(path, parts({"Cari": xml}))


def without_references(path):
    """Rows and cells without `r`, which the standard allows."""
    write(path, parts({"Cari": sheet(re.sub(r' r="\w+"', "", rows(HEAD, GOOD)))}))


def with_comments_and_single_quotes(path):
    xml = sheet(rows(HEAD, GOOD)).replace('"', "'").replace("<row", "<!-- <row> --><row")
    write(path, parts({"Cari": xml}))


def in_utf16(path):
    own = parts({"Cari": sheet(rows(HEAD, GOOD))})
    write(path, {name: f'<?xml version="1.0" encoding="UTF-16"?>{xml}'.encode("utf-16") for name, xml in own.items()})


@pytest.mark.parametrize(
    "written",
    [
        by_openpyxl,
        by_xlsxwriter,
        by_xlsxwriter_in_constant_memory,
        with_prefixes,
        without_references,
        with_comments_and_single_quotes,
    ],
)
def test_the_same_rows_come_from_every_writer_of_xlsx(tmp_path, written):
    written(tmp_path / "cari.xlsx")

    opened, found = read(tmp_path / "cari.xlsx")

    assert (opened.header_row, opened.headers, opened.total) == (1, list(HEAD), 1)
    assert [(row.number, meant(row)) for row in found] == [(2, UNDERSTOOD)]


def test_a_sheet_in_utf_16_is_read_though_its_rows_are_not_counted(tmp_path):
    in_utf16(tmp_path / "cari.xlsx")

    opened, found = read(tmp_path / "cari.xlsx")

    assert (opened.total, [meant(row) for row in found]) == (None, [UNDERSTOOD])


def test_cells_come_as_what_they_are(tmp_path):
    day = Raw('<c r="{r}" s="1"><v>46022</v></c>')
    moment = Raw('<c r="{r}" s="2"><v>46022.75</v></c>')
    truth = Raw('<c r="{r}" t="b"><v>1</v></c>')
    path = workbook(
        tmp_path / "cari.xlsx", HEAD, ("1", None, 5, 0.1, day, moment, truth), formats=["dd.mm.yyyy", "d/m/yy h:mm"]
    )

    (found,) = read(path)[1]

    evening = datetime.datetime(2025, 12, 31, 18)
    assert found.cells == ["1", None, 5, 0.1, datetime.date(2025, 12, 31), evening, True]
    assert type(found.cells[2]) is int


def test_dates_from_1904_are_read_by_their_own_calendar(tmp_path):
    day = Raw('<c r="{r}" s="1"><v>44560</v></c>')
    more = {"formats": ["dd.mm.yyyy"], "book": '<workbookPr date1904="1"/>'}
    path = workbook(tmp_path / "cari.xlsx", HEAD, ("1", "A", None, day), **more)

    assert read(path)[1][0].values["as_of"] == datetime.date(2025, 12, 31)


def test_a_bare_number_is_a_day_of_the_calendar_of_its_file(tmp_path):
    path = workbook(tmp_path / "cari.xlsx", HEAD, ("1", "A", None, 44560), book='<workbookPr date1904="1"/>')

    (found,) = read(path)[1]

    assert found.values["as_of"] == datetime.date(2025, 12, 31)
    assert "44560" in found.warnings[0].tr


@pytest.mark.parametrize("before", ["", "<!-- no form of Excel's -->"])
def test_an_inline_string_is_what_a_person_sees(tmp_path, before):
    item = '<r><t>東</t></r><r><rPr><b/></rPr><t>京</t></r><rPh sb="0" eb="2"><t>とうきょう</t></rPh>'
    odd = Raw(f'<c r="{{r}}" t="inlineStr"><is>{item}</is></c>')
    path = write(tmp_path / "cari.xlsx", parts({"Cari": sheet(before + rows(HEAD, ("1", odd)))}))

    assert read(path)[1][0].cells[1] == "東京"


@pytest.mark.parametrize(
    ("item", "text"),
    [
        ("<si><t>Çınar &amp; Oğlu &lt;A&gt;</t></si>", "Çınar & Oğlu <A>"),
        ('<si><t xml:space="preserve"> a </t></si>', " a "),
        ("<si><r><t>Çınar</t></r><r><rPr><b/></rPr><t> Gıda</t></r></si>", "Çınar Gıda"),
        ('<si><t>東京</t><rPh sb="0" eb="2"><t>とうきょう</t></rPh><phoneticPr fontId="1"/></si>', "東京"),
        ("<si><t>a_x000D_b_x005F_</t></si>", "a\rb_"),
        ("<si><t>&#199;&#x131;</t></si>", "Çı"),
        ("<si><!-- <si><t>no</t></si> --><t><![CDATA[<si>]]></t></si>", "<si>"),
    ],
)
def test_shared_strings_are_what_a_person_sees(tmp_path, item, text):
    head = "".join(f"<si><t>{title}</t></si>" for title in HEAD)
    shared = [Raw(f'<c r="{{r}}" t="s"><v>{n}</v></c>') for n in range(9)]
    xml = sheet(rows(shared[:7], [shared[7], shared[8]]))
    path = write(tmp_path / "cari.xlsx", parts({"Cari": xml}, strings=f"{head}<si><t>120</t></si>{item}"))

    assert read(path)[1][0].cells[1] == text


@pytest.mark.parametrize(
    "item", ['<si xml:lang="tr"><t>A</t></si>', "<si />", "<si/>", "<si><t/></si>", "<si><t>si></t></si>"]
)
@pytest.mark.parametrize("prefix", ["", "x:"])
def test_an_unusual_shared_string_does_not_shift_the_others(tmp_path, item, prefix):
    strings = f"<si><t>120.1</t></si>{item}<si><t>Son</t></si>"
    if prefix:
        strings = strings.replace("<", f"<{prefix}").replace(f"<{prefix}/", f"</{prefix}")
    shared = [Raw(f'<c r="{{r}}" t="s"><v>{n}</v></c>') for n in range(3)]
    own = parts({"Cari": sheet(rows(HEAD, shared))}, strings=strings)
    if prefix:
        own["xl/sharedStrings.xml"] = own["xl/sharedStrings.xml"].replace("<sst", '<sst xmlns:x="m"')

    first, _, last = read(write(tmp_path / "cari.xlsx", own))[1][0].cells[:3]

    assert (first, last) == ("120.1", "Son")


def test_a_shared_string_that_is_not_there_is_refused(tmp_path):
    path = balances(tmp_path / "cari.xlsx", (Raw('<c r="{r}" t="s"><v>7</v></c>'), "A"))

    with pytest.raises(SheetRefused, match="olmayan bir metne"):
        read(path)


def test_errors_and_results_that_were_never_stored_are_named(tmp_path):
    error = Raw('<c r="{r}" t="e"><f>1/0</f><v>#DIV/0!</v></c>')
    stored = Raw('<c r="{r}"><f>1+1</f><v>2</v></c>')
    empty_text = Raw('<c r="{r}" t="str"><f>""</f><v></v></c>')
    never = [Raw(f'<c r="{{r}}"><f>1+1</f>{value}</c>') for value in ("", "<v/>", "<v></v>")]
    path = workbook(tmp_path / "cari.xlsx", HEAD, (error, "A", stored, empty_text, *never))

    assert read(path)[1][0].cells == [CellError("#DIV/0!"), "A", 2, None, UNCACHED, UNCACHED, UNCACHED]


@pytest.mark.parametrize(("book", "found"), [("", 0), ('<calcPr fullCalcOnLoad="1"/>', UNCACHED)])
def test_a_stored_zero_counts_unless_the_writer_says_that_nothing_was_calculated(tmp_path, book, found):
    zero = Raw('<c r="{r}"><f>1+1</f><v>0</v></c>')

    assert read(workbook(tmp_path / "cari.xlsx", HEAD, ("1", "A", None, None, zero), book=book))[1][0].cells[4] == found


def test_formulas_of_xlsxwriter_have_no_result(tmp_path):
    with xlsxwriter.Workbook(tmp_path / "cari.xlsx") as book:
        page = book.add_worksheet()
        page.write_row(0, 0, HEAD)
        page.write_row(1, 0, ["1", "A"])
        page.write_formula(1, 4, "=1+1")

    (found,) = read(tmp_path / "cari.xlsx")[1]

    assert [(said.field, said.tr) for said in found.reasons] == [
        ("amount", "Formül sonucu kayıtlı değil; dosyayı Excel'de açıp kaydedin")
    ]
