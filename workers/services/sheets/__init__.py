"""Sheets in: a workbook or csv file becomes rows with their true numbers, what they mean, and what is wrong with them.

    with sheets.read(path, filename="cari.xlsx", fields=fields) as sheet:
        for chunk in sheet.rows(after=0):
            for row in chunk:
                row.number, row.cells, row.values, row.reasons, row.warnings

A file is foreign: it may be a bomb, a lie, or half of something. So it is parsed in a process of its own (`child`) that
has no secrets, little memory and little time, and whose answers are JSON. There `guard` unpacks it once and refuses
what is dangerous; `xlsx`, `others` and `delimited` give its rows; `headers` finds out which column is what
(`fitting` how well each would do, `choosing` which then it is, `by_cells` which a known heading lacks, `beside` what
further columns say of a field);
`rows`, `meanings` and `values` give the cells their meaning.

`reading` speaks to the child, in `shapes`. Beneath `xlsx` lie pieces, stencil, rewriting and strings; beneath `others`
blocks, biff, error_cells and cell_formats; beneath `values` amounts and days.

All refusals are `SheetRefused`: its message is Turkish, or English with a field `language="en"`.
"""

from workers.services.sheets.reading import Sheet, read
from workers.services.sheets.shapes import UNCACHED, CellError, Field, Limits, Problem, Row

__all__ = ["UNCACHED", "CellError", "Field", "Limits", "Problem", "Row", "Sheet", "read"]
