"""The signals that a working child takes, and lets go.

A job is anybody's code: it may take a signal for itself and not give it back, so they are looked after before each job.
It may fork, too (`multiprocessing` does): its copies are no workers, and to be ended by SIGTERM as any process is.
"""

import os
import signal
from _signal import getsignal as standing  # `signal`'s own give enums, which makes them 100 times as slow
from _signal import pthread_sigmask as mask
from collections.abc import Callable
from typing import Any

Handler = Callable[..., Any]
_taken: dict[int, Handler] = {}
_wake_fd = -1
_held: set[Any] = set()


def take(handlers: dict[int, Handler], wake_fd: int) -> None:
    """Have them handled, and `wake_fd` written to by each, until `let_go`."""
    global _wake_fd
    _wake_fd = wake_fd
    _taken.update(handlers)
    _handle()


def take_again() -> None:
    """What the job before has changed, or blocked. One that ran an event loop leaves no `wake_fd`."""
    if blocked := mask(signal.SIG_BLOCK, ()):
        mask(signal.SIG_UNBLOCK, blocked & _taken.keys())
    for number, handler in _taken.items():
        if standing(number) is not handler:
            return _handle()
    signal.set_wakeup_fd(_wake_fd, warn_on_full_buffer=False)


def let_go() -> None:
    """Ignore them: a late one must not end in disorder what ends by itself."""
    signal.set_wakeup_fd(-1)
    for number in _taken:
        signal.signal(number, signal.SIG_IGN)
    _taken.clear()


def _handle() -> None:
    signal.set_wakeup_fd(_wake_fd, warn_on_full_buffer=False)
    for number, handler in _taken.items():
        signal.signal(number, handler)


def _before_a_copy() -> None:
    """None may reach the copy in our handlers."""
    global _held
    if _taken:
        _held = signal.pthread_sigmask(signal.SIG_BLOCK, _taken)


def _behind_a_copy() -> None:
    if _taken:
        signal.pthread_sigmask(signal.SIG_SETMASK, _held)


def _in_a_copy() -> None:
    """Ctrl-C in a terminal is said to the whole group, and the job has still time to end: its copies ignore it."""
    if _taken:
        signal.set_wakeup_fd(-1)
    for number, handler in _taken.items():
        if standing(number) is handler:
            signal.signal(number, signal.SIG_IGN if number == signal.SIGINT else signal.SIG_DFL)
    _behind_a_copy()
    _taken.clear()


os.register_at_fork(before=_before_a_copy, after_in_parent=_behind_a_copy, after_in_child=_in_a_copy)
