"""The doctor: finds what no healthy service has, says it in a sentence, mends it if asked. Safe beside everything."""

import time
from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import select

from workers.db import now, reading
from workers.engine import clock, leftovers, mirror, reconcile, registry, schedules, wire
from workers.engine.queues import push
from workers.engine.tables import ENDED, tasks
from workers.engine.wire import text

REGISTRIES = ("scheduled", "wip", "finished", "failed", "canceled", "deferred")
KEYS = {
    **{"sira:paused": "set", "sira:draining": "hash", "sira:shares": "hash", "sira:leases": "zset"},
    **{"sira:events": "stream", "rq:queues": "set", "rq:workers": "set", mirror.KEY: "zset"},
    **{f"rq:queue:{queue}": "list" for queue in registry.QUEUES},
    **{f"rq:queue:{queue}:intermediate": "list" for queue in registry.QUEUES},
    **{f"rq:workers:{queue}": "set" for queue in registry.QUEUES},
    **{f"rq:{name}:{queue}": "zset" for name in REGISTRIES for queue in registry.QUEUES},
}
CHUNK = 500
OVERDUE_S = 60
IN_HAND_S = 2.5  # for a moment a stock worker has a job in hand, popped and not started; and keepers renew every 2 s
ASIDE = "sira:aside:"


@dataclass(frozen=True)
class Finding:
    """One broken thing. `mended` is None where looking was all that was asked, or nothing could be done from here."""

    what: str
    task_id: str | None
    advice: str
    mended: bool | None = None


def examine(*, mend: bool = False) -> Iterator[Finding]:
    """All findings; with `mend` each is put right where that can be done. Raises QueueDown, DatabaseDown. Beside a
    key of a wrong type nothing else can be looked at."""
    with wire.plainly():
        wrong = list(_wrong_types(mend))
        yield from wrong
        if wrong and not mend:
            return
        suspects, popped = list(_suspects()), list(_popped())
        if suspects or popped:
            time.sleep(IN_HAND_S)
        yield from _nobody_has(suspects, mend)
        yield from _redis_lost(mend)
        yield from _overdue(mend)
        yield from _untaken()
        yield from _left_by_stock_workers(popped, mend)
        yield from _open_items(mend)
        yield from _unserved_queues()
        yield from _schedules(mend)


def _wrong_types(mend: bool) -> Iterator[Finding]:
    """Keys of the service under which somebody wrote something else; it is kept under another name."""
    connection = wire.connect(wire.LOOK_TIMEOUT_S)  # the first look, for which a person waits
    pipeline = connection.pipeline(transaction=False)
    for key in KEYS:
        pipeline.type(key)
    for (key, meant), found in zip(KEYS.items(), map(text, pipeline.execute()), strict=True):
        if found not in (meant, "none"):
            aside = f"{ASIDE}{key}"
            if mend:
                connection.rename(key, aside)
            advice = f"{key} is a {found}, not a {meant}: --mend moves it to {aside} and looks at the rest."
            yield Finding("key of a wrong type", None, advice, mend or None)


def _suspects() -> Iterator[tuple[str, str]]:
    """Tasks, with their queues, that wait in no list, or are started by somebody who holds no lease."""
    connection = wire.connect()
    for queue in registry.QUEUES:
        listed = {
            "queued": {text(job_id) for job_id in connection.lrange(f"rq:queue:{queue}", 0, -1)},
            "scheduled": {text(job_id) for job_id in connection.zrange(f"rq:scheduled:{queue}", 0, -1)},
            "started": set(map(text, reconcile.leased())),
            "rate_limited": set(),
        }
        for task_id, status in _statuses(queue):
            lost = status in listed and task_id not in listed[status]  # perhaps; the script looks once more
            if lost and wire.run(connection, "mend", task_id, queue, 0) is not None:
                yield task_id, queue


def _popped() -> Iterator[tuple[bytes, str]]:
    """Jobs, with their queues, in the lists where stock workers have what they popped and did not start yet."""
    for queue in registry.QUEUES:
        for job_id in wire.connect().lrange(f"rq:queue:{queue}:intermediate", 0, -1):
            yield job_id, queue


def _nobody_has(suspects: list[tuple[str, str]], mend: bool) -> Iterator[Finding]:
    """Of these the ones that still are so."""
    for task_id, queue in suspects:
        answer = wire.run(wire.connect(), "mend", task_id, queue, int(mend))
        if answer is not None:
            what = "popped and lost" if answer == b"waiting" else "started without a lease"
            yield Finding(what, task_id, "It goes back to the front of its queue.", mend or None)


