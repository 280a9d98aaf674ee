"""The end of a task, made ready before the script writes it: by its worker, or by who rescued it from a dead one."""

from dataclasses import replace

from workers import logs
from workers.engine import callbacks, foreign, leftovers, wire
from workers.engine.claim import Claim, is_held
from workers.engine.outcome import Outcome
from workers.engine.registry import Kind
from workers.engine.running import Run
from workers.engine.seal import Seal

REASONS = {"revoked": "İptal edildi", "failed": "Görev başarısız oldu"}
ENDS = ("finished", *REASONS)
CANCEL = b"cancel"  # the script's answer where somebody has cancelled what would have gone on
log = logs.get("ending")


def ready(task_id: str, execution: str, queue: str, decided: Outcome, kind: Kind | None = None) -> Outcome:
    """No item stays open, unless another execution holds the task by now and works on them: those that this one had in
    hand when it failed have failed with it. And who is to be called stands in the outcome."""
    if decided.name not in ENDS:
        return decided
    if decided.name in REASONS and is_held(wire.connect(), task_id, execution):
        tag = Run(task_id, task_id, execution).tag
        broke = (tag, Seal.loads(decided.error)["message"]) if decided.name == "failed" and decided.error else None
        leftovers.close(task_id, REASONS[decided.name], broke=broke)
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


def _calling(task_id: str, execution: str, queue: str, decided: Outcome, kind: Kind | None) -> Outcome:
    call = callbacks.call(task_id, execution, queue, decided.name, kind)
    return replace(decided, call=call) if call else decided
