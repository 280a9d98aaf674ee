"""The records of an .xls file ([MS-XLS], [MS-CFB]), as far as `error_cells` and `cell_formats` need them; and a mend.

calamine tells by the number of a format whether it shows a day, where that number is below those of a file's own. But a
program may give any number to a format that it brings along (Gnumeric gives those from 50 on), and then it is the code
that counts. The numbers of East Asia (27 to 36, 50 to 58) mean days only in Excel of those countries; Excel in Turkish
shows a number, and so it is read: where a day is wanted, a number that can be one is taken for it anyway.
"""

import re
import struct
from collections.abc import Iterator
from contextlib import suppress

BOUNDSHEET, FORMAT, XF, FORMULA = 0x85, 0x41E, 0xE0, 0x06
EAST_ASIAN = frozenset((*range(27, 37), *range(50, 59)))
_EOF = 0x0A
_LAST_SECTOR, _DIFAT_AT, _ENTRY_BYTES, _START_AT, _SMALL, _SMALL_BELOW = 0xFFFFFFFA, 76, 128, 116, 64, 4096
_SIZES = {9: 512, 12: 4096}
_EXCEL_97, _FIRST_OWN, _NUMBER, _DAY = 0x600, 164, 0, 14
_EXCELS = frozenset((*range(14), *range(37, 45)))  # which Excel itself writes into each file, as they are
_NO_SIGN = re.compile(r"\"[^\"]*\"|\[(?!h+\]|m+\]|s+\])[^\]]*\]|[\\\\_*].", re.IGNORECASE)
_DAYS = re.compile(r"[ymdhs]", re.IGNORECASE)


def stream(data: bytes) -> bytes:
    """The workbook of an OLE container."""
    size, starts = _sectors(data)
    return b"".join(data[start : start + size] for start in starts)


def start_of(book: bytes, number: int) -> int:
    """Where the substream of the sheet of this number begins."""
    return [struct.unpack_from("<I", book, at)[0] for kind, at in records(book, 0) if kind == BOUNDSHEET][number]


def records(book: bytes, at: int) -> Iterator[tuple[int, int]]:
    """Kind and place of the records of a substream."""
    kind = None
    while kind != _EOF:
        kind, size = struct.unpack_from("<HH", book, at)
        yield kind, at + 4
        at += 4 + size


def with_own_formats(data: bytes) -> bytes:
    """The file with styles of such numbers that calamine tells days from numbers; as it is where they are alright."""
    with suppress(struct.error, IndexError, KeyError, ValueError):
        size, starts = _sectors(data)
        book = b"".join(data[start : start + size] for start in starts)
        if changes := _changes(book):
            mended = bytearray(data)
            for at, id in changes:
                for n, byte in enumerate(struct.pack("<H", id)):
                    mended[starts[(at + n) // size] + (at + n) % size] = byte
            return bytes(mended)
    return data


def code_at(book: bytes, at: int) -> str:
    """The code of a FORMAT record: in one of the two encodings of Excel 97, or in the one of those before it."""
    if _is_older(book):
        return book[at + 3 : at + 3 + book[at + 2]].decode("cp1254", errors="replace")
    length, wide = struct.unpack_from("<HB", book, at + 2)
    return book[at + 5 : at + 5 + length * (1 + (wide & 1))].decode("utf-16le" if wide & 1 else "latin-1")


def _is_older(book: bytes) -> bool:
    return bool(struct.unpack_from("<H", book, 4)[0] < _EXCEL_97)


def _changes(book: bytes) -> list[tuple[int, int]]:
    """At which styles in the workbook which number of a format is to stand."""
    formats = {struct.unpack_from("<H", book, at)[0]: at for kind, at in records(book, 0) if kind == FORMAT}
    own = {id: at for id, at in formats.items() if id not in _EXCELS and (id < _FIRST_OWN or _is_older(book))}
    meant = dict.fromkeys(EAST_ASIAN, _NUMBER) | {
        id: _DAY if _DAYS.search(_NO_SIGN.sub("", code_at(book, at))) else _NUMBER for id, at in own.items()
    }
    styles = [(at + 2, struct.unpack_from("<H", book, at + 2)[0]) for kind, at in records(book, 0) if kind == XF]
    return [(at, meant[id]) for at, id in styles if id in meant]


def _sectors(data: bytes) -> tuple[int, list[int]]:
    """How large the sectors are, and where those of the workbook begin; one below 4 kB lies in small ones of 64 bytes,
    which are kept together in a stream of their own."""
    size = _SIZES[struct.unpack_from("<H", data, 30)[0]]
    count, directory = struct.unpack_from("<II", data, 44)
    small_table, _, difat = struct.unpack_from("<III", data, 60)
    count = min(count, len(data) // size // (size // 4) + 1)  # more would tell of sectors that there are not
    tables = list(struct.unpack_from("<109I", data, _DIFAT_AT))
    while len(tables) < count:
        *found, difat = struct.unpack_from(f"<{size // 4}I", data, (difat + 1) * size)
        tables += found
    fat = [n for at in tables[:count] for n in struct.unpack_from(f"<{size // 4}I", data, (at + 1) * size)]

    def starts(first: int) -> list[int]:
        return [(sector + 1) * size for sector in _chain(fat, first)]

    entries = b"".join(data[start : start + size] for start in starts(directory))
    first, length = _workbook(entries)
    if length >= _SMALL_BELOW:
        return size, starts(first)
    small = [n for start in starts(small_table) for n in struct.unpack_from(f"<{size // 4}I", data, start)]
    where, a_sector = starts(struct.unpack_from("<I", entries, _START_AT)[0]), size // _SMALL
    return _SMALL, [where[n // a_sector] + n % a_sector * _SMALL for n in _chain(small, first)]


def _chain(table: list[int], sector: int) -> list[int]:
    sectors: list[int] = []
    while sector < _LAST_SECTOR and len(sectors) <= len(table):
        sectors.append(sector)
        sector = table[sector]
    return sectors


def _workbook(entries: bytes) -> tuple[int, int]:
    """The first sector and the length of the stream that holds it."""
    for at in range(0, len(entries), _ENTRY_BYTES):
        name = entries[at : at + max(struct.unpack_from("<H", entries, at + 64)[0] - 2, 0)].decode("utf-16le")
        if name in ("Workbook", "Book"):
            first, length = struct.unpack_from("<II", entries, at + _START_AT)
            return first, length
    raise KeyError("Workbook")
