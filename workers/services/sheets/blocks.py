"""Some rows of a sheet as columns, and what calamine gives for cells as what a person would say stands there."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, time
from typing import Any, Protocol

from workers.services.sheets.shapes import CellError

TEXT_MARK, ERROR_MARK = "\ue000", "\ue001"  # private use: before the number of a shared string, before an error's name
_EXACT = 10**15  # a double holds every whole number below it


@dataclass
class Block:
    """Rows without the empty ones. `formats`: number formats by column (from 0) and row number, where known.

    `dates_from_1904`: a bare number that is a day counts from there.
    """

    numbers: list[int]
    columns: list[list[Any]]
    formats: dict[int, dict[int, str]] = field(default_factory=dict)
    dates_from_1904: bool = False


class Source(Protocol):
    """A file of any kind. `sheets` are the names in the file's order, `visible` those that a person sees."""

    sheets: list[str]
    visible: list[str]

    @property
    def shows_currencies(self) -> bool:
        """Whether some of its number formats show a foreign currency, or alacak."""

    def blocks(self, sheet: str, after: int = 0) -> Iterator[Block]:
        """The rows behind row number `after`, in order."""

    def filled_rows(self, sheet: str) -> int | None:
        """How many rows hold something, if that is known without reading them all."""

    def wants_formats(self, columns: list[int]) -> None:
        """From now on blocks tell the number formats of these columns (from 0), if the file can say."""


def block_of(
    numbers: list[int], rows: list[list[Any]], *, left: int = 0, strings: list[str | None] | None = None
) -> Block:
    """`left`: how many empty columns stand before the first of `rows`, which are all of one width."""
    kept = [n for n, row in enumerate(rows) if row[0] != "" or row.count("") != len(row)]
    if len(kept) != len(rows):
        numbers, rows = [numbers[n] for n in kept], [rows[n] for n in kept]
    columns = [tidy(list(column), strings or []) for column in zip(*rows, strict=True)]
    return Block(numbers, [[None] * len(rows) for _ in range(left)] + columns)


def tidy(column: list[Any], strings: list[str | None]) -> list[Any]:
    """Whole numbers as int, nothing as None, marked cells as what the mark means."""
    kinds = set(map(type, column))
    if kinds == {date}:
        return column
    if kinds == {float}:
        return whole_numbers(column)
    if kinds == {str}:
        whole = "".join(column)
        if whole.count(TEXT_MARK) == len(column):  # all of them shared strings: resolved without a loop
            if "-" in whole:
                raise IndexError(whole)
            return list(map(strings.__getitem__, map(int, whole[1:].split(TEXT_MARK))))
        return [_text(text, strings) for text in column]
    return [_tidied(value, strings) for value in column]


def whole_numbers(column: list[float]) -> list[int | float]:
    return [int(value) if value.is_integer() and abs(value) < _EXACT else value for value in column]


def _text(text: str, strings: list[str | None]) -> str | CellError | None:
    if text[:1] == TEXT_MARK:
        return strings[_place(text[1:])]
    if text[:1] == ERROR_MARK:
        return CellError(text[1:])
    return text or None


def _place(digits: str) -> int:
    number = int(digits)
    if number < 0:  # would be counted from the end
        raise IndexError(number)
    return number


def _tidied(value: Any, strings: list[str | None]) -> Any:
    match value:
        case str():
            return _text(value, strings)
        case bool():
            return value
        case float():
            return int(value) if value.is_integer() and abs(value) < _EXACT else value
        case datetime() if value.time() == time():
            return value.date()
        case time():
            return value.strftime("%H:%M:%S")
        case _ if hasattr(value, "total_seconds"):
            return str(value)
    return value
