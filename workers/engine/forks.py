"""The one way in which the engine forks: the child dies with its parent and starts with plain signals; and ends one."""

import os
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from redis.exceptions import RedisError

from workers import logs, processes
from workers.errors import QueueDown

STOPS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
log = logs.get("forks")


def stops() -> list[signal.Signals]:
    """The signals that ask a process to stop; that its terminal was closed, unless `nohup` bade it stay."""
    return [one for one in STOPS if one != signal.SIGHUP or signal.getsignal(one) != signal.SIG_IGN]


def fork(task: Callable[[], None]) -> int:
    """Run `task` in a child; the child's process id. Only the parent returns from here.

    Call it from the main thread of a process without others: threads don't survive a fork, and the kernel kills the
    child when the thread that forked it ends.
    """
    parent = os.getpid()
    sys.stdout.flush()
    held = signal.pthread_sigmask(signal.SIG_BLOCK, STOPS)  # none may reach the child in its parent's handlers
    pid = os.fork()
    if pid:
        signal.pthread_sigmask(signal.SIG_SETMASK, held)
        return pid
    code = 1
    try:
        processes.die_with_parent(signal.SIGKILL)
        signal.set_wakeup_fd(-1)
        for number in (*stops(), signal.SIGCHLD):
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, held)
        if os.getppid() == parent:
            task()
            code = 0
    except (RedisError, QueueDown) as error:  # its trace says nothing more
        log.warning("redis is away", error=str(error))
    except BaseException:
        log.exception("process ended by an error")
    finally:
        with suppress(Exception):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


def end(pid: int) -> None:
    """End a child by force, and what it has started in its process group: a program that goes on alone would work for
    nobody. One that was given a group of its own is meant to stay, as with RQ. Raises ProcessLookupError."""
    group = os.getpgid(pid)
    started = [one for one in _started_by(pid) if _group(one) == group]
    os.kill(pid, signal.SIGKILL)
    for one in started:
        with suppress(ProcessLookupError):
            os.kill(one, signal.SIGKILL)


def _started_by(pid: int) -> list[int]:
    """Its children and theirs, where the kernel tells."""
    found: list[int] = []
    for told in Path(f"/proc/{pid}/task").glob("*/children"):
        with suppress(OSError):
            found += map(int, told.read_text().split())
    return found + [below for one in found for below in _started_by(one)]


def _group(pid: int) -> int:
    try:
        return os.getpgid(pid)
    except ProcessLookupError:
        return 0
