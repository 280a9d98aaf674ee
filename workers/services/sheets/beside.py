"""What further columns say of a field beside its own: another phone, or the amount in the row's foreign currency."""

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from functools import lru_cache
from typing import Any

from workers.errors import BadPhone
from workers.services.sheets.amounts import Amount
from workers.services.sheets.choosing import BOTH, Choice
from workers.services.sheets.meanings import of_column
from workers.services.sheets.shapes import Field
from workers.services.sheets.values import Said

HOME = "TRY"


def first_of(kind: str, values: list[Any], columns: Sequence[list[Any]]) -> list[Any]:
    """Of each row the first cell that holds something; of phones the first mobile, which alone can get an SMS."""
    better = _is_better_phone if kind == "phone" else _is_missing
    for column in columns:
        more = of_column(kind, column, (), None)
        values = [second if better(value, second) else value for value, second in zip(values, more, strict=True)]
    return values


def _is_missing(value: Any, _: Any) -> bool:
    return value is None


def _is_better_phone(value: Any, second: Any) -> bool:
    return value is None or (isinstance(second, str) and not _is_mobile(value) and _is_mobile(second))


@lru_cache(4096)
def _is_mobile(phone: Any) -> bool:
    from workers.services import phones

    try:
        return bool(phones.parse(phone)) if isinstance(phone, str) else False
    except BadPhone:
        return False


def take_foreign(
    columns: Sequence[list[Any]],
    values: dict[str, list[Any]],
    fields: Sequence[Field],
    choice: Choice,
    names: list[str],
) -> None:
    """`Bakiye` is in lira where `Döviz Bakiye` stands beside it: a row in another currency takes that one instead, and
    of borç, alacak and bakiye those alone that are in this currency."""
    currencies = next((values[each.name] for each in fields if each.kind == "currency"), [])
    if not choice.foreign:
        return
    money = [each.name for each in fields if each.kind == "money" and each.name in choice.columns]
    abroad = {name: of_column("money", columns[at], (), None) for name, at in choice.foreign.items()}
    for n, currency in enumerate(currencies):
        here = {name: values[name][n] for name in money}
        if not isinstance(currency, str) or currency == HOME or any(_marked(here[name]) == currency for name in money):
            continue
        told = {name: _of_currency(abroad[name][n], currency) if name in abroad else None for name in money}
        if not any(map(_is_something, told.values())) and any(map(_is_something, here.values())):
            told[money[0]] = _lacking(currency, names[min(choice.foreign.values())])
        _keep_side(here, told, values, fields, n)
        for name in money:
            values[name][n] = told[name]


def _keep_side(
    here: Mapping[str, Any], told: Mapping[str, Any], values: dict[str, list[Any]], fields: Sequence[Field], n: int
) -> None:
    """A bare balance has its side from what stands beside it, also where that is in lira and is not taken: from borç
    and alacak, or from the mark or the sign of the balance."""
    side = next((each.name for each in fields if each.kind == "side"), None)
    if side is None or values[side][n] is not None or any(told.get(name) is not None for name in BOTH):
        return
    net = (_value(here.get("borc")) or 0) - (_value(here.get("alacak")) or 0)
    owed = min((_owed(amount) for name, amount in here.items() if name not in BOTH), default=0)
    amount = next((amount for amount in told.values() if _value(amount) is not None), None)
    if (net < 0 or owed < 0) and amount is not None and _owed(amount) > 0 and getattr(amount, "side", None) is None:
        values[side][n] = "alacak"


def _owed(amount: Any) -> Decimal:
    """Below zero for alacak, by its mark or its sign."""
    value = _value(amount) or Decimal(0)
    return -abs(value) if isinstance(amount, Amount) and amount.side == "alacak" else value


def at_odds(
    columns: Sequence[list[Any]], values: Mapping[str, list[Any]], choice: Choice, names: list[str]
) -> Iterator[tuple[int, str, Said]]:
    """Rows whose borç and alacak are not what the balances beside them say: then they are what moved in a period, and
    what was carried into it is in the balances alone."""
    if not choice.balances:
        return
    first, second = BOTH
    told = {name: of_column("money", columns[at], (), None) for name, at in choice.balances.items()}
    seen = " / ".join(names[at] for at in choice.balances.values())
    tr = f"Borç eksi alacak “{seen}” sütunlarını tutmuyor; dönem hareketiyse yüklerken bakiye sütunlarını eşleştirin"
    en = f"Debit minus credit is not what “{seen}” say; if they only moved in a period, choose the balances at upload"
    for n, (debit, credit) in enumerate(zip(told[first], told[second], strict=True)):
        here = values[first][n], values[second][n]
        if any(isinstance(one, Said) for one in (debit, credit, *here)) or debit is credit is None:
            continue
        if _difference(debit, credit) != _difference(*here):
            yield n, first, Said(tr, en)


def _difference(debit: Any, credit: Any) -> Decimal:
    return (_value(debit) or Decimal(0)) - (_value(credit) or Decimal(0))


def left_aside(
    columns: Sequence[list[Any]], values: Mapping[str, list[Any]], fields: Sequence[Field], choice: Choice
) -> Iterator[tuple[int, int]]:
    """Rows and columns of foreign amounts that were not taken, though they say something else than what was."""
    currencies = next((values[each.name] for each in fields if each.kind == "currency"), [])
    for name, at in choice.foreign.items():
        here = columns[choice.columns[name]] if name in choice.columns else [None] * len(currencies)
        for n, amount in enumerate(of_column("money", columns[at], (), None)):
            home = currencies[n] in (None, HOME)
            if home and _is_something(amount) and columns[at][n] != here[n]:
                yield n, at


def _value(amount: Any) -> Decimal | None:
    return amount.value if isinstance(amount, Amount) else amount if isinstance(amount, Decimal) else None


def _marked(amount: Any) -> str | None:
    return amount.currency if isinstance(amount, Amount) else None


def _is_something(amount: Any) -> bool:
    return isinstance(amount, Said) or bool(_value(amount))


def _of_currency(amount: Any, currency: str) -> Any:
    return contradiction(_marked(amount), currency) if _marked(amount) not in (None, currency) else amount


def contradiction(marked: str | None, currency: str) -> Said:
    tr = f"Tutarın para birimi {marked}, ama para birimi sütununda {currency} yazıyor"
    return Said(tr, f"The amount is in {marked}, but the currency column says {currency}")


def _lacking(currency: str, name: str) -> Said:
    tr = f"Para birimi {currency}, ama “{name}” sütunu boş: tutarın hangi para biriminde olduğu belli değil"
    return Said(
        tr, f"The currency is {currency}, but “{name}” is empty: it is not clear in which currency the amount is"
    )