def _statuses(queue: str) -> Iterator[tuple[str, str]]:
    """Task ids of a queue that SQL says go on, with the status of their hashes (empty: no hash)."""
    after = ""
    while True:
        query = select(tasks.c.id).where(tasks.c.queue == queue, tasks.c.state.not_in(ENDED), tasks.c.released)
        with reading() as session:
            ids = list(session.scalars(query.where(tasks.c.id > after).order_by(tasks.c.id).limit(CHUNK)))
        pipeline = wire.connect().pipeline(transaction=False)
        for task_id in ids:
            pipeline.hget(f"rq:job:{task_id}", "status")
        for task_id, status in zip(ids, pipeline.execute(raise_on_error=False), strict=True):
            yield task_id, text(status) if isinstance(status, bytes) else ""
        if len(ids) < CHUNK:
            return
        after = ids[-1]


def _redis_lost(mend: bool) -> Iterator[Finding]:
    """Rows without a job. The reconciler looks twice, a minute apart; whoever asks the doctor wants it now."""
    for task_id in [task_id for queue in registry.QUEUES for task_id, status in _statuses(queue) if not status]:
        with reading() as session:
            row = session.execute(select(tasks).where(tasks.c.id == task_id)).mappings().one()
        if mend and wire.connect().type(f"rq:job:{task_id}") not in (b"hash", b"none"):
            wire.connect().delete(f"rq:job:{task_id}")
        mended = push(row) is not None if mend else None
        yield Finding("lost by Redis", task_id, "Its row is kept and it is pushed again.", mended)


def _overdue(mend: bool) -> Iterator[Finding]:
    connection = wire.connect()
    late = f"({now().timestamp() - OVERDUE_S}"
    found = [
        text(job_id)
        for queue in registry.QUEUES
        for job_id in connection.zrangebyscore(f"rq:scheduled:{queue}", "-inf", late)
    ]
    while found and mend and clock.tick():
        pass
    for task_id in found:
        yield Finding("scheduled and overdue", task_id, "No clock and no worker runs; start one.", mend or None)


def _untaken() -> Iterator[Finding]:
    """Jobs whose leases ran out long ago: any worker that lives would have taken them up by now."""
    connection = wire.connect()
    late_ms = 1000 * (connection.time()[0] - OVERDUE_S)
    for lease in connection.zrangebyscore("sira:leases", "-inf", f"({late_ms}"):
        advice = "Its worker has not been heard of for over a minute, and no other takes it up. Start one."
        yield Finding("held by a silent worker", text(lease).rsplit(":", 2)[1], advice)


def _left_by_stock_workers(popped: list[tuple[bytes, str]], mend: bool) -> Iterator[Finding]:
    """Jobs that are still in RQ's intermediate lists, and names of workers that are gone."""
    connection = wire.connect()
    for job_id, queue in popped:
        key = f"rq:queue:{queue}:intermediate"
        if connection.lpos(key, job_id) is None:
            continue
        if mend:
            connection.lrem(key, 1, job_id)
            wire.run(connection, "mend", job_id, queue, "1")
        yield Finding("left by a stock worker", text(job_id), "A dead `rq worker` held it.", mend or None)
    for name in connection.smembers("rq:workers"):
        if not connection.exists(name):
            if mend:
                connection.srem("rq:workers", name)
            yield Finding("worker that is gone", None, f"{text(name)} left without saying so.", mend or None)


def _open_items(mend: bool) -> Iterator[Finding]:
    for task_id, _ in reconcile.left_open():
        if mend:
            leftovers.close(task_id, "Görev bitti")
        yield Finding("ended with open items", task_id, "They are skipped; retry the task to run them.", mend or None)


def _unserved_queues() -> Iterator[Finding]:
    connection = wire.connect()
    for queue in registry.QUEUES:
        waiting = connection.llen(f"rq:queue:{queue}")
        if waiting and not any(connection.exists(name) for name in connection.smembers(f"rq:workers:{queue}")):
            yield Finding("queue without a worker", None, f"Waiting in {queue}: {waiting}. Start a worker for it.")


def _schedules(mend: bool) -> Iterator[Finding]:
    """Schedules that will not come, and what others left in rq-scheduler's set."""
    late = now().timestamp() - OVERDUE_S
    for row in schedules.rows():
        if row.name not in registry.kinds():
            if mend:
                schedules.forget(row.name)
            advice = f"No code here declares {row.name}: deploy it, or let --mend remove its schedule."
            yield Finding("schedule without a kind", None, advice, mend or None)
        elif row.fault:
            advice = f"{row.name} is left out since then: {row.fault} Mend its declaration, then restart the clock."
            yield Finding("schedule set aside", None, advice)
        elif not row.paused and row.due_at.timestamp() < late:
            advice = f"{row.name} was due {row.due_at.isoformat()}. Start a clock: python scheduler.py."
            yield Finding("schedule overdue", None, advice)
    for entry in mirror.strangers():
        if mend:
            mirror.drop(entry)
        advice = f"{entry.decode(errors='backslashreplace')[:80]} in {mirror.KEY} is not ours and is never enqueued."
        yield Finding("entry of another scheduler", None, advice, mend or None)
