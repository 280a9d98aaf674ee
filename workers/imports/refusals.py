"""The workbook of the refused rows: the user's own columns, the row and all reasons; to be mended and sent again."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workers.imports.checking import opened
from workers.imports.orders import Order, Tell
from workers.imports.scratch import Scratch
from workers.services.workbooks import MIN_WIDTH, Sink, Workbook

if TYPE_CHECKING:
    from workers.services.sheets import Sheet

ADDED = (("Satır", "Row"), ("Hata Nedeni", "Reason"))
GROUP = ("İçe aktarma", "Import")  # above them, where there are groups: the last of these would reach over them
WRITING = ("Hatalı satırlar yazılıyor...", "Writing the refused rows...")
MAX_WIDTH, REASON_WIDTH, ROW_WIDTH = 40, 80, 8


def write(order: Order, place: Path, scratch: Scratch, sink: Sink, tell: Tell) -> None:
    """`tell` hears how many of the refused rows are written."""
    with opened(order, place) as sheet, Workbook(sink, str(place)) as book:
        page = book.page(sheet.name)
        ours = {word for words in ADDED for word in words}  # of an earlier round: the new ones take their place
        own = [number for number, header in enumerate(sheet.headers) if header not in ours]
        widths = [min(max(len(sheet.headers[number]) + 2, MIN_WIDTH), MAX_WIDTH) for number in own]
        added = [[order.word(GROUP), ""], [order.word(words) for words in ADDED]]
        for head, ends in zip(sheet.heads, added[-len(sheet.heads) :], strict=True):
            page.head([*(head[number] for number in own), *ends], [*widths, ROW_WIDTH, REASON_WIDTH])
        page.rows(_rows(order, sheet, own, scratch, tell))


def _rows(order: Order, sheet: "Sheet", own: list[int], scratch: Scratch, tell: Tell) -> Iterator[list[Any]]:
    said = scratch.said(bad=True)
    wanted, reasons = next(said, (0, []))
    written, total = 0, scratch.count(bad=True)
    for rows in sheet.rows(after=wanted - 1):
        for row in rows:
            if row.number == wanted:
                cells = [row.cells[number] if number < len(row.cells) else None for number in own]
                yield [*cells, row.number, "; ".join(order.word(words) for words in reasons)]
                wanted, reasons = next(said, (0, []))
                written += 1
        tell(written, total, order.word(WRITING))
        if not wanted:
            return
