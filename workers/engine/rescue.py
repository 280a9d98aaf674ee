"""Death: who notices that a worker is gone, and what becomes of the job it held."""

from typing import Any

from workers import logs
from workers.engine import callbacks, ledger, outcome, wire
from workers.engine.helpers import task_of
from workers.errors import SiraError

AT_ONCE = 100
log = logs.get("rescue")


def dead_child(worker: str, error: SiraError, ended_by_us: tuple[str, SiraError] | None = None) -> int:
    """Give back at once what the dead child of this worker name held. `ended_by_us`: the job for whose sake it was
    killed, and why; it may have gone on to another in that moment."""
    connection = wire.connect()
    lost = wire.run(connection, "lost", worker, AT_ONCE)
    if ended_by_us and any(job_id.decode() == ended_by_us[0] for job_id, *_ in lost):
        error = ended_by_us[1]
    rescued = _settle(lost, child_died=True, error=error)
    connection.srem("rq:workers", f"rq:worker:{worker}")
    connection.delete(f"rq:worker:{worker}", f"rq:worker:{worker}:executions")
    return rescued


def expired() -> int:
    """Give back what workers held whose lease has run out: their machine is gone or cut off."""
    lost = wire.run(wire.connect(), "lost", "", AT_ONCE)
    return _settle(lost, child_died=False, error=outcome.child_lost("its machine does not answer"))


def _settle(lost: list[list[Any]], *, child_died: bool, error: SiraError) -> int:
    for job_id, execution, queue, worker, losses, cancelled, left, retries in lost:
        task_id = task_of(job_id.decode())
        decided = outcome.lost(
            losses=losses,
            cancelled=bool(cancelled),
            moved=not cancelled and ledger.began_anew(job_id.decode(), task_id, execution.decode()),
            child_died=child_died,
            retries_left=left,
            retries=retries,
            error=error,
        )
        helps = task_id != job_id.decode()
        if decided.name in ("failed", "revoked") and not helps:
            ledger.close(task_id, "Görevi yürüten işçi durdu")
        calls = "1" if not helps and callbacks.wanted(None, decided.name) else ""
        arguments = (worker, 0, "", "", 0, job_id, execution, queue, *decided.arguments, calls)
        settled, *_ = wire.run(wire.connect(), "exchange", *arguments)
        log.warning("claim given back", task_id=job_id.decode(), worker=worker.decode(), outcome=decided.name)
        if settled and calls:
            callbacks.after_end(task_id, decided.name)
    return len(lost)
