"""The clock: moves what has become due into its queue. Any number may run, and every keeper does the same."""

import signal
import threading

from redis.exceptions import RedisError

from workers import logs
from workers.engine import registry, wire
from workers.errors import QueueDown

EVERY_S = 1.0
AT_ONCE = 500
log = logs.get("clock")


def tick() -> int:
    """Move due retries and delayed tasks; how many."""
    return int(wire.run(wire.connect(), "promote", AT_ONCE, *registry.QUEUES))


def run() -> int:
    """Tick every second until SIGTERM; the exit code."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    while not stop.wait(EVERY_S):
        try:
            tick()
        except (RedisError, QueueDown) as error:
            log.warning("redis is away", error=type(error).__name__)
    return 0
