"""Which column is the side or the currency of the amounts, by what its cells hold, where its heading does not say it.

A column of which that is not sure is not taken, and not passed over either: without it credits would be debits, and
dollars lira.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from workers.services.sheets.amounts import Amount
from workers.services.sheets.choosing import BOTH, Choice, Pair
from workers.services.sheets.fitting import GIVEN, PART, folded, is_other_figure, words_of
from workers.services.sheets.shapes import Field
from workers.services.sheets.values import SIDES, Said, currency, money

_SIDE_HEADINGS = {"yon", "yonu", "tip", "tipi", "tur", "turu", "sekil", "sekli", "cins", "cinsi", ""}
_CLASSES = (
    "aktif",
    "durum",
    "statu",
    "onay",
    "sinif",
    "grup",
    "grub",
    "kategori",
    "segment",
    "bolge",
    "sube",
    "seri",
    "kod",
    "not",
    "derece",
)


def side_by_cells(
    choice: Choice,
    fields: Sequence[Field],
    own: Sequence[str],
    below: Sequence[Sequence[Any]],
    given: Mapping[str, str],
) -> tuple[str, int] | None:
    """The field of sides and its column, where no heading names it, but a column that is called `Tip` or, right of an
    amount, nothing at all holds B and A alone."""
    side = next((each for each in fields if each.kind == "side"), None)
    if side is None or side.name in choice.columns or given.get(side.name) == "":
        return None
    taken = set(choice.columns.values())
    behind = {choice.columns[each.name] + 1 for each in fields if each.kind == "money" and each.name in choice.columns}
    found = [
        at
        for at, heading in enumerate(own)
        if at not in taken
        and folded(heading) in _SIDE_HEADINGS
        and (heading or at in behind)
        and (cells := _filled(at, below))
        and all(folded(cell) in SIDES for cell in cells)
    ]
    return (side.name, found[0]) if len(found) == 1 and behind else None


def sides_unclear(
    choice: Choice,
    fields: Sequence[Field],
    own: Sequence[str],
    below: Sequence[Sequence[Any]],
    given: Mapping[str, str],
) -> list[int]:
    """Beside a balance that nothing gives a side, columns that mostly hold B and A: `Hareket Tipi` may be it, or
    something else. `Sınıf` is none."""
    side = next((each.name for each in fields if each.kind == "side"), "")
    amounts = [each.name for each in fields if each.kind == "money" and each.name in choice.columns]
    if not side or side in choice.columns or given.get(side) == "" or not amounts or {*BOTH} <= {*amounts}:
        return []
    places = [choice.columns[name] for name in amounts]
    if any(_has_side(cells[at]) for at in places for cells in below if at < len(cells)):
        return []
    free = [at for at, heading in enumerate(own) if heading and at not in choice.columns.values()]
    return [at for at in free if not _is_class(own[at]) and _holds_sides(at, below)]


def _is_class(heading: str) -> bool:
    return any(word.startswith(_CLASSES) for word in words_of(heading))


def _has_side(cell: Any) -> bool:
    amount = money(cell)
    if amount is None or isinstance(amount, Said):
        return False
    return amount.side is not None or amount.value < 0 if isinstance(amount, Amount) else amount < 0


def _holds_sides(at: int, below: Sequence[Sequence[Any]]) -> bool:
    held = [folded(cell) in SIDES for cell in _filled(at, below)]
    return sum(held) * 2 > len(held)


def _filled(at: int, below: Sequence[Sequence[Any]]) -> list[str]:
    cells = (str(cells[at]) for cells in below if at < len(cells) and cells[at] is not None)
    return [cell for cell in cells if cell.strip()]


def currencies_by_cells(
    pairs: list[Pair],
    fields: Sequence[Field],
    own: Sequence[str],
    below: Sequence[Sequence[Any]],
    given: Mapping[str, str],
) -> tuple[list[Pair], list[int]]:
    """Where the currencies of amounts have no heading that is sure, the one column that mostly holds currencies, such
    as `İşlem Dövizi` or `Birim`: without it dollars would be lira. What else it holds is refused in its row. Of several
    that do not agree none, and which they are."""
    order = next((order for order, each in enumerate(fields) if each.kind == "currency"), -1)
    money = {at for _, which, at in pairs if fields[which].kind == "money"}
    named = [at for score, which, at in sorted(pairs, key=lambda pair: (-pair[0], pair[2])) if which == order]
    sure = any(
        which == order and (score == GIVEN or (score > PART and _filled(at, below))) for score, which, at in pairs
    )
    if order < 0 or not money or sure or given.get(fields[order].name) == "":
        return pairs, []
    known = {at for _, _, at in pairs}
    free = [
        at
        for at, heading in enumerate(own)
        if at not in known
        and (not is_other_figure(_without_rate(heading)) if heading else at - 1 in money)
        and _holds_currencies(at, below)
    ]
    told = [at for at in named if not _filled(at, below) or _holds_currencies(at, below)]
    if not free and len(told) < 2:
        return pairs, []
    first, *more = [*told, *free]
    rivals = [at for at in more if not told or _currencies(at, below) != _currencies(first, below)]
    others = [pair for pair in pairs if pair[1] != order]
    return ([*others], [first, *rivals]) if rivals else ([*others, (PART, order, first)], [])


def _without_rate(heading: str) -> str:
    """`Kur Türü` above currencies is theirs."""
    return " ".join(word for word in heading.split() if folded(word) not in ("kur", "kuru"))


def _holds_currencies(at: int, below: Sequence[Sequence[Any]]) -> bool:
    held = [isinstance(currency(cell), str) for cell in _filled(at, below)]
    return sum(held) * 2 > len(held)


def _currencies(at: int, below: Sequence[Sequence[Any]]) -> list[Any]:
    """Of each row, as it would be taken: TRY where nothing stands."""
    cells = (str(cells[at]) if at < len(cells) and cells[at] is not None else "" for cells in below)
    return [currency(cell) or "TRY" for cell in cells]
