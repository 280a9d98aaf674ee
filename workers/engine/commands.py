"""RQ's commands to a worker (`rq:pubsub:<name>`): shutdown, stop-job, stop-execution, kill-horse.

The keeper listens for the slots of its machine, so a busy child needs no thread. A slot that is shut down ends its job
first and is then replaced, as in RQ's own worker pool: to stop all of them, stop `python -m workers`.
"""

import json
from collections.abc import Iterator
from typing import Any

from workers import logs
from workers.engine import wire

log = logs.get("commands")
NAMES = ("shutdown", "stop-job", "stop-execution", "kill-horse")


class Ear:
    """Hears the commands to these workers. After Redis was away it asks anew."""

    def __init__(self) -> None:
        self._line: Any = None
        self._workers: set[str] = set()

    def heard(self, workers: set[str]) -> Iterator[tuple[str, str, str]]:
        """(worker, command, job id or '') since the last call; doesn't wait."""
        try:
            self._follow(workers)
            while self._workers and (message := self._line.get_message(timeout=0)):
                if message["type"] == "message":
                    yield from _parsed(message)
        except Exception:
            self.close()
            raise

    def _follow(self, workers: set[str]) -> None:
        if self._line is None:
            self._line = wire.connect().pubsub()
        if fresh := workers - self._workers:
            self._line.subscribe(*map(_channel, fresh))
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
