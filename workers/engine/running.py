"""What a job's code stands in while it runs: which task, which execution, until when; and the ways to leave early."""

import hashlib
import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

from workers.engine.seal import encode

SLICE_S = 2.0


class Leave(BaseException):
    """A running job is left between two steps; not an error, and nothing that a job should catch. Where one does all
    the same (`except:`, a `return` in `finally`) and returns, it is still owed (see bulk.called)."""

    def __init__(self) -> None:
        super().__init__()
        if run := present.get():
            run.owed = self


class Yielded(Leave):
    """The slice is over: the rest goes on later."""


class Cancelled(Leave):
    """Somebody cancelled the task."""


class Stopping(Leave):
    """The worker stops: the job goes back to the front of its queue."""


class Lost(Leave):
    """Another worker holds the job by now; what this one does counts no more."""


class Helped(Leave):
    """A helper found nothing more to take."""


@dataclass
class Run:
    """One execution of one job. `task_id` is the task whose ledger it works on, also for a helper (`<id>-h1`).

    Without a lease (a stock worker runs it) it makes no slices and reports nothing. `single`: its parameters are the
    one item of its ledger. `past_return`: see noreturn.py; `owed`: see Leave.
    """

    job_id: str
    task_id: str
    execution: str
    scope: str | None = None
    slice_ends: float = field(default_factory=lambda: time.monotonic() + SLICE_S)
    meta: dict[str, Any] = field(default_factory=dict)
    leased: bool = True
    left: bool = False
    single: bool = False
    past_return: bool = False
    owed: Leave | None = None
    said_at: float = -math.inf  # when it reported last
    untold: bool = False  # whether it has reported since
    item: int = 0  # the position of the one in work, of a bulk
    named: dict[str, int] = field(default_factory=dict)

    @property
    def helps(self) -> bool:
        return self.job_id != self.task_id

    def name(self, what: Any) -> str:
        """32 digits, the same for `what` at every try of the task and of the item in work, and others each time that it
        is asked for in one execution."""
        digest = hashlib.sha256(encode([self.task_id, self.item, what])).hexdigest()
        self.named[digest] = self.named.get(digest, 0) + 1
        return hashlib.sha256(f"{digest} {self.named[digest]}".encode()).hexdigest()[:32]

    @property
    def tag(self) -> str:
        """Who has taken an item: `<job id>:<execution>`."""
        return f"{self.job_id}:{self.execution}"


@dataclass(frozen=True)
class ThisTask:
    """The running task, for its own code; all None where the function is simply called."""

    id: str | None = None
    execution: str = "direct"
    company_id: int | None = None


def this_task() -> ThisTask:
    run = present.get()
    if run is None:
        return ThisTask()
    return ThisTask(run.task_id, run.execution, int(run.scope) if run.scope else None)


present: ContextVar[Run | None] = ContextVar("present", default=None)
_asked: list[type[BaseException]] = []
_masks = 0


def ask(reason: type[BaseException]) -> None:
    """From a signal handler: leave the job, at once or as soon as it is safe; a job is left once."""
    run = present.get()
    if run is None or run.left:
        return
    if _masks:
        _asked.append(reason)
    else:
        run.left = True
        raise reason()


def clear() -> None:
    """Forget what was asked: it was meant for a job that has ended."""
    _asked.clear()


@contextmanager
def undisturbed() -> Iterator[None]:
    """No limit and no cancel interrupts this block; between a send and its outcome nothing may be raised."""
    global _masks
    _masks += 1
    try:
        yield
    finally:
        _masks -= 1
    check()


def asked() -> bool:
    """Whether the job is to be left, as soon as it is safe."""
    return bool(_asked)


def check() -> None:
    """Leave now if it was asked for meanwhile."""
    if _asked and not _masks:
        if run := present.get():
            run.left = True
        raise _asked.pop(0)()


def pause_point() -> None:
    """A job that keeps its own place has just saved it: leave now if the slice is over, and go on from there later."""
    check()
    run = present.get()
    if run is not None and run.leased and time.monotonic() > run.slice_ends:
        raise Yielded()
