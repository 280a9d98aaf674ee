"""Programs started in order, restarted when they die, stopped in reverse order. Knows nothing of what they do."""

import os
import select
import signal
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from subprocess import Popen

from workers import logs
from workers.processes import end, ended, spawn

LAST_CHANCE_S = 0.5  # what each has that is stopped after the time is used up
STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)

log = logs.get(__name__)


@dataclass(frozen=True)
class Program:
    """What to run. The next one starts when `ready` says True (at once without it), or when a `once` has ended with 0.

    `stop_s`: seconds between SIGTERM and SIGKILL. `prepare` is called before each start, `keep` are inherited files.
    `says_why`: the file into which it writes why it died, if that is not our standard error. `lost` is asked every few
    seconds: whether nobody can reach it any more, though it runs; then it is started anew.
    """

    name: str
    argv: Sequence[str]
    env: Mapping[str, str] = field(default_factory=dict)
    stop_s: float = 5
    once: bool = False
    ready: Callable[[], bool] | None = None
    prepare: Callable[[], None] | None = None
    keep: Sequence[int] = ()
    says_why: Path | None = None
    lost: Callable[[], bool] | None = None


@dataclass
class Child:
    """A program and how it fares; times are those of `time.monotonic`, in seconds."""

    program: Program
    process: Popen[bytes] | None = None
    ready: bool = False
    due: float = 0
    since: float = 0
    pause_s: float = 0

    @property
    def settled(self) -> bool:
        """Nothing to do before the next signal."""
        return self.ready and (self.process is not None or self.program.once)


class Supervisor:
    """Runs programs until SIGTERM, SIGINT or SIGHUP, in the main thread. Handlers only note, the loop acts."""

    def __init__(
        self,
        programs: Sequence[Program],
        *,
        cwd: Path | None = None,
        first_pause_s: float = 0.5,
        longest_pause_s: float = 30,
        steady_s: float = 60,
        stop_s: float = 28.5,
    ) -> None:
        """A program that died starts again after `first_pause_s`, doubled each time, anew once it lived `steady_s`.

        `stop_s` is for all together; with the second that a look at a program may take, it stays under 30.
        """
        self._children = [Child(program) for program in programs]
        self._cwd, self._steady_s, self._stop_s = cwd, steady_s, stop_s
        self._pauses = first_pause_s, longest_pause_s
        self._stopping = self._failed = False
        self._wake = -1

    def run(self, on_ready: Callable[[], None] = lambda: None) -> int:
        """The exit code: 0 after a signal, 1 if a `once` program failed. No process is left behind."""
        with self._listening():
            started: list[Child] = []
            try:
                self._bring_up(started)
                if not self._over:
                    on_ready()
                while not self._over:
                    self._wait_and_look(started)
            finally:
                self._stop(started)
        return int(self._failed and not self._stopping)

    def _bring_up(self, started: list[Child]) -> None:
        for child in self._children:
            if self._over:
                return
            started.append(child)
            self._attend(child)
            while not (child.ready or self._over):
                self._wait_and_look(started)

    @property
    def _over(self) -> bool:
        return self._stopping or self._failed

    @contextmanager
    def _listening(self) -> Iterator[None]:
        """Signals wake the loop through a pipe, so that none is missed between a look and the wait for the next."""
        self._wake, waker = os.pipe()
        os.set_blocking(self._wake, False)
        os.set_blocking(waker, False)
        former = {each: signal.signal(each, self._note) for each in (*STOP_SIGNALS, signal.SIGCHLD)}
        former_waker = signal.set_wakeup_fd(waker, warn_on_full_buffer=False)
        try:
            yield
        finally:
            signal.set_wakeup_fd(former_waker)
            for each, handler in former.items():
                signal.signal(each, handler)
            os.close(self._wake)
            os.close(waker)

    def _note(self, signum: int, _: object) -> None:
        self._stopping = self._stopping or signum != signal.SIGCHLD

    def _wait_and_look(self, children: Sequence[Child]) -> None:
        settled = all(child.settled for child in children)
        select.select([self._wake], [], [], 5 if settled else 0.05)
        with suppress(BlockingIOError):
            os.read(self._wake, 4096)
        for child in children:
            self._attend(child)

    def _attend(self, child: Child) -> None:
        """Start it if it is due, bury it if it has ended, ask it if it is not ready yet, or is lost."""
        program = child.program
        if not child.process:
            if not child.settled and time.monotonic() >= child.due:
                self._start(child)
        elif ended(child.process):
            self._bury(child, end(child.process, 0))
        elif program.ready and not child.ready:
            child.ready = program.ready()
        elif child.ready and program.lost and program.lost():
            log.warning("program can't be reached", program=program.name)
            self._bury(child, end(child.process, program.stop_s))

    def _start(self, child: Child) -> None:
        program, child.since = child.program, time.monotonic()
        try:
            if program.prepare:
                program.prepare()
            env = {**os.environ, **program.env}
            child.process = spawn(program.argv, env=env, cwd=self._cwd, pass_fds=program.keep)
            child.ready = program.ready is None and not program.once
            log.info("program started", program=program.name, pid=child.process.pid)
        except OSError as error:
            self._bury(child, error.strerror)

    def _bury(self, child: Child, code: int | str | None) -> None:
        child.process, lived_s = None, time.monotonic() - child.since
        if child.program.once:
            child.ready = code == 0
            self._failed = self._failed or not child.ready
            log.info("program ended", program=child.program.name, exit_code=code)
            return
        first, longest = self._pauses
        child.pause_s = first if not child.pause_s or lived_s >= self._steady_s else min(2 * child.pause_s, longest)
        child.ready, child.due = False, time.monotonic() + child.pause_s
        why = {"says_why": str(child.program.says_why)} if child.program.says_why else {}
        log.warning("program died", program=child.program.name, exit_code=code, again_in_s=child.pause_s, **why)

    def _stop(self, started: list[Child]) -> None:
        deadline = time.monotonic() + self._stop_s
        running = [child for child in started if child.process]
        while running:
            child = running.pop()
            spare_s = deadline - time.monotonic() - LAST_CHANCE_S * len(running)
            if child.process:
                code = end(child.process, min(child.program.stop_s, max(spare_s, LAST_CHANCE_S)))
                log.info("program stopped", program=child.program.name, exit_code=code)
