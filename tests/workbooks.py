"""Workbooks for the tests: plain ones, ones as odd as people and programs make them, and ones made to do harm."""

import struct
import warnings
import zipfile
import zlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape, quoteattr

from tests import oldbooks
from workers.services.sheets import Field, error_cells

FIELDS = {
    field.name: field
    for field in (
        Field("code", ("Cari Kodu", "hesap kodu"), "code", required=True),
        Field("title", ("Unvan", "cari adı", "ticari ünvanı"), "text", required=True),
        Field("tax_number", ("VKN/TCKN", "vergi no", "vergi kimlik no"), "tax_number"),
        Field("email", ("E-posta", "mail"), "email"),
        Field("phone", ("Telefon", "gsm"), "phone"),
        Field("as_of", ("Tarih", "mutabakat tarihi"), "date"),
        Field("currency", ("Para Birimi", "döviz cinsi"), "currency"),
        Field("borc", ("Borç", "borç bakiye", "bakiye borç"), "money"),
        Field("alacak", ("Alacak", "alacak bakiye", "bakiye alacak"), "money"),
        Field("amount", ("Bakiye", "tutar"), "money"),
        Field("side", ("B/A", "borç/alacak"), "side"),
    )
}
HEAD = ("Cari Kodu", "Unvan", "Vergi No", "Tarih", "Bakiye", "B/A", "Para Birimi")
GOOD = ("120.01.0001", "Çınar Gıda A.Ş.", "4540536920", "31.12.2025", 1234.56, "B", "TRY")

_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006/relationships"
_TYPES = "http://schemas.openxmlformats.org/package/2006/content-types"
_STYLES = f'<styleSheet xmlns="{_MAIN}">{{}}<cellXfs>{{}}</cellXfs></styleSheet>'


class Raw(str):
    """A cell's XML, written as it is."""


def cell(reference: str, value: Any) -> str:
    match value:
        case Raw():
            return value.format(r=reference)
        case None:
            return ""
        case str():
            return f'<c r="{reference}" t="inlineStr"><is><t xml:space="preserve">{escape(value)}</t></is></c>'
    return f'<c r="{reference}"><v>{value}</v></c>'


def row(number: int, values: Iterable[Any]) -> str:
    return f'<row r="{number}">{"".join(cell(f"{letters(n)}{number}", v) for n, v in enumerate(values))}</row>'


def rows(*values: Sequence[Any], start: int = 1) -> str:
    return "".join(row(number, each) for number, each in enumerate(values, start))


def sheet(rows_xml: str) -> str:
    return f'<worksheet xmlns="{_MAIN}"><sheetData>{rows_xml}</sheetData></worksheet>'


def parts(
    sheets: Mapping[str, str],
    *,
    strings: str | None = None,
    formats: Sequence[str] = (),
    states: Mapping[str, str] | None = None,
    book: str = "",
) -> dict[str, str]:
    """The parts of an xlsx file by name; `sheets` is their XML by title, `formats` are those of styles 1, 2…"""
    refs, relations = "", ""
    found: dict[str, str] = {}
    for n, (title, xml) in enumerate(sheets.items(), 1):
        state = (states or {}).get(title, "visible")
        refs += f'<sheet name={quoteattr(title)} sheetId="{n}" state="{state}" r:id="rId{n}"/>'
        relations += _relation(f"rId{n}", "worksheet", f"worksheets/sheet{n}.xml")
        found[f"xl/worksheets/sheet{n}.xml"] = xml
    if strings is not None:
        relations += _relation("rIdS", "sharedStrings", "sharedStrings.xml")
        found["xl/sharedStrings.xml"] = f'<sst xmlns="{_MAIN}">{strings}</sst>'
    relations += _relation("rIdF", "styles", "styles.xml")
    known = "".join(f'<numFmt numFmtId="{200 + n}" formatCode={quoteattr(f)}/>' for n, f in enumerate(formats, 1))
    styles = '<xf numFmtId="0"/>' + "".join(f'<xf numFmtId="{200 + n}"/>' for n in range(1, len(formats) + 1))
    return {
        "[Content_Types].xml": f'<Types xmlns="{_TYPES}"/>',
        "_rels/.rels": _relations(_relation("rId1", "officeDocument", "xl/workbook.xml")),
        "xl/workbook.xml": f'<workbook xmlns="{_MAIN}" xmlns:r="{_OFFICE}">{book}<sheets>{refs}</sheets></workbook>',
        "xl/_rels/workbook.xml.rels": _relations(relations),
        "xl/styles.xml": _STYLES.format(f"<numFmts>{known}</numFmts>", styles),
        **found,
    }


def _relation(id: str, kind: str, target: str) -> str:
    return f'<Relationship Id="{id}" Type="{_OFFICE}/{kind}" Target="{target}"/>'


def _relations(inner: str) -> str:
    return f'<Relationships xmlns="{_PACKAGE}">{inner}</Relationships>'


