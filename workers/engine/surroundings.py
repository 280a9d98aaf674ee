"""What the jobs of a child share, and one of them may leave other than it found it.

A job is anybody's code. The folder and the mask of new files are put back before the next one, which knows nothing of
it. What can't be put back ends the child, and the fleet forks a fresh one: memory and descriptors that were taken and
not given back, and descriptors or streams that were closed, for the worker's own were among them.
"""

import fcntl
import math
import os
import resource
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Self

DESCRIPTORS_AT_MOST = 0.9  # of what this process may have
LOOK_EVERY_S = 0.001


@dataclass
class Surroundings:
    """As they were before the first job: the folder ('' where it is gone), the mask, the streams that were open, and
    the flags of its outputs and of a `pipe` of the worker's own. `max_memory_mb`: the resident size to stay below; 0:
    any."""

    folder: str
    mask: int
    streams: tuple[Any, ...]
    flags: tuple[tuple[int, int], ...]
    pipe: int
    max_memory_mb: int
    looked_at: float = -1.0

    @classmethod
    def found(cls, pipe: int, max_memory_mb: int = 0) -> Self:
        mask = os.umask(0o077)
        os.umask(mask)
        streams = tuple(stream for stream in (sys.stdout, sys.stderr) if not _is_closed(stream))
        flags = tuple((descriptor, _flags(descriptor)) for descriptor in (1, 2, pipe))
        return cls(_folder(), mask, streams, flags, pipe, max_memory_mb)

    def put_back(self) -> None:
        os.umask(self.mask)
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
        for descriptor, flags in self.flags:
            if _flags(descriptor) != flags:
                return True
        for stream in self.streams:
            if _is_closed(stream):
                return True
        limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        return limit != resource.RLIM_INFINITY and _lowest_free(self.pipe) > DESCRIPTORS_AT_MOST * limit


def _folder() -> str:
    try:
        return os.getcwd()
    except OSError:
        return ""


def _flags(descriptor: int) -> int:
    """By which it is known again, for a number that was closed is soon another's; -1 where it is closed."""
    try:
        return fcntl.fcntl(descriptor, fcntl.F_GETFL)
    except OSError:
        return -1


def _lowest_free(taken: int) -> float:
    """The number of the next descriptor: all below it are taken."""
    try:
        descriptor = os.dup(taken)
    except OSError:
        return math.inf
    os.close(descriptor)
    return descriptor


def _is_closed(stream: Any) -> bool:
    return bool(getattr(stream, "closed", False))
