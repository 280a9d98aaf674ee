"""Sheet XML in an unusual form (prefixes, comments, cells without a reference) as the plain form that Excel writes."""

from collections.abc import Iterator
from html import escape  # xml.sax.saxutils loads half of the standard library, for each file that is read
from typing import IO
from xml.etree import ElementTree

from workers.services.sheets.strings import runs

PIECE_ROWS = 2_000
_KEPT = ("s", "t")


def rewritten(part: IO[bytes]) -> Iterator[bytes]:
    """Its rows in pieces, each with its number, each cell with its reference. As slow as any XML parser."""
    rows: list[str] = []
    number, root = 0, None
    for event, element in ElementTree.iterparse(part, events=("start", "end")):
        root = element if root is None else root
        if event == "end" and _name(element) == "row":
            number = int(element.get("r") or number + 1)
            rows.append(_row(element, number))
            root.clear()
            element.clear()
            if len(rows) == PIECE_ROWS:
                yield "".join(rows).encode()
                rows = []
    yield "".join(rows).encode()


def _name(element: ElementTree.Element) -> str:
    return element.tag.rpartition("}")[2]


def _row(row: ElementTree.Element, number: int) -> str:
    column, cells = 0, []
    for cell in row:
        if _name(cell) == "c":
            letters = (cell.get("r") or "").rstrip("0123456789")
            column = column_number(letters) if letters else column + 1
            cells.append(_cell(cell, f"{column_letters(column)}{number}"))
    return f'<row r="{number}">{"".join(cells)}</row>'


def _cell(cell: ElementTree.Element, reference: str) -> str:
    attributes = "".join(f' {name}="{escape(cell.attrib[name])}"' for name in _KEPT if name in cell.attrib)
    return f'<c r="{reference}"{attributes}>{"".join(_inner(child) for child in cell)}</c>'


def _inner(child: ElementTree.Element) -> str:
    name = _name(child)
    if name == "is":
        return f'<is><t xml:space="preserve">{escape("".join(runs(child)), quote=False)}</t></is>'
    return f"<{name}>{escape(child.text or '', quote=False)}</{name}>" if name in ("v", "f") else ""


def column_letters(number: int) -> str:
    """
    >>> column_letters(1), column_letters(28), column_letters(16384)
    ('A', 'AB', 'XFD')
    """
    letters = ""
    while number:
        number, rest = divmod(number - 1, 26)
        letters = chr(65 + rest) + letters
    return letters


def column_number(letters: str) -> int:
    """
    >>> column_number("A"), column_number("XFD")
    (1, 16384)
    """
    number = 0
    for letter in letters:
        number = number * 26 + ord(letter) - 64
    return number
