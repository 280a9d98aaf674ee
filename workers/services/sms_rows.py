"""Rows of a bulk SMS before they are sent: which go out, as what, and why others don't."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from workers.errors import BadPhone, BadText
from workers.services import phones, sms_text
from workers.services.sms_text import Billing, Measure

Posted = list[Mapping[str, Any]]
_seen: ContextVar[list[tuple[tuple[Any, ...], list["Row"]]]] = ContextVar("_seen")


@dataclass(frozen=True)
class Row:
    """One message as posted, and what is known of it. `reason`: why it can't be sent; `first`: the position (from 1) of
    the row before it with the same recipient, to whom one message goes out."""

    phone: str
    text: str
    e164: str | None = None
    measure: Measure | None = None
    reason: str | None = None
    first: int | None = None

    @property
    def is_sent(self) -> bool:
        return self.reason is None and self.first is None

    @property
    def segments(self) -> int:
        return self.measure.segments if self.measure and self.is_sent else 0

    def shown(self) -> dict[str, Any]:
        """As the preview tells it."""
        found = self.measure
        return {
            **{"phone": self.phone, "e164": self.e164, "valid": self.reason is None, "reason": self.reason},
            **{"encoding": found.encoding if found else None, "segments": found.segments if found else 0},
            "offending": found.offending if found else [],
        }


@contextmanager
def looking_once() -> Iterator[None]:
    """While the block runs, rows that have been looked at are not judged again: 100,000 of them take many seconds."""
    token = _seen.set([])
    try:
        yield
    finally:
        _seen.reset(token)


def look(rows: Posted, *, countries: tuple[str, ...], billing: Billing, plain: bool = False) -> list[Row]:
    """Each `{"phone", "message"}` judged, in its order."""
    seen, asked = _seen.get([]), (rows, countries, billing, plain)
    for before, found in seen:
        if before == asked:
            return found
    found = _look(*asked)
    seen.append((asked, found))
    return found


def _look(rows: Posted, countries: tuple[str, ...], billing: Billing, plain: bool) -> list[Row]:
    measured = lru_cache(maxsize=512)(billing.measure)
    seen: dict[str, int] = {}
    found: list[Row] = []
    for position, row in enumerate(rows, 1):
        text = sms_text.plain(row["message"]) if plain else row["message"]
        try:
            e164 = phones.parse(row["phone"], countries).e164
        except BadPhone as error:
            found.append(Row(row["phone"], text, reason=error.message))
            continue
        try:
            found.append(Row(row["phone"], text, e164, measured(text), first=seen.get(e164)))
        except BadText as error:
            found.append(Row(row["phone"], text, e164, reason=error.message))
            continue
        seen.setdefault(e164, position)
    return found
