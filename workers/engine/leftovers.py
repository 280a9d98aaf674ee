"""What executions that are gone leave in the ledger: settled as their journals tell, given back, or unknown.

Whatever finds it, what the kind writes beside its items (`note=`) is written in the same transaction.
"""

from contextlib import suppress

from redis.exceptions import RedisError
from sqlalchemy import ColumnElement, and_, exists, not_, select, update
from sqlalchemy.orm import Session

from workers.db import now, reading, storable, writing
from workers.engine import journal, ledger, registry
from workers.engine.ledger import CHUNK_ROWS, OPEN, SENDING, Item, Note, item_of
from workers.engine.tables import items, tasks

UNTOLD = "Yanıt alınamadan işçi durdu; mesaj gönderilmiş olabilir."
HAS_ENDED = exists().where(tasks.c.id == items.c.task_id, tasks.c.ended_at.is_not(None))
WAS_DECLARED = items.c.request_key.is_not(None)


def take_up(task_id: str, alive: set[str], note: Note | None = None) -> None:
    """Settle what dead executions declared as their journals tell; what no journal tells of is left as it is. Without a
    `note` that of the kind is written beside."""
    query = select(items).where(items.c.task_id == task_id, SENDING, WAS_DECLARED)
    with reading() as session:
        rows = session.execute(query.where(items.c.taken_by.not_in(alive))).all()
        note = note or _note_of(session, task_id)
    for tag in {row.taken_by for row in rows}:
        told = journal.read(tag)
        batch = [item_of(row) for row in rows if row.taken_by == tag]
        ledger.settle(tag, [item for item in batch if told and _tell(item, told)], note)


def give_back(task_id: str, alive: set[str]) -> int:
    """What executions other than `alive` left in work: back to pending (how many), or unknown if it may have been
    sent."""
    left = and_(items.c.task_id == task_id, SENDING, items.c.taken_by.not_in(alive))
    with reading() as session:
        if session.execute(select(items.c.id).where(left).limit(1)).first() is None:
            return 0
    with writing() as session:
        _leave_unknown(session, task_id, left)
        back = update(items).where(left, not_(WAS_DECLARED)).values(state="pending", taken_by=None)
        return session.execute(back).rowcount  # type: ignore[attr-defined]


def close(task_id: str, reason: str, *, if_ended: bool = False, broke: tuple[str, str] | None = None) -> None:
    """A task that has ended leaves no item open: what is pending is skipped, what may have been sent unknown.
    `if_ended`: unless it has just begun anew, which is looked at in the same statement. `broke`: whose taken items
    (a tag) have failed with the task, and why."""
    with suppress(RedisError):  # then nothing can be proved
        if not if_ended:
            take_up(task_id, set())
    at, mine = now(), and_(items.c.task_id == task_id, *([HAS_ENDED] if if_ended else []))
    some = select(items.c.id).where(mine, items.c.state.in_(OPEN), not_(and_(SENDING, WAS_DECLARED))).limit(CHUNK_ROWS)
    skipping = update(items).where(items.c.id.in_(some))
    while True:
        with writing() as session:
            _leave_unknown(session, task_id, and_(mine, SENDING))
            if broke:
                _fail(session, and_(mine, SENDING, not_(WAS_DECLARED), items.c.taken_by == broke[0]), broke[1])
            changed = session.execute(skipping.values(state="skipped", error=reason, taken_by=None, updated_at=at))
        if changed.rowcount < CHUNK_ROWS:  # type: ignore[attr-defined]
            return


def _fail(session: Session, which: ColumnElement[bool], reason: str) -> None:
    failed = {"state": "failed", "error": storable(reason), "taken_by": None, "updated_at": now()}
    session.execute(update(items).where(which).values(failed))


def _leave_unknown(session: Session, task_id: str, left: ColumnElement[bool]) -> None:
    """Of these what was declared, for it may have been sent. It stays `taken_by` the dead, whose late answer counts."""
    untold = update(items).where(left, WAS_DECLARED).values(state="unknown", error=UNTOLD, updated_at=now())
    rows = session.execute(untold.returning(*items.c)).all()
    if rows and (note := _note_of(session, task_id)):
        note(session, [item_of(row) for row in rows])


def _note_of(session: Session, task_id: str) -> Note | None:
    kind = registry.kinds().get(session.scalar(select(tasks.c.kind).where(tasks.c.id == task_id)) or "")
    return kind.note if kind else None


def _tell(item: Item, told: journal.Told) -> bool:
    """Whether the journal tells what became of the item: it ended, or it never began."""
    if outcome := told.outcome(item.id, item.request_key):
        vars(item).update(outcome)
    elif item.request_key not in told.began:
        item.not_begun()
    return item.state != "sending"
