"""The one way to start and to end a child process that must not outlive us."""

import ctypes
import os
import signal
import subprocess
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

PR_SET_PDEATHSIG = 1
_prctl = getattr(ctypes.CDLL(None), "prctl", None)  # loaded here, because nothing may be loaded between fork and exec


def spawn(argv: Sequence[str], **options: Any) -> subprocess.Popen[bytes]:
    """Start a child in a session of its own that prints to standard error and gets SIGTERM when the caller dies.

    Call it from the main thread: the kernel watches the thread that forked. `options` are those of Popen, and come
    before these.
    """
    parent = os.getpid()

    def before_exec() -> None:
        for each in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):  # until exec our own handlers would swallow them
            signal.signal(each, signal.SIG_DFL)
        die_with_parent(signal.SIGTERM)
        if os.getppid() != parent:
            os._exit(1)

    ours: dict[str, Any] = {
        "stdin": subprocess.DEVNULL,
        "stdout": 2,
        "start_new_session": True,
        "preexec_fn": before_exec,
    }
    return subprocess.Popen(argv, **(ours | options))


def die_with_parent(number: int) -> None:
    """Have the kernel send this process the signal when the thread that forked it ends; a no-op where it can't."""
    if _prctl:
        _prctl(PR_SET_PDEATHSIG, number)


def ended(process: subprocess.Popen[bytes]) -> bool:
    """Whether it has ended; it stays unreaped, so that its id and its group's can't pass to a stranger."""
    try:
        return os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
    except ChildProcessError:
        return True


def end(process: subprocess.Popen[bytes], grace_s: float) -> int:
    """SIGTERM, `grace_s` seconds, then SIGKILL to what is left of its process group; gives the exit code."""
    deadline = time.monotonic() + grace_s
    if process.returncode is None:
        if not ended(process):
            os.kill(process.pid, signal.SIGTERM)
        while not ended(process) and time.monotonic() < deadline:
            time.sleep(0.02)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    return process.wait()
