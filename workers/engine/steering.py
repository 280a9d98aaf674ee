"""Queues and workers that stand still, by the word of an operator. What runs goes on.

A paused queue is one that nothing is claimed from. A queue that drains is paused by the next clock or keeper that sees
that nothing is left of what had been accepted when the word was given (`settle`). Suspended are all workers at once,
by RQ's own key, as `rq suspend` does it.
"""

import json
import time
from collections.abc import Iterable
from typing import Any

from redis.exceptions import WatchError
from rq.command import PUBSUB_CHANNEL_TEMPLATE
from rq.suspension import WORKERS_SUSPENDED

from workers import logs
from workers.engine import registry, wire
from workers.engine.helpers import task_of
from workers.errors import NotFound

PAUSED = "sira:paused"
DRAINING = "sira:draining"  # queue -> the newest task id that is still to run
CHUNK = 1000
HEARD_WITHIN_S, SAY_AGAIN_S = 3.0, 0.1
log = logs.get("steering")


def pause(queue: str) -> None:
    """Let nothing more be claimed from the queue. Raises NotFound, QueueDown."""
    _change(queue, "queue paused", draining=False, paused=True)


def resume(queue: str) -> None:
    """Let work be claimed again; ends a drain, too."""
    _change(queue, "queue resumed", draining=False, paused=False)


def drain(queue: str) -> None:
    """Finish what waits or runs now, then pause. What comes meanwhile is accepted, and held once the queue pauses;
    so are retries and tasks whose time has not come."""
    _change(queue, "queue drains", draining=True, paused=False)


def _change(queue: str, what: str, *, draining: bool, paused: bool) -> None:
    if queue not in registry.QUEUES:
        raise NotFound()
    with wire.plainly(), wire.connect(wire.LOOK_TIMEOUT_S).pipeline() as both:
        both.hset(DRAINING, queue, _newest_id()) if draining else both.hdel(DRAINING, queue)
        both.sadd(PAUSED, queue) if paused else both.srem(PAUSED, queue)
        both.execute()
    log.info(what, queue=queue)


def _newest_id() -> str:
    """An id that sorts behind those of all tasks accepted by now (see queues.new_id)."""
    seconds, microseconds = wire.connect(wire.LOOK_TIMEOUT_S).time()
    stamp = f"{seconds * 1000 + microseconds // 1000:012x}"
    return f"{stamp[:8]}-{stamp[8:]}-8"


def settle(connection: Any) -> None:
    """Pause the queues that have drained. Any number may do it at once."""
    for name, newest in connection.hgetall(DRAINING).items():
        queue = name.decode()
        with connection.pipeline() as both:
            both.watch(DRAINING)
            if both.hget(DRAINING, queue) != newest or _has_older(connection, queue, newest.decode()):
                continue
            both.multi()
            both.hdel(DRAINING, queue)
            both.sadd(PAUSED, queue)
            try:
                both.execute()
            except WatchError:  # somebody resumed it in this moment
                continue
        log.info("queue drained and paused", queue=queue)


def _has_older(connection: Any, queue: str, newest: str) -> bool:
    """Does a task accepted before the word was given run or wait? Those mostly stand at the front."""
    running = [wire.text(both).partition(":")[0] for both in connection.zrange(f"rq:wip:{queue}", 0, -1)]
    if any(task_of(job_id) < newest for job_id in running):
        return True
    start = 0
    while ids := connection.lrange(f"rq:queue:{queue}", start, start + CHUNK - 1):
        if any(task_of(wire.text(job_id)) < newest for job_id in ids):
            return True
        start += CHUNK
    return False


def suspend() -> None:
    """Let no worker claim anything, of any queue, until `wake`."""
    with wire.plainly():
        wire.connect(wire.LOOK_TIMEOUT_S).set(WORKERS_SUSPENDED, 1)
    log.info("workers suspended")


def wake() -> None:
    with wire.plainly():
        wire.connect(wire.LOOK_TIMEOUT_S).delete(WORKERS_SUSPENDED)
    log.info("workers go on")


def suspended() -> bool:
    with wire.plainly():
        return bool(wire.connect(wire.PUSH_TIMEOUT_S).exists(WORKERS_SUSPENDED))


def rests(queue: str) -> bool:
    """Whether nothing is claimed from the queue, by the word of an operator. Raises QueueDown."""
    with wire.plainly(), wire.connect(wire.PUSH_TIMEOUT_S).pipeline(transaction=False) as both:
        both.sismember(PAUSED, queue)
        both.exists(WORKERS_SUSPENDED)
        return any(both.execute())


def restart(workers: Iterable[str]) -> tuple[list[str], list[str]]:
    """Let workers (slots) end their job, go, and be replaced by fresh processes: RQ's command `shutdown`. Gives those
    that heard it, and those for which nobody listens; one that is gone is in neither. Raises QueueDown."""
    with wire.plainly():
        connection, heard = wire.connect(wire.LOOK_TIMEOUT_S), list[str]()
        deaf = [name for name in workers if connection.sismember("rq:workers", f"rq:worker:{name}")]
        deadline = time.monotonic() + HEARD_WITHIN_S
        while True:
            heard += [name for name in deaf if _hears(connection, name, "shutdown")]
            deaf = [name for name in deaf if name not in heard]
            if not deaf or time.monotonic() > deadline:
                break
            time.sleep(SAY_AGAIN_S)
    log.info("workers asked to restart", workers=heard, deaf=deaf)
    return heard, deaf


def _hears(connection: Any, worker: str, command: str) -> bool:
    """What is published to nobody is lost: for a worker that was just born (or its keeper was) nobody listens yet."""
    return bool(connection.publish(PUBSUB_CHANNEL_TEMPLATE % worker, json.dumps({"command": command})))
