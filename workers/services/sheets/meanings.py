"""What the cells of a column mean, all at once where they can be, as most cells need no second look."""

import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any

from workers.services import tax_numbers
from workers.services.sheets import amounts, days, values

KINDS: dict[str, Callable[[Any], Any]] = {
    "text": values.text,
    "code": values.code,
    "money": values.money,
    "date": values.day,
    "date 1904": partial(values.day, epoch=days.EPOCH_1904),
    "side": values.word(values.SIDES, "borç/alacak işareti (B ya da A)", "side (B or A)"),
    "currency": values.currency,
    "tax_number": values.tax_number,
    "email": values.email,
    "phone": values.phone,
    "language": values.word(values.LANGUAGES, "dil (tr ya da en)", "language (tr or en)"),
    "role": values.word(values.ROLES, "rol (member ya da operator)", "role (member or operator)"),
}


_NUMBERS = {int, float}
# Of texts that `text` would leave alone: which are their own value.
STAYS: dict[str, Callable[[str], Any] | None] = {
    "text": None,
    "code": values.is_whole,
    "tax_number": tax_numbers.is_vkn,
    "email": values.ADDRESS.fullmatch,
    "phone": values.PHONE.fullmatch,
}


def of_column(kind: str, column: Sequence[Any], numbers: Iterable[int], formats: Mapping[int, str] | None) -> list[Any]:
    """Each cell's value, or what is `Said` of it. `formats`: number formats by row number, which codes need."""
    meaning = KINDS[kind]
    if kind in STAYS and _all_clean(column):
        return _of_texts(column, STAYS[kind], meaning)
    if kind == "money" and _NUMBERS.issuperset(map(type, column)) and (exact := amounts.all_cents(column)):
        return [*exact]
    found = list(map(meaning, column))
    if kind == "code" and formats:
        for n, (number, raw) in enumerate(zip(numbers, column, strict=True)):
            if type(raw) is int:
                found[n] = values.shown_code(raw, formats.get(number, ""))
    return found


def _of_texts(column: Sequence[Any], stays: Callable[[str], Any] | None, meaning: Callable[[Any], Any]) -> list[Any]:
    """Clean texts: each is looked at once, however often it stands in the column."""
    if stays is None:
        return [text or None for text in column]
    known = {text: text if stays(text) else meaning(text) for text in set(filter(None, column))}
    return list(map(known.get, column))


def _all_clean(column: Sequence[Any]) -> bool:
    """Whether each cell is empty or a text that `text` would leave alone, found out for all of them at once."""
    try:
        joined = f"|{'|'.join(filter(None, column))}|"
    except TypeError:
        return False
    tidy = joined.isprintable() and not any(sign in joined for sign in ("  ", "| ", " |", "|#"))
    return tidy and (joined.isascii() or unicodedata.is_normalized("NFC", joined))
