"""How much memory this process ever held at once, for the scripts that tests run as processes of their own."""

from pathlib import Path


def peak_kb() -> int:
    """The largest resident size of this process, kB.

    Not `ru_maxrss`: Linux counts into that what the parent held as this process was started, so that behind a large
    parent it never seems to grow.
    """
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))
