"""The rows of one xlsx sheet, of any length, in little memory: calamine reads it piece by piece.

calamine is the fastest reader there is, but it holds a whole sheet at once (1 GB for a million rows), aborts its
process on a cell far away, and gives an empty text for an error. So a sheet's XML is cut between rows into pieces of
1 MB; in each, shared strings and errors become marked texts; and each goes to calamine as a small workbook of its own,
one piece ahead in a thread, as calamine works without the GIL. XML unlike that of Excel is rewritten first.
"""

import io
import re
import zipfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from typing import IO, Any

from workers.errors import SheetRefused
from workers.services.sheets.blocks import ERROR_MARK, TEXT_MARK, Block, block_of, tidy
from workers.services.sheets.guard import MB, broken
from workers.services.sheets.rewriting import column_letters, rewritten
from workers.services.sheets.shapes import UNCACHED
from workers.services.sheets.stencil import Stencil

FIRST_BYTES, PIECE_BYTES, MAX_ROW_BYTES = 64 * 1024, 1 * MB, 16 * MB
MAX_GAP_ROWS = 1_000  # calamine keeps the rows of a gap
_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_RELATED = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006/relationships"
_DATA = re.compile(rb"<(\w+:)?sheetData(?:\s[^>]*?)?(/)?>")
_ROW = re.compile(rb'<row [^>]*?\br="(\d{1,7})"')
_STRING = re.compile(rb't="s"([^>]*)>\s*<v(?:\s[^>]*)?>')
_ERROR = re.compile(rb't="e"([^>]*)>\s*(?:<f(?:\s[^>]*)?(?:/>|>[^<]*</f>))?\s*<v(?:\s[^>]*)?>')
_FORMULA = re.compile(
    rb'<c r="([A-Z]+\d+)"([^>]*)>\s*<f(?:\s[^>]*)?(?:/>|>[^<]*</f>)\s*(?:<v\s*/>|<v>(0?)</v>)?\s*</c>'
)
_MARKS = TEXT_MARK.encode(), ERROR_MARK.encode()
# Each behind one byte of it that is rare: one byte is searched for ten times as fast.
_UNUSUAL = ((b"!", b"<!"), (b"?", b"<?"), (b"\xee", _MARKS[0]), (b"\xee", _MARKS[1]))
_AS_TEXT, _AS_ERROR = rb't="str"\1><v>' + _MARKS[0], rb't="str"\1><v>' + _MARKS[1]


class _NotPlain(Exception):
    """The XML is not in the form that Excel writes."""


@dataclass(frozen=True)
class _Piece:
    """Whole rows as plain XML, the numbers of the first and the last."""

    xml: bytes
    first: int
    last: int