def write(path: Path, parts: Mapping[str, str | bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return path


def workbook(path: Path, *values: Sequence[Any], **more: Any) -> Path:
    """One sheet, "Cari", with these rows from row 1."""
    return write(path, parts({"Cari": sheet(rows(*values))}, **more))


def balances(path: Path, *values: Sequence[Any], **more: Any) -> Path:
    """The usual header and these rows."""
    return workbook(path, HEAD, *values, **more)


def stream(path: Path, name: str, blocks: Iterable[bytes], more: Mapping[str, str | bytes]) -> Path:
    """A zip in which the part `name` is made of blocks, so that it may be larger than memory."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for other, content in more.items():
            if other != name:
                archive.writestr(other, content)
        with archive.open(name, "w", force_zip64=True) as part:
            for block in blocks:
                part.write(block)
    return path


def lying_about_size(path: Path, part: str, size: int = 10) -> Path:
    """Both headers of one part say that it unpacks to `size` bytes."""
    data = bytearray(path.read_bytes())
    name = part.encode()
    for magic, size_at, name_at in ((b"PK\x03\x04", 22, 30), (b"PK\x01\x02", 24, 46)):
        at = -1
        while (at := data.find(magic, at + 1)) >= 0:
            if data[at + name_at : at + name_at + len(name)] == name:
                struct.pack_into("<I", data, at + size_at, size)
    path.write_bytes(data)
    return path


def with_twice(path: Path, name: str) -> Path:
    with warnings.catch_warnings(), zipfile.ZipFile(path, "a") as archive:
        warnings.simplefilter("ignore")
        archive.writestr(name, archive.read(name))
    return path


def encrypted_zip(path: Path) -> Path:
    """A zip whose entries say that they are encrypted."""
    data = bytearray(balances(path, GOOD).read_bytes())
    for magic, flags_at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = -1
        while (at := data.find(magic, at + 1)) >= 0:
            data[at + flags_at] |= 1
    path.write_bytes(data)
    return path


def ole(path: Path, *streams: str) -> Path:
    """The first bytes of the old container, and a directory that names these streams."""
    names = b"".join(f"{name}\0".encode("utf-16le").ljust(128, b"\0") for name in streams)
    path.write_bytes(bytes.fromhex("D0CF11E0A1B11AE1").ljust(512, b"\0") + names)
    return path


def with_wrong_crc(path: Path, part: str) -> Path:
    data = bytearray(path.read_bytes())
    with zipfile.ZipFile(path) as archive:
        crc = struct.pack("<I", archive.getinfo(part).CRC)
    path.write_bytes(bytes(data).replace(crc, struct.pack("<I", zlib.crc32(b"other"))))
    return path


def ods(path: Path, table_rows: str, *, from_1904: bool = False) -> Path:
    names = 'xmlns:office="urn:oasis:names:tc:opendocument:xmlns:office:1.0"'
    names += ' xmlns:table="urn:oasis:names:tc:opendocument:xmlns:table:1.0"'
    names += ' xmlns:text="urn:oasis:names:tc:opendocument:xmlns:text:1.0"'
    dates = '<table:calculation-settings><table:null-date table:date-value="1904-01-01"/></table:calculation-settings>'
    table = f'<table:table table:name="Cari">{table_rows}</table:table>'
    body = f"<office:spreadsheet>{dates * from_1904}{table}</office:spreadsheet>"
    content = f"<office:document-content {names}><office:body>{body}</office:body></office:document-content>"
    kind = "application/vnd.oasis.opendocument.spreadsheet"
    manifest = '<manifest:manifest xmlns:manifest="urn:oasis:names:tc:opendocument:xmlns:manifest:1.0"/>'
    return write(path, {"mimetype": kind, "META-INF/manifest.xml": manifest, "content.xml": content})


def ods_row(values: Iterable[Any]) -> str:
    return f"<table:table-row>{''.join(map(_ods_cell, values))}</table:table-row>"


def _ods_cell(value: Any) -> str:
    if isinstance(value, oldbooks.Err):  # as LibreOffice writes it
        return (
            '<table:table-cell table:formula="of:=1/0" office:value-type="string" office:string-value="">'
            f"<text:p>{error_cells.NAMES[value]}</text:p></table:table-cell>"
        )
    if isinstance(value, oldbooks.Euros):
        kind = f'office:value-type="float" office:value="{value}"'
        return f"<table:table-cell {kind}><text:p>{f'{value:.2f} €'.replace('.', ',')}</text:p></table:table-cell>"
    if isinstance(value, oldbooks.Shown):
        kind = f'office:value-type="float" office:value="{int(value)}"'
        return f"<table:table-cell {kind}><text:p>{int(value):07}</text:p></table:table-cell>"
    if isinstance(value, str):
        kind = 'office:value-type="string"'
    else:
        kind = f'office:value-type="float" office:value="{value}"'
    return f"<table:table-cell {kind}><text:p>{escape(str(value))}</text:p></table:table-cell>"


def xls(path: Path, *values: Sequence[Any], **more: Any) -> Path:
    """A workbook of Excel 97 with one sheet, "Cari": BIFF8 records in one stream of an OLE container."""
    path.write_bytes(oldbooks.container("Workbook", oldbooks.biff8("Cari", values, **more)))
    return path


def xlsb(path: Path, *values: Sequence[Any], **more: Any) -> Path:
    """A binary workbook of today with one sheet, "Cari"."""
    own = parts({"Cari": ""})
    relations = {name: xml.replace("sheet1.xml", "sheet1.bin") for name, xml in own.items() if name.endswith(".rels")}
    root = {"_rels/.rels": own["_rels/.rels"].replace("workbook.xml", "workbook.bin")}
    book = {"xl/_rels/workbook.bin.rels": relations["xl/_rels/workbook.xml.rels"]}
    return write(
        path,
        {"[Content_Types].xml": own["[Content_Types].xml"], **root, **book, **oldbooks.xlsb("Cari", values, **more)},
    )


def letters(n: int) -> str:
    """The name of column `n`, from 0."""
    name, n = "", n + 1
    while n:
        n, rest = divmod(n - 1, 26)
        name = chr(65 + rest) + name
    return name
