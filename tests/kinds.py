"""Job kinds that only the tests know; a worker started by tests/worker.py runs them."""

import contextlib
import math
import multiprocessing
import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Annotated, Any, Literal

from tests import careless_kinds, rough_kinds  # noqa: F401
from workers.engine import Ref, Retry, SoftTimeLimitExceeded, items, job, no_return, report, running
from workers.engine.tasks import params_of
from workers.errors import LimitReached, SiraError


@job(queue="maintenance", retries=0)
def nothing() -> None:
    """Do nothing."""


@job(queue="sms", retries=3, accepted={"tr": "Toplanıyor...", "en": "Adding..."})
def add(a: int, b: int = 2) -> dict[str, int]:
    """Add two numbers."""
    return {"sum": a + b}


@job(queue="excel", retries=0)
def echo(value: Any) -> Any:
    """Give back what it was given."""
    return value


@job(queue="email", retries=0)
def fail(message: str = "no way") -> None:
    """Always fail."""
    raise ValueError(message)


@job(queue="email", retries=1)
def fail_once_more() -> None:
    """Fail, and fail again."""
    raise ValueError("not this time either")


@job(queue="excel", retries=0)
def count(path: str, n: int = 20, pause_s: float = 0.1) -> int:
    """Append a byte to a file n times, slowly, reporting each."""
    for number in range(1, n + 1):
        append(path, "x")
        report(number, n, f"adım {number}")
        time.sleep(pause_s)
    return n


@job(queue="excel", retries=0, no_return=lambda task_id: Path(params_of(task_id)["path"]).exists())
def do_whole(path: str, fails: int = 0) -> int:
    """Append a byte behind the point of no return, and fail the first times; how often it was begun."""
    no_return()
    append(path, "x")
    begun = len(Path(path).read_text().split())
    if begun <= fails:
        raise ValueError("not yet")
    return begun


@job(queue="excel", retries=3, items="lines")
def write_lines(lines: list[str], path: str, pause_s: float = 0.02) -> int:
    """Append each line to a file; returns how many lines the file has."""
    for line in lines:
        append(path, line)
        time.sleep(pause_s)
    return len(Path(path).read_text().splitlines())


@job(queue="pdf", retries=3, items="numbers", parallel=True)
def square_all(numbers: list[int], pause_s: float = 0.01) -> int:
    """Square numbers side by side; the sum is assembled at the end. Negative ones fail."""
    ledger = items(numbers)
    for batch in ledger.batches(5):
        for item in batch:
            time.sleep(pause_s)
            if item.value < 0:
                item.fail("negative")
            else:
                item.done({"square": item.value**2, "pid": os.getpid()})
    return sum(item.output["square"] for item in ledger.finished())


@job(queue="maintenance", retries=3)
def die(path: str, times: int = 99) -> str:
    """Kill the own process, the first `times` times."""
    append(path, "x")
    if len(Path(path).read_text()) <= times * 2:
        os.kill(os.getpid(), signal.SIGKILL)
    return "alive"


@job(queue="maintenance", retries=0)
def sleep(seconds: float, path: str = "") -> str:
    """Sleep, with a line in a file before and after."""
    if path:
        append(path, "begin")
    time.sleep(seconds)
    if path:
        append(path, "end")
    return "slept"


@job(queue="maintenance", retries=0)
def end_with_the_stop(path: str) -> None:
    """Begin, and end as soon as the own worker has heard that it is to stop: then its slice is over."""
    append(path, "begin")
    while (run := running.present.get()) and run.slice_ends:
        time.sleep(0.01)


@job(queue="maintenance", retries=0, soft_limit_s=0.3, hard_limit_s=60)
def overrun(tidy: bool = False) -> str:
    """Say something twice in one moment and run past the soft limit; `tidy` notices and ends well."""
    report(1, 3, "first")
    report(2, 3, "second")
    try:
        time.sleep(30)
    except SoftTimeLimitExceeded:
        if not tidy:
            raise
    return "tidied"


@job(queue="maintenance", retries=0, soft_limit_s=1, hard_limit_s=1)
def hang(path: str = "") -> None:
    """Swallow the soft limit and go on, after a program was started whose id stands in the file."""
    if path:
        append(path, str(subprocess.Popen(["sleep", "60"]).pid))
    while True:
        with contextlib.suppress(SoftTimeLimitExceeded):
            time.sleep(30)


