"""Queues that stand still: paused, nothing is claimed from them until `resume`. What runs goes on."""

from workers import logs
from workers.engine import registry, wire
from workers.errors import NotFound

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
    with wire.plainly():
        getattr(wire.connect(), command)(PAUSED, queue)
    log.info("queue paused" if command == "sadd" else "queue resumed", queue=queue)
