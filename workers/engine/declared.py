"""Requests in the ledger: what waits for one, what is declared in one, and what is found out of it later."""

from datetime import datetime

from sqlalchemy import bindparam, func, literal_column, null, or_, select, update
from sqlalchemy.orm import Session

from workers.db import many, now, reading, writing
from workers.engine.ledger import SENDING, VALUES, Item, Note, item_of
from workers.engine.tables import items

PENDING, UNKNOWN = (items.c.state == literal_column(f"'{state}'") for state in ("pending", "unknown"))
REFUSE = update(items).where(items.c.id == bindparam("item_id"), PENDING).values(VALUES)
RESOLVE = update(items).where(items.c.id == bindparam("item_id"), UNKNOWN).values(VALUES | {"taken_by": null()})
DECLARE = (
    update(items)
    .where(items.c.id == bindparam("item_id"), PENDING)
    .values(state=literal_column("'sending'"), taken_by=bindparam("holder"), request_key=bindparam("key"))
    .values(attempts=items.c.attempts + literal_column("1"), due_at=null(), updated_at=bindparam("at"))
    .values(output=bindparam("made_of"))
)


def waiting(task_id: str, count: int, *, singly: bool = False) -> list[Item]:
    """Up to `count` pending items that are due, only read; what was once in one request comes together again, and by
    itself, unless each is a request (`singly`)."""
    query = select(items).where(items.c.task_id == task_id, items.c.state == "pending")
    query = query.where(or_(items.c.due_at.is_(None), items.c.due_at <= now()))
    with reading() as session:
        rows = session.execute(query.order_by(items.c.position).limit(count)).all()
    return [item_of(row) for row in rows if singly or row.request_key == rows[0].request_key]


def next_due(task_id: str) -> datetime | None:
    """When the first of the pending items is due; None without any."""
    query = select(func.min(items.c.due_at)).where(items.c.task_id == task_id, items.c.state == "pending")
    with reading() as session:
        return session.scalar(query)


def declare(session: Session, taken_by: str, requests: dict[str, list[Item]], note: Note) -> dict[str, list[Item]]:
    """Write down, before they go out, which items the requests carry. Gives the requests with those that are now
    `sending` and ours; one that was meanwhile cancelled or sent by another is left out."""
    at, mine = now(), [item for batch in requests.values() for item in batch]
    rows = [
        {"item_id": item.id, "holder": taken_by, "key": key, "at": at, "made_of": item.sealed_output}
        for key, batch in requests.items()
        for item in batch
    ]
    if many(session, DECLARE, rows) < len(rows):
        ours = select(items.c.id).where(items.c.id.in_([item.id for item in mine]), items.c.taken_by == taken_by)
        ids = set(session.scalars(ours.where(SENDING)))
        requests = {key: [item for item in batch if item.id in ids] for key, batch in requests.items()}
    for key, batch in requests.items():
        for item in batch:
            item.state, item.request_key, item.attempts = "sending", key, item.attempts + 1
    note(session, [item for batch in requests.values() for item in batch])
    return {key: batch for key, batch in requests.items() if batch}


def refuse(session: Session, batch: list[Item], note: Note) -> None:
    """Write of pending items why they are not sent at all; `note` hears of those that may have been sent before."""
    at = now()
    many(session, REFUSE, [item.settled(at) for item in batch])
    if begun := [item for item in batch if item.attempts]:
        note(session, begun)


def resolve(batch: list[Item], note: Note | None = None) -> None:
    """Write what was found out about unknown items; of those that stay unknown nobody in the task asks any more."""
    if batch:
        with writing() as session:
            at = now()
            many(session, RESOLVE, [item.settled(at) for item in batch])
            if note:
                note(session, batch)


def left(task_id: str, count: int = 5000) -> list[tuple[datetime, list[Item]]]:
    """The unknown items of dead executions, a list for each request and since when they are unknown."""
    query = select(items).where(items.c.task_id == task_id, items.c.state == "unknown", items.c.taken_by.is_not(None))
    with reading() as session:
        rows = session.execute(query.order_by(items.c.position).limit(count)).all()
    requests: dict[str, tuple[datetime, list[Item]]] = {}
    for row in rows:
        requests.setdefault(row.request_key, (row.updated_at, []))[1].append(item_of(row))
    return list(requests.values())
