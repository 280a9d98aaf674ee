"""Before anything is parsed: what kind of file this is, and whether unpacking it is safe. Constant memory."""

import re
import struct
import zipfile
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from workers.errors import SheetRefused
from workers.services.sheets.rewriting import column_number
from workers.services.sheets.shapes import Limits

FileKind = Literal["xlsx", "xlsb", "ods", "xls", "csv"]
MB = 2**20
MAX_ENTRIES = 2_000
MAX_DIRECTORY_BYTES = 2 * MB
MAX_RATIO, RATIO_FROM_BYTES = 100, 4 * MB  # real sheets stay below 40: their cell references differ
READ_BYTES, OVERLAP = 1 * MB, 64
HEAD_ROWS = 50  # as many may stand above the rows that are counted: titles and the header
# BIFF8: the start of a workbook, perhaps a mark against writing, and then what it is encrypted with.
_LOCKED_XLS = re.compile(rb"\x09\x08\x10\0\0\x06\x05\0.{12}(?:\x86\0\0\0)?\x2f\0", re.DOTALL)
OLE = bytes.fromhex("D0CF11E0A1B11AE1")
ZIP = (b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08")  # not PK alone: a csv may begin with PKNO
DELIMITED = (".csv", ".txt", ".tsv")
MANIFEST = "META-INF/manifest.xml"
_XML_PARTS = (".xml", ".rels", ".vml")
_ROW_END = b"row>"
_FAR_CELL = re.compile(rb' r="([A-Z]{2,7})(\d{1,10})"')  # a literal start, which is searched for at memory speed
_DECLARATIONS = tuple(
    word.encode(code) for word in ("<!DOCTYPE", "<!ENTITY") for code in ("ascii", "utf-16le", "utf-16be")
)
_OTHERS = (
    (b"MZ", "bu bir Windows programı (.exe)", "this is a Windows program (.exe)"),
    (b"\x7fELF", "bu bir program", "this is a program"),
    (b"%PDF", "bu bir PDF dosyası", "this is a PDF file"),
    (b"{\\rtf", "bu bir RTF belgesi", "this is an RTF document"),
)
_MARKUP = re.compile(rb"(?:\xff\xfe|\xef\xbb\xbf)?\s*<\0?[a-z!?]|MIME-Version:", re.IGNORECASE)


def refuse(tr: str, en: str, *, error: type[SheetRefused] = SheetRefused) -> SheetRefused:
    return error(reason=tr, en=en)


@dataclass(frozen=True)
class Found:
    """`rows`: rows that hold something, by the name of the sheet's part; only of xlsx."""

    kind: FileKind
    rows: dict[str, int] = field(default_factory=dict)


def examine(path: Path, filename: str, limits: Limits) -> Found:
    """Refuses what is no sheet or dangerous; the content decides, the name only tells csv from other text."""
    with path.open("rb") as file:
        start = file.read(4096)
    if not start:
        raise refuse("dosya boş", "the file is empty")
    if start.startswith(ZIP):
        return _examine_zip(path, limits)
    if start.startswith(OLE):
        return Found(_kind_of_ole(path))
    return Found(_kind_of_text(start, filename))


def _kind_of_ole(path: Path) -> FileKind:
    """The old container: an encrypted workbook of today, or .xls. Its directory names the streams in UTF-16."""
    names, tail, locked = dict.fromkeys(("EncryptedPackage", "Workbook", "Book"), False), b"", False
    with path.open("rb") as file:
        while block := file.read(READ_BYTES):
            names = {name: seen or f"{name}\0".encode("utf-16le") in tail + block for name, seen in names.items()}
            locked = locked or _LOCKED_XLS.search(tail + block) is not None
            tail = block[-OVERLAP:]
    if names["EncryptedPackage"] or locked:
        raise encrypted()
    if names["Workbook"] or names["Book"]:
        return "xls"
    raise refuse("bu bir Excel çalışma kitabı değil (eski Office belgesi)", "this is an old Office file, no workbook")


def encrypted() -> SheetRefused:
    tr = "dosya parolayla şifrelenmiş; Excel'de açıp parolayı kaldırın ve yeniden yükleyin"
    return refuse(tr, "the file is encrypted with a password; remove it in Excel and upload again")


def _kind_of_text(start: bytes, filename: str) -> FileKind:
    for magic, tr, en in _OTHERS:
        if start.startswith(magic) and (b"\0" in start or not magic.isalpha()):  # a csv may begin with MZ, too
            raise refuse(f"{tr}, Excel dosyası değil", f"{en}, no sheet")
    if _MARKUP.match(start):
        tr = "bu bir HTML veya XML dosyası; Excel'de açıp .xlsx olarak kaydedin"
        raise refuse(tr, "this is an HTML or XML file; open it in Excel and save it as .xlsx")
    utf16 = start.startswith((b"\xff\xfe", b"\xfe\xff"))
    if filename.lower().endswith(DELIMITED) and (utf16 or b"\0" not in start):
        return "csv"
    raise refuse(
        "içeriği ne Excel (.xlsx, .xlsm, .xls, .xlsb), ne .ods, ne de .csv",
        "its content is neither Excel (.xlsx, .xlsm, .xls, .xlsb) nor .ods nor .csv",
    )


def broken(detail: str, en: str | None = None) -> SheetRefused:
    """`detail` as a library says it, or in Turkish and in English."""
    tr = f"dosya bozuk veya yarım ({detail}); yeniden kaydedip yükleyin"
    return refuse(tr, f"the file is broken or cut short ({en or detail}); save it anew and upload it again")


def _bomb(tr: str, en: str) -> SheetRefused:
    return refuse(f"dosya güvenli biçimde açılamaz: {tr}", f"the file can't be unpacked safely: {en}")


def _too_many_parts(count: int) -> SheetRefused:
    tr = f"{count} parçası var, en çok {MAX_ENTRIES} olabilir"
    return _bomb(tr, f"it has {count} parts, at most {MAX_ENTRIES} are allowed")


def _examine_zip(path: Path, limits: Limits) -> Found:
    _check_directory(path)
    try:
        with zipfile.ZipFile(path) as archive:
            kind = _kind_of_zip({entry.filename for entry in archive.infolist()})
            _check_names(archive.infolist(), limits)
            rows = _unpack_all(archive, limits)
            if kind == "ods" and MANIFEST in archive.namelist() and b"encryption-data" in archive.read(MANIFEST):
                raise encrypted()
            return Found(kind, rows)
    except (
        zipfile.BadZipFile,
        zlib.error,
        EOFError,
        OSError,
        ValueError,
        NotImplementedError,
        RuntimeError,
        struct.error,
    ) as error:
        raise broken(str(error)[:100]) from error


def _check_directory(path: Path) -> None:
    """The number of entries, before `zipfile` makes an object of each."""
    with path.open("rb") as file:
        file.seek(max(path.stat().st_size - 66_000, 0))
        tail = file.read()
    at = tail.rfind(b"PK\x05\x06")
    if at < 0 or len(tail) < at + 22:
        raise broken("zip sonu yok", "the zip has no end")
    entries, size = struct.unpack_from("<HI", tail, at + 10)
    if entries > MAX_ENTRIES or MAX_DIRECTORY_BYTES < size < 2**32 - 1:
        raise _too_many_parts(entries)


def _kind_of_zip(names: set[str]) -> FileKind:
    if "content.xml" in names:
        return "ods"
    if any(name.endswith("workbook.bin") for name in names):
        return "xlsb"
    if "[Content_Types].xml" in names and any(name.lower().startswith("xl/") for name in names):
        return "xlsx"
    if "[Content_Types].xml" in names and "_rels/.rels" in names and not {"word/document.xml"} & names:
        raise broken("çalışma kitabı parçası eksik", "the part with the workbook is missing")
    raise refuse("bu bir zip dosyası, ama çalışma kitabı değil", "this is a zip file, but no workbook")


def _check_names(entries: list[zipfile.ZipInfo], limits: Limits) -> None:
    seen: set[str] = set()
    for entry in entries:
        name = entry.filename.lower()
        if name in seen:
            raise _bomb(f"{entry.filename!r} parçası iki kez var", f"the part {entry.filename!r} is there twice")
        if name.startswith("/") or "\\" in name or ".." in name.split("/"):
            raise _bomb(f"{entry.filename!r} adlı parçası var", f"it has a part called {entry.filename!r}")
        if entry.flag_bits & 0x1:
            raise encrypted()
        if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise _bomb("bilinmeyen sıkıştırma yöntemi", "it is compressed in an unknown way")
        seen.add(name)
    if len(entries) > MAX_ENTRIES:
        raise _too_many_parts(len(entries))
    _check_size(sum(entry.file_size for entry in entries), limits)


def _check_size(size: int, limits: Limits) -> None:
    if size > limits.max_mb * MB:
        raise _bomb(f"açılınca {limits.max_mb} MB'tan büyük oluyor", f"it unpacks to more than {limits.max_mb} MB")


def _unpack_all(archive: zipfile.ZipFile, limits: Limits) -> dict[str, int]:
    """Inflate every part once, as its header may lie: check its CRC and what is in it, count the rows of sheets."""
    total, rows = 0, {}
    for entry in archive.infolist():
        name = entry.filename.lower()
        sheet = _SheetScan(limits) if name.startswith("xl/") and "sheet" in name and name.endswith(".xml") else None
        total += _unpack(archive, entry, limits, before=total, sheet=sheet)
        if sheet and sheet.readable:
            rows[entry.filename] = sheet.rows
    return rows


def _unpack(
    archive: zipfile.ZipFile, entry: zipfile.ZipInfo, limits: Limits, *, before: int, sheet: "_SheetScan | None"
) -> int:
    is_xml, size, tail = entry.filename.lower().endswith(_XML_PARTS), 0, b""
    with archive.open(entry) as part:
        while block := part.read(READ_BYTES):
            size += len(block)
            _check_size(before + size, limits)
            if size > RATIO_FROM_BYTES and size > MAX_RATIO * entry.compress_size:
                raise _bomb(f"{MAX_RATIO} kattan fazla sıkıştırılmış", f"it is packed more than {MAX_RATIO} times")
            seen = tail + block
            if is_xml and b"!" in seen and any(word in seen for word in _DECLARATIONS):
                raise _bomb("içinde DOCTYPE veya ENTITY var", "it holds a DOCTYPE or ENTITY")
            if sheet:
                sheet.feed(seen, block)
            tail = block[-OVERLAP:]
    return size


class _SheetScan:
    """Counts the rows of a sheet that hold a value, and refuses cells too far to the right, without parsing."""

    def __init__(self, limits: Limits) -> None:
        self.rows, self.readable, self._limits, self._filled = 0, True, limits, False

    def feed(self, seen: bytes, block: bytes) -> None:
        """`seen`: the block behind the end of the one before, so that no reference is cut in two."""
        self.readable = self.readable and b"\0" not in block[:OVERLAP]  # UTF-16
        for column, row in _FAR_CELL.findall(seen.replace(b"'", b'"') if b"'" in seen else seen):
            if column_number(column.decode()) > self._limits.max_columns:
                cell, limit = (column + row).decode(), self._limits.max_columns
                tr = f"{cell} hücresi var; en çok {limit} sütun okunur, fazlasını silin"
                raise refuse(tr, f"it has a cell {cell}; at most {limit} columns are read, delete the others")
        first, *more = (b"v>" in row or b"is>" in row for row in block.split(_ROW_END))
        self._filled = self._filled or first
        if more:
            self.rows += self._filled + sum(more[:-1])
            self._filled = more[-1]
        if self.rows > self._limits.max_rows + HEAD_ROWS:
            raise too_many_rows(self._limits)


def too_many_columns(count: int, limits: Limits) -> SheetRefused:
    tr = f"sayfada {count} sütun var; en çok {limits.max_columns} sütun okunur, fazlasını silin"
    return refuse(tr, f"the sheet has {count} columns; at most {limits.max_columns} are read, delete the others")


def too_many_rows(limits: Limits) -> SheetRefused:
    tr = f"sayfada {limits.max_rows:,} satırdan fazlası var; dosyayı bölün".replace(",", ".")
    return refuse(tr, f"a sheet has more than {limits.max_rows:,} rows; split the file")
