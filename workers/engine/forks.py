"""The one way in which the engine forks: the child dies with its parent and starts with plain signals."""

import ctypes
import os
import signal
import sys
from collections.abc import Callable
from contextlib import suppress

from workers import logs

PR_SET_PDEATHSIG = 1
STOPS = (signal.SIGTERM, signal.SIGINT)
_prctl = getattr(ctypes.CDLL(None), "prctl", None)
log = logs.get("forks")


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
        if _prctl:
            _prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD):
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, held)
        if os.getppid() == parent:
            task()
            code = 0
    except BaseException:
        log.exception("process ended by an error")
    finally:
        with suppress(Exception):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)
