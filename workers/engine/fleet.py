"""The fleet: a main process without threads and sockets that forks the keeper and N children, and replaces the dead.

Everything heavy is imported here before the fork, so that the children share it. PR_SET_PDEATHSIG makes them die with
this process. Signal handlers only note; the loop acts.
"""

import contextlib
import gc
import importlib
import json
import os
import pkgutil
import select
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from mmap import mmap
from typing import Any

from workers import logs
from workers.engine import forks, registry
from workers.engine.keeper import Keeper, Periods

log = logs.get("fleet")
EXECUTION_CHARS = 32
ASK_AFTER_S, KILL_AFTER_S, SAY_AGAIN_S = 14.0, 16.0, 0.5
RESTART_FROM_S, RESTART_TO_S, SETTLED_S = 0.2, 10.0, 2.0


@dataclass
class Slot:
    """One child, or the keeper (0): its number, its generation, its process, and when it may be forked again. `begun`
    is memory that the child shares: there it writes which execution it begins, and there it stands when it is dead; who
    has no more to do wipes it."""

    number: int
    generation: int = 0
    pid: int = 0
    name: str = ""
    born: float = 0.0
    wait_s: float = 0.0
    not_before: float = 0.0
    done: bool = False
    begun: mmap = field(default_factory=lambda: mmap(-1, EXECUTION_CHARS))

    @property
    def execution(self) -> str:
        """That which the child began last."""
        return self.begun[:].rstrip(b"\0").decode()


@dataclass(frozen=True)
class Orders:
    """What a fleet is to do: `work` is called in a child with its worker's name and where it writes what it has begun,
    and ends when it is to be replaced.

    `once`: a child that has no more to do is not replaced, only one that dies or is spoilt. `name`: of the worker, if
    there is just one. `queues`: what it serves beside ours. `buried` is called when a child has ended, in whatever way.
    """

    work: Callable[[str, mmap], None]
    concurrency: int = 1
    once: bool = False
    name: str = ""
    queues: tuple[str, ...] = ()
    buried: Callable[[], None] = lambda: None
    periods: Periods = field(default_factory=Periods)


