"""Death: who notices that a worker is gone, and what becomes of the job it held."""

from collections.abc import Collection, Iterable
from typing import Any

from redis.exceptions import RedisError, ResponseError

from workers import logs
from workers.engine import ending, ledger, outcome, registry, wire
from workers.engine.claim import pauses_s
from workers.engine.helpers import task_of
from workers.engine.wire import text
from workers.errors import DatabaseDown, QueueDown, SiraError, TimeLimitExceeded

AT_ONCE = 100
EndedByUs = tuple[str, SiraError | None]  # for the sake of which job, and why (None: it was cancelled)
log = logs.get("rescue")


def dead_child(
    worker: str, error: SiraError | None, ended_by_us: EndedByUs | None = None, begun: str | None = None
) -> int:
    """Give back at once what the dead child of this worker name held. `error` None: it was ended because its fleet
    stops. `begun`: the execution that it began last, if that is known: what it held beside, it knew nothing of. One
    that was `ended_by_us` may have gone on to another job in that moment, which is not to blame."""
    connection = wire.connect()
    lost = wire.run(connection, "lost", worker, AT_ONCE)
    if ended_by_us:
        error = ended_by_us[1] if any(text(job_id) == ended_by_us[0] for job_id, *_ in lost) else None
    rescued = _settle(lost, error, child_died=error is not None, begun=begun)
    connection.srem("rq:workers", f"rq:worker:{worker}")
    connection.delete(f"rq:worker:{worker}", f"rq:worker:{worker}:executions")
    return rescued


def expired(spared: Collection[str] = ()) -> int:
    """Give back what workers held whose lease has run out: their machine is gone or cut off. Not of the `spared`, which
    are known to live: after a machine has slept, all its leases have run out at once."""
    connection = wire.connect()
    lost = wire.run(connection, "lost", "", AT_ONCE, wire.LEASE_MS, _server_up_ms(connection))
    gone = [claim for claim in lost if text(claim[3]) not in spared]
    return _settle(gone, outcome.child_lost("its machine does not answer"), child_died=False)


def _server_up_ms(connection: Any) -> int:
    """A keeper that is new did not see an outage itself. Of a server that hides this none is assumed."""
    try:
        return 1000 * int(connection.info("server")["uptime_in_seconds"])
    except (ResponseError, KeyError):
        return wire.LEASE_MS


def left_by_stock_workers(queues: Iterable[str] = registry.QUEUES) -> int:
    """Put back what a stock `rq worker` held that has not been heard of for longer than RQ itself waits. (Its registry
    has no end for what ours hold.)"""
    connection, rescued = wire.connect(), 0
    seconds, _ = connection.time()
    for queue in queues:
        for both in connection.zrangebyscore(f"rq:wip:{queue}", "-inf", seconds):
            job_id = both.partition(b":")[0]
            if wire.run(connection, "mend", job_id, queue, "1"):
                rescued += 1
                log.warning("left by a stock worker", task_id=text(job_id))
            connection.zrem(f"rq:wip:{queue}", both)
    return rescued


def _settle(lost: list[list[Any]], error: SiraError | None, *, child_died: bool, begun: str | None = None) -> int:
    """One claim that can't be settled keeps no other from being given back."""
    for claim in lost:
        ran = begun in (None, text(claim[1]))
        try:
            give_back(claim, error if ran else None, child_died=child_died and ran)
        except (RedisError, QueueDown, DatabaseDown) as met:
            if type(met) is not ResponseError:  # of which that of a full or a replaced server is a kind of its own
                raise
            log.error("claim not given back", task_id=text(claim[0]), error=str(met))  # its lease runs out
        except Exception:
            log.exception("claim not given back", task_id=text(claim[0]))
    return len(lost)


def give_back(claim: list[Any], error: SiraError | None = None, *, child_died: bool = False) -> None:
    """End or put back what a worker holds, as the `lost` script tells of it. Without an `error`: it is not to blame."""
    decided = _decided(claim, error, child_died=child_died)
    if _settled(claim, decided) == ending.CANCEL:
        _settled(claim, outcome.Outcome("revoked"))


def _settled(claim: list[Any], decided: outcome.Outcome) -> Any:
    job_id, execution, queue, worker, *_ = map(text, claim[:4])
    if task_of(job_id) == job_id:
        decided = ending.ready(job_id, execution, queue, decided)
    arguments = (claim[3], 0, "", "", 0, *claim[:3], *decided.arguments)
    settled, *_ = wire.run(wire.connect(), "exchange", *arguments)
    log.warning("claim given back", task_id=job_id, worker=worker, outcome=decided.name)
    return settled


def _decided(claim: list[Any], error: SiraError | None, *, child_died: bool) -> outcome.Outcome:
    job_id, execution, _, _, losses, cancelled, left, retries = claim
    if error is None and not cancelled:
        return outcome.Outcome("back")
    task_id = task_of(text(job_id))
    hung = task_id != text(job_id) and isinstance(error, TimeLimitExceeded)  # a callback that hung would hang again
    return outcome.lost(
        losses=losses,
        cancelled=bool(cancelled),
        moved=not cancelled and ledger.began_anew(text(job_id), task_id, text(execution)),
        child_died=child_died,
        retries_left=0 if hung else left,
        retries=retries,
        pauses_s=pauses_s(wire.connect(), text(job_id)) if left and not retries else (),
        error=error or outcome.child_lost("its worker stops"),
    )
