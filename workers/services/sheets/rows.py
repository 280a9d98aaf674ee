"""Blocks become rows with a meaning: every mapped column by its kind, then what the cells of one row say together."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise
from typing import Any

from workers.services import turkish
from workers.services.sheets.amounts import Amount
from workers.services.sheets.beside import at_odds, contradiction, first_of, left_aside, take_foreign
from workers.services.sheets.blocks import Block
from workers.services.sheets.headers import Header
from workers.services.sheets.meanings import of_column
from workers.services.sheets.shapes import Field
from workers.services.sheets.values import Said, currency_in, currency_shown, side_shown
from workers.services.workbooks import Styled

MAX_TOTAL_CHARS = 60
_TOTAL = re.compile(
    r"(genel|ara|alt|dip|sayfa|rapor|grup|liste|nakli)?(toplam|toplami|toplamlar|toplamlari|yekun|yekunu)"
    r"(tl|try|usd|eur)?(\d+(kayit|satir|cari|hesap|adet|firma)?)?|(grand|sub)?total"
)
_OTHER_CURRENCY = (
    "“{name}” sütunundaki tutar alınmadı; her para birimini ayrı satıra yazın",
    "The amount under “{name}” was not imported; write each currency in a row of its own",
)
_CARRIED = (
    "“{name}” sütunundaki tutar bakiyeye eklenmedi; borç ya da alacak onu içermiyorsa bakiyeyi yazın",
    "The amount under “{name}” was not added; write the balance if debit or credit does not hold it",
)
_TURNED = (
    "“{name}” sütunundaki tutar eksi, karşı tarafa sayıldı; öyle değilse eksisiz yazın",
    "The amount under “{name}” has a minus and was counted for the other side; write it without if that is wrong",
)
_SURPLUS = (
    "Satırda başlıktan çok hücre var; içinde ayraç olan metin ve tutarları çift tırnağa alın",
    "The row has more cells than the header; put texts and amounts that hold the separator in double quotes",
)
_REMARKABLE = {Amount, Said}
_MAY_BE_TOTAL = frozenset("TtGgAaDdSsRrLlNnYy")  # the first letters of the words above


@dataclass
class Meant:
    """Rows without the sums: the user's `columns`, `values` by field, `said`: index of the row, field, what."""

    numbers: list[int]
    columns: list[list[Any]]
    values: dict[str, list[Any]]
    said: list[tuple[int, str, Said]]


def understood(block: Block, header: Header, fields: Sequence[Field], at_most: int | None = None) -> Meant:
    """What the rows of a block mean. `at_most`: how many cells a row of delimited text may have, as its header has."""
    width = len(header.names)
    columns = block.columns[:width] + [[None] * len(block.numbers) for _ in range(width - len(block.columns))]
    numbers, columns = _without_sums(block.numbers, columns, fields, header)
    values: dict[str, list[Any]] = {}
    for field in fields:
        if field.name in header.columns:
            at = header.columns[field.name]
            kind = f"{field.kind} 1904" if field.kind == "date" and block.dates_from_1904 else field.kind
            values[field.name] = of_column(kind, columns[at], numbers, block.formats.get(at))
            if seconds := header.seconds.get(field.name):
                values[field.name] = first_of(field.kind, values[field.name], [columns[second] for second in seconds])
            if field.kind == "code" and at in block.formats:
                columns[at] = _styled(columns[at], numbers, block.formats[at])
        else:
            values[field.name] = [None] * len(numbers)
    _fill_currencies(values, fields, header)
    odd = list(at_odds(columns, values, header, header.names))
    take_foreign(columns, values, fields, header, header.names)
    _fill_shown_currencies(columns, numbers, values, block.formats, fields, header)
    _fill_shown_sides(columns, numbers, values, block.formats, fields, header)
    _fill_sides(values, fields, header)
    aside = [*_filled(columns, header.others), *left_aside(columns, values, fields, header)]
    said = [*_taken_out(values, fields), *odd, *_left(aside, fields, header, _OTHER_CURRENCY)]
    said += [
        *_left(_turned(values, fields, header), fields, header, _TURNED),
        *_surplus(block, numbers, header, at_most),
    ]
    return Meant(numbers, columns, values, [*said, *_left(_filled(columns, header.carried), fields, header, _CARRIED)])


def _styled(column: list[Any], numbers: list[int], formats: Mapping[int, str]) -> list[Any]:
    """So that a row that is given back shows what its own sheet showed, and means the same when it is sent again."""
    return [
        Styled(cell, code) if type(cell) in (int, float) and (code := formats.get(number, "")) else cell
        for number, cell in zip(numbers, column, strict=True)
    ]


