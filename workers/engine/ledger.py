"""The ledger: the items of a bulk task, who works on them, and what became of each, exactly once.

pending -> sending (committed before the work) -> done | failed | skipped | unknown. What a dead execution left
`sending` goes back to pending where repeating is harmless (letters), and becomes `unknown` where it is not (messages).
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import bindparam, delete, func, insert, select, update

from workers.db import now, reading, storable, writing
from workers.engine.seal import Seal
from workers.engine.tables import items, tasks
from workers.errors import InvalidInput

CHUNK_ROWS = 500
STATES = ("pending", "sending", "done", "failed", "skipped", "unknown")
SETTLED = ("state", "ref", "output", "error", "updated_at")
SETTLE = (
    update(items)
    .where(items.c.id == bindparam("item_id"), items.c.taken_by == bindparam("holder"))
    .values({name: bindparam(name) for name in SETTLED} | {"taken_by": None})
)


@dataclass
class Item:
    """One row of a bulk: `value` is what was posted. Say what became of it with `done`, `fail` or `skip`."""

    id: int
    position: int
    value: Any
    state: str = "sending"
    ref: str | None = None
    output: Any = None
    error: str | None = None

    def done(self, output: Any = None, *, ref: str | None = None) -> None:
        self.state, self.output, self.ref = "done", output, ref or self.ref

    def fail(self, reason: str) -> None:
        self.state, self.error = "failed", reason

    def skip(self, reason: str) -> None:
        self.state, self.error = "skipped", reason


def fill(task_id: str, rows: list[Any]) -> None:
    """Write the items in short transactions, so that no other writer waits for a large bulk."""
    for start in range(0, len(rows), CHUNK_ROWS):
        at = now()
        chunk = [
            {"task_id": task_id, "position": position, "value": Seal.dumps(value), "ref": _ref(value), "updated_at": at}
            for position, value in enumerate(rows[start : start + CHUNK_ROWS], start + 1)
        ]
        with writing() as session:
            session.execute(insert(items), chunk)


def _ref(value: Any) -> str | None:
    """Numbers are ids and may be shown; anything else may be personal and gets its ref from the job."""
    return str(value) if isinstance(value, int) else None


def drop(task_id: str) -> None:
    """Forget a task that was never released, with its items."""
    while True:
        with writing() as session:
            some = select(items.c.id).where(items.c.task_id == task_id).limit(CHUNK_ROWS)
            gone = session.execute(delete(items).where(items.c.id.in_(some))).rowcount  # type: ignore[attr-defined]
            if gone < CHUNK_ROWS:
                session.execute(delete(tasks).where(tasks.c.id == task_id, tasks.c.released.is_(False)))
                return


def take(task_id: str, taken_by: str, count: int) -> list[Item]:
    """Take up to `count` pending items for this execution; committed before any of them is worked on."""
    with writing() as session:
        query = select(items.c.id, items.c.position, items.c.value, items.c.ref)
        query = query.where(items.c.task_id == task_id, items.c.state == "pending")
        rows = session.execute(query.order_by(items.c.position).limit(count).with_for_update(skip_locked=True)).all()
        if rows:
            session.execute(
                update(items)
                .where(items.c.id.in_([row.id for row in rows]))
                .values(state="sending", taken_by=taken_by, attempts=items.c.attempts + 1, updated_at=now())
            )
    return [Item(row.id, row.position, Seal.loads(row.value), ref=row.ref) for row in rows]


def settle(taken_by: str, batch: list[Item]) -> None:
    """Write what became of the batch; a row that was meanwhile taken by another execution is left to that one."""
    at = now()
    rows = [
        {
            **{"item_id": item.id, "holder": taken_by, "updated_at": at, "state": item.state},
            **{"ref": item.ref and storable(item.ref), "error": item.error and storable(item.error)},
            "output": Seal.dumps(item.output) if item.output is not None else None,
        }
        for item in batch
    ]
    if rows:
        with writing() as session:
            session.connection().execute(SETTLE, rows)


def give_back(task_id: str, alive: set[str]) -> int:
    """Return to pending what executions other than `alive` left in work (only for items that may be repeated)."""
    query = update(items).where(items.c.task_id == task_id, items.c.state == "sending")
    with writing() as session:
        query = query.where(items.c.taken_by.not_in(alive)).values(state="pending", taken_by=None)
        return session.execute(query).rowcount  # type: ignore[attr-defined]


def close(task_id: str, reason: str) -> None:
    """Skip what is still pending: a task that has ended leaves no item open."""
    while True:
        some = select(items.c.id).where(items.c.task_id == task_id, items.c.state.in_(("pending", "sending")))
        with writing() as session:
            query = update(items).where(items.c.id.in_(some.limit(CHUNK_ROWS)))
            changed = session.execute(query.values(state="skipped", error=reason, taken_by=None, updated_at=now()))
        if changed.rowcount < CHUNK_ROWS:  # type: ignore[attr-defined]
            return


def reopen(task_id: str, states: Iterable[str]) -> int:
    """Set items of these states back to pending; how many."""
    reopened = 0
    while True:
        some = select(items.c.id).where(items.c.task_id == task_id, items.c.state.in_(list(states))).limit(CHUNK_ROWS)
        with writing() as session:
            values = {"state": "pending", "error": None, "updated_at": now()}
            changed = session.execute(update(items).where(items.c.id.in_(some)).values(**values))
        reopened += changed.rowcount  # type: ignore[attr-defined]
        if changed.rowcount < CHUNK_ROWS:  # type: ignore[attr-defined]
            return reopened


def counts(task_id: str) -> dict[str, int]:
    """How many items stand in each state that occurs."""
    query = select(items.c.state, func.count()).where(items.c.task_id == task_id).group_by(items.c.state)
    with reading() as session:
        return dict(map(tuple, session.execute(query)))


def finished(task_id: str) -> Iterator[Item]:
    """The items that are done, in the order they were posted, read page by page."""
    after = 0
    while True:
        query = select(items).where(items.c.task_id == task_id, items.c.state == "done", items.c.position > after)
        with reading() as session:
            rows = session.execute(query.order_by(items.c.position).limit(CHUNK_ROWS)).all()
        for row in rows:
            output = Seal.loads(row.output) if row.output else None
            yield Item(row.id, row.position, Seal.loads(row.value), "done", row.ref, output)
        if len(rows) < CHUNK_ROWS:
            return
        after = rows[-1].position


def first_error(task_id: str) -> str | None:
    """One reason that stands for a bulk of which nothing was done."""
    query = select(items.c.error).where(items.c.task_id == task_id, items.c.error.is_not(None))
    with reading() as session:
        return session.scalars(query.order_by(items.c.position).limit(1)).first()


def page(
    task_id: str, *, state: str | None = None, cursor: str | None = None, limit: int = 50
) -> tuple[list[dict[str, Any]], str | None]:
    """Items as dicts in posted order, and the cursor of the next page (a position)."""
    if state is not None and state not in STATES:
        raise InvalidInput([{"field": "state", "message": f"use one of {', '.join(STATES)}"}])
    if cursor is not None and not (cursor.isascii() and cursor.isdigit() and len(cursor) < 10):
        raise InvalidInput([{"field": "cursor", "message": "use next_cursor of the page before"}])
    query = select(items).where(items.c.task_id == task_id, items.c.position > int(cursor or 0))
    query = query.where(items.c.state == state) if state else query
    with reading() as session:
        rows = session.execute(query.order_by(items.c.position).limit(limit + 1)).all()
    names = ("id", "position", "ref", "state", "attempts", "error", "provider_id", "updated_at")
    listed = [{name: getattr(row, name) for name in names} for row in rows[:limit]]
    return listed, str(rows[limit - 1].position) if len(rows) > limit else None
