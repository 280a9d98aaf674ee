"""Job kinds of the fault tests: each leaves its effects outside Redis and SQL, where no repair can touch them up."""

import os
import signal
import time
from pathlib import Path
from typing import Any

from tests.saboteur import ORDERS, burn
from workers.engine import Retry, items, job
from workers.engine.registry import QUEUES


def effect(path: str, number: int, seconds: float = 0.02) -> int:
    """Add a line with the own number to a file that all share, then take some time."""
    note(path, str(number))
    burn("inside")
    time.sleep(seconds)
    return number


def _on(queue: str) -> str:
    def effect_here(path: str, number: int, seconds: float = 0.02) -> int:
        return effect(path, number, seconds)

    effect_here.__name__ = f"effect_{queue}"
    job(queue=queue, retries=3)(effect_here)
    return effect_here.__name__


EFFECTS = {queue: _on(queue) for queue in QUEUES}


@job(queue="sms", retries=0)
def beat(path: str, seconds: float, release: str = "never") -> str:
    """Say every 20 ms that this process is at work: `pid time`; the clock is that of the machine's start."""
    ends = time.monotonic() + seconds
    while time.monotonic() < ends and not Path(release).exists():
        note(path, f"{os.getpid()} {time.monotonic()}")
        time.sleep(0.02)
    return "lived"


@job(queue="sms", retries=3)
def kill_worker(path: str, whole_fleet: bool = False) -> None:
    """Poison: kill the own process, or the whole worker."""
    note(path, "x")
    if whole_fleet:
        os.kill(os.getppid(), signal.SIGKILL)
    os.kill(os.getpid(), signal.SIGKILL)


@job(queue="sms", retries=0)
def linger(path: str, release: str) -> str:
    """Begin, wait until the file `release` is there, end."""
    note(path, "begin")
    while not Path(release).exists():
        time.sleep(0.01)
    note(path, "end")
    return "released"


@job(queue="sms", retries=1)
def of_the_next_release(path: str, number: int) -> int:
    """Need a module that the worker of an old release lacks."""
    if ORDERS.get("old_release"):
        import a_module_of_the_next_release  # type: ignore[import-not-found]  # noqa: F401
    note(path, str(number))
    return number


@job(queue="email", retries=0, items="numbers")
def send_all(numbers: list[int], path: str) -> int:
    """Each item leaves its number in a file, once."""
    for number in items(numbers):
        note(path, str(number))
        time.sleep(0.01)
    return len(numbers)


@job(queue="email", retries=0)
def again_in(path: str, seconds: float) -> object:
    """Ask once to be tried again after so many seconds; note when each attempt ran."""
    note(path, str(time.monotonic()))
    return Retry(max=1, interval=seconds) if len(Path(path).read_text().splitlines()) < 2 else "enough"


@job(queue="sms", retries=0, on_success=lambda task: note(task.result["path"], str(task.result["number"])))
def tell(path: str, number: int) -> dict[str, Any]:
    """The callback leaves the number in the file."""
    return {"path": path, "number": number}


def note(path: str, line: str) -> None:
    """Add a line in one write, so that a kill never leaves half of one."""
    handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.write(handle, f"{line}\n".encode())
    os.close(handle)
