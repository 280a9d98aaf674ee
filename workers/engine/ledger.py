"""The ledger: the items of a bulk task, who works on them, and what became of each, exactly once.

pending -> sending (committed before the work) -> done | failed | skipped | unknown. Items that may be repeated
(letters) are taken with `take`: what a dead execution left `sending` goes back to pending. Messages are marked with
`mark` under the key of the request that carries them: what a dead execution left of these becomes `unknown`, for it
may have been sent. It stays `taken_by` the dead one, whose late answer still counts; nobody sends it again by itself.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    Boolean,
    Row,
    Update,
    and_,
    bindparam,
    delete,
    func,
    insert,
    literal_column,
    null,
    or_,
    select,
    update,
)
from sqlalchemy.orm import Session

from workers.db import many, now, reading, storable, writing
from workers.engine import wire
from workers.engine.seal import Seal
from workers.engine.tables import items, tasks
from workers.errors import InvalidInput

CHUNK_ROWS = 500
STATES = ("pending", "sending", "done", "failed", "skipped", "unknown")
ENDS = ("done", "failed")
OPEN = ("pending", "sending")
SETTLED = ("state", "ref", "output", "error", "provider_id", "due_at", "attempts", "updated_at")
ANEW = dict.fromkeys(("error", "request_key", "taken_by", "provider_id", "due_at"))  # of an item that begins again
SHOWN = ("id", "position", "ref", "state", "attempts", "error", "provider_id", "updated_at")
VALUES: dict[str, Any] = {name: bindparam(name) for name in SETTLED}
MINE = and_(items.c.id == bindparam("item_id"), items.c.taken_by == bindparam("holder"))
ADD = insert(items)
SENDING = items.c.state == literal_column("'sending'")
SETTLE = (  # an answer that comes late may end an unknown item, not set it back
    update(items).where(MINE, or_(SENDING, bindparam("ends", type_=Boolean))).values(VALUES | {"taken_by": null()})
)
Note = Callable[[Session, list["Item"]], None]  # what else is to be written in the transaction of the items


@dataclass
class Entry:
    """A row to be: `ref` is what may be shown of it; one that is refused from the start says why in `error`."""

    value: Any
    ref: str | None = None
    state: str = "pending"
    error: str | None = None


@dataclass
class Item:
    """One row of a bulk: `value` is what was posted. Say what became of it with `done`, `fail` or `skip`, and of a
    message also `unsure` (it may have been sent) or `later` (it surely was not)."""

    id: int
    position: int
    value: Any
    state: str = "sending"
    ref: str | None = None
    output: Any = None
    error: str | None = None
    provider_id: str | None = None
    request_key: str | None = None
    due_at: datetime | None = None
    attempts: int = 0

    def done(self, output: Any = None, *, ref: str | None = None, provider_id: str | None = None) -> None:
        self.state, self.error = "done", None
        self.output = self.output if output is None else output
        self.ref, self.provider_id = ref or self.ref, provider_id or self.provider_id

    def fail(self, reason: object) -> None:
        self.state, self.error = "failed", str(reason) or type(reason).__name__

    def skip(self, reason: str) -> None:
        self.state, self.error = "skipped", reason

    def unsure(self, reason: str) -> None:
        self.state, self.error = "unknown", reason

    def later(self, reason: str | None = None, *, pause_s: float = 0.0) -> None:
        self.state, self.error = "pending", reason
        self.due_at = now() + timedelta(seconds=pause_s) if pause_s else None

    def not_begun(self) -> None:
        """It was declared, and its request never went out: that was no attempt."""
        self.state, self.attempts = "pending", self.attempts - 1

    def settled(self, at: datetime) -> dict[str, Any]:
        """What is written of it."""
        return {
            "attempts": self.attempts,
            **{"item_id": self.id, "state": self.state, "provider_id": self.provider_id, "due_at": self.due_at},
            **{"ref": self.ref and storable(self.ref), "error": self.error and storable(self.error)},
            **{"output": self.sealed_output, "updated_at": at},
        }

    @property
    def sealed_output(self) -> bytes | None:
        return Seal.dumps(self.output) if self.output is not None else None


def entries(rows: Iterable[Any]) -> list[Entry]:
    """Numbers are ids and may be shown; anything else may be personal and gets its ref from the job."""
    return [Entry(row, str(row) if isinstance(row, int) else None) for row in rows]


def fill(task_id: str, rows: list[Any]) -> None:
    """Write the items in short transactions, so that no other writer waits for a large bulk."""
    for start in range(0, len(rows), CHUNK_ROWS):
        chunk = rows[start : start + CHUNK_ROWS]
        written = [row_of(task_id, position, entry) for position, entry in enumerate(_as_entries(chunk), start + 1)]
        with writing() as session:
            many(session, ADD, written)


def _as_entries(rows: list[Any]) -> list[Entry]:
    return [row if isinstance(row, Entry) else entries([row])[0] for row in rows]


def row_of(task_id: str, position: int, entry: Entry) -> dict[str, Any]:
    return {
        **{"task_id": task_id, "position": position, "value": Seal.dumps(entry.value), "ref": entry.ref},
        **{"state": entry.state, "error": entry.error, "attempts": 0, "updated_at": now()},
    }


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
        query = select(items.c.id, items.c.position, items.c.value, items.c.ref, items.c.attempts)
        query = query.where(items.c.task_id == task_id, items.c.state == "pending")
        rows = session.execute(query.order_by(items.c.position).limit(count).with_for_update(skip_locked=True)).all()
        if rows:
            session.execute(taking([row.id for row in rows], taken_by))
    return [Item(row.id, row.position, Seal.loads(row.value), ref=row.ref, attempts=row.attempts + 1) for row in rows]


def taking(ids: list[int], taken_by: str, **more: Any) -> Update:
    values = {"state": "sending", "taken_by": taken_by, "attempts": items.c.attempts + 1, "updated_at": now(), **more}
    return update(items).where(items.c.id.in_(ids), items.c.state == "pending").values(values)


def item_of(row: Row[Any]) -> Item:
    output = Seal.loads(row.output) if row.output else None
    return Item(
        **{"id": row.id, "position": row.position, "value": Seal.loads(row.value), "output": output},
        **{name: getattr(row, name) for name in ("state", "ref", "error", "provider_id", "request_key", "attempts")},
    )


def settle(taken_by: str, batch: list[Item], note: Note | None = None) -> None:
    """Write what became of the batch; a row that was meanwhile taken by another execution is left to that one."""
    if batch:
        with writing() as session:
            settle_in(session, taken_by, batch, note)


def settle_in(session: Session, taken_by: str, batch: list[Item], note: Note | None = None) -> None:
    """The same in a transaction that writes more."""
    at = now()
    many(session, SETTLE, [{**item.settled(at), "holder": taken_by, "ends": item.state in ENDS} for item in batch])
    if note:
        note(session, batch)


def reopen(task_id: str, states: Iterable[str]) -> int:
    """Set items of these states back to pending; how many. A message goes out in a new request."""
    reopened = 0
    while True:
        some = select(items.c.id).where(items.c.task_id == task_id, items.c.state.in_(list(states))).limit(CHUNK_ROWS)
        with writing() as session:
            query = update(items).where(items.c.id.in_(some))
            changed = session.execute(query.values(state="pending", updated_at=now(), **ANEW))
        reopened += changed.rowcount  # type: ignore[attr-defined]
        if changed.rowcount < CHUNK_ROWS:  # type: ignore[attr-defined]
            return reopened


def began_anew(job_id: str, task_id: str, execution: str) -> bool:
    """Whether items were settled since this was asked last; then neither retries nor losses of the job count on."""
    return bool(wire.run(wire.connect(), "anew", job_id, execution, settled(task_id)))


def settled(task_id: str) -> int:
    """How many items are no longer open."""
    query = select(func.count()).where(items.c.task_id == task_id, items.c.state.not_in(OPEN))
    with reading() as session:
        return session.scalar(query) or 0


def counts(task_id: str) -> dict[str, int]:
    """How many items stand in each state that occurs."""
    query = select(items.c.state, func.count()).where(items.c.task_id == task_id).group_by(items.c.state)
    with reading() as session:
        return dict(map(tuple, session.execute(query)))


def finished(task_id: str) -> Iterator[Item]:
    """The items that are done, in the order they were posted, read page by page."""
    after = 0
    while True:
        query = select(items.c.id, items.c.position, items.c.value, items.c.ref, items.c.output)
        query = query.where(items.c.task_id == task_id, items.c.state == "done", items.c.position > after)
        with reading() as session:
            rows = session.execute(query.order_by(items.c.position).limit(CHUNK_ROWS)).all()
        for row in rows:
            output = Seal.loads(row.output) if row.output else None
            yield Item(row.id, row.position, Seal.loads(row.value), "done", row.ref, output)
        if len(rows) < CHUNK_ROWS:
            return
        after = rows[-1].position


def first_error(task_id: str, state: str | None = None) -> str | None:
    """One reason that stands for a bulk of which nothing was done, or for its items in this state."""
    query = select(items.c.error).where(items.c.task_id == task_id, items.c.error.is_not(None))
    query = query.where(items.c.state == state) if state else query
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
    query = select(*(items.c[name] for name in SHOWN)).where(
        items.c.task_id == task_id, items.c.position > int(cursor or 0)
    )
    query = query.where(items.c.state == state) if state else query
    with reading() as session:
        rows = session.execute(query.order_by(items.c.position).limit(limit + 1)).all()
    listed = [dict(zip(SHOWN, row, strict=True)) for row in rows[:limit]]
    return listed, str(rows[limit - 1].position) if len(rows) > limit else None
