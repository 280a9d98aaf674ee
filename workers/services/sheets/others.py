"""Workbooks that are no xlsx: .xls, .xlsb and .ods, through calamine, which holds a whole sheet in memory.

calamine does not tell their errors (#DIV/0!) from empty cells, which `error_cells` finds, nor how numbers are shown,
for which there is `cell_formats`.
"""

import io
import re
import zipfile
from collections.abc import Iterator
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any

from workers.services.sheets import biff, cell_formats, error_cells
from workers.services.sheets.blocks import ERROR_MARK, Block, block_of
from workers.services.sheets.guard import HEAD_ROWS, MB, broken, encrypted, too_many_columns, too_many_rows
from workers.services.sheets.shapes import Limits

BLOCK_ROWS = 2_000
ODS_CONTENT = "content.xml"
_INDENTED = re.compile(rb"(?<=>)\s+(?=</?(?:table|office):|<text:p\b)")
_ROW_END = b"</table:table-row"
_BREAK = re.compile(rb"<text:(?:line-break|tab)\s*/>")
_STUMBLES = re.compile(_INDENTED.pattern + b"|" + _BREAK.pattern)


class Others:
    """A `Source`."""

    def __init__(self, path: Path, limits: Limits) -> None:
        from python_calamine import CalamineError, PasswordError, SheetTypeEnum, SheetVisibleEnum, load_workbook

        try:
            self._book = load_workbook(io.BytesIO(_content(path)))  # of a path it would believe the ending
        except PasswordError as error:
            raise encrypted() from error
        except (CalamineError, OSError) as error:
            raise broken(str(error)[:100]) from error
        self._path, self._order = path, [one.name for one in self._book.sheets_metadata]
        self._errors: error_cells.Errors = {}
        self._wanted: list[int] = []
        sheets = [one for one in self._book.sheets_metadata if one.typ == SheetTypeEnum.WorkSheet]
        self.sheets = [one.name for one in sheets]
        self.visible = [one.name for one in sheets if one.visible == SheetVisibleEnum.Visible]
        self._limits = limits
        self._opened: tuple[str, Any] = ("", None)

    def wants_formats(self, columns: list[int]) -> None:
        self._wanted = columns

    @cached_property
    def shows_currencies(self) -> bool:
        return bool(cell_formats.currencies(self._path) - {"TRY"})

    def filled_rows(self, sheet: str) -> int:
        """It is the sheet that will be read: from now on its blocks tell its errors."""
        self._open(sheet)
        self._errors = error_cells.find(self._path, self._order.index(sheet))
        return sum(row.count("") != len(row) for _, row in self._rows(sheet))

    def blocks(self, sheet: str, after: int = 0) -> Iterator[Block]:
        opened = self._open(sheet)
        left = opened.start[1] if opened.start else 0
        rows = islice(self._rows(sheet), after, None)
        while chunk := list(islice(rows, BLOCK_ROWS)):
            numbers, cells = zip(*chunk, strict=True)
            block = block_of(list(numbers), list(cells), left=left)
            block.dates_from_1904 = self._dates_from_1904
            for column in self._wanted:
                if column < len(block.columns) and not {int, float}.isdisjoint(map(type, block.columns[column])):
                    block.formats[column] = self._formats[column]
            yield block

    @cached_property
    def _dates_from_1904(self) -> bool:
        return cell_formats.dates_from_1904(self._path)

    @cached_property
    def _formats(self) -> cell_formats.Formats:
        return cell_formats.find(self._path, self._order.index(self._opened[0]), self._wanted)

    def _rows(self, sheet: str) -> Iterator[tuple[int, list[Any]]]:
        """All rows from the first on, those that hold an error alone among them; without the empty columns before."""
        opened = self._open(sheet)
        if opened.start is None:
            return
        left, width = opened.start[1], opened.width
        for number, row in enumerate(opened.iter_rows(), 1):
            for column, name in self._errors.get(number, {}).items():
                if left <= column < left + width:
                    row[column - left] = ERROR_MARK + name
            yield number, row

    def _open(self, name: str) -> Any:
        from python_calamine import CalamineError

        if self._opened[0] != name:
            try:
                sheet = self._book.get_sheet_by_name(name)
            except (CalamineError, OSError) as error:
                raise broken(str(error)[:100]) from error
            if sheet.total_width > self._limits.max_columns:
                raise too_many_columns(sheet.total_width, self._limits)
            if sheet.height > self._limits.max_rows + HEAD_ROWS:
                raise too_many_rows(self._limits)
            self._opened, self._errors = (name, sheet), {}
        return self._opened[1]


def _content(path: Path) -> bytes:
    """The file without what calamine stumbles over: numbers of formats (see `biff`); in an .ods, blanks between cells
    and breaks within a text."""
    if not zipfile.is_zipfile(path):
        return biff.with_own_formats(path.read_bytes())
    with zipfile.ZipFile(path) as archive:
        if ODS_CONTENT not in archive.namelist() or not any(map(_STUMBLES.search, _pieces(archive))):
            return path.read_bytes()
        made = io.BytesIO()
        with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as plain:
            for name in {"mimetype", "META-INF/manifest.xml"} & set(archive.namelist()):
                plain.writestr(name, archive.read(name))
            with plain.open(ODS_CONTENT, "w") as content:
                for piece in _pieces(archive):
                    content.write(_BREAK.sub(b"\n", _INDENTED.sub(b"", piece)))
    return made.getvalue()


def _pieces(archive: zipfile.ZipFile) -> Iterator[bytes]:
    """The content of an .ods, cut within the end tags of rows, so that blanks stand between the tags around them."""
    rest = b""
    with archive.open(ODS_CONTENT) as content:
        while block := content.read(MB):
            rest += block
            cut = rest.rfind(_ROW_END)
            if cut >= 0:
                yield rest[: cut + len(_ROW_END)]
                rest = rest[cut + len(_ROW_END) :]
    yield rest