@dataclass(frozen=True, kw_only=True)
class Pieces:
    """`needs_calculation`: a stored 0 of a formula was never calculated."""

    strings: list[str | None]
    styles: str
    dates_from_1904: bool
    needs_calculation: bool

    def blocks(
        self, opened: Callable[[], IO[bytes]], *, after: int, wanted: list[int], formats: list[str]
    ) -> Iterator[Block]:
        """The rows behind `after`; with the number formats of the `wanted` columns."""
        with ThreadPoolExecutor(1, "calamine") as pool:
            source, stencil = _pieces(opened, after), Stencil(self.strings, self._meanings)
            coming = pool.submit(self._next, source, stencil)
            while (now := coming.result()) is not None:
                coming = pool.submit(self._next, source, stencil)
                piece, found = now
                block = found if isinstance(found, Block) else self._parsed(piece, found)
                block.dates_from_1904 = self.dates_from_1904
                for column in wanted:
                    if column < len(block.columns) and not {int, float}.isdisjoint(map(type, block.columns[column])):
                        block.formats[column] = _formats_of(piece.xml, column, formats)
                yield block

    def _next(self, source: Iterator[_Piece], stencil: Stencil) -> tuple[_Piece, Any] | None:
        """The next piece, and its rows or the sheet that calamine makes of it."""
        from python_calamine import CalamineError

        piece = next(source, None)
        if piece is None:
            return None
        try:
            return piece, stencil.block(piece.xml) or self._sheet(self._marked(piece.xml))
        except IndexError as error:
            raise _no_such_string(piece) from error
        except (CalamineError, ValueError) as error:
            where, said = f"{piece.first}–{piece.last}", str(error)[:150]
            raise broken(f"{where} arası satırlar: {said}", f"rows {where}: {said}") from error

    def _parsed(self, piece: _Piece, sheet: Any) -> Block:
        if sheet.start is None:
            return Block([], [])
        (top, left), rows = sheet.start, sheet.to_python()
        if not piece.first <= top + 1 <= top + len(rows) <= piece.last:
            tr = f"{piece.first}. satırdan sonra satır numaraları tutarsız"
            raise broken(tr, f"behind row {piece.first} the numbers of rows contradict each other")
        try:
            return block_of(list(range(top + 1, top + 1 + len(rows))), rows, left=left, strings=self.strings)
        except (IndexError, ValueError) as error:
            raise _no_such_string(piece) from error

    def _meanings(self, cells: list[tuple[bytes, bytes]]) -> list[Any]:
        """What cells of these styles and numbers say: a number, a day, a time."""
        if not cells:
            return []
        row, styled = b'<row r="%d"><c r="A%d"%b><v>%b</v></c></row>', b' s="%b"'
        rows = b"".join(row % (n, n, s and styled % s, value) for n, (s, value) in enumerate(cells, 1))
        return tidy([value for (value,) in self._sheet(rows).to_python()], self.strings)

    def _sheet(self, rows: bytes) -> Any:
        from python_calamine import load_workbook

        return load_workbook(self._workbook(rows)).get_sheet_by_index(0)

    def _marked(self, xml: bytes) -> bytes:
        plain = xml.replace(b't="s"><v>', b't="str"><v>' + _MARKS[0])
        if b't="s"' in plain:
            plain = _STRING.sub(_AS_TEXT, plain)
        if b't="e"' in plain:
            plain = _ERROR.sub(_AS_ERROR, plain)
        return _FORMULA.sub(self._calculated, plain) if b"f" in plain and b"<f" in plain else plain

    def _calculated(self, found: re.Match[bytes]) -> bytes:
        """A formula without a stored result, but an empty text is a result."""
        reference, attributes, value = found.groups()
        if b't="str"' in attributes or (value == b"0" and not self.needs_calculation):
            return found[0]
        return b'<c r="' + reference + b'" t="str"><v>' + _MARKS[1] + UNCACHED.name.encode() + b"</v></c>"

    def _workbook(self, rows: bytes) -> io.BytesIO:
        dates = f'<workbookPr date1904="{int(self.dates_from_1904)}"/>'
        book = f'<workbook xmlns="{_MAIN}" xmlns:r="{_RELATED}">{dates}<sheets><sheet name="s" sheetId="1" r:id="r1"/>'
        relation = '<Relationships xmlns="{}"><Relationship Id="r1" Type="{}/{}" Target="{}"/></Relationships>'
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w") as archive:
            archive.writestr("_rels/.rels", relation.format(_PACKAGE, _RELATED, "officeDocument", "xl/workbook.xml"))
            archive.writestr("xl/workbook.xml", f"{book}</sheets></workbook>")
            archive.writestr("xl/_rels/workbook.xml.rels", relation.format(_PACKAGE, _RELATED, "worksheet", "s.xml"))
            archive.writestr("xl/styles.xml", f'<styleSheet xmlns="{_MAIN}">{self.styles}</styleSheet>')
            archive.writestr("xl/s.xml", b"<worksheet><sheetData>" + rows + b"</sheetData></worksheet>")
        file.seek(0)
        return file


def _no_such_string(piece: _Piece) -> SheetRefused:
    where = f"{piece.first}–{piece.last}"
    tr = f"{where} arası satırlar: olmayan bir metne başvuru"
    return broken(tr, f"rows {where}: they name a text that is not there")


