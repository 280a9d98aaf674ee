"""Waiting for work on several queues at once, without polling and without ever removing a job.

`BLMOVE q q LEFT LEFT` wakes when the list has a first element and puts it back where it was. One connection per queue
asks it and is not read; a select over all of them is the wait. A wake is only a hint: the claim decides.
"""

import os
import select
from typing import Any

from redis.exceptions import RedisError

ASK_AGAIN_S = 20


class Waiter:
    """Waits for `queues`; `wake_fd` is a pipe that a signal writes to, so that a stop does not wait."""

    def __init__(self, redis: Any, queues: list[str], wake_fd: int) -> None:
        self._pool, self._queues, self._wake_fd = redis.connection_pool, queues, wake_fd
        self._lines: dict[str, Any] = {}

    def wait(self, timeout_s: float) -> bool:
        """True if something may have come; also when Redis is away, which the caller's next claim will notice."""
        try:
            for queue in self._queues:
                if queue not in self._lines:
                    self._ask(queue)
            return self._heard(timeout_s)
        except (RedisError, OSError):
            self.close()
            return True

    def _ask(self, queue: str) -> None:
        line = self._pool.get_connection()
        self._lines[queue] = line
        key = f"rq:queue:{queue}"
        line.send_command("BLMOVE", key, key, "LEFT", "LEFT", ASK_AGAIN_S)

    def _heard(self, timeout_s: float) -> bool:
        by_socket = {line._sock: queue for queue, line in self._lines.items()}
        ready, _, _ = select.select([*by_socket, self._wake_fd], [], [], timeout_s)
        came = False
        for source in ready:
            if source == self._wake_fd:
                os.read(self._wake_fd, 4096)
                came = True
            else:
                line = self._lines.pop(by_socket[source])
                came = line.read_response() is not None or came
                self._pool.release(line)
        return came

    def close(self) -> None:
        """Hang up: an unanswered question must not be read by somebody else."""
        for line in self._lines.values():
            line.disconnect()
            self._pool.release(line)
        self._lines.clear()
