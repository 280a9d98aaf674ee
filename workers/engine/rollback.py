"""Redis may come back with what it had a while ago: a replica that lagged behind leads now, or the end of its file is
lost. What has ended since then waits in it once more, and must not be done again.

Who was connected knows by its broken line. Who comes later asks SQL, whose history then tells of an event that is not
in the stream. Once the stream has gone on nobody could see that any more: so the recorder looks before it writes, and
what it finds stands in Redis for those who come later still.
"""

import math
import time
from contextlib import suppress
from uuid import UUID

from redis.exceptions import RedisError
from sqlalchemy import select

from workers import db, logs
from workers.engine import wire
from workers.engine.claim import Claim
from workers.engine.events import STREAM, padded, stream_id
from workers.engine.outcome import Outcome
from workers.engine.tables import history, tasks
from workers.errors import DatabaseDown

SEEN_AT = "sira:rolled_back"  # when it was seen last, in seconds since 1970
CLOCKS_DIFFER_BY_S = 60.0
OUTCOMES = {"SUCCESS": Outcome("finished"), "FAILURE": Outcome("failed"), "REVOKED": Outcome("revoked")}
log = logs.get("rollback")


def note() -> None:
    """Keep for those who come later that it has happened. Raises DatabaseDown, RedisError."""
    if _is_behind():
        log.warning("redis has gone back in time", then="what SQL knows to have ended is not done again")
        wire.connect().set(SEEN_AT, time.time())


def watch(sayer: wire.Sayer) -> None:
    """Have its `broke_at` tell also of what was before this process began. Raises RedisError."""
    sayer.open()  # from before we look: what happens from then on breaks its line
    sayer.broke_at = _last()


def known(claim: Claim, since: float) -> Outcome | None:
    """How a task ended before, that is given out once more. Of tasks that are older than what happened at `since`
    (seconds since 1970, 0: never) SQL is asked, which has what was recorded."""
    if not (since and claim.is_task and _born(claim.job_id) < since + CLOCKS_DIFFER_BY_S):
        return None
    query = select(tasks.c.state).where(tasks.c.id == claim.job_id, tasks.c.ended_at.is_not(None))
    ended = None
    with suppress(DatabaseDown), db.reading() as session:
        ended = OUTCOMES.get(session.scalar(query) or "")
    with suppress(RedisError):
        if ended and wire.connect().hexists(f"rq:job:{claim.job_id}", "repeats_left"):
            return None  # RQ's Repeat: it has ended once, and goes on
    if ended:
        log.warning("ended before, and given out again", task_id=claim.job_id, outcome=ended.name)
    return ended


def _last() -> float:
    """When it happened last, as far as a process that starts now can know. Without a database: just now, perhaps."""
    try:
        behind = _is_behind()
    except DatabaseDown:
        return time.time()
    finally:
        db.close()  # a worker whose jobs need none keeps no connection for this one question
    with suppress(ValueError):  # of what anybody wrote there
        return time.time() if behind else float(wire.connect().get(SEEN_AT) or 0)
    return time.time()


def _is_behind() -> bool:
    """The newest event that SQL knows is not in the stream; and it was not trimmed, for older ones are there."""
    with db.reading() as session:
        newest = session.scalar(select(history.c.event_id).order_by(history.c.id.desc()).limit(1))
    if newest is None:
        return False
    found = wire.connect().xrevrange(STREAM, max=stream_id(newest), count=1)
    return bool(found) and padded(found[0][0].decode()) < newest


def _born(task_id: str) -> float:
    """When an id of ours was made (see queues.new_id), in seconds since 1970; never, of another."""
    try:
        return UUID(task_id).int / 2**80 / 1000
    except ValueError:
        return math.inf
