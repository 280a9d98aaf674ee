"""Blocks of known height, put together and flowed over A4 pages."""

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import NamedTuple

from reportlab.lib.pagesizes import A4

from workers.services.typesetting import Ink, Pen, Style, width, wrap

LEFT, RIGHT, TOP, BOTTOM = 62.0, A4[0] - 62.0, A4[1] - 52.0, 46.0
WIDTH = RIGHT - LEFT


class Block(NamedTuple):
    """Something that is never cut in half. `paint` gets the pen and the block's upper edge in points.

    `header` is repeated above it where the block is the first of a new page.
    """

    height: float
    paint: Callable[[Pen, float], None]
    header: "Block | None" = None


Page = list[tuple[Block, float]]


def gap(height: float) -> Block:
    return Block(height, lambda pen, top: None)


def rule(weight: float, ink: Ink) -> Block:
    return Block(0, lambda pen, top: pen.rule(LEFT, top, WIDTH, weight, ink))


def text(words: str, style: Style, x: float = LEFT, room: float = WIDTH, *, most: int = 1000) -> list[Block]:
    """A block for each line, so that a long text can go on on the next page."""
    return [Block(style.leading, partial(_line, x, line, style)) for line in wrap(words, style, room, most)]


def text_right(words: str, style: Style) -> list[Block]:
    """The same, its lines ending at the right margin."""
    lines = wrap(words, style, WIDTH)
    return [Block(style.leading, partial(_line, RIGHT - width(line, style), line, style)) for line in lines]


def _line(x: float, line: str, style: Style, pen: Pen, top: float) -> None:
    pen.write(x, baseline(top, style.leading, style), line, style)


def baseline(top: float, height: float, style: Style) -> float:
    """Where a line stands whose capitals, 0.72 of its size high, are in the middle between `top` and `height` below."""
    return top - (height + 0.72 * style.size) / 2


def stack(blocks: Sequence[Block]) -> Block:
    """Blocks one below the other that stay on one page."""

    def paint(pen: Pen, top: float) -> None:
        for block in blocks:
            block.paint(pen, top)
            top -= block.height

    return Block(sum(block.height for block in blocks), paint)


def beside(columns: Sequence[Sequence[Block]]) -> Block:
    """Columns of blocks that begin at the same height and stay on one page."""
    stacks = [stack(column) for column in columns]

    def paint(pen: Pen, top: float) -> None:
        for column in stacks:
            column.paint(pen, top)

    return Block(max(column.height for column in stacks), paint)


def paginate(blocks: Iterable[Block], ending: Block) -> list[Page]:
    """Blocks with their upper edges, page by page; the ending stands at the foot of a page it shares, else on top."""
    pages: list[Page] = [[]]
    top = TOP
    for block in blocks:
        if top - block.height < BOTTOM:
            pages.append([(block.header, TOP)] if block.header else [])
            top = TOP - (block.header.height if block.header else 0)
        pages[-1].append((block, top))
        top -= block.height
    if top - ending.height < BOTTOM:
        pages.append([(ending, TOP)])
    else:
        pages[-1].append((ending, BOTTOM + ending.height))
    return pages