def _without_sums(
    numbers: list[int], columns: list[list[Any]], fields: Sequence[Field], header: Header
) -> tuple[list[int], list[list[Any]]]:
    """Without the rows of TOPLAM and GENEL TOPLAM, which would count twice, those that only look filled, and headers
    that are repeated on each printed page."""
    texts = [header.columns[f.name] for f in fields if f.kind in ("text", "code") and f.name in header.columns]
    sums = {n for at in {0, *texts} if columns for n in _sums_in(columns[at])}
    first = columns[texts[0]] if texts else []
    blank = [n for n, cell in enumerate(first) if _is_blank(cell)]
    left_out = sums | {n for n in blank if _holds_nothing([column[n] for column in columns])}
    left_out.update(_headers_again(columns, header))
    if not left_out:
        return numbers, columns
    kept = [n for n in range(len(numbers)) if n not in left_out]
    return [numbers[n] for n in kept], [[column[n] for n in kept] for column in columns]


def _holds_nothing(cells: Sequence[Any]) -> bool:
    """A row without what names it: empty, or a sum whose word stands over some other column."""
    return all(map(_is_blank, cells)) or any(map(_is_sum, cells))


def _headers_again(columns: list[list[Any]], header: Header) -> list[int]:
    named = [(columns[at], header.own[at]) for at in header.columns.values() if header.own[at]]
    if not named or named[0][1] not in named[0][0]:
        return []
    rows = [n for n, cell in enumerate(named[0][0]) if cell == named[0][1]]
    return [n for n in rows if all(" ".join(str(column[n]).split()) == name for column, name in named)]


def _is_blank(cell: Any) -> bool:
    return cell is None or (type(cell) is str and cell.isspace())


def _sums_in(column: list[Any]) -> list[int]:
    try:
        whole = "|".join(filter(None, column)).lower()
    except TypeError:
        whole = "|".join(cell for cell in column if type(cell) is str).lower()
    if not any(word in whole for word in ("topla", "yek", "total")):
        return []
    return [n for n, cell in enumerate(column) if _is_sum(cell)]


def _is_sum(cell: Any) -> bool:
    """A company called Toplam Gıda is none."""
    if type(cell) is not str or cell.lstrip()[:1] not in _MAY_BE_TOTAL or len(cell) > MAX_TOTAL_CHARS:
        return False
    return _TOTAL.fullmatch(turkish.fold(cell)) is not None


def _fill_currencies(values: dict[str, list[Any]], fields: Sequence[Field], header: Header) -> None:
    """A sign beside an amount, or in the header of its column, says the currency where no column does."""
    column = next((values[field.name] for field in fields if field.kind == "currency"), None)
    if column is None:
        return
    for field in fields:
        if field.kind != "money" or field.name not in header.columns:
            continue
        usual = currency_in(header.names[header.columns[field.name]])
        amounts = values[field.name]
        for n, amount in enumerate(amounts):
            marked = (amount.currency if type(amount) is Amount else None) or usual
            if marked and amount is not None:
                if column[n] is None:
                    column[n] = marked
                elif isinstance(column[n], str) and column[n] != marked:
                    amounts[n] = contradiction(marked, column[n])


def _fill_shown_currencies(
    columns: list[list[Any]],
    numbers: list[int],
    values: dict[str, list[Any]],
    formats: Mapping[int, Mapping[int, str]],
    fields: Sequence[Field],
    header: Header,
) -> None:
    """Where nothing else says the currency, it is what the number format of the amount shows; it stays in the cell."""
    column = next((values[field.name] for field in fields if field.kind == "currency"), None)
    for field in fields:
        at = header.columns.get(field.name, -1)
        if field.kind != "money" or at not in formats or column is None:
            continue
        shown = {number: code for number, code in formats[at].items() if currency_shown(code)}
        columns[at] = _styled(columns[at], numbers, shown)
        for n, number in enumerate(numbers):
            if number in shown and column[n] is None and values[field.name][n] is not None:
                column[n] = currency_shown(shown[number])


def _fill_shown_sides(
    columns: list[list[Any]],
    numbers: list[int],
    values: dict[str, list[Any]],
    formats: Mapping[int, Mapping[int, str]],
    fields: Sequence[Field],
    header: Header,
) -> None:
    """Where nothing else says the side of a balance, it is what its number format shows: `100,00 (A)` of 100."""
    for money, field in pairwise(fields):
        at = header.columns.get(money.name, -1)
        if (money.kind, field.kind) == ("money", "side") and at in formats:
            shown = {number: code for number, code in formats[at].items() if side_shown(code) == "alacak"}
            columns[at] = _styled(columns[at], numbers, shown)
            for n, number in enumerate(numbers):
                amount = values[money.name][n]
                if number in shown and type(amount) is Decimal and amount > 0 and values[field.name][n] is None:
                    values[field.name][n] = "alacak"


