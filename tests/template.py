"""Workers for tests, forked from a process that has loaded all they need: to load it anew took each over a second.

A worker of these is as real as one of `python -m tests.worker`: a process with an environment, a log, children and
signals of its own, which runs what that module runs. Only the parent is another, so that it is asked for the exit code.
"""

import json
import math
import os
import select
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from threading import Lock
from typing import Any, NoReturn

from workers.processes import die_with_parent

MESSAGE_BYTES, LOOK_AGAIN_S = 1 << 18, 0.05


def serves(env: dict[str, str], folder: Path) -> bool:
    """Whether a worker with this environment can come of one: not where it is to load other modules, or with a wrong
    clock from its first line on."""
    return env.get("PYTHONPATH") == str(folder) and "clock_s" not in json.loads(env.get("TESTS_SABOTAGE", "{}"))


class Forked:
    """A worker: what the tests ask of a `subprocess.Popen`."""

    def __init__(self, template: "Template", pid: int) -> None:
        self.pid, self._template = pid, template

    def poll(self) -> int | None:
        return self._template.code(self.pid, 0)

    def wait(self, timeout: float | None = None) -> int:
        code = self._template.code(self.pid, timeout)
        if code is None:
            raise subprocess.TimeoutExpired(f"worker {self.pid}", timeout or 0)
        return code

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


class Template:
    """The process of which they are forked, in the folder and with the environment given; it ends with ours."""

    def __init__(self, folder: Path, env: dict[str, str]) -> None:
        self._channel, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        command = [sys.executable, "-m", "tests.template", str(theirs.fileno())]
        options: dict[str, Any] = {"cwd": folder, "env": env, "pass_fds": [theirs.fileno()]}
        self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, **options)
        self._codes: dict[int, int] = {}
        self._lock = Lock()
        theirs.close()

    def fork(self, arguments: list[str], env: dict[str, str], log: Path) -> Forked:
        with self._lock:
            self._channel.send(json.dumps({"arguments": arguments, "env": env, "log": str(log)}).encode())
            while "forked" not in (told := self._hear()):
                self._codes[told["pid"]] = told["code"]
            self._codes.pop(told["forked"], None)  # of another, long gone, that had the same number
        return Forked(self, told["forked"])

    def code(self, pid: int, timeout_s: float | None) -> int | None:
        """The exit code of a worker, as `subprocess` gives it; None while it runs. Other threads may ask, too, and hear
        what is meant for this one."""
        deadline = math.inf if timeout_s is None else time.monotonic() + timeout_s
        while True:
            with self._lock:
                while select.select([self._channel], [], [], 0)[0]:
                    told = self._hear()
                    self._codes[told["pid"]] = told["code"]
                if pid in self._codes:
                    return self._codes[pid]
            left_s = deadline - time.monotonic()
            if left_s <= 0:
                return None
            select.select([self._channel], [], [], min(left_s, LOOK_AGAIN_S))

    def _hear(self) -> dict[str, Any]:
        message = self._channel.recv(MESSAGE_BYTES)
        assert message, "the template of the workers has died"
        return dict(json.loads(message))

    def close(self) -> None:
        self._channel.close()
        self._process.wait(20)


def serve(channel: socket.socket) -> NoReturn:
    """Fork what is asked for, and tell who has ended. In a worker it does not come back either."""
    wake_r, wake_w = os.pipe2(os.O_NONBLOCK)
    signal.set_wakeup_fd(wake_w)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the tests
    while True:
        ready, _, _ = select.select([channel, wake_r], [], [])
        if wake_r in ready:
            os.read(wake_r, 4096)
            _tell_the_ended(channel)
        if channel in ready:
            message = channel.recv(MESSAGE_BYTES)
            if not message:
                sys.exit()
            pid = os.fork()
            if pid == 0:
                signal.set_wakeup_fd(-1)
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                signal.signal(signal.SIGINT, signal.default_int_handler)
                channel.close()
                os.close(wake_r)
                os.close(wake_w)
                _work(**json.loads(message))
            channel.send(json.dumps({"forked": pid}).encode())


def _tell_the_ended(channel: socket.socket) -> None:
    with suppress(ChildProcessError):
        while (ended := os.waitpid(-1, os.WNOHANG))[0]:
            told = {"pid": ended[0], "code": os.waitstatus_to_exitcode(ended[1])}
            with suppress(BrokenPipeError):
                channel.send(json.dumps(told).encode())


def _work(arguments: list[str], env: dict[str, str], log: str) -> NoReturn:
    die_with_parent(signal.SIGTERM)  # of a run that was ended by force nothing stays behind
    os.environ.clear()
    os.environ.update(env)
    time.tzset()
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.close(output)
    saboteur.ORDERS.update(json.loads(env.get("TESTS_SABOTAGE", "{}")))
    worker.work(arguments)


if __name__ == "__main__":
    from setproctitle import setproctitle

    from tests import saboteur, worker
    from workers.engine.fleet import preload

    preload()
    setproctitle("python -m tests.worker")  # it finds the place of a title by the environment, which a worker changes
    serve(socket.socket(fileno=int(sys.argv[1])))
