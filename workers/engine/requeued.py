"""What RQ's own tools (`rq requeue`, `Job.requeue`) put into its queue after its end is a retry like ours. They know
nothing of SQL, where it had ended for good; so who claims it writes there first that it begins anew."""

from contextlib import suppress

from redis.exceptions import RedisError
from sqlalchemy import select

from workers import db, logs
from workers.engine import control, wire
from workers.engine.claim import Claim
from workers.engine.events import padded
from workers.engine.outcome import Outcome
from workers.engine.rollback import OUTCOMES
from workers.engine.tables import ENDED, tasks
from workers.errors import Conflict, DatabaseDown, QueueDown, UnknownTask

LATER_MS = 1000
log = logs.get("requeued")


def refused(claim: Claim) -> Outcome | None:
    """What comes of a claim that is not run: its end stays where there is nothing to run again; and it comes later
    where SQL is away, or has not heard of that end yet."""
    if not (claim.requeued and claim.is_task):
        return None
    try:
        refusal = _refusal(claim)
        if refusal is None or refusal.name != "pass":
            wire.connect().hdel(f"rq:job:{claim.job_id}", "sira_requeued")
        return refusal
    except (DatabaseDown, QueueDown, RedisError):
        return Outcome("pass", delay_ms=LATER_MS)


def _refusal(claim: Claim) -> Outcome | None:
    query = select(tasks.c.state, tasks.c.event_id).where(tasks.c.id == claim.job_id)
    with db.reading() as session:
        row = session.execute(query).first()
    if row and row.state not in ENDED:  # it began anew, by us or by an operator; or its end is not recorded yet
        return Outcome("pass", delay_ms=LATER_MS) if row.event_id < padded(claim.requeued) else None
    with suppress(UnknownTask):
        try:
            control.retry(claim.job_id, told=claim.requeued)
        except Conflict as error:
            log.warning("requeued by another tool", task_id=claim.job_id, refused=error.message)
            return OUTCOMES[row.state] if row else None
        log.info("requeued by another tool", task_id=claim.job_id)
    return None
