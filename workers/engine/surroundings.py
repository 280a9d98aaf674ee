"""What the jobs of a child share, and one of them may leave other than it found it.

A job is anybody's code. The folder and the mask of new files are put back before the next one, which knows nothing of
it. What can't be put back ends the child, and the fleet forks a fresh one: memory that was taken, and descriptors or
streams that were closed, for the worker's own were among them.
"""

import os
import resource
import sys
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Self


@dataclass(frozen=True)
class Surroundings:
    """As they were before the first job: the folder ('' where it is gone), the mask, the streams that were open, and a
    pipe of the worker's own (device, inode, descriptor). `max_memory_mb`: the resident size to stay below; 0: any."""

    folder: str
    mask: int
    streams: tuple[Any, ...]
    pipe: tuple[int, int, int]
    max_memory_mb: int

    @classmethod
    def found(cls, pipe: int, max_memory_mb: int = 0) -> Self:
        mask = os.umask(0o077)
        os.umask(mask)
        streams = tuple(stream for stream in (sys.stdout, sys.stderr) if not _is_closed(stream))
        return cls(_folder(), mask, streams, _pipe(pipe), max_memory_mb)

    def put_back(self) -> None:
        os.umask(self.mask)
        if self.folder and _folder() != self.folder:
            with suppress(OSError):
                os.chdir(self.folder)

    @property
    def spoilt(self) -> bool:
        """Whether this process is of no more use."""
        if self.max_memory_mb and resource.getrusage(resource.RUSAGE_SELF).ru_maxrss > self.max_memory_mb * 1024:
            return True
        return _pipe(self.pipe[-1]) != self.pipe or any(map(_is_closed, self.streams))


def _folder() -> str:
    try:
        return os.getcwd()
    except OSError:
        return ""


def _pipe(descriptor: int) -> tuple[int, int, int]:
    """Which one it is: a number that was closed is soon another's."""
    try:
        stands = os.fstat(descriptor)
    except OSError:
        return 0, 0, descriptor
    return stands.st_dev, stands.st_ino, descriptor


def _is_closed(stream: Any) -> bool:
    return bool(getattr(stream, "closed", False))
