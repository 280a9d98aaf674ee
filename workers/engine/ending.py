"""The end of a task, made ready before the script writes it: by its worker, or by who rescued it from a dead one."""

import math
from contextlib import suppress
from dataclasses import replace
from uuid import UUID

from redis.exceptions import RedisError
from sqlalchemy import select

from workers import logs
from workers.db import reading
from workers.engine import callbacks, foreign, ledger, wire
from workers.engine.claim import Claim, is_held
from workers.engine.outcome import Outcome
from workers.engine.registry import Kind
from workers.engine.tables import tasks
from workers.errors import DatabaseDown

REASONS = {"revoked": "İptal edildi", "failed": "Görev başarısız oldu"}
ENDS = ("finished", *REASONS)
OUTCOMES = {"SUCCESS": Outcome("finished"), "FAILURE": Outcome("failed"), "REVOKED": Outcome("revoked")}
CLOCKS_DIFFER_BY_S = 60.0
CANCEL = b"cancel"  # the script's answer where somebody has cancelled what would have gone on
log = logs.get("ending")


def ready(task_id: str, execution: str, queue: str, decided: Outcome, kind: Kind | None = None) -> Outcome:
    """No item stays open, unless another execution holds the task by now and works on them; and who is to be called
    stands in the outcome."""
    if decided.name not in ENDS:
        return decided
    if decided.name in REASONS and is_held(wire.connect(), task_id, execution):
        ledger.close(task_id, REASONS[decided.name])
    return _calling(task_id, execution, queue, decided, kind)


def of(claim: Claim, decided: Outcome) -> Outcome:
    """The same for a worker's own claim, whose end must not fail of this: the doctor closes what stays open."""
    if not claim.is_task:
        return decided
    try:
        return ready(*claim.ended_as, decided, claim.kind)
    except Exception:
        log.exception("items left open", task_id=claim.job_id)
        return _calling(*claim.ended_as, decided, claim.kind) if claim.kind else decided


def said(claim: Claim, ended: Outcome, settled: bool) -> None:
    if not settled:
        log.warning("late outcome refused", task_id=claim.job_id, outcome=ended.name)
    elif claim.foreign is not None:
        foreign.told(claim.foreign, ended)


def known(claim: Claim, broke_at: float) -> Outcome | None:
    """How a task ended before, that is given out once more: Redis may come back with what it had a while ago (a replica
    that lagged behind, the end of its file lost), and its line breaks as it does. So of tasks that are older than that
    SQL is asked, which has what was recorded."""
    if not (broke_at and claim.is_task and _born(claim.job_id) < broke_at + CLOCKS_DIFFER_BY_S):
        return None
    query = select(tasks.c.state).where(tasks.c.id == claim.job_id, tasks.c.ended_at.is_not(None))
    ended = None
    with suppress(DatabaseDown), reading() as session:
        ended = OUTCOMES.get(session.scalar(query) or "")
    with suppress(RedisError):
        if ended and wire.connect().hexists(f"rq:job:{claim.job_id}", "repeats_left"):
            return None  # RQ's Repeat: it has ended once, and goes on
    return ended


def _born(task_id: str) -> float:
    """When an id of ours was made (see queues.new_id), in seconds since 1970; never, of another."""
    try:
        return UUID(task_id).int / 2**80 / 1000
    except ValueError:
        return math.inf


def _calling(task_id: str, execution: str, queue: str, decided: Outcome, kind: Kind | None) -> Outcome:
    call = callbacks.call(task_id, execution, queue, decided.name, kind)
    return replace(decided, call=call) if call else decided
