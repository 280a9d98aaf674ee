"""What the reader of sheets takes and gives: fields, limits, rows, problems."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from workers.services.columns import Kind


@dataclass(frozen=True)
class Field:
    """A column that is looked for: `aliases` are headers in any spelling that `turkish.fold` makes the same.

    A `side` belongs to the money field declared last before it: it is filled from a minus or a mark in that cell, and
    that amount loses its sign. A `currency` is filled from a sign such as $ in any money cell.
    """

    name: str
    aliases: tuple[str, ...]
    kind: Kind
    required: bool = False


@dataclass(frozen=True)
class Limits:
    """`max_rows`: below the header. `max_mb`: unpacked size of the whole file.

    `memory_mb`: address space of the process that parses. `seconds`: how long that process may compute
    for its next answer, so opening a bad file takes no longer.
    """

    max_rows: int = 1_000_000
    max_columns: int = 200
    max_mb: int = 600
    memory_mb: int = 512
    seconds: float = 8.0


@dataclass(frozen=True)
class CellError:
    """What stands in a cell instead of a value: "#DIV/0!", or `UNCACHED` where a formula's result was never stored."""

    name: str

    def __str__(self) -> str:
        return self.name


UNCACHED = CellError("#FORMÜL")


@dataclass(frozen=True, slots=True)
class Problem:
    """What is to be said of one cell, with its header, in Turkish and in English."""

    field: str
    header: str
    tr: str
    en: str


@dataclass(slots=True)
class Row:
    """`number` is the sheet's own, from 1; `cells` are the user's columns as they stand, `values` what they mean.

    A row with `reasons` is bad; one with `warnings` is good, and something was decided that a person may doubt.
    """

    number: int
    cells: list[Any]
    values: dict[str, Any] | None = None
    reasons: Sequence[Problem] = ()
    warnings: Sequence[Problem] = ()
