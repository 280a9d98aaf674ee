"""Workbooks that follow the letter of their formats in odd ways, or nearly: read rightly, or refused with a reason."""

import io
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from tests import workbooks
from tests.test_sheets_guard import refusal
from tests.test_sheets_reading import UNDERSTOOD, meant, read
from tests.workbooks import GOOD, HEAD, Raw, parts, rows, sheet, write

Parts = dict[str, str]
BOOK, RELATED, SHEET, STYLES = (
    "xl/workbook.xml",
    "xl/_rels/workbook.xml.rels",
    "xl/worksheets/sheet1.xml",
    "xl/styles.xml",
)
STRICT = {
    "http://schemas.openxmlformats.org/spreadsheetml/2006/main": "http://purl.oclc.org/ooxml/spreadsheetml/main",
    "http://schemas.openxmlformats.org/officeDocument/2006": "http://purl.oclc.org/ooxml/officeDocument",
}


def usual() -> Parts:
    return parts({"Cari": sheet(rows(HEAD, GOOD))})


def replaced(part: str, old: str, new: str) -> Parts:
    there = usual()
    assert old in there[part]
    return {**there, part: there[part].replace(old, new)}


def called(part: str, name: str, target: str = "worksheets/sheet1.xml") -> Parts:
    """One part under another name, and what its relationship says."""
    there = replaced(RELATED, "worksheets/sheet1.xml", target)
    return {**{one: xml for one, xml in there.items() if one != part}, name: there[part]}


def strict() -> Parts:
    there = usual()
    for old, new in STRICT.items():
        there = {name: xml.replace(old, new) for name, xml in there.items()}
    return there


ODD: dict[str, Callable[[], Parts]] = {
    "targets from the root": lambda: replaced(RELATED, 'Target="worksheets', 'Target="/xl/worksheets'),
    "targets with dots": lambda: replaced(RELATED, 'Target="worksheets', 'Target="../xl/./worksheets'),
    "targets with the signs of Windows": lambda: replaced(RELATED, "worksheets/sheet1", "worksheets\\sheet1"),
    "names in other letters": lambda: called(SHEET, "xl/Worksheets/Sheet1.xml"),
    "quoted targets": lambda: called(SHEET, "xl/worksheets/sayfa 1.xml", "worksheets/sayfa%201.xml"),
    "strict": strict,
    "only a hidden sheet": lambda: replaced(BOOK, 'state="visible"', 'state="veryHidden"'),
    "no styles": lambda: {name: xml for name, xml in usual().items() if name != STYLES},
    "styles that are none": lambda: replaced(STYLES, '<xf numFmtId="0"/>', '<xf numFmtId="x"/><xf/>'),
    "a chart before the sheet": lambda: {
        **replaced(BOOK, "<sheets>", '<sheets><sheet name="Grafik" sheetId="9" r:id="rIdS"/>'),
        **replaced(RELATED, "</Rel", '<Relationship Id="rIdS" Type="x/chartsheet" Target="charts/1.xml"/></Rel'),
        "xl/charts/1.xml": "<chartsheet/>",
    },
    "a link out of the file": lambda: replaced(
        RELATED,
        "</Rel",
        '<Relationship Id="rX" Type="x/hyperlink" Target="file:///c:/x y" TargetMode="External"/></Rel',
    ),
}


@pytest.mark.parametrize("name", ODD)
def test_an_odd_workbook_says_what_a_usual_one_does(tmp_path: Path, name: str) -> None:
    opened, found = read(write(tmp_path / "cari.xlsx", ODD[name]()))

    assert (opened.name, [meant(row) for row in found]) == ("Cari", [UNDERSTOOD])


@pytest.mark.parametrize("streamed", [False, True])
def test_a_zip_may_be_large_by_its_word_or_written_without_looking_back(tmp_path: Path, streamed: bool) -> None:
    class Pipe(io.BytesIO):
        def seekable(self) -> bool:
            return not streamed

    made = Pipe()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, xml in usual().items():
            with archive.open(name, "w", force_zip64=not streamed) as part:
                part.write(xml.encode())
    path = tmp_path / "cari.xlsx"
    path.write_bytes(made.getvalue())

    assert [meant(row) for row in read(path)[1]] == [UNDERSTOOD]


@pytest.mark.parametrize("kind", ["chartsheet", "dialogsheet", "xlMacrosheet"])
def test_a_workbook_without_a_sheet_of_rows_is_refused(tmp_path: Path, kind: str) -> None:
    path = write(tmp_path / "cari.xlsx", replaced(RELATED, "/worksheet", f"/{kind}"))

    assert "satır ve sütunlardan oluşan bir sayfa yok" in refusal(path)


@pytest.mark.parametrize("others", [(), ("B",)])
def test_a_shared_string_below_the_first_is_not_counted_from_the_last(tmp_path: Path, others: tuple[str, ...]) -> None:
    titles = [Raw('<c r="{r}" t="s"><v>-1</v></c>'), *others]
    lines = [(f"{n}", title, *GOOD[2:]) for n, title in enumerate(titles)]
    there = parts({"Cari": sheet(rows(HEAD, *lines))}, strings="<si><t>A</t></si>")

    assert "olmayan bir metne başvuru" in refusal(write(tmp_path / "cari.xlsx", there))


def test_an_encrypted_open_document_is_told_from_a_broken_one(tmp_path: Path) -> None:
    path = workbooks.ods(tmp_path / "cari.ods", "".join(map(workbooks.ods_row, (HEAD, GOOD))))
    with zipfile.ZipFile(path) as archive:
        there: dict[str, str | bytes] = {name: archive.read(name) for name in archive.namelist()}
    there["META-INF/manifest.xml"] = "<manifest><file-entry><encryption-data/></file-entry></manifest>"

    assert "parola" in refusal(write(path, there | {"content.xml": bytes(range(256))}))


@pytest.mark.parametrize(
    "content",
    [
        b"\r\n <style>td{}</style><TABLE><tr><td>Cari Kodu</td></tr></TABLE>",
        "<html><table></table></html>".encode("utf-16"),
        b"\xef\xbb\xbf<div><table></table></div>",
        b"MIME-Version: 1.0\r\nContent-Type: multipart/related; boundary=x\r\n",
        b'<?xml version="1.0"?><?mso-application progid="Excel.Sheet"?><Workbook/>',
    ],
)
@pytest.mark.parametrize("name", ["rapor.xls", "rapor.csv"])
def test_a_web_page_that_is_called_a_workbook_is_told_as_what_it_is(tmp_path: Path, content: bytes, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(content)

    assert "bu bir HTML veya XML dosyası; Excel'de açıp .xlsx olarak kaydedin" in refusal(path)


def test_a_cell_of_a_csv_that_is_too_long_is_told_from_a_file_that_is_broken(tmp_path: Path) -> None:
    path = tmp_path / "cari.csv"
    path.write_text(f"Cari Kodu;Unvan\n1;A\n2;{'B' * 140_000}\n")

    assert "içe aktarılamadı: 3. satırda 131.072 karakterden uzun bir hücre var" in refusal(path)
