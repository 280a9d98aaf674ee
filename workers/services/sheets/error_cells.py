"""Where the error cells (#DIV/0!) of an .xls, .xlsb or .ods sheet stand: calamine gives them as empty.

Only as much of the formats is understood as that takes ([MS-XLSB], OpenDocument 1.3; of .xls see `biff`). A file that
is laid out otherwise has no known errors; what is wrong with it, calamine says.
"""

import posixpath
import re
import struct
import zipfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import IO
from xml.etree import ElementTree

from workers.services.sheets import biff

NAMES = {
    0: "#NULL!",
    7: "#DIV/0!",
    15: "#VALUE!",
    23: "#REF!",
    29: "#NAME?",
    36: "#NUM!",
    42: "#N/A",
    43: "#GETTING_DATA",
}
MAX_ERRORS, MAX_REPEATED = 100_000, 1_000
_READ_BYTES, _OVERLAP = 2**20, 512
_BOOLERR = 0x205
ROW, _BUNDLE_SHEET, _CELL_ERROR, _FORMULA_ERROR = 0, 156, 3, 11
_SHOWN = re.compile(rb">\s*(#(?:DIV/0!|N/A|NAME\?|NULL!|NUM!|REF!|VALUE!)|Err:\d{3})\s*<")

Errors = dict[int, dict[int, str]]
Found = Iterator[tuple[int, int, str]]
Reader = Callable[[Path, int], Found]
UNREADABLE = (MemoryError, struct.error, IndexError, KeyError, ValueError, ElementTree.ParseError, zipfile.BadZipFile)


def find(path: Path, number: int) -> Errors:
    """The errors of the sheet that is `number` (from 0) in the file's order: by row (from 1) and column (from 0)."""
    errors: Errors = {}
    with suppress(*UNREADABLE):
        for row, column, name in islice(reader_of(path, _of_xls, _of_ods, _of_xlsb)(path, number), MAX_ERRORS):
            errors.setdefault(row + 1, {})[column] = name
    return errors


def reader_of(path: Path, of_xls: Reader, of_ods: Reader, of_xlsb: Reader) -> Reader:
    """Which of the three the file is for."""
    if not zipfile.is_zipfile(path):
        return of_xls
    with zipfile.ZipFile(path) as archive:
        return of_ods if "content.xml" in archive.namelist() else of_xlsb


def _of_xls(path: Path, number: int) -> Found:
    book = biff.stream(path.read_bytes())
    for kind, at in biff.records(book, biff.start_of(book, number)):
        if kind == _BOOLERR:
            row, column, _, code, is_error = struct.unpack_from("<HHHBB", book, at)
        elif kind == biff.FORMULA:
            row, column, _, what, _, code, *_, is_error = struct.unpack_from("<HHHBBBBBBH", book, at)
            is_error = is_error == 0xFFFF and what == 2
        else:
            continue
        if is_error:
            yield row, column, NAMES[code]


def _of_xlsb(path: Path, number: int) -> Found:
    with zipfile.ZipFile(path) as archive:
        row = 0
        for kind, data in long_records(archive.read(part_of(archive, number))):
            if kind == ROW:
                row = struct.unpack_from("<I", data)[0]
            elif kind in (_CELL_ERROR, _FORMULA_ERROR):
                yield row, struct.unpack_from("<I", data)[0], NAMES[data[8]]


def part_of(archive: zipfile.ZipFile, number: int) -> str:
    """The part of an .xlsb file that holds the sheet of this number."""
    book = next(name for name in archive.namelist() if name.endswith("workbook.bin"))
    folder = posixpath.dirname(book)
    related = ElementTree.fromstring(archive.read(f"{folder}/_rels/workbook.bin.rels"))
    targets = {one.get("Id"): posixpath.join("/", folder, one.get("Target", "")) for one in related}
    sheets = [data for kind, data in long_records(archive.read(book)) if kind == _BUNDLE_SHEET]
    length = struct.unpack_from("<I", sheets[number], 8)[0]
    part = targets[sheets[number][12 : 12 + 2 * length].decode("utf-16le")]
    return posixpath.normpath(part).lstrip("/")


def long_records(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Kind and content; both numbers before them come in groups of seven bits."""
    at, end = 0, len(data)
    while at < end:
        kind, at = data[at], at + 1
        if kind & 0x80:
            kind, at = kind & 0x7F | data[at] << 7, at + 1
        size = shift = 0
        more = True
        while more:
            size |= (data[at] & 0x7F) << shift
            more, at, shift = bool(data[at] & 0x80), at + 1, shift + 7
        yield kind, data[at : at + size]
        at += size


def _of_ods(path: Path, number: int) -> Found:
    """Parsed only if the file shows an error somewhere."""
    with zipfile.ZipFile(path) as archive:
        with archive.open("content.xml") as content:
            if not any(map(_SHOWN.search, blocks(content))):
                return
        for row, times, element in table_rows(archive, number):
            yield from ((row + n, *found) for found in _in_row(element) for n in range(min(times, MAX_REPEATED)))


def table_rows(archive: zipfile.ZipFile, number: int) -> Iterator[tuple[int, int, ElementTree.Element]]:
    """The rows of the sheet of this number in an .ods file: which (from 0), how often repeated, its element."""
    with archive.open("content.xml") as content:
        table, row = -1, 0
        for event, element in ElementTree.iterparse(content, events=("start", "end")):
            table += event == "start" and element.tag.endswith("}table")
            if event == "end" and element.tag.endswith("}table-row"):
                times = repeated(element, "rows")
                if table == number:
                    yield row, times, element
                    row += times
                element.clear()


def blocks(content: IO[bytes]) -> Iterator[bytes]:
    """What it holds piece by piece, each with the end of the one before: a short match is whole in one of them."""
    tail = b""
    while block := content.read(_READ_BYTES):
        yield tail + block
        tail = block[-_OVERLAP:]


def _in_row(row: ElementTree.Element) -> Iterator[tuple[int, str]]:
    column = 0
    for cell in row:
        columns = repeated(cell, "columns")
        if shown := _SHOWN.fullmatch(f">{''.join(cell.itertext())}<".encode()):
            yield from ((column + n, shown[1].decode()) for n in range(min(columns, MAX_REPEATED)))
        column += columns


def repeated(element: ElementTree.Element, what: str) -> int:
    return next((int(value) for name, value in element.items() if name.endswith(f"}}number-{what}-repeated")), 1)
