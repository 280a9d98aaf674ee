"""Delimited text: csv as Turkish Excel saves it (`;`, cp1254), with `,` or tab, in UTF-8 or UTF-16."""

import codecs
import csv
import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from itertools import chain, islice
from pathlib import Path

from workers.errors import SheetRefused
from workers.services.sheets.blocks import Block, block_of
from workers.services.sheets.guard import HEAD_ROWS, MB, broken, refuse, too_many_columns, too_many_rows
from workers.services.sheets.shapes import Limits

BLOCK_ROWS = 2_000
SAMPLE_ROWS = 50
DELIMITERS = ";\t,|"
_END = "\ue000"  # a line of its own behind the last: where a quote was never closed, it is swallowed too
_AS_TEXT = re.compile(r'="([^"]*)"')  # how programs write 007 into a csv, so that Excel leaves it alone
_BOMS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))


class Delimited:
    """A `Source` with one sheet, named as the file."""

    shows_currencies = False

    def __init__(self, path: Path, filename: str, limits: Limits) -> None:
        self._path, self._limits = path, limits
        self._encoding = encoding_of(path)
        self._delimiter = self._find_delimiter()
        data = path.read_bytes()
        self._marked = b'="' in data or b'=\0"' in data  # the second in UTF-16
        self.sheets = self.visible = [Path(filename).stem or "csv"]
        self._filled = self._count()

    def wants_formats(self, columns: list[int]) -> None:
        """All is text here."""

    def filled_rows(self, sheet: str) -> int:
        return self._filled

    def cells_in(self, number: int) -> int:
        """How many cells the row of this number has."""
        return len(next(islice(self._records(self._delimiter), number - 1, None)))

    def blocks(self, sheet: str, after: int = 0) -> Iterator[Block]:
        records = islice(enumerate(self._records(self._delimiter), 1), after, None)
        while chunk := list(islice(records, BLOCK_ROWS)):
            numbers, cells = zip(*chunk, strict=True)
            width = max(1, *map(len, cells))
            rows = map(_unmarked, cells) if self._marked else cells
            yield block_of(list(numbers), [row + [""] * (width - len(row)) for row in rows])

    def _count(self) -> int:
        """Read all once, so that what is wrong with it is known before any row is used."""
        filled = 0
        for row in self._records(self._delimiter):
            filled += any(row)
            if len(row) > self._limits.max_columns:
                raise too_many_columns(len(row), self._limits)
            if filled > self._limits.max_rows + HEAD_ROWS:
                raise too_many_rows(self._limits)
        return filled

    def _records(self, delimiter: str) -> Iterator[list[str]]:
        number, lines = 0, list[str]()
        with self._path.open(encoding=self._encoding, newline="") as file:
            reader = csv.reader(_noted(chain(file, [_END]), lines), delimiter=delimiter)
            try:
                for number, row in enumerate(reader, 1):
                    if row == [_END]:
                        return
                    if len(lines) > 1 and not _is_closed(lines, delimiter):
                        raise _never_closed(number)
                    lines.clear()
                    yield [] if number == 1 and row and row[0][:4] == "sep=" else row
            except csv.Error as error:
                raise _endless(number + 1, over_lines=len(lines) > 1) from error
            except UnicodeError as error:
                line, said = reader.line_num, str(error)[:120]
                raise broken(f"{line}. satır: {said}", f"line {line}: {said}") from error

    def _find_delimiter(self) -> str:
        """That which cuts most rows into the same number of cells, two or more; `sep=;` on the first line decides."""
        with self._path.open(encoding=self._encoding, newline="") as file:
            first = file.readline(16).strip()
        if first.startswith("sep=") and first[4:] in tuple(DELIMITERS):
            return first[4]
        return max(DELIMITERS, key=self._evenness)

    def _evenness(self, delimiter: str) -> tuple[int, int]:
        widths = []
        with suppress(SheetRefused):  # the rows before tell
            for row in islice(self._records(delimiter), SAMPLE_ROWS):
                widths += [len(row)] if any(row) else []
        return max(((widths.count(width), width) for width in widths if width > 1), default=(0, 0))


def _noted(source: Iterable[str], lines: list[str]) -> Iterator[str]:
    for line in source:
        lines.append(line)
        yield line


def _is_closed(lines: list[str], delimiter: str) -> bool:
    """Whether the cells that run over these lines end where a cell ends; else a quote of another row closed them, and
    what lies between is no text but rows."""
    try:
        return bool(next(csv.reader(lines, delimiter=delimiter, strict=True)))
    except csv.Error:
        return False


def _never_closed(number: int) -> SheetRefused:
    return broken(f"{number}. satırdaki çift tırnak kapanmıyor", f"a quote in row {number} is never closed")


def _endless(number: int, *, over_lines: bool) -> SheetRefused:
    """A cell of more characters than the reader takes; over many lines it is a quote that was left open."""
    if over_lines:
        return _never_closed(number)
    limit = csv.field_size_limit()
    tr = f"{number}. satırda {limit:,} karakterden uzun bir hücre var".replace(",", ".")
    return refuse(tr, f"a cell in row {number} has more than {limit:,} characters")


def _unmarked(row: list[str]) -> list[str]:
    return [found[1] if (found := _AS_TEXT.fullmatch(cell)) else cell for cell in row]


def encoding_of(path: Path) -> str:
    """By its first bytes; else UTF-8 if all of it is that; else the Turkish code page of Windows."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    with path.open("rb") as file:
        start = file.read(4)
        for mark, name in _BOMS:
            if start.startswith(mark):
                return name
        file.seek(0)
        try:
            while block := file.read(MB):
                decoder.decode(block)
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            return "cp1254"
    return "utf-8"