class Fleet:
    """Run it with `run()`; it returns the exit code."""

    def __init__(self, orders: Orders) -> None:
        self.orders = orders
        self.slots = [Slot(number) for number in range(1, orders.concurrency + 1)]
        self.keeper = Slot(0, name="keeper")
        self._me = f"{os.uname().nodename.partition('.')[0]}-{os.getpid()}-{os.urandom(2).hex()}"
        self._stop_at = 0.0
        self._say_again_at = 0.0
        self._wake_r, self._wake_w = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._told_r, self._told_w = os.pipe2(os.O_CLOEXEC)

    def run(self, prepare: Callable[[], None] = lambda: None) -> int:
        """`prepare` is called when signals are heeded and before the first fork."""
        handlers = self._listen()
        try:
            prepare()
            self._fork_keeper()
            while not self._over():
                self._fork_missing()
                self._hurry()
                self._sleep()
                self._reap()
            return self._leave()
        finally:
            signal.set_wakeup_fd(-1)
            for number, handler in handlers.items():
                signal.signal(number, handler)

    def _listen(self) -> dict[int, Any]:
        """Take the signals; gives the handlers that stood there before."""
        signal.set_wakeup_fd(self._wake_w, warn_on_full_buffer=False)
        ours: dict[int, Any] = {signal.SIGCHLD: lambda *_: None, **dict.fromkeys(forks.stops(), self._on_stop)}
        return {number: signal.signal(number, handler) for number, handler in ours.items()}

    def _on_stop(self, *_: Any) -> None:
        self._stop_at = self._stop_at or time.monotonic()

    def _over(self) -> bool:
        idle = not any(slot.pid for slot in self.slots)
        return idle and bool(self._stop_at or all(slot.done for slot in self.slots))

    def _fork_keeper(self) -> None:
        self.keeper.born = time.monotonic()
        orders = self.orders
        self.keeper.pid = self._fork(lambda: Keeper(self._told_r, orders.periods, orders.queues).run(), "keeper")

    def _fork_missing(self) -> None:
        if self._stop_at:
            return
        if not self.keeper.pid and time.monotonic() >= self.keeper.not_before:
            self._fork_keeper()
            for slot in self.slots:
                if slot.pid:
                    self._tell("born", slot.name, slot.pid)
        for slot in self.slots:
            if not (slot.pid or slot.done) and time.monotonic() >= slot.not_before:
                self._fork_child(slot)

    def _fork_child(self, slot: Slot) -> None:
        slot.generation += 1
        slot.born = time.monotonic()
        slot.name = self._name(slot)
        slot.pid = self._fork(lambda: self.orders.work(slot.name, slot.begun), f"slot {slot.number}")
        self._tell("born", slot.name, slot.pid)

    def _name(self, slot: Slot) -> str:
        """The RQ worker name of a slot: host, fleet, slot, and how often its child was replaced. A container that is
        started again has the host and the process ids that it had: a few random letters tell the fleets apart."""
        if self.orders.name:
            return self.orders.name if slot.generation == 1 else f"{self.orders.name}-{slot.generation}"
        return f"{self._me}-{slot.number}-{slot.generation}"

    def _fork(self, task: Callable[[], None], title: str) -> int:
        def named() -> None:
            if title != "keeper":
                os.close(self._told_r)
            os.close(self._told_w)
            _name_process(title)
            task()

        return forks.fork(named)

    def _tell(self, *what: Any) -> None:
        with contextlib.suppress(BrokenPipeError):
            os.write(self._told_w, f"{json.dumps(what)}\n".encode())

    def _sleep(self) -> None:
        ready, _, _ = select.select([self._wake_r], [], [], 0.5)
        if ready:
            with contextlib.suppress(BlockingIOError):
                os.read(self._wake_r, 4096)

    def _reap(self) -> None:
        """Our own children only: in somebody else's process there may be others."""
        for pid in [slot.pid for slot in (self.keeper, *self.slots)]:
            if pid:
                ended, status = os.waitpid(pid, os.WNOHANG)
                if ended:
                    self._buried(pid, os.waitstatus_to_exitcode(status))

    def _buried(self, pid: int, code: int) -> None:
        if pid == self.keeper.pid:
            self.keeper.pid = 0
            log.warning("keeper ended", code=code)
            self._plan_restart(self.keeper, code)
        for slot in self.slots:
            if slot.pid == pid:
                slot.pid = 0
                self.orders.buried()
                self._tell("stopped" if self._stop_at else "dead", slot.name, pid, _reason(code), slot.execution)
                self._plan_restart(slot, code)

    def _plan_restart(self, slot: Slot, code: int) -> None:
        """At once after an end in order, or never; after a crash with a growing pause: a broken start must not spin. A
        child that is of no more use has ended in order, too, and one whose job has left by `os._exit(0)`."""
        if code == 0 or time.monotonic() - slot.born > SETTLED_S:
            slot.wait_s, slot.done = 0.0, code == 0 and self.orders.once and not slot.execution
        else:
            slot.wait_s = min(slot.wait_s * 2 or RESTART_FROM_S, RESTART_TO_S)
            log.warning("child died", worker=slot.name, code=code, again_in_s=slot.wait_s)
        slot.not_before = time.monotonic() + slot.wait_s

    def _hurry(self) -> None:
        """After a stop was asked for: tell the children; at 14 s they put their job back, at 16 s they are ended."""
        if not self._stop_at:
            return
        waited_s = time.monotonic() - self._stop_at
        if waited_s > KILL_AFTER_S:
            self._signal(signal.SIGKILL)
        elif time.monotonic() >= self._say_again_at:  # a child that was just born may have missed it
            self._say_again_at = time.monotonic() + SAY_AGAIN_S
            self._signal(signal.SIGUSR2 if waited_s > ASK_AFTER_S else signal.SIGTERM)

    def _signal(self, number: signal.Signals) -> None:
        for slot in self.slots:
            if slot.pid:
                os.kill(slot.pid, number)

    def _leave(self) -> int:
        """The keeper goes last: it gives back what killed children held, and records the rest."""
        if self.keeper.pid:
            os.close(self._told_w)
            deadline = time.monotonic() + 3.0
            while time.monotonic() < deadline and os.waitpid(self.keeper.pid, os.WNOHANG) == (0, 0):
                time.sleep(0.02)
            with contextlib.suppress(ProcessLookupError, ChildProcessError):
                os.kill(self.keeper.pid, signal.SIGKILL)
        return 0


def preload() -> None:
    """Import what the jobs will need, once, before any fork: the catalogue and every service.

    What stands in memory then is left alone by the garbage collector, so that the children go on sharing it.
    """
    registry.kinds()
    services = importlib.import_module("workers.services")
    for module in pkgutil.walk_packages(services.__path__, "workers.services."):
        importlib.import_module(module.name)
    gc.collect()
    gc.freeze()


def _name_process(title: str) -> None:
    from setproctitle import setproctitle

    setproctitle(f"sira: {title}")


def _reason(code: int) -> str:
    return f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
