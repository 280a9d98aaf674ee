"""Waiting for work on several queues at once, without polling and without ever removing a job.

`BLMOVE q q LEFT LEFT` wakes when the list has a first element and puts it back where it was. One connection per queue
asks it and is not read; a select over all of them is the wait. Behind each question goes a claim, sent ahead, which the
server runs in the moment of the wake: so the job is claimed before we know of it, a round trip earlier. It comes to
nothing while this worker holds a job. What is not read is void: who hangs up gives back what was claimed meanwhile.

Of the idle children of a fleet one waits for all, so that a push wakes one process and not the herd; when it has got a
job that it is still busy with a moment later, the next takes its turn.
"""

import ctypes
import fcntl
import os
import select
import time
from collections.abc import Callable
from contextlib import suppress
from tempfile import TemporaryFile
from typing import Any

from redis.exceptions import RedisError

from workers.engine.line import Command, Line

ASK_AGAIN_S, SILENT_S = 20, 25.0  # how long the server leaves a question open, and when its line must be dead
_libc = ctypes.CDLL(None, use_errno=True)
_ONCE = ctypes.c_long * 4  # as `struct itimerspec` has it: no second time, then seconds and nanoseconds to the first
HAND_ON, NEVER = _ONCE(0, 0, 0, 500_000), _ONCE()


class Turn:
    """Whose turn it is to wait. The lock on a file is the truth: the kernel frees it when its holder dies. A timer says
    that it may be free, and says so a moment late: to wake a process takes 60 µs, which the job would wait for, and who
    is back by then wakes nobody. Made before the fork and shared by all children of a fleet."""

    def __init__(self) -> None:
        self._file = TemporaryFile()  # noqa: SIM115 (open as long as the fleet lives)
        self.hint = _libc.timerfd_create(time.CLOCK_MONOTONIC, os.O_NONBLOCK | os.O_CLOEXEC)
        if self.hint < 0:
            raise OSError(ctypes.get_errno(), "timerfd_create")

    def take(self) -> bool:
        """True if it is ours, also if it was before."""
        try:
            fcntl.lockf(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except (BlockingIOError, PermissionError):
            return False
        self._hint_in(NEVER)  # where a job has closed the timer, `hand_on` will find it
        return True

    def hand_on(self) -> None:
        """Also said by the parent of a child that has died: it may have held it."""
        fcntl.lockf(self._file, fcntl.LOCK_UN)
        if self._hint_in(HAND_ON):
            raise OSError(ctypes.get_errno(), "timerfd_settime")

    def _hint_in(self, when: Any) -> int:
        """0, or -1 where the timer is gone (timerfd_settime(2))."""
        return int(_libc.timerfd_settime(self.hint, 0, when, None))


class Waiter:
    """Waits for `queues`; `wake_fd` is a pipe that a signal writes to, so that a stop does not wait. `ahead` makes the
    command of a claim from a queue, whose answer has what was claimed, or nothing, in its second place."""

    def __init__(
        self, redis: Any, queues: list[str], wake_fd: int, ahead: Callable[[str], Command], turn: Turn | None = None
    ) -> None:
        self._lines, self._wake_fd, self._ahead = {queue: Line(redis) for queue in queues}, wake_fd, ahead
        self._turn, self._ours = turn or Turn(), False
        self._asked: dict[int, tuple[str, float]] = {}

    def wait(self, timeout_s: float) -> tuple[bool, list[Any] | None]:
        """Whether something may have come (also when Redis is away, which the next claim will notice), and the job that
        was claimed with it."""
        try:
            if not self._has_turn():
                came, claimed = self._heard(timeout_s, self._turn.hint)
                if came or not self._has_turn():
                    return came, claimed
            self._ask()
            return self._heard(timeout_s)
        except (RedisError, OSError):
            self.close()
            return True, None

    def hand_on(self) -> None:
        """We have work: let another wait."""
        if self._ours:
            self._ours = False
            self._turn.hand_on()

    def _has_turn(self) -> bool:
        self._ours = self._ours or self._turn.take()
        return self._ours

    def _ask(self) -> None:
        """Ask where nothing is asked, or asked in vain."""
        self._hang_up_on_the_dead()
        asked = {queue for queue, _ in self._asked.values()}
        for queue, line in self._lines.items():
            if queue not in asked:
                key = f"rq:queue:{queue}"
                line.send(("BLMOVE", key, key, "LEFT", "LEFT", ASK_AGAIN_S), self._ahead(queue))
                self._asked[line.fileno()] = queue, time.monotonic()

    def _hang_up_on_the_dead(self) -> None:
        """A route that was cut tells nobody; what was answered and is not read yet came while we worked."""
        before = time.monotonic() - SILENT_S
        if old := {source for source, (_, asked_at) in self._asked.items() if asked_at < before}:
            answered, _, _ = select.select(old, [], [], 0)
            for source in old.difference(answered):
                queue, _ = self._asked.pop(source)
                self._lines[queue].close()

    def _heard(self, timeout_s: float, *hints: int) -> tuple[bool, list[Any] | None]:
        """What came while we wait, or while another waits for all: what was asked before is answered all the same."""
        ready, _, _ = select.select([*self._asked, self._wake_fd, *hints], [], [], timeout_s)
        came, claimed = False, None
        for source in ready:
            if source in self._asked:
                came, claimed = True, self._answer(source) or claimed
            elif source == self._wake_fd or not came:  # who goes to work leaves the hints to those who can use them
                came = came or source == self._wake_fd
                with suppress(BlockingIOError):
                    os.read(source, 4096)
        return came, claimed

    def _answer(self, source: int) -> list[Any] | None:
        """What was claimed."""
        line = self._lines[self._asked.pop(source)[0]]
        line.read()
        return line.read()[1] or None

    def close(self) -> None:
        """Hang up: an unanswered question must not be read by somebody else."""
        for line in self._lines.values():
            line.close()
        self._asked.clear()
