"""Binary workbooks, as small as they can be: those of Excel 97 (.xls), and those of today (.xlsb)."""

import struct
from collections.abc import Iterable, Sequence
from typing import Any

SECTOR = 512
FREE, END, FAT = 0xFFFFFFFF, 0xFFFFFFFE, 0xFFFFFFFD
BOF, EOF, BOUNDSHEET, LABEL, NUMBER, FILEPASS = 0x0809, 0x000A, 0x0085, 0x0204, 0x0203, 0x002F
BOOLERR, DATEMODE = 0x0205, 0x0022


FORMAT, XF = 0x041E, 0x00E0
FIRST_OWN = 164  # number formats of a file's own


class Err(int):
    """An error cell: 7 is #DIV/0!."""


class Shown(float):
    """A whole number that is shown with leading zeros, seven digits in all: style 1."""

    style = 1


class Euros(Shown):
    """A number that is shown with the sign of the euro: style 2."""

    style = 2


CODES = ("0000000", "[$€-2] #,##0.00")


def _record(kind: int, data: bytes = b"") -> bytes:
    return struct.pack("<HH", kind, len(data)) + data


def _bof(kind: int) -> bytes:
    return _record(BOF, struct.pack("<HHHHII", 0x0600, kind, 0x0DBB, 0x07CC, 0, 6))


def biff8(
    title: str,
    rows: Iterable[Sequence[Any]],
    *,
    encrypted: bool = False,
    first_own: int = FIRST_OWN,
    from_1904: bool = False,
) -> bytes:
    """The stream of a workbook with one sheet; numbers and texts. `first_own`: the number of its first own format."""
    name = title.encode("utf-16le")
    lock = _record(FILEPASS, struct.pack("<HHH", 1, 1, 1)) if encrypted else b""
    own = range(first_own, first_own + len(CODES))
    formats = b"".join(
        _record(FORMAT, struct.pack("<HHB", id, len(code), 1) + code.encode("utf-16le"))
        for id, code in zip(own, CODES, strict=True)
    )
    styles = b"".join(_record(XF, struct.pack("<HH", 0, id).ljust(20, b"\0")) for id in (0, *own))
    start = _bof(5) + lock + _record(DATEMODE, struct.pack("<H", from_1904)) + formats + styles
    bound = _record(BOUNDSHEET, struct.pack("<IBBBB", 0, 0, 0, len(title), 1) + name)
    at = len(start) + len(bound) + len(_record(EOF))
    bound = _record(BOUNDSHEET, struct.pack("<IBBBB", at, 0, 0, len(title), 1) + name)
    cells = b"".join(
        _cell(r, c, value) for r, row in enumerate(rows) for c, value in enumerate(row) if value is not None
    )
    return start + bound + _record(EOF) + _bof(0x10) + cells + _record(EOF)


def _cell(row: int, column: int, value: Any) -> bytes:
    place = struct.pack("<HHH", row, column, getattr(value, "style", 0))
    if isinstance(value, Err):
        return _record(BOOLERR, place + struct.pack("<BB", value, 1))
    if isinstance(value, str):
        return _record(LABEL, place + struct.pack("<HB", len(value), 1) + value.encode("utf-16le"))
    return _record(NUMBER, place + struct.pack("<d", value))


def container(name: str, stream: bytes) -> bytes:
    """An OLE file of one stream, which is padded past the size at which streams get sectors of their own."""
    stream = stream.ljust(4096, b"\0")
    stream = stream.ljust(-(-len(stream) // SECTOR) * SECTOR, b"\0")
    count = len(stream) // SECTOR
    chain = [FAT, END, *range(3, count + 2), END]
    fat = struct.pack(f"<{len(chain)}I", *chain).ljust(SECTOR, b"\xff")
    assert len(fat) == SECTOR, "one sector of the table is enough for tests"
    directory = _entry("Root Entry", 5, 1, END, 0) + _entry(name, 2, FREE, 2, len(stream))
    return _header() + fat + directory.ljust(SECTOR, b"\0") + stream


def _header() -> bytes:
    magic = bytes.fromhex("D0CF11E0A1B11AE1") + bytes(16)
    versions = struct.pack("<HHHHH", 0x3E, 3, 0xFFFE, 9, 6) + bytes(6)
    tables = struct.pack("<IIIIIIIII", 0, 1, 1, 0, 4096, END, 0, END, 0)
    return magic + versions + tables + struct.pack("<I", 0).ljust(436, b"\xff")


def _entry(name: str, kind: int, child: int, start: int, size: int) -> bytes:
    text = f"{name}\0".encode("utf-16le")
    links = struct.pack("<HBBIII", len(text), kind, 1, FREE, FREE, child)
    return text.ljust(64, b"\0") + links + bytes(36) + struct.pack("<IQ", start, size)


def xlsb(title: str, rows: Iterable[Sequence[Any]], *, from_1904: bool = False) -> dict[str, bytes]:
    """The parts of a binary workbook (MS-XLSB) with one sheet; numbers and texts."""
    sheet = _long(129) + _long(148, struct.pack("<IIII", 0, 99, 0, 9)) + _long(145)
    for number, row in enumerate(rows):
        sheet += _long(0, struct.pack("<IIHBBBI", number, 0, 0, 0, 0, 0, 0))
        sheet += b"".join(_long_cell(column, value) for column, value in enumerate(row) if value is not None)
    bundle = struct.pack("<II", 0, 1) + _wide("rId1") + _wide(title)
    own = range(FIRST_OWN, FIRST_OWN + len(CODES))
    formats = b"".join(_long(44, struct.pack("<H", id) + _wide(code)) for id, code in zip(own, CODES, strict=True))
    styles = b"".join(_long(47, struct.pack("<HH", 0, id) + bytes(12)) for id in (0, *own))
    return {
        "xl/styles.bin": _long(278) + formats + _long(617, struct.pack("<I", 3)) + styles + _long(618) + _long(279),
        "xl/workbook.bin": _long(131)
        + _long(153, struct.pack("<III", from_1904, 0, 0))
        + _long(143)
        + _long(156, bundle)
        + _long(144)
        + _long(132),
        "xl/worksheets/sheet1.bin": sheet + _long(146) + _long(130),
    }


def _long(kind: int, data: bytes = b"") -> bytes:
    """A record: kind and length in groups of seven bits."""
    head = bytes([kind]) if kind < 128 else bytes([kind & 127 | 128, kind >> 7])  # 129 is 81 01
    size, length = len(data), b""
    while size > 127:
        length, size = length + bytes([size & 127 | 128]), size >> 7
    return head + length + bytes([size]) + data


def _long_cell(column: int, value: Any) -> bytes:
    place = struct.pack("<II", column, getattr(value, "style", 0))
    if isinstance(value, Err):
        return _long(3, place + bytes([value]))
    return _long(6, place + _wide(value)) if isinstance(value, str) else _long(5, place + struct.pack("<d", value))


def _wide(text: str) -> bytes:
    return struct.pack("<I", len(text)) + text.encode("utf-16le")
