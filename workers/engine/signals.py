"""The signals that a working child takes, and lets go."""

import signal
from collections.abc import Callable
from typing import Any

_taken: dict[int, Callable[..., Any]] = {}


def take(handlers: dict[int, Callable[..., Any]], wake_fd: int) -> None:
    """Have them handled, and `wake_fd` written to by each, until `let_go`."""
    _taken.update(handlers)
    signal.set_wakeup_fd(wake_fd, warn_on_full_buffer=False)
    for number, handler in handlers.items():
        signal.signal(number, handler)


def let_go() -> None:
    """Ignore them: a late one must not end in disorder what ends by itself."""
    signal.set_wakeup_fd(-1)
    for number in _taken:
        signal.signal(number, signal.SIG_IGN)
    _taken.clear()
