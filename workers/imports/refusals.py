"""The workbook of the refused rows: the user's own columns, the row and all reasons; to be mended and sent again."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workers.imports.checking import opened
from workers.imports.orders import Order, Tell
from workers.imports.scratch import Scratch
from workers.services.workbooks import MIN_WIDTH, Sink, Workbook

if TYPE_CHECKING:
    from workers.services.sheets import Row, Sheet

ADDED = (("Satır", "Row"), ("Hata Nedeni", "Reason"))
GROUP = ("İçe aktarma", "Import")  # above them, where there are groups: the last of these would reach over them
WRITING = ("Hatalı satırlar yazılıyor...", "Writing the refused rows...")
DAY = "as_of"
MAX_WIDTH, REASON_WIDTH, ROW_WIDTH = 40, 80, 8


def write(order: Order, place: Path, scratch: Scratch, sink: Sink, tell: Tell) -> None:
    """`tell` hears how many of the refused rows are written."""
    with opened(order, place) as sheet, Workbook(sink, str(place)) as book:
        page = book.page(sheet.name)
        ours = {word for words in ADDED for word in words}  # of an earlier round: the new ones take their place
        own = [number for number, header in enumerate(sheet.headers) if header not in ours]
        widths = [min(max(len(sheet.headers[number]) + 2, MIN_WIDTH), MAX_WIDTH) for number in own]
        day = _heading_of_day(order, sheet)
        added = [*day, *(order.word(words) for words in ADDED)]
        above = [order.word(GROUP), *[""] * (len(added) - 1)]
        for head, ends in zip(sheet.heads, [above, added][-len(sheet.heads) :], strict=True):
            sizes = [*widths, *[MIN_WIDTH] * len(day), ROW_WIDTH, REASON_WIDTH]
            page.head([*(head[number] for number in own), *ends], sizes)
        page.rows(_rows(order, sheet, own, scratch, tell))


def _heading_of_day(order: Order, sheet: "Sheet") -> list[str]:
    """Of the column for the day that was given by hand: without it the mended rows would lack it again."""
    columns = [] if order.as_of is None or DAY in sheet.mapping else order.meaning.columns
    return [column.heading(order.language) for column in columns if column.name == DAY]


def _rows(order: Order, sheet: "Sheet", own: list[int], scratch: Scratch, tell: Tell) -> Iterator[list[Any]]:
    days = [order.as_of for _ in _heading_of_day(order, sheet)]
    dated = own.index(sheet.headers.index(sheet.mapping[DAY])) if DAY in sheet.mapping else None
    said = scratch.said(bad=True)
    wanted, reasons = next(said, (0, []))
    written, total = 0, scratch.count(bad=True)
    for rows in sheet.rows(after=wanted - 1):
        for row in rows:
            if row.number == wanted:
                cells = [row.cells[number] if number < len(row.cells) else None for number in own]
                if dated is not None and _has_no_day(row):
                    cells[dated] = order.as_of
                yield [*cells, *days, row.number, "; ".join(order.word(words) for words in reasons)]
                wanted, reasons = next(said, (0, []))
                written += 1
        tell(written, total, order.word(WRITING))
        if not wanted:
            return


def _has_no_day(row: "Row") -> bool:
    """A cell that is no day is for the person to mend."""
    return (row.values or {}).get(DAY) is None and all(said.field != DAY for said in row.reasons)