def _fill_sides(values: dict[str, list[Any]], fields: Sequence[Field], header: Header) -> None:
    """The side of an amount: its own column, a mark such as (B), or minus for alacak; they must not contradict. Where
    none of them says it, it is borç, unless columns of debit and credit beside it know better."""
    amounts_there = [field.name for field in fields if field.kind == "money" and field.name in header.columns]
    usual = "borc" if len(amounts_there) == 1 else None
    money: str | None = None
    for field in fields:
        if field.kind == "money":
            money = field.name
        elif field.kind == "side" and money:
            amounts, sides = values[money], values[field.name]
            for n, amount in enumerate(amounts):
                if type(amount) is Decimal and amount >= 0 and type(sides[n]) is str:
                    continue
                if amount is not None and type(amount) is not Said and type(sides[n]) is not Said:
                    amounts[n], sides[n] = _sided(amount, sides[n], usual)
            money = None


def _sided(amount: Decimal | Amount, side: str | None, usual: str | None) -> tuple[Any, str | None]:
    value, mark = (amount.value, amount.side) if isinstance(amount, Amount) else (amount, None)
    doubt = amount.doubt if isinstance(amount, Amount) else None
    said = {one for one in (side, mark, "alacak" if value < 0 else None) if one}
    if len(said) > 1:
        tr = "Tutarın işareti (eksi, parantez, B/A) ile borç/alacak sütunu çelişiyor"
        return Said(tr, "The sign of the amount contradicts its side"), side
    value = abs(value)
    return Said(*doubt, value, bad=False) if doubt else value, said.pop() if said else usual


def _taken_out(values: dict[str, list[Any]], fields: Sequence[Field]) -> Iterator[tuple[int, str, Said]]:
    """What was said of cells, which leave their value behind; and what is missing."""
    for field in fields:
        column = values[field.name]
        if not (field.required and None in column) and _REMARKABLE.isdisjoint(map(type, column)):
            continue
        for n, value in enumerate(column):
            if type(value) is Amount:
                value = _unsided(value)
                column[n] = value
            if type(value) is Said:
                yield n, field.name, value
                column[n] = value.value
            elif value is None and field.required:
                yield n, field.name, Said("Boş olamaz", "Must not be empty")


def _filled(columns: list[list[Any]], among: Sequence[int]) -> Iterator[tuple[int, int]]:
    for at in among:
        yield from ((n, at) for n, cell in enumerate(columns[at]) if not _is_blank(cell) and cell not in (0, "-"))


def _left(
    cells: Iterable[tuple[int, int]], fields: Sequence[Field], header: Header, words: tuple[str, str]
) -> Iterator[tuple[int, str, Said]]:
    """Amounts in the same row that no record takes."""
    money = next((field.name for field in fields if field.kind == "money" and field.name in header.columns), "")
    for n, at in cells:
        tr, en = (each.format(name=header.names[at]) for each in words)
        yield n, money, Said(tr, en, bad=False)


def _turned(values: Mapping[str, Sequence[Any]], fields: Sequence[Field], header: Header) -> Iterator[tuple[int, int]]:
    """Minus amounts under borç or alacak: a reversal, or every credit of a program that writes them so. A balance
    beside them tells which."""
    money = [each.name for each in fields if each.kind == "money"]
    if not any(each.kind == "side" for each in fields) or money[-1] in header.columns:
        return
    for name in money:
        column = values[name] if name in header.columns else ()
        yield from ((n, header.columns[name]) for n, one in enumerate(column) if type(one) is Decimal and one < 0)


def _surplus(
    block: Block, numbers: Sequence[int], header: Header, at_most: int | None
) -> Iterator[tuple[int, str, Said]]:
    """Rows of delimited text that were cut once too often, as 1,A,1234,56 is: then its amount lost its kuruş."""
    if at_most is None:
        return
    last = max(header.columns, key=header.columns.__getitem__)
    beyond = range(max(at_most, header.columns[last] + 1), len(block.columns))
    cut = {block.numbers[n] for n, _ in _filled(block.columns, beyond)}
    yield from ((n, last, Said(*_SURPLUS)) for n, number in enumerate(numbers) if number in cut)


def _unsided(amount: Amount) -> Any:
    if amount.side:
        tr = "Borç/alacak işareti bu sütunda anlaşılmıyor; tutarı işaretsiz yazın"
        return Said(tr, "A mark of debit or credit means nothing in this column; write the amount without it")
    return Said(*amount.doubt, amount.value, bad=False) if amount.doubt else amount.value
