"""What tasks that have not ended still need: the records that their parameters and their open items name."""

from collections.abc import Callable, Iterator
from typing import Any

from sqlalchemy import Select, select

from workers.db import reading
from workers.engine import registry
from workers.engine.job import params_in
from workers.engine.ledger import OPEN
from workers.engine.registry import Kind
from workers.engine.seal import Seal
from workers.engine.tables import ENDED, items, tasks
from workers.errors import SealBroken

CHUNK = 500


def named(record: str) -> set[Any]:
    """The ids of the records of that name (`Ref`) which are still needed."""
    found: set[Any] = set()
    for kind in registry.kinds().values():
        if kind.names(record):
            living = select(tasks.c.id).where(tasks.c.kind == kind.name, tasks.c.state.not_in(ENDED))
            for params in _given(kind, living):
                found |= kind.references(params).get(record, set())
    return found


def _given(kind: Kind, living: Select[Any]) -> Iterator[dict[str, Any]]:
    """The parameters of these tasks; of a bulk also each item that is open, as if it alone had been posted."""
    yield from _opened(select(tasks.c.id, tasks.c.params).where(tasks.c.id.in_(living)), tasks.c.id, params_in)
    if kind.items:
        waiting = select(items.c.id, items.c.value).where(items.c.task_id.in_(living), items.c.state.in_(OPEN))
        yield from ({kind.items: [value]} for value in _opened(waiting, items.c.id, lambda _, value: Seal.loads(value)))


def _opened(query: Select[Any], key: Any, read: Callable[[Any, bytes], Any]) -> Iterator[Any]:
    """What `read` finds in the rows of a query for a key and a sealed value; what can't be opened is of no use."""
    after: Any = None
    while True:
        page = query.where(key > after) if after is not None else query
        with reading() as session:
            rows = session.execute(page.order_by(key).limit(CHUNK)).all()
        for row in rows:
            try:
                yield read(*row)
            except SealBroken:
                continue
        if len(rows) < CHUNK:
            return
        after = rows[-1][0]
