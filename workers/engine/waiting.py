"""Waiting for work on several queues at once, without polling and without ever removing a job.

`BLMOVE q q LEFT LEFT` wakes when the list has a first element and puts it back where it was. One connection per queue
asks it and is not read; a select over all of them is the wait. A wake is only a hint: the claim decides.

Of the idle children of a fleet one waits for all, so that a push wakes one process and not the herd; when it has got a
job, the next takes its turn.
"""

import fcntl
import os
import select
from contextlib import suppress
from tempfile import TemporaryFile
from typing import Any

from redis.exceptions import RedisError

ASK_AGAIN_S = 20


class Turn:
    """Whose turn it is to wait. The lock on a file is the truth: the kernel frees it when its holder dies. A byte in a
    pipe says that it may be free. Made before the fork and shared by all children of a fleet."""

    def __init__(self) -> None:
        self._file = TemporaryFile()  # noqa: SIM115 (open as long as the fleet lives)
        self.hint, self._tell = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)

    def take(self) -> bool:
        """True if it is ours, also if it was before."""
        try:
            fcntl.lockf(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except (BlockingIOError, PermissionError):
            return False
        return True

    def hand_on(self) -> None:
        fcntl.lockf(self._file, fcntl.LOCK_UN)
        with suppress(BlockingIOError):
            os.write(self._tell, b".")


class Waiter:
    """Waits for `queues`; `wake_fd` is a pipe that a signal writes to, so that a stop does not wait."""

    def __init__(self, redis: Any, queues: list[str], wake_fd: int, turn: Turn | None = None) -> None:
        self._pool, self._queues, self._wake_fd = redis.connection_pool, queues, wake_fd
        self._turn, self._ours = turn or Turn(), False
        self._lines: dict[str, Any] = {}
        self._answered: set[str] = set()

    def wait(self, timeout_s: float) -> bool:
        """True if something may have come; also when Redis is away, which the caller's next claim will notice."""
        self._ours = self._ours or self._turn.take() or self._stood_by(timeout_s)
        if not self._ours:
            return False
        try:
            self._ask()
            return self._heard(timeout_s)
        except (RedisError, OSError):
            self.close()
            return True

    def hand_on(self) -> None:
        """We have work: let another wait."""
        if self._ours:
            self._ours = False
            self._turn.hand_on()

    def _stood_by(self, timeout_s: float) -> bool:
        """Whether our turn came while somebody else waited for all."""
        ready, _, _ = select.select([self._turn.hint, self._wake_fd], [], [], timeout_s)
        for pipe in ready:
            with suppress(BlockingIOError):
                os.read(pipe, 1 if pipe == self._turn.hint else 4096)
        return self._turn.hint in ready and self._turn.take()

    def _ask(self) -> None:
        """Ask where nothing is asked. What was answered is read only now: at the wake every microsecond counts."""
        for queue in self._queues:
            if queue in self._answered:
                self._lines[queue].read_response()
            elif queue in self._lines:
                continue
            else:
                self._lines[queue] = self._pool.get_connection()
            key = f"rq:queue:{queue}"
            self._lines[queue].send_command("BLMOVE", key, key, "LEFT", "LEFT", ASK_AGAIN_S)
        self._answered.clear()

    def _heard(self, timeout_s: float) -> bool:
        by_socket = {line._sock: queue for queue, line in self._lines.items()}
        ready, _, _ = select.select([*by_socket, self._wake_fd], [], [], timeout_s)
        if self._wake_fd in ready:
            os.read(self._wake_fd, 4096)
        self._answered.update(by_socket[source] for source in ready if source != self._wake_fd)
        return bool(ready)

    def close(self) -> None:
        """Hang up: an unanswered question must not be read by somebody else."""
        for line in self._lines.values():
            line.disconnect()
            self._pool.release(line)
        self._lines.clear()
        self._answered.clear()
