"""RQ's commands to a worker (`rq:pubsub:<name>`): shutdown, stop-job, stop-execution, kill-horse.

The keeper listens for the slots of its machine, so a busy child needs no thread. A slot that is shut down ends its job
first and is then replaced, as in RQ's own worker pool: to stop all of them, stop `python -m workers`.
"""

import json
import time
from collections.abc import Iterator
from typing import Any

from workers import logs
from workers.engine import wire

log = logs.get("commands")
NAMES = ("shutdown", "stop-job", "stop-execution", "kill-horse")
ASK_EVERY_S, SILENT_S = 5.0, 15.0


class Ear:
    """Hears the commands to these workers. After Redis was away it asks anew; also where it has not answered a ping for
    long, for a route that was cut tells nobody."""

    def __init__(self) -> None:
        self._line: Any = None
        self._workers: set[str] = set()
        self._asked_at = self._heard_at = 0.0

    @property
    def sources(self) -> list[Any]:
        """What a select waits for, as long as `heard` reads all that comes."""
        connection = self._line.connection if self._workers else None
        return [connection._sock] if connection is not None and connection.is_connected else []

    def heard(self, workers: set[str]) -> Iterator[tuple[str, str, str]]:
        """(worker, command, job id or '') since the last call; doesn't wait."""
        try:
            self._follow(workers)
            self._ask()
            while self._workers and (message := self._line.get_message(timeout=0)):
                self._heard_at = time.monotonic()
                if message["type"] == "message":
                    yield from _parsed(message)
        except Exception:
            self.close()
            raise
        if self._workers and time.monotonic() - self._heard_at > SILENT_S:
            log.warning("redis has gone silent")
            self.close()

    def _ask(self) -> None:
        """What is answered on this line is proof that commands would reach us."""
        if self._workers and time.monotonic() - self._asked_at > ASK_EVERY_S:
            self._asked_at = time.monotonic()
            self._line.ping()

    def _follow(self, workers: set[str]) -> None:
        if self._line is None:
            self._line = wire.connect().pubsub()
        if fresh := workers - self._workers:
            self._line.subscribe(*map(_channel, fresh))
            self._heard_at = time.monotonic()
        if gone := self._workers - workers:
            self._line.unsubscribe(*map(_channel, gone))
        self._workers = set(workers)

    def close(self) -> None:
        if self._line is not None:
            self._line.close()
        self._line, self._workers = None, set()


def _channel(worker: str) -> str:
    return f"rq:pubsub:{worker}"


def _parsed(message: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Anybody may publish: what is no command of RQ is left alone."""
    try:
        said = json.loads(message["data"])
        command, job_id = said["command"], str(said.get("job_id", ""))
    except (ValueError, TypeError, KeyError, AttributeError):
        return
    if command in NAMES:
        worker = message["channel"].decode().removeprefix("rq:pubsub:")
        log.info("command heard", worker=worker, command=command)
        yield worker, command, job_id
