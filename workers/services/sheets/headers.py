"""Which row of a sheet names the columns, and which column is which field."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from workers.errors import NoHeader, SheetRefused
from workers.services import turkish
from workers.services.sheets.guard import refuse
from workers.services.sheets.shapes import Field

HEAD_ROWS = 50
GIVEN, EXACT, GROUPED, TRIMMED, PART = 20, 10, 9, 8, 5
MIN_PART_LETTERS, MAX_HEADER_LETTERS = 5, 40
ENOUGH_FIELDS = 2
SHOWN_ROWS, SHOWN_CELLS, SHOWN_CHARS = 5, 6, 30
_BRACKETS = re.compile(r"[(\[].*?[)\]]")
_CURRENCY = re.compile(r"(?<=...)(tl|try|usd|eur)$")

HeadRow = tuple[int, Sequence[Any]]


@dataclass(frozen=True)
class Header:
    """`names`: of all columns, "" where there is none; twice the same becomes "Borç" and "Borç (2)"."""

    row: int
    names: list[str]
    columns: dict[str, int]
    score: int

    @property
    def mapping(self) -> dict[str, str]:
        return {field: self.names[column] for field, column in self.columns.items()}


def find(rows: Sequence[HeadRow], fields: Sequence[Field], given: Mapping[str, str] | None = None) -> Header | None:
    """The row that names most fields; None if none names all required ones, or two.

    `given` (field to header) goes before the proposal where the file has that header; "" leaves a field out.
    """
    width = max((len(cells) for _, cells in rows), default=0)
    found = [_read(rows, n, width, fields, given or {}) for n in range(len(rows))]
    best = max(found, key=lambda header: header.score, default=None)
    if best is None:
        return None
    required = {field.name for field in fields if field.required}
    return best if len(best.columns) >= ENOUGH_FIELDS or (required and required <= best.columns.keys()) else None


def check(header: Header, fields: Sequence[Field]) -> None:
    """Refuses a header without the columns that no row can do without."""
    missing = [field.aliases[0] for field in fields if field.required and field.name not in header.columns]
    if missing:
        seen = ", ".join(filter(None, header.names))
        tr = f"{header.row}. satırdaki başlıklarda {', '.join(missing)} yok; görülenler: {seen}"
        raise refuse(tr, f"row {header.row} has no {', '.join(missing)} among {seen}", error=NoHeader)


def not_found(rows: Sequence[HeadRow], fields: Sequence[Field]) -> SheetRefused:
    wanted = ", ".join(field.aliases[0] for field in fields)
    seen = " / ".join(f"{number}: {_shown(cells)}" for number, cells in rows[:SHOWN_ROWS])
    tr = f"aranan sütunlar: {wanted}; dosyanın ilk satırları: {seen}"
    return refuse(tr, f"wanted are {wanted}; the first rows are {seen}", error=NoHeader)


def _shown(cells: Sequence[Any]) -> str:
    texts = [_label(cell) for cell in cells if cell is not None]
    return " | ".join(text[:SHOWN_CHARS] for text in texts[:SHOWN_CELLS]) + (" | …" if len(texts) > SHOWN_CELLS else "")


def _label(cell: Any) -> str:
    return "" if cell is None else " ".join(str(cell).split())


def _read(rows: Sequence[HeadRow], n: int, width: int, fields: Sequence[Field], given: Mapping[str, str]) -> Header:
    number, cells = rows[n]
    own = _padded(cells, width)
    above = _padded(rows[n - 1][1], width) if n and rows[n - 1][0] == number - 1 else [""] * width
    if sum(map(bool, above)) < 2:  # a title, no group
        above = [""] * width
    groups = _spread(above, own)
    names = _distinct([mine or up for mine, up in zip(own, above, strict=True)])
    scores = [
        (score, -order, -column)
        for order, field in enumerate(fields)
        for column in range(width)
        if (score := _score(field, names[column], own[column], groups[column], given)) and own[column] + above[column]
    ]
    columns, score = _assigned(scores, fields)
    return Header(number, names, columns, score if any(own) else 0)


def _padded(cells: Sequence[Any], width: int) -> list[str]:
    return [_label(cell) if isinstance(cell, str) else "" for cell in cells] + [""] * (width - len(cells))


def _spread(above: list[str], own: list[str]) -> list[str]:
    """A merged cell's text stands in its first column only."""
    spread, last = [], ""
    for up, mine in zip(above, own, strict=True):
        last = up or (last if mine else "")
        spread.append(last)
    return spread


def _distinct(names: list[str]) -> list[str]:
    seen: dict[str, int] = {}
    distinct = []
    for name in names:
        seen[name] = seen.get(name, 0) + 1
        distinct.append(f"{name} ({seen[name]})" if name and seen[name] > 1 else name)
    return distinct


def _score(field: Field, name: str, own: str, group: str, given: Mapping[str, str]) -> int:
    """How well the header `name` (`own` without what stands above it, `group` above it) fits."""
    if field.name in given and (not given[field.name] or _same(given[field.name], name)):
        return GIVEN if given[field.name] else 0
    aliases, folded = _aliases(field), _folded(own or name)
    if folded in aliases:
        return EXACT
    if group and _folded(f"{group}{own}") in aliases:
        return GROUPED
    if _CURRENCY.sub("", _folded(_BRACKETS.sub("", own or name))) in aliases:
        return TRIMMED
    long = tuple(alias for alias in aliases if len(alias) >= MIN_PART_LETTERS)
    whole = len(folded) < MAX_HEADER_LETTERS and (folded.startswith(long) or folded.endswith(long))
    return PART if long and whole else 0


@lru_cache(1024)
def _aliases(field: Field) -> frozenset[str]:
    return frozenset(map(turkish.fold, field.aliases)) - {""}


_folded = lru_cache(65_536)(turkish.fold)


def _same(one: str, other: str) -> bool:
    return one == other or (_folded(one) == _folded(other) != "")


def _assigned(scores: list[tuple[int, int, int]], fields: Sequence[Field]) -> tuple[dict[str, int], int]:
    """The best pairs first, each field and each column once."""
    columns: dict[str, int] = {}
    total = 0
    for score, order, column in sorted(scores, reverse=True):
        field = fields[-order].name
        if field not in columns and -column not in columns.values():
            columns[field] = -column
            total += score
    return {field.name: columns[field.name] for field in fields if field.name in columns}, total
