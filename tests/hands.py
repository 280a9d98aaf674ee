"""What the tests of the engine do by hand: fork, see who waits for a lock, claim, settle, record, lose Redis."""

import multiprocessing
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert, select

from workers import settings
from workers.db import now, reading, writing
from workers.engine import events, queues, wire
from workers.engine.outcome import Outcome
from workers.engine.seal import Seal
from workers.engine.tables import history, tasks
from workers.engine.wire import LEASE_MS
from workers.engine.worker import Worker

FORK = multiprocessing.get_context("fork")
DEADLINE_S = 300  # of a machine that is busy with other things
NOBODY_LISTENS = "redis://127.0.0.1:1/0"


def at_once(count: int, work: Callable[[int], Any]) -> list[Any]:
    """What `work(0)` to `work(count - 1)` give in forked processes that begin together."""
    barrier, answers = FORK.Barrier(count), FORK.SimpleQueue()

    def child(number: int) -> None:
        barrier.wait(DEADLINE_S)
        answers.put((number, work(number)))

    children = [FORK.Process(target=child, args=(number,)) for number in range(count)]
    for process in children:
        process.start()
    for process in children:
        process.join(DEADLINE_S)
    assert [process.exitcode for process in children] == [0] * count
    return [answer for _, answer in sorted((answers.get() for _ in children), key=lambda pair: pair[0])]


def waiters(lock: Path) -> int:
    """How many processes and threads the kernel lets wait for this file lock."""
    inode = f":{lock.stat().st_ino} "
    return sum("->" in line and inode in line for line in Path("/proc/locks").read_text().splitlines())


def work_off() -> None:
    """One worker process does all that waits, and ends."""
    at_once(1, lambda _: Worker().work_kept(burst=True))


def claim(queue: str, worker: str = "by-hand") -> tuple[str, str]:
    """Claim the first job of a queue as a worker would: its id and the execution."""
    execution = queues.new_id().replace("-", "")
    wire.connect().hset(f"rq:worker:{worker}", mapping={"birth": "today", "sira_holds": ""})
    _, packed, *_ = wire.run(wire.connect(), "exchange", worker, LEASE_MS, execution, "", 1, queue)
    return packed[0].decode(), execution


def settle(job_id: str, execution: str, queue: str, outcome: Outcome, worker: str = "by-hand") -> bool:
    """Say what became of a claimed job; False if this execution no longer holds it."""
    arguments = (worker, LEASE_MS, "", "", 0, job_id, execution, queue, *outcome.arguments)
    return bool(wire.run(wire.connect(), "exchange", *arguments)[0])


def told_of(task_id: str) -> list[Any]:
    """The recorded history of a task, oldest first."""
    with reading() as session:
        return list(session.execute(select(history).where(history.c.task_id == task_id).order_by(history.c.event_id)))


@contextmanager
def redis_away(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Nobody listens where Redis should be."""
    present = settings.current()
    settings.use(present.model_copy(update={"redis_url": NOBODY_LISTENS}))
    monkeypatch.setattr(queues, "_closed_until", 0.0)
    try:
        yield
    finally:
        settings.use(present)
        monkeypatch.setattr(queues, "_closed_until", 0.0)


def everything_in(redis: Any) -> bytes:
    """All keys and values of the server, one after the other."""
    readers = {
        b"string": redis.get,
        b"hash": redis.hgetall,
        b"list": lambda key: redis.lrange(key, 0, -1),
        b"set": redis.smembers,
        b"zset": lambda key: redis.zrange(key, 0, -1, withscores=True),
        b"stream": redis.xrange,
    }
    return b"\n".join(key + repr(readers[redis.type(key)](key)).encode() for key in redis.scan_iter())


def put_row(**values: Any) -> str:
    """A task's row, without a job; its id."""
    row: dict[str, Any] = {"id": queues.new_id(), "kind": "add", "queue": "sms", "params": Seal.dumps({})}
    row |= {"created_at": now(), "max_attempts": 4, **values}
    with writing() as session:
        session.execute(insert(tasks).values(**row))
    return str(row["id"])


def row_of(task_id: str) -> Any:
    """The task's row as SQL has it."""
    with reading() as session:
        return session.execute(select(tasks).where(tasks.c.id == task_id)).mappings().one()


def record_all() -> int:
    """Record until nothing is left; how many entries that were."""
    return sum(iter(events.record, 0))


def expire_leases(service: Any) -> None:
    """What the clock does in 30 s, done at once."""
    for member in service.redis.zrange("sira:leases", 0, -1):
        service.redis.zadd("sira:leases", {member: 1})
