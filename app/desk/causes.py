"""Why tasks failed, grouped: an error's type and its message without what differs from one to the next."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

GAP = "…"
VARIES = re.compile(
    r"\w?\*{3}(?:@[\w.-]+)?|[\w.+-]+@[\w.-]+|https?://\S+|[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}|\b[0-9a-f]{12,}\b"
    r"|'[^']*'|\"[^\"]*\"|“[^”]*”|«[^»]*»|\+?\d*…\d*|[+-]?\d[\d.,:]*"
)
LONGEST = 300


@dataclass
class Cause:
    """How often one thing went wrong. `name`: what the filter of the list takes; `task_id`: the newest of them."""

    name: str
    count: int
    task_id: str
    example: str

    @property
    def kind(self) -> str:
        """The error's type; of an item, its state."""
        return self.name.partition(": ")[0]

    @property
    def shape(self) -> str:
        return self.name.partition(": ")[2]

    @property
    def longest(self) -> str:
        """The longest piece that all of them have in common, for a search by words."""
        return max(self.shape.split(GAP), key=len).strip()


@lru_cache(maxsize=4096)
def name_of(error_type: str, message: str) -> str:
    """The cause that an error belongs to.

    >>> name_of("MissingRecord", "mutabakat 12 does not exist"), name_of("ValueError", "no 'x' for a@b.co (+90…4567)")
    ('MissingRecord: mutabakat … does not exist', 'ValueError: no … for … (…)')
    """
    return f"{error_type}: {shape_of(message)}"


def shape_of(message: str) -> str:
    """The message without what differs from one to the next."""
    shape = re.sub(r"…(?:[\s,]*…)+", GAP, VARIES.sub(GAP, message))
    return f"{shape[:LONGEST]}{GAP if len(shape) > LONGEST else ''}"


def as_pattern(cause: str, mark: str) -> tuple[str, str]:
    """The type and the LIKE pattern of a cause; `mark` makes what stands after it a plain character."""
    error_type, _, shape = cause.partition(": ")
    plain = re.sub(r"([%_\\])", lambda found: f"{mark}{found[1]}", shape)
    return error_type, plain.replace(GAP, "%")


def grouped(rows: Iterable[Any]) -> list[Cause]:
    """The causes of rows `(error type, message, count, newest task id)`, the most frequent first."""
    found: dict[str, Cause] = {}
    for error_type, message, count, newest in rows:
        name = name_of(error_type, message or "")
        cause = found.setdefault(name, Cause(name, 0, "", ""))
        cause.count += count
        if newest > cause.task_id:
            cause.task_id, cause.example = newest, message or ""
    return sorted(found.values(), key=lambda cause: (-cause.count, cause.name))
