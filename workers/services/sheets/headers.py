"""Which row of a sheet names the columns, and which column is which field."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from typing import Any

from workers.errors import NoHeader, SheetRefused
from workers.services import turkish
from workers.services.sheets.guard import refuse
from workers.services.sheets.shapes import Field
from workers.services.sheets.values import currency, currency_in

GIVEN, UNDER_GROUP, EXACT, GROUPED, TRIMMED, PART = 20, 11, 10, 9, 8, 5
MIN_PART_LETTERS, MAX_HEADER_LETTERS = 5, 40
MAX_GROUP_CHARS = 25  # longer ones are titles, whose TL says little of the columns below
ENOUGH_FIELDS = 2
SHOWN_ROWS, SHOWN_CELLS, SHOWN_CHARS = 5, 6, 30
_BRACKETS = re.compile(r"[(\[].*?[)\]]")
_CURRENCY = re.compile(r"^(tl|try|usd|eur|gbp)(?=...)|(?<=...)(tl|try|usd|eur|gbp)$")

HeadRow = tuple[int, Sequence[Any]]


@dataclass(frozen=True)
class Header:
    """`names`: of all columns, "" where there is none; twice the same becomes "Borç" and "Borç (2)", and what only the
    merged cell above makes clear bears that in front: "USD Borç". `own`: what stands in the header's row itself;
    `groups`: what stands above it, if that is so.

    `others`: columns that fit a field of money as well as its own column does, and are in another currency.
    `seconds`: further columns of tax numbers (VKN for firms, TCKN for persons), for the rows where the first is empty.
    """

    row: int
    names: list[str]
    columns: dict[str, int]
    score: int
    own: Sequence[str] = ()
    groups: Sequence[str] = ()
    others: Sequence[int] = ()
    seconds: Sequence[int] = ()

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
    if isinstance(cell, date):
        return turkish.format_date(cell)
    return "" if cell is None else " ".join(str(cell).split())


def _read(rows: Sequence[HeadRow], n: int, width: int, fields: Sequence[Field], given: Mapping[str, str]) -> Header:
    number, cells = rows[n]
    own = _padded(cells, width)
    above = _padded(rows[n - 1][1], width) if n and rows[n - 1][0] == number - 1 else [""] * width
    if _is_title(above):
        above = [""] * width
    groups = _spread(above, own)
    names = _names(cells, own, above, groups, fields)
    pairs = [
        (score, order, column)
        for order, field in enumerate(fields)
        for column in range(width)
        if own[column] + above[column] and (score := _score(field, names[column], own[column], groups[column], given))
    ]
    plain = {column for score, _, column in pairs if score > PART}  # `Borç Bakiye` is no bakiye
    fitting = [pair for pair in pairs if pair[0] > PART or pair[2] not in plain]
    columns, score = _assigned(fitting, fields)
    others = _others(fitting, fields, columns, names)
    taxed = {at for score, order, at in fitting if score > PART and fields[order].kind == "tax_number"}
    seconds = sorted(taxed - set(columns.values())) if "tax_number" in columns else []
    parted = names != _distinct(_shown_names(cells, own, above))
    return Header(number, names, columns, score if any(own) else 0, own, above if parted else (), others, seconds)


def _is_title(above: list[str]) -> bool:
    """One text by itself, unless it is nothing but the currency of the columns below."""
    texts = list(filter(None, above))
    return not texts or (len(texts) == 1 and not isinstance(currency(texts[0]), str))


def _names(
    cells: Sequence[Any], own: list[str], above: list[str], groups: list[str], fields: Sequence[Field]
) -> list[str]:
    aliases = frozenset[str]().union(*map(_aliases, fields))
    amounts = frozenset[str]().union(*(_aliases(field) for field in fields if field.kind == "money"))

    def told(mine: str, group: str) -> bool:
        if own.count(mine) > 1 or (_folded(mine) not in aliases and _folded(group + mine) in aliases):
            return True
        return _folded(mine) in amounts and len(group) <= MAX_GROUP_CHARS and currency_in(group) is not None

    names = _shown_names(cells, own, above)
    pairs = enumerate(zip(own, groups, strict=True))
    return _distinct(
        [f"{group} {mine}" if mine and group and told(mine, group) else names[n] for n, (mine, group) in pairs]
    )


def _shown_names(cells: Sequence[Any], own: list[str], above: list[str]) -> list[str]:
    """Of each column, what stands there, or above it; also numbers and days."""
    shown = [_label(cell) for cell in cells] + [""] * (len(own) - len(cells))
    return [mine or up or number for mine, up, number in zip(own, above, shown, strict=True)]


def _others(
    fitting: list[tuple[int, int, int]], fields: Sequence[Field], columns: Mapping[str, int], names: Sequence[str]
) -> list[int]:
    """`TL Borç` was taken: where `USD Borç` holds something, that is not imported, and must be said."""
    money = [(fields[order], at) for score, order, at in fitting if score > PART and fields[order].kind == "money"]
    used = {field.name: currency_in(names[columns[field.name]]) or "TRY" for field, _ in money if field.name in columns}
    taken = set(columns.values())
    return sorted(
        {
            at
            for field, at in money
            if at not in taken and (currency_in(names[at]) or used[field.name]) != used[field.name]
        }
    )


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
    if field.name in given and (not given[field.name] or _same(given[field.name], name) or given[field.name] == own):
        return GIVEN if given[field.name] else 0
    aliases, folded = _aliases(field), _folded(own or name)
    grouped = bool(group) and _folded(group + own) in aliases
    if folded in aliases:
        return UNDER_GROUP if grouped else EXACT
    if grouped:
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
    for score, order, column in sorted(scores, key=lambda pair: (-pair[0], pair[1], pair[2])):
        field = fields[order].name
        if field not in columns and column not in columns.values():
            columns[field] = column
            total += score
    return {field.name: columns[field.name] for field in fields if field.name in columns}, total
