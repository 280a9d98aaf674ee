"""Which row of a sheet names the columns, and which column is which field."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from workers.errors import NoHeader, SheetRefused
from workers.services import turkish
from workers.services.sheets.by_cells import currencies_by_cells, side_by_cells, sides_unclear
from workers.services.sheets.choosing import Choice, choose
from workers.services.sheets.fitting import aliases, folded, score_of
from workers.services.sheets.guard import refuse
from workers.services.sheets.shapes import Field
from workers.services.sheets.values import currency, currency_in

MAX_GROUP_CHARS = 25  # longer ones are titles, whose TL says little of the columns below
ENOUGH_FIELDS = 2
SHOWN_ROWS, SHOWN_CELLS, SHOWN_CHARS = 5, 6, 30
SIDE_NAME, CURRENCY_NAME = "B/A", "Para Birimi"  # of a column of B and A, of currencies, without a heading

HeadRow = tuple[int, Sequence[Any]]


@dataclass(frozen=True, kw_only=True)
class Header(Choice):
    """`names`: of all columns, "" where there is none; twice the same becomes "Borç" and "Borç (2)", and what only the
    merged cell above makes clear bears that in front: "USD Borç". `own`: what stands in the header's row itself;
    `groups`: what stands above it, if that is so.
    """

    row: int
    names: list[str]
    own: Sequence[str] = ()
    groups: Sequence[str] = ()

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
    best = _with_sides(best, rows, fields, given or {})
    required = {field.name for field in fields if field.required}
    return best if len(best.columns) >= ENOUGH_FIELDS or (required and required <= best.columns.keys()) else None


def _with_sides(header: Header, rows: Sequence[HeadRow], fields: Sequence[Field], given: Mapping[str, str]) -> Header:
    below = [cells for number, cells in rows if number > header.row]
    found = side_by_cells(header, fields, header.own, below, given)
    if found is None:
        unclear = sides_unclear(header, fields, header.own, below, given)
        side = next((each.name for each in fields if each.kind == "side"), "")
        return replace(header, unclear={**header.unclear, side: unclear}) if unclear else header
    name, at = found
    names = [*header.names]
    names[at] = names[at] or SIDE_NAME
    return replace(header, names=names, columns={**header.columns, name: at})


def check(header: Header, fields: Sequence[Field]) -> None:
    """Refuses a header without the columns that no row can do without, and one with two for one amount."""
    for name, columns in header.unclear.items():
        alias = next(field.aliases[0] for field in fields if field.name == name)
        seen = ", ".join(f"“{header.names[at]}”" for at in columns)
        if len(columns) == 1:
            raise refuse(*_perhaps(seen, alias))
        tr = (
            f"{alias} hangi sütunda belli değil: {seen}; yüklerken o sütunu seçin ya da ötekilerin başlığını değiştirin"
        )
        en = f"each of {seen} may be {alias}; name the right one at the upload, or rename the others"
        raise refuse(tr, en)
    missing = [field.aliases[0] for field in fields if field.required and field.name not in header.columns]
    if missing:
        seen = ", ".join(filter(None, header.names))
        tr = f"{header.row}. satırdaki başlıklarda {', '.join(missing)} yok; görülenler: {seen}"
        raise refuse(tr, f"row {header.row} has no {', '.join(missing)} among {seen}", error=NoHeader)


def _perhaps(seen: str, alias: str) -> tuple[str, str]:
    tr = f"{seen} {alias} olabilir, başlığı söylemiyor; öyleyse yüklerken seçin, değilse yok deyin"
    return tr, f"{seen} may be {alias}; if so, choose it at the upload, else say that there is none"


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
    amounts = tuple(field for field in fields if field.kind == "money")
    pairs = [
        (score, order, column)
        for order, field in enumerate(fields)
        for column in range(width)
        if own[column] + above[column]
        and (score := score_of(field, names[column], own[column], groups[column], given, amounts))
    ]
    pairs, unclear = currencies_by_cells(pairs, fields, own, [below for _, below in rows[n + 1 :]], given)
    choice = choose(pairs, fields, names, own)
    if unclear:
        currencies = next(each.name for each in fields if each.kind == "currency")
        choice = replace(choice, unclear={**choice.unclear, currencies: unclear})
    if not any(own):
        choice = replace(choice, score=0)
    parted = names != _distinct(_shown_names(cells, own, above))
    for at in (*unclear, *(at for name, at in choice.columns.items() if not names[at])):
        names[at] = names[at] or CURRENCY_NAME
    return Header(row=number, names=names, own=own, groups=above if parted else (), **vars(choice))


def _is_title(above: list[str]) -> bool:
    """One text by itself, unless it is nothing but the currency of the columns below."""
    texts = list(filter(None, above))
    return not texts or (len(texts) == 1 and not isinstance(currency(texts[0]), str))


def _names(
    cells: Sequence[Any], own: list[str], above: list[str], groups: list[str], fields: Sequence[Field]
) -> list[str]:
    known = frozenset[str]().union(*map(aliases, fields))
    amounts = frozenset[str]().union(*(aliases(field) for field in fields if field.kind == "money"))

    def told(mine: str, group: str) -> bool:
        if own.count(mine) > 1 or (folded(mine) not in known and folded(group + mine) in known):
            return True
        return folded(mine) in amounts and len(group) <= MAX_GROUP_CHARS and currency_in(group) is not None

    names = _shown_names(cells, own, above)
    pairs = enumerate(zip(own, groups, strict=True))
    return _distinct(
        [f"{group} {mine}" if mine and group and told(mine, group) else names[n] for n, (mine, group) in pairs]
    )


def _shown_names(cells: Sequence[Any], own: list[str], above: list[str]) -> list[str]:
    """Of each column, what stands there, or above it; also numbers and days."""
    shown = [_label(cell) for cell in cells] + [""] * (len(own) - len(cells))
    return [mine or up or number for mine, up, number in zip(own, above, shown, strict=True)]


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
