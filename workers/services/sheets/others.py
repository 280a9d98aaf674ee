"""Workbooks that are no xlsx: .xls, .xlsb and .ods, through calamine, which holds a whole sheet in memory.

calamine does not tell their errors (#DIV/0!) from empty cells, which `error_cells` finds, nor their number formats.
"""

import io
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from workers.services.sheets import error_cells
from workers.services.sheets.blocks import Block, block_of
from workers.services.sheets.guard import broken, encrypted, too_many_columns, too_many_rows
from workers.services.sheets.shapes import CellError, Limits

BLOCK_ROWS = 2_000


class Others:
    """A `Source`."""

    def __init__(self, path: Path, limits: Limits) -> None:
        from python_calamine import CalamineError, PasswordError, SheetTypeEnum, SheetVisibleEnum, load_workbook

        try:
            self._book = load_workbook(io.BytesIO(path.read_bytes()))  # of a path it would believe the ending
        except PasswordError as error:
            raise encrypted() from error
        except (CalamineError, OSError) as error:
            raise broken(str(error)[:100]) from error
        self._path, self._order = path, [one.name for one in self._book.sheets_metadata]
        self._errors: error_cells.Errors = {}
        sheets = [one for one in self._book.sheets_metadata if one.typ == SheetTypeEnum.WorkSheet]
        self.sheets = [one.name for one in sheets]
        self.visible = [one.name for one in sheets if one.visible == SheetVisibleEnum.Visible]
        self._limits = limits
        self._opened: tuple[str, Any] = ("", None)

    def wants_formats(self, columns: list[int]) -> None:
        """These files don't say."""

    def filled_rows(self, sheet: str) -> int:
        """It is the sheet that will be read: from now on its blocks tell its errors."""
        filled = sum(row.count("") != len(row) for row in self._open(sheet).iter_rows())
        self._errors = error_cells.find(self._path, self._order.index(sheet))
        return filled

    def blocks(self, sheet: str, after: int = 0) -> Iterator[Block]:
        opened = self._open(sheet)
        if opened.start is None:
            return
        _, left = opened.start
        rows = islice(
            enumerate(opened.iter_rows(), 1), after, None
        )  # with the empty rows above, not the columns before
        while chunk := list(islice(rows, BLOCK_ROWS)):
            numbers, cells = zip(*chunk, strict=True)
            yield self._with_errors(block_of(list(numbers), list(cells), left=left))

    def _with_errors(self, block: Block) -> Block:
        for n, number in enumerate(block.numbers) if self._errors else ():
            for column, name in self._errors.get(number, {}).items():
                if column < len(block.columns):
                    block.columns[column][n] = CellError(name)
        return block

    def _open(self, name: str) -> Any:
        from python_calamine import CalamineError

        if self._opened[0] != name:
            try:
                sheet = self._book.get_sheet_by_name(name)
            except (CalamineError, OSError) as error:
                raise broken(str(error)[:100]) from error
            if sheet.total_width > self._limits.max_columns:
                raise too_many_columns(sheet.total_width, self._limits)
            if sheet.height > self._limits.max_rows:
                raise too_many_rows(self._limits)
            self._opened, self._errors = (name, sheet), {}
        return self._opened[1]
