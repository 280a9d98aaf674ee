"""What the jobs of a child share, and one of them may leave other than it found it.

A job is anybody's code. Signals, the folder, the mask of new files and the environment are put back before the next
one, which knows nothing of it. What can't be put back ends the child, and the fleet forks a fresh one: memory and
descriptors that were taken and not given back, and descriptors or streams that were closed, for the worker's own were
among them.
"""

import fcntl
import os
import resource
import sys
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Self

from workers.engine import signals

DESCRIPTORS_AT_MOST = 0.9  # of what this process may have
LOOK_EVERY_S = 0.001


@dataclass
class Surroundings:
    """As they were before the first job: the folder ('' where it is gone), the mask, the streams that were open, and of
    its outputs and a `pipe` of the worker's own those that were, with their flags, by which they are known again: for a
    number that was closed is soon another's. `max_memory_mb`: the resident size to stay below; 0: any."""

    folder: str
    mask: int
    environment: dict[bytes, bytes]
    streams: tuple[Any, ...]
    descriptors: tuple[int, ...]
    flags: list[int]
    pipe: int
    max_memory_mb: int
    looked_at: float = -1.0

    @classmethod
    def found(cls, pipe: int, max_memory_mb: int = 0) -> Self:
        mask = os.umask(0o077)
        os.umask(mask)
        streams = tuple(stream for stream in (sys.stdout, sys.stderr) if not getattr(stream, "closed", True))
        descriptors = tuple(descriptor for descriptor in (1, 2, pipe) if _is_open(descriptor))
        return cls(
            _folder(), mask, _environment().copy(), streams, descriptors, _flags(descriptors), pipe, max_memory_mb
        )

    def put_back(self) -> None:
        signals.take_again()
        os.umask(self.mask)
        if _environment() != self.environment:
            os.environb.clear()
            os.environb.update(self.environment)
            time.tzset()
        if self.folder and _folder() != self.folder:
            with suppress(OSError):
                os.chdir(self.folder)

    @property
    def spoilt(self) -> bool:
        """Whether this process is of no more use. Looked after once in a millisecond: behind every job that takes as
        long, and not behind each of those that cost less than the look."""
        if time.monotonic() < self.looked_at + LOOK_EVERY_S:
            return False
        self.looked_at = time.monotonic()
        return self._is_spoilt()

    def _is_spoilt(self) -> bool:
        if self.max_memory_mb and resource.getrusage(resource.RUSAGE_SELF).ru_maxrss > self.max_memory_mb * 1024:
            return True
        limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        try:
            lowest = os.dup(self.pipe)  # all below it are taken
            os.close(lowest)
            if limit != resource.RLIM_INFINITY and lowest > DESCRIPTORS_AT_MOST * limit:
                return True
            if _flags(self.descriptors) != self.flags:
                return True
        except OSError:  # one is closed, or none is left
            return True
        return any(stream.closed for stream in self.streams)


def _environment() -> dict[bytes, bytes]:
    """The dict behind `os.environ`: to look through that costs a tenth of what a job costs that does nothing."""
    return os.environb._data  # type: ignore[attr-defined]


def _folder() -> str:
    try:
        return os.getcwd()
    except OSError:
        return ""


def _flags(descriptors: Iterable[int]) -> list[int]:
    """Raises OSError where one is closed."""
    return [fcntl.fcntl(descriptor, fcntl.F_GETFL) for descriptor in descriptors]


def _is_open(descriptor: int) -> bool:
    try:
        return bool(_flags([descriptor]))
    except OSError:
        return False