def _formats_of(xml: bytes, column: int, formats: list[str]) -> dict[int, str]:
    """The number format of each cell of one column, by row."""
    letters = column_letters(column + 1).encode()
    cells = re.findall(rb'<c r="' + letters + rb'(\d+)"[^>]*? s="(\d+)"', xml)
    return {int(row): formats[int(style)] for row, style in cells if int(style) < len(formats)}


def _pieces(opened: Callable[[], IO[bytes]], after: int) -> Iterator[_Piece]:
    """Plain pieces with rows behind `after`; from the first that isn't plain on, rewritten ones."""
    done = after
    for cut in (_cut, rewritten):
        try:
            with opened() as part:
                for piece in (piece for xml in cut(part) if _holds_cells(xml) for piece in _without_gaps(xml)):
                    if piece.last > done:
                        yield _behind(piece, done)
                        done = piece.last
                return
        except _NotPlain:
            continue


def _holds_cells(xml: bytes) -> bool:
    """Not where all cells of a piece are only formatted: people do that to a million rows at once."""
    return b"<v" in xml or b"<is" in xml or b"<f" in xml


def _behind(piece: _Piece, after: int) -> _Piece:
    if piece.first > after:
        return piece
    at = next(found for found in _ROW.finditer(piece.xml) if int(found[1]) > after)
    return _Piece(piece.xml[at.start() :], int(at[1]), piece.last)


def _cut(part: IO[bytes]) -> Iterator[bytes]:
    """The XML between <sheetData> and its end, cut before rows, its prefix taken off. Small pieces come first."""
    rest, size = part.read(FIRST_BYTES), FIRST_BYTES
    if b"\0" in rest[:64]:  # UTF-16
        raise _NotPlain()
    while not (start := _DATA.search(rest)):
        block = part.read(PIECE_BYTES)
        if not block:
            return
        if len(rest) > MAX_ROW_BYTES:
            raise broken("sayfanın başı çok uzun", "the start of the sheet is too long")
        rest += block
    if start[2]:
        return
    prefix, rest = start[1] or b"", rest[start.end() :]
    row, end = b"<" + prefix + b"row", b"</" + prefix + b"sheetData>"
    while end not in rest:
        cut = rest.rfind(row)
        if cut > 0:
            yield _plain(rest[:cut], prefix)
            rest, size = rest[cut:], PIECE_BYTES
        if len(rest) > MAX_ROW_BYTES:
            limit = f"{MAX_ROW_BYTES // MB} MB"
            raise broken(f"bir satır {limit}'tan büyük", f"a row is larger than {limit}")
        block = part.read(size)
        if not block:
            raise broken("sayfa yarım", "the sheet is cut short")
        rest += block
    yield _plain(rest[: rest.index(end)], prefix)


def _plain(xml: bytes, prefix: bytes) -> bytes:
    if prefix:
        xml = xml.replace(b"<" + prefix, b"<").replace(b"</" + prefix, b"</")
    odd = any(sign in xml and unusual in xml for sign, unusual in _UNUSUAL)
    if odd or xml.count(b'<c r="') != xml.count(b"<c"):
        raise _NotPlain()
    return xml


def _without_gaps(xml: bytes) -> Iterator[_Piece]:
    numbers = [int(number) for number in _ROW.findall(xml)]
    if len(numbers) != xml.count(b"<row"):
        raise _NotPlain()
    if not numbers:
        return
    if any(one >= other for one, other in pairwise(numbers)):
        raise broken("satır numaraları sırasız", "the numbers of rows are out of order")
    if numbers[-1] - numbers[0] <= len(numbers) + MAX_GAP_ROWS:
        yield _Piece(xml, numbers[0], numbers[-1])
        return
    starts, begin = [found.start() for found in _ROW.finditer(xml)], 0
    for n, number in enumerate(numbers):
        if number - numbers[begin] > n - begin + MAX_GAP_ROWS:
            yield _Piece(xml[starts[begin] : starts[n]], numbers[begin], numbers[n - 1])
            begin = n
    yield _Piece(xml[starts[begin] :], numbers[begin], numbers[-1])
