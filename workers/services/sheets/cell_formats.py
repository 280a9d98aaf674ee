"""How numbers in some columns of an .xls, .xlsb or .ods sheet are shown, which calamine doesn't tell: 1001 as 0001001.

As `error_cells`, only as much of the formats as that takes; of a file that is laid out otherwise nothing is known.
"""

import html
import re
import struct
import zipfile
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path
from xml.etree import ElementTree

from workers.services.sheets import biff, error_cells
from workers.services.sheets.values import currency_in, currency_shown

BUILT_IN = {1: "0", 2: "0.00", 3: "#,##0", 4: "#,##0.00", 9: "0%", 10: "0.00%", 49: "@"}
_THOUSANDS = re.compile(r"\d{1,3}(?:[.,\s]\d{3})+")
_NUMBER, _RK, _MULRK = 0x203, 0x27E, 0xBD
_BRT_FORMAT, _BRT_XF, _BEGIN_XFS, _END_XFS, _CELL_RK, _CELL_REAL, _FORMULA_REAL = 44, 47, 617, 618, 2, 5, 9
_DATEMODE, _BRT_BOOK = 0x22, 153
_NULL_DATE = re.compile(rb'<table:null-date[^>]* table:date-value="1904-01-01"')
_SHOWN_SIGN = re.compile(rb'office:value="[^>]*>\s*<text:p[^>]*>[\d.,\s()-]*([^\d.,\s()<-][^\d<]{0,9})')

Formats = dict[int, dict[int, str]]


def find(path: Path, number: int, columns: Collection[int]) -> Formats:
    """Of the sheet that is `number` (from 0) in the file's order: codes by column (from 0) and row (from 1)."""
    formats: Formats = {column: {} for column in columns}
    with suppress(*error_cells.UNREADABLE):
        for row, column, code in error_cells.reader_of(path, _of_xls, _of_ods, _of_xlsb)(path, number):
            if code and column in formats:
                formats[column][row + 1] = code
    return formats


def currencies(path: Path) -> set[str]:
    """The currencies that number formats of the file show."""
    with suppress(*error_cells.UNREADABLE):
        return {code for code in map(currency_shown, _codes(path)) if code}
    return set()


def dates_from_1904(path: Path) -> bool:
    """Whether the numbers of its days are counted from there, as Excel for Mac once did; its bare numbers are, too."""
    with suppress(*error_cells.UNREADABLE):
        if not zipfile.is_zipfile(path):
            book = biff.stream(path.read_bytes())
            return any(book[at : at + 2] == b"\1\0" for kind, at in biff.records(book, 0) if kind == _DATEMODE)
        with zipfile.ZipFile(path) as archive:
            if "content.xml" in archive.namelist():
                with archive.open("content.xml") as content:
                    return any(map(_NULL_DATE.search, error_cells.blocks(content)))
            book = archive.read(next(name for name in archive.namelist() if name.endswith("workbook.bin")))
            return any(data[0] & 1 for kind, data in error_cells.long_records(book) if kind == _BRT_BOOK)
    return False


def _codes(path: Path) -> Collection[str]:
    """Of an .ods, whose programs don't all keep signs in formats, what stands beside the numbers that it shows."""
    if not zipfile.is_zipfile(path):
        return _xls_styles(biff.stream(path.read_bytes()))
    with zipfile.ZipFile(path) as archive:
        if "content.xml" not in archive.namelist():
            return _xlsb_styles(archive)
        with archive.open("content.xml") as content:
            signs = {sign for block in error_cells.blocks(content) for sign in _SHOWN_SIGN.findall(block)}
    return {html.unescape(sign.decode(errors="replace")) for sign in signs}


def _of_xls(path: Path, number: int) -> error_cells.Found:
    book = biff.stream(path.read_bytes())
    styles = _xls_styles(book)
    for kind, at in biff.records(book, biff.start_of(book, number)):
        if kind in (_NUMBER, _RK, biff.FORMULA):
            row, column, style = struct.unpack_from("<HHH", book, at)
            yield row, column, styles[style]
        elif kind == _MULRK:
            row, first, last = *struct.unpack_from("<HH", book, at), struct.unpack_from("<H", book, at - 2)[0]
            for n in range((last - 6) // 6):
                (style,) = struct.unpack_from("<H", book, at + 4 + 6 * n)
                yield row, first + n, styles[style]


def _xls_styles(book: bytes) -> list[str]:
    codes, styles = dict(BUILT_IN), []
    for kind, at in biff.records(book, 0):
        if kind == biff.FORMAT:
            codes[struct.unpack_from("<H", book, at)[0]] = biff.code_at(book, at)
        elif kind == biff.XF:
            styles.append(struct.unpack_from("<H", book, at + 2)[0])
    return [codes.get(id, "") for id in styles]


def _of_xlsb(path: Path, number: int) -> error_cells.Found:
    with zipfile.ZipFile(path) as archive:
        styles = _xlsb_styles(archive)
        row = 0
        for kind, data in error_cells.long_records(archive.read(error_cells.part_of(archive, number))):
            if kind == error_cells.ROW:
                row = struct.unpack_from("<I", data)[0]
            elif kind in (_CELL_RK, _CELL_REAL, _FORMULA_REAL):
                column, style = struct.unpack_from("<II", data)
                yield row, column, styles[style & 0xFFFFFF]


def _xlsb_styles(archive: zipfile.ZipFile) -> list[str]:
    part = next(name for name in archive.namelist() if name.endswith("styles.bin"))
    codes, styles, own = dict(BUILT_IN), [], False
    for kind, data in error_cells.long_records(archive.read(part)):
        own = (own or kind == _BEGIN_XFS) and kind != _END_XFS
        if kind == _BRT_FORMAT:
            id, length = struct.unpack_from("<HI", data)
            codes[id] = data[6 : 6 + 2 * length].decode("utf-16le")
        elif kind == _BRT_XF and own:
            styles.append(codes.get(struct.unpack_from("<H", data, 2)[0], ""))
    return styles


def _of_ods(path: Path, number: int) -> error_cells.Found:
    """This format keeps what each cell shows, which says enough."""
    with zipfile.ZipFile(path) as archive:
        for row, times, element in error_cells.table_rows(archive, number):
            column = 0
            for cell in element:
                value = _attribute(cell, "value")
                code = _code_of("".join(cell.itertext()).strip(), value, _attribute(cell, "currency"))
                if code:
                    yield from ((row + n, column, code) for n in range(min(times, error_cells.MAX_REPEATED)))
                column += error_cells.repeated(cell, "columns")


def _attribute(cell: ElementTree.Element, name: str) -> str:
    return next((text for key, text in cell.items() if key.endswith(f"}}{name}")), "")


def _code_of(shown: str, value: str, currency: str = "") -> str:
    """
    >>> _code_of("99,90 €", "99.9"), _code_of("₺5,00", "5", "TRY"), _code_of("5 adet", "5.0")
    ('#,##0.00\\\\ [$EUR]', '#,##0.00\\\\ [$TRY]', '')
    >>> _code_of("0001001", "1001"), _code_of("1.200", "1200"), _code_of("120.01", "12001")
    ('0000000', '', '"120.01"')
    """
    if value and shown != value and (currency := currency_in(shown) or currency):
        return f"#,##0.00\\ [${currency}]"
    if not value.isdecimal() or shown in (value, "") or _THOUSANDS.fullmatch(shown):
        return ""
    return "0" * len(shown) if shown.isdecimal() else f'"{shown}"'
