"""The runs of a house-keeping kind that comes so often that a record of each would bury the others."""

from datetime import datetime

from sqlalchemy import delete, select

from workers import db
from workers.engine.tables import history, occurrences, tasks

AT_ONCE = 200
T, OC = tasks.c, occurrences.c


def forget(kind: str, before: datetime) -> int:
    """Forget up to 200 runs of the schedule that ended well before then; how many. Those that failed stay."""
    old = select(T.id).where(T.kind == kind, T.state == "SUCCESS", T.ended_at < before).order_by(T.id).limit(AT_ONCE)
    with db.reading() as session:
        ids = list(session.scalars(old))
    if ids:
        with db.writing() as session:
            session.execute(delete(history).where(history.c.task_id.in_(ids)))
            session.execute(delete(tasks).where(T.id.in_(ids)))
            gone = OC.state.not_in(("enqueued", "waiting", "failed"))
            session.execute(delete(occurrences).where(OC.schedule == kind, OC.due_at < before, gone))
    return len(ids)
