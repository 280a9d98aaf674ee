"""Queues that stand still: paused, nothing is claimed from them until `resume`. What runs goes on."""

from redis.exceptions import RedisError

from workers import logs
from workers.engine import registry, wire
from workers.errors import NotFound, QueueDown

PAUSED = "sira:paused"
log = logs.get("steering")


def pause(queue: str) -> None:
    """Let nothing more be claimed from the queue. Raises NotFound, QueueDown."""
    _change("sadd", queue)


def resume(queue: str) -> None:
    _change("srem", queue)


def _change(command: str, queue: str) -> None:
    if queue not in registry.QUEUES:
        raise NotFound()
    try:
        getattr(wire.connect(), command)(PAUSED, queue)
    except RedisError as error:
        raise QueueDown() from error
    log.info("queue paused" if command == "sadd" else "queue resumed", queue=queue)
