"""How far an import has come: one row for each task, moved in the transaction of each batch."""

from collections import Counter

from sqlalchemy import bindparam, delete, select, update
from sqlalchemy.orm import Session

from workers.db import now, reading, writing
from workers.errors import Superseded
from workers.models import Import

PLACE = Import.__table__.c
COUNTS = ("new", "changed", "unchanged")
MOVE = (
    update(Import.__table__)  # type: ignore[arg-type]  # declared as FromClause, is a Table
    .where(PLACE.task_id == bindparam("task"), PLACE.execution == bindparam("holder"))
    .values(reached=bindparam("place"), updated_at=bindparam("at"))
    .values({name: PLACE[name] + bindparam(f"more_{name}") for name in COUNTS})
)


def claim(task_id: str, execution: str) -> Import:
    """Where this task stands; from now on only this execution may move it."""
    with writing() as session:
        place = session.get(Import, task_id, with_for_update=True)
        if place is None:
            place = Import(task_id=task_id, new=0, changed=0, unchanged=0)
            session.add(place)
        place.execution = execution
        session.flush()
        return place


def move(session: Session, place: Import, reached: str, counts: Counter[str]) -> None:
    """On in the transaction of a batch. Raises Superseded if another execution has claimed the task meanwhile."""
    more = {f"more_{name}": counts[name] for name in COUNTS}
    given = {"task": place.task_id, "holder": place.execution, "place": reached, "at": now(), **more}
    if session.connection().execute(MOVE, given).rowcount != 1:
        raise Superseded()


def find(task_id: str) -> Import:
    with reading() as session:
        return session.get_one(Import, task_id)


def has_begun(task_id: str) -> bool:
    """Whether a batch of this task is written."""
    with reading() as session:
        return session.scalar(select(PLACE.reached).where(PLACE.task_id == task_id)) is not None


def forget(task_id: str) -> None:
    with writing() as session:
        session.execute(delete(Import).where(Import.task_id == task_id))
