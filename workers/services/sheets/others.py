"""Workbooks that are no xlsx: .xls, .xlsb and .ods, through calamine, which holds a whole sheet in memory.

calamine does not tell their errors (#DIV/0!) from empty cells, nor their number formats.
"""

import io
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from workers.services.sheets.blocks import Block, block_of
from workers.services.sheets.guard import broken, encrypted, too_many_columns, too_many_rows
from workers.services.sheets.shapes import Limits

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
        sheets = [one for one in self._book.sheets_metadata if one.typ == SheetTypeEnum.WorkSheet]
        self.sheets = [one.name for one in sheets]
        self.visible = [one.name for one in sheets if one.visible == SheetVisibleEnum.Visible]
        self._limits = limits
        self._opened: tuple[str, Any] = ("", None)

    def wants_formats(self, columns: list[int]) -> None:
        """These files don't say."""

    def filled_rows(self, sheet: str) -> int:
        return sum(row.count("") != len(row) for row in self._open(sheet).iter_rows())

    def blocks(self, sheet: str, after: int = 0) -> Iterator[Block]:
        opened = self._open(sheet)
        if opened.start is None:
            return
        top, left = opened.start
        rows = islice(enumerate(opened.iter_rows(), top + 1), max(after - top, 0), None)
        while chunk := list(islice(rows, BLOCK_ROWS)):
            numbers, cells = zip(*chunk, strict=True)
            yield block_of(list(numbers), list(cells), left=left)

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
            self._opened = (name, sheet)
        return self._opened[1]
