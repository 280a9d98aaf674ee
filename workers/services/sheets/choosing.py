"""Which column is which field: how well each heading fits, and which of several that fit is the one.

Amounts are not guessed. One that is not of today (carried over, overdue, a limit) is none, one in foreign currency is
known for what it is, and of two that fit alike neither is taken: the file is refused until somebody says which.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from workers.services.sheets.fitting import (
    GIVEN,
    PART,
    SEVERAL,
    aliases,
    folded,
    is_balance,
    is_carried,
    is_foreign,
    is_latest,
    words_of,
)
from workers.services.sheets.shapes import Field
from workers.services.sheets.values import currency_in

BOTH = ("borc", "alacak")

Pair = tuple[int, int, int]


@dataclass(frozen=True, kw_only=True)
class Choice:
    """`columns`: by field; `score`: how well they fit together.

    `others`: columns that fit a field of money as well as its own column does, and are in another currency.
    `foreign`: beside the column of such a field that of its amount in the row's foreign currency.
    `seconds`: by field, further columns of tax numbers (VKN for firms, TCKN for persons), addresses and phones.
    `carried`: what was owed before, by itself, where no column holds the balance.
    `balances`: by field, where borç and alacak were taken, the columns of borç bakiye and alacak bakiye beside them.
    `unclear`: columns of which each could be the field's, and none is.
    """

    columns: dict[str, int]
    score: int = 0
    others: Sequence[int] = ()
    foreign: Mapping[str, int] = field(default_factory=dict)
    seconds: Mapping[str, Sequence[int]] = field(default_factory=dict)
    carried: Sequence[int] = ()
    balances: Mapping[str, int] = field(default_factory=dict)
    unclear: Mapping[str, Sequence[int]] = field(default_factory=dict)


def choose(pairs: Sequence[Pair], fields: Sequence[Field], names: Sequence[str], own: Sequence[str] = ()) -> Choice:
    """`pairs`: how well which field, by its place among `fields`, fits which column; `own`: the headings as they stand,
    which may be the same for several columns."""
    sure = {column for score, _, column in pairs if score > PART}  # `Bakiye Tarihi` is no bakiye
    fitting = [pair for pair in pairs if pair[0] > PART or pair[2] not in sure]
    money = {order for order, each in enumerate(fields) if each.kind == "money"}
    fitting = [pair for pair in fitting if pair[1] not in money or pair[0] == _best(fitting, money, pair[2])]
    abroad = [pair for pair in fitting if pair[1] in money and pair[0] < GIVEN and is_foreign(names[pair[2]])]
    here = [pair for pair in fitting if pair not in abroad]
    columns, score = _assigned(here, fields, names)
    if not any(fields[order].name in columns for order in money):
        here, abroad = fitting, []
        columns, score = _assigned(here, fields, names)
    foreign, _ = _assigned(abroad, fields, names)
    others = _others(here, fields, columns, names)
    if foreign and not any(each.kind == "currency" and each.name in columns for each in fields):
        others, foreign = sorted({*others, *foreign.values()}), {}
    rivals = [pair for pair in here if pair[2] not in others]
    carried = _carried(fields, columns, names)
    return Choice(
        columns=columns,
        score=score,
        others=others,
        foreign=foreign,
        seconds=_seconds(here, fields, columns),
        carried=carried,
        balances=_balances(rivals, fields, columns, names),
        unclear=_unclear(rivals, fields, columns, names, carried) | _twins(rivals, fields, columns, names, own),
    )


def _best(pairs: Sequence[Pair], among: set[int], column: int) -> int:
    """`Bakiye (A)` is alacak, and no bakiye beside that."""
    return max(score for score, order, at in pairs if at == column and order in among)


def _others(
    fitting: list[Pair], fields: Sequence[Field], columns: Mapping[str, int], names: Sequence[str]
) -> list[int]:
    """`TL Borç` was taken: where `USD Borç` holds something, that is not imported, and must be said."""
    best = {order: max(score for score, other, _ in fitting if other == order) for _, order, _ in fitting}
    money = [
        (fields[order], at)
        for score, order, at in fitting
        if fields[order].kind == "money" and (score > PART or best[order] == PART)
    ]
    used = {each.name: currency_in(names[columns[each.name]]) or "TRY" for each, _ in money if each.name in columns}
    taken = set(columns.values())
    return sorted(
        {
            at
            for each, at in money
            if at not in taken and each.name in used and (currency_in(names[at]) or used[each.name]) != used[each.name]
        }
    )


def _seconds(fitting: list[Pair], fields: Sequence[Field], columns: Mapping[str, int]) -> dict[str, list[int]]:
    taken, found = set(columns.values()), dict[str, list[int]]()
    for score, order, at in sorted(fitting, key=lambda pair: pair[2]):
        name = fields[order].name
        if score > PART and fields[order].kind in SEVERAL and name in columns and at not in taken:
            found.setdefault(name, []).append(at)
    return found


def _carried(fields: Sequence[Field], columns: Mapping[str, int], names: Sequence[str]) -> list[int]:
    """None where a column holds the balance, by itself (bakiye) or in its two sides (borç bakiye, alacak bakiye)."""
    amounts = [each for each in fields if each.kind == "money"]
    used = [at for name, at in columns.items() if name in {each.name for each in amounts}]
    if not used or amounts[-1].name in columns:
        return []
    if any(not aliases(amounts[-1]).isdisjoint(words_of(names[at])) for at in used):
        return []
    known = frozenset[str]().union(*map(aliases, amounts))
    taken = set(columns.values())
    words = [(at, words_of(name)) for at, name in enumerate(names) if at not in taken]
    return [at for at, said in words if not known.isdisjoint(said) and any(map(is_carried, said))]


def _balances(
    rivals: list[Pair], fields: Sequence[Field], columns: Mapping[str, int], names: Sequence[str]
) -> dict[str, int]:
    """Both or none, and none where a column holds the balance by itself."""
    taken = [each.name for each in fields if each.kind == "money" and each.name in columns]
    if taken != [*BOTH] or any(is_balance(names[columns[name]]) for name in taken):
        return {}
    beside = sorted((order, at) for _, order, at in rivals if is_balance(names[at]))
    found = [(fields[order].name, at) for order, at in beside]
    return dict(found) if [name for name, _ in found] == [*BOTH] else {}


def _unclear(
    rivals: list[Pair],
    fields: Sequence[Field],
    columns: Mapping[str, int],
    names: Sequence[str],
    carried: Sequence[int],
) -> dict[str, list[int]]:
    """Of each amount that only part of a heading names: its column and those whose headings name it just as well, and
    what was owed before, which it may hold or not."""
    found, taken = dict[str, list[int]](), set(columns.values())
    for order, each in enumerate(fields):
        chosen = columns.get(each.name, -1)
        if each.kind != "money" or (PART, order, chosen) not in rivals:
            continue
        alike = [at for score, other, at in rivals if (score, other) == (PART, order) and at not in taken]
        alike = [at for at in alike if is_latest(names[at]) == is_latest(names[chosen])]
        alike += () if is_latest(names[chosen]) else carried
        if alike:
            found[each.name] = [chosen, *alike]
    return found


def _twins(
    rivals: list[Pair], fields: Sequence[Field], columns: Mapping[str, int], names: Sequence[str], own: Sequence[str]
) -> dict[str, list[int]]:
    """Of each amount its column and those under the very same heading, such as Bakiye of this year and of the last.
    Not where borç, alacak and bakiye stand side by side: there each row shows whether the right ones were taken."""
    money = [(order, each.name) for order, each in enumerate(fields) if each.kind == "money" and each.name in columns]
    if not own or (len(money) > 1 and money[-1][1] == [each.name for each in fields if each.kind == "money"][-1]):
        return {}
    found = dict[str, list[int]]()
    for order, name in money:
        chosen = columns[name]
        score = next(score for score, other, at in rivals if (other, at) == (order, chosen))
        alike = [at for other, field, at in rivals if (other, field) == (score, order) and own[at] == own[chosen] != ""]
        alike = [at for at in alike if at not in columns.values() and is_latest(names[at]) == is_latest(names[chosen])]
        if alike and score not in (PART, GIVEN):
            found[name] = [chosen, *alike]
    return found


def _assigned(pairs: Sequence[Pair], fields: Sequence[Field], names: Sequence[str]) -> tuple[dict[str, int], int]:
    """The best pairs first, each field and each column once."""
    columns: dict[str, int] = {}
    total = 0
    for score, order, column in sorted(
        pairs, key=lambda pair: (-pair[0], pair[1], *_liking(fields[pair[1]], names, pair[2]))
    ):
        name = fields[order].name
        if name not in columns and column not in columns.values():
            columns[name] = column
            total += score
    return {each.name: columns[each.name] for each in fields if each.name in columns}, total


def _liking(field: Field, names: Sequence[str], column: int) -> tuple[bool, int, int]:
    """Of amounts that fit alike the latest comes first, then the one with the field's own name; else the leftmost."""
    if field.kind != "money":
        return False, 0, column
    whole = folded(names[column])
    known = [n for n, alias in enumerate(field.aliases) if folded(alias) == whole]
    return not is_latest(names[column]), known[0] if known else len(field.aliases), column
