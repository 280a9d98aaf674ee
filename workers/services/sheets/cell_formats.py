"""How numbers in some columns of an .xls, .xlsb or .ods sheet are shown, which calamine doesn't tell: 1001 as 0001001.

As `error_cells`, only as much of the formats as that takes; of a file that is laid out otherwise nothing is known.
"""

import re
import struct
import zipfile
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path

from workers.services.sheets import error_cells

BUILT_IN = {1: "0", 2: "0.00", 3: "#,##0", 4: "#,##0.00", 9: "0%", 10: "0.00%", 49: "@"}
_THOUSANDS = re.compile(r"\d{1,3}(?:[.,\s]\d{3})+")
_FORMAT, _XF, _NUMBER, _RK, _MULRK = 0x41E, 0xE0, 0x203, 0x27E, 0xBD
_BRT_FORMAT, _BRT_XF, _BEGIN_XFS, _END_XFS, _CELL_RK, _CELL_REAL = 44, 47, 617, 618, 2, 5

Formats = dict[int, dict[int, str]]


def find(path: Path, number: int, columns: Collection[int]) -> Formats:
    """Of the sheet that is `number` (from 0) in the file's order: codes by column (from 0) and row (from 1)."""
    formats: Formats = {column: {} for column in columns}
    with suppress(*error_cells.UNREADABLE):
        for row, column, code in error_cells.reader_of(path, _of_xls, _of_ods, _of_xlsb)(path, number):
            if code and column in formats:
                formats[column][row + 1] = code
    return formats


def _of_xls(path: Path, number: int) -> error_cells.Found:
    book = error_cells.stream(path.read_bytes())
    codes, styles = dict(BUILT_IN), []
    for kind, at in error_cells.records(book, 0):
        if kind == _FORMAT:
            id, length, wide = struct.unpack_from("<HHB", book, at)
            codes[id] = book[at + 5 : at + 5 + length * (1 + (wide & 1))].decode("utf-16le" if wide & 1 else "latin-1")
        elif kind == _XF:
            styles.append(struct.unpack_from("<H", book, at + 2)[0])
    for kind, at in error_cells.records(book, error_cells.start_of(book, number)):
        if kind in (_NUMBER, _RK):
            row, column, style = struct.unpack_from("<HHH", book, at)
            yield row, column, codes.get(styles[style], "")
        elif kind == _MULRK:
            row, first, last = *struct.unpack_from("<HH", book, at), struct.unpack_from("<H", book, at - 2)[0]
            for n in range((last - 6) // 6):
                (style,) = struct.unpack_from("<H", book, at + 4 + 6 * n)
                yield row, first + n, codes.get(styles[style], "")


def _of_xlsb(path: Path, number: int) -> error_cells.Found:
    with zipfile.ZipFile(path) as archive:
        styles = _xlsb_styles(archive)
        row = 0
        for kind, data in error_cells.long_records(archive.read(error_cells.part_of(archive, number))):
            if kind == error_cells.ROW:
                row = struct.unpack_from("<I", data)[0]
            elif kind in (_CELL_RK, _CELL_REAL):
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
                value = next((text for name, text in cell.items() if name.endswith("}value")), "")
                code = _code_of("".join(cell.itertext()).strip(), value)
                if code:
                    yield from ((row + n, column, code) for n in range(min(times, error_cells.MAX_REPEATED)))
                column += error_cells.repeated(cell, "columns")


def _code_of(shown: str, value: str) -> str:
    """
    >>> _code_of("0001001", "1001"), _code_of("1.200", "1200"), _code_of("120.01", "12001")
    ('0000000', '', '"120.01"')
    """
    if not value.isdecimal() or shown in (value, "") or _THOUSANDS.fullmatch(shown):
        return ""
    return "0" * len(shown) if shown.isdecimal() else f'"{shown}"'