@job(queue="maintenance", retries=0)
def unserializable() -> Any:
    """Return what JSON can't hold."""
    return {"open": [object()]}


@job(queue="maintenance", retries=5)
def ask_again(path: str, times: int, raised: bool = False) -> Any:
    """Ask to be tried again a few times, by returning or raising Retry."""
    append(path, "x")
    if len(Path(path).read_text().splitlines()) > times:
        return "enough"
    if raised:
        raise Retry(max=times, interval=0)
    return Retry(max=times, interval=0)


@job(queue="maintenance", retries=0, on_success=lambda task: append(task.result, f"success {task.state}"))
def tell_success(path: str) -> str:
    """End well; the callback writes into the file that is the result."""
    return path


@job(queue="maintenance", retries=0, on_failure=lambda task: append(task.error["message"], f"failure {task.state}"))
def tell_failure(path: str) -> None:
    """End badly; the callback writes into the file that the error names."""
    raise RuntimeError(path)


@job(
    queue="maintenance", retries=0, on_failure=lambda task: append(f"{os.environ['DATA_DIR']}/told", task.error["type"])
)
def die_and_tell() -> None:
    """Die; the callback leaves the reason in the data folder."""
    os.kill(os.getpid(), signal.SIGKILL)


def for_ever(task: Any) -> None:
    append(task.result, "begun")
    while True:
        with contextlib.suppress(SoftTimeLimitExceeded):
            time.sleep(30)


@job(queue="maintenance", retries=0, on_success=for_ever)
def tell_for_ever(path: str) -> str:
    """End well; the callback notes that it has begun, and hangs."""
    return path


@job(queue="maintenance", retries=0)
def stay(seconds: float, path: str) -> None:
    """Let nothing that is asked of the job reach it."""
    append(path, "begin")
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        with contextlib.suppress(BaseException):
            time.sleep(0.1)


@job(queue="maintenance", retries=0)
def leave(how: str) -> None:
    """Leave the function in an odd way."""
    if how == "exit":
        raise SystemExit(3)
    if how == "fork":
        if (pid := os.fork()) == 0:
            raise SystemExit(0)
        os.waitpid(pid, 0)
    if how == "odd error":
        raise Odd()
    if how == "signals":
        for number in (signal.SIGALRM, signal.SIGTERM):
            signal.signal(number, signal.SIG_DFL)
    if how == "ended copy":
        copy = multiprocessing.get_context("fork").Process(target=time.sleep, args=(30,))
        copy.start()
        copy.terminate()
        copy.join()
        assert copy.exitcode == -signal.SIGTERM
    if how == "untold":
        raise Untold()
    if how == "endless":
        raise Retry(max=2, interval=math.inf)


class Odd(Exception):
    """Its attributes are not what others expect, and it has no text."""

    type, fields, response, final = object(), None, object(), False

    def __str__(self) -> str:
        raise ValueError


class Untold(SiraError):
    """It has no {such} field, nor any other."""

    def __init__(self) -> None:
        """Forget what the family needs."""


@job(queue="sms", retries=0)
def of_company(company_id: int, channel: Literal["sms", "email"] = "sms") -> int:
    """Take a company id."""
    return company_id


@job(queue="sms", retries=0, items="mutabakat_ids")
def touch(mutabakat_ids: list[Annotated[int, Ref("mutabakat")]]) -> int:
    """Name records of a company."""
    return len(list(mutabakat_ids))


def append(path: str, line: str) -> None:
    with open(path, "a") as file:
        file.write(f"{line}\n")


@job(queue="email", retries=3)
def sleep_and_count(path: str, seconds: float = 0.05) -> None:
    """Leave a line in a file of its own for each run."""
    append(path, "run")
    time.sleep(seconds)


@job(queue="maintenance", retries=0)
def import_missing(path: str) -> str:
    """Need a module that is there only once `path` exists."""
    if not Path(path).exists():
        import a_module_of_the_next_release  # type: ignore[import-not-found]  # noqa: F401
    return "deployed"


@job(queue="email", retries=1)
def throttled(path: str) -> str:
    """Be refused once by a service that says when to come back."""
    if not Path(path).exists():
        append(path, "x")
        raise LimitReached(what="Too many letters", retry_after_s=6)
    return "sent"


@job(queue="excel", items="values", retries=0)
def leave_early(values: list[int], take: int) -> int:
    """Do no more than `take` of them."""
    for done, _ in enumerate(items(values)):
        if done == take:
            break
    return take
