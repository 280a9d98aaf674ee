"""Which letters the items of a bulk are about: people know customers, not the numbers of records."""

from collections.abc import Iterable
from typing import Any

from sqlalchemy import select

from workers import records
from workers.db import reading
from workers.engine import references, registry
from workers.engine.seal import Seal
from workers.engine.tables import items
from workers.errors import SealBroken, UnknownKind


def is_of_letters(kind: str) -> bool:
    """Whether each item of this kind is a mutabakat, or one on its way by a channel."""
    try:
        declared = registry.get(kind)
    except UnknownKind:
        return False
    return declared.items is not None and "mutabakat" in references.names(declared.hints[declared.items])


def letters(kind: str, item_ids: Iterable[int]) -> dict[int, dict[str, Any]]:
    """`{"id", "code", "name"}` of the letter of each item, by the item's id; nothing of other bulks, of letters that
    are gone, and of items whose key is gone."""
    if not is_of_letters(kind):
        return {}
    query = select(items.c.id, items.c.value).where(items.c.id.in_(list(item_ids)))
    try:
        with reading() as session:
            about = {row.id: _letter_id(Seal.loads(row.value)) for row in session.execute(query)}
    except SealBroken:
        return {}
    found = records.mutabakat([letter for letter in set(about.values()) if letter is not None])
    return {item: _shown(found[letter]) for item, letter in about.items() if letter in found}


def _letter_id(value: Any) -> int | None:
    named = value.get("id") if isinstance(value, dict) else value
    return named if type(named) is int else None


def _shown(record: dict[str, Any]) -> dict[str, Any]:
    name = record["snapshot"]["receiver"]["name"]
    return {"id": record["id"], "code": record["account_code"], "name": name}
