"""Which import understands rows how."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from sqlalchemy.orm import Session

from workers.imports import accounts, balances, users
from workers.imports.scratch import Key, Part, Words
from workers.models import Company
from workers.services.columns import COLUMNS, Column

Refusals = Callable[[Session, int, list[Part]], list[tuple[Part, Words]]]
Warnings = Callable[[Session, int, list[Part]], list[tuple[int, Words]]]


class Apply(Protocol):
    def __call__(self, session: Session, company: Company, parts: list[Part], *, write: bool) -> Counter[str]: ...


@dataclass(frozen=True)
class Meaning:
    """One import: `faults` and `understand` look at the values of one row, `refuse` at parts and what the database
    holds (None: nothing there can refuse a row), `apply` counts what parts do and does it. `warn` tells what the
    database makes doubtful, and `place` to which group and part a bad row belongs, where a part has several rows."""

    columns: tuple[Column, ...]
    faults: Callable[[dict[str, Any]], list[tuple[str, Words]]]
    understand: Callable[[dict[str, Any]], tuple[Key, dict[str, Any], dict[str, Any]]]
    apply: Apply
    refuse: Refusals | None = None
    warn: Warnings | None = None
    place: Callable[[dict[str, Any]], tuple[str, int] | None] = lambda values: None


MEANINGS = {
    "users": Meaning(COLUMNS["users"], users.faults, users.understand, users.apply, users.taken),
    "accounts": Meaning(COLUMNS["accounts"], accounts.faults, accounts.understand, accounts.apply),
    "mutabakat": Meaning(
        COLUMNS["mutabakat"],
        balances.faults,
        balances.understand,
        balances.apply,
        warn=balances.kept,
        place=balances.place,
    ),
}
