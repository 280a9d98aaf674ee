"""Job kinds whose bodies do with a bulk what nobody should, or what seems harmless."""

import os
import signal
import time
from contextlib import suppress
from datetime import date
from pathlib import Path
from typing import Any, Literal

from workers.engine import items, job, report, running, this_task
from workers.engine.control import cancel
from workers.jobs.email import send_email
from workers.jobs.sms import send_sms

Day = date


@job(queue="excel", retries=0, items="values")
def catch_all(values: list[int]) -> int:
    """Catch whatever comes."""
    caught = 0
    try:
        for _ in values:
            pass
    except BaseException:
        caught = 1
    return caught


@job(queue="excel", retries=0, items="values")
def return_at_last(values: list[int]) -> int:
    """Leave by the way that silences everything."""
    try:
        for _ in values:
            pass
    finally:
        return 0  # noqa: B012


@job(queue="excel", retries=0, items="values")
def go_on_when_cancelled(values: list[int]) -> int:
    """Be cancelled in the work on the first item, and take it for its fault."""
    for done, _ in enumerate(values):
        with suppress(BaseException):
            if done == 0:
                cancel(str(this_task().id))
                time.sleep(30)
    return len(values)


@job(queue="excel", retries=0, items="values")
def go_through_twice(values: list[int]) -> int:
    """Look for the largest before the work begins."""
    return sum(value for _ in [max(values)] for value in values)


@job(queue="excel", retries=0, items="days")
def years_of(days: list[Day], first: Day) -> list[int]:
    """Take each item for what it is declared to be."""
    return [first.year, *(day.year for day in days)]


@job(queue="excel", retries=0, soft_limit_s=1, items="values")
def dawdle(values: list[int]) -> None:
    """Do one, and take too long for the second."""
    for value in values:
        if value == 2:
            time.sleep(20)


@job(queue="excel", retries=0, items="values")
def say_and_break(values: list[int]) -> None:
    """Say how it stands, do two, and break at the third."""
    for done, value in enumerate(values):
        if done == 0:
            report(0, len(values), "ilk satır")
        if done == 2:
            raise ValueError(value)


@job(queue="excel", retries=0, items="values")
def done_and_away(values: list[int]) -> None:
    """Say what became of the first three of a batch, and return."""
    for batch in items(values).batches(5):
        for item in batch[:2]:
            item.done()
        batch[2].fail(ZeroDivisionError("by nothing"))
        return


@job(queue="excel", retries=0)
def say_twice_and_break() -> None:
    """Report more often than is told."""
    report(1, 10, "bir")
    report(9, 10, "dokuz")
    raise ValueError("broken")


@job(queue="pdf", retries=0, items="values", parallel=True)
def leave_to_helpers(values: list[int], path: str) -> None:
    """Return as soon as a helper works."""
    run: Any = running.present.get()
    for _ in values:
        if run.helps:
            Path(path).touch()
            time.sleep(0.5)
        else:
            until = time.monotonic() + 30
            while not Path(path).exists() and time.monotonic() < until:
                time.sleep(0.01)
            return


@job(queue="excel", retries=0)
def block_signals() -> None:
    """Let no signal through, also not to the next job."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGALRM, signal.SIGUSR1, signal.SIGUSR2, signal.SIGTERM})


@job(queue="excel", retries=0, soft_limit_s=0.3, hard_limit_s=30)
def sleep_too_long() -> None:
    """Wait for the limit."""
    time.sleep(20)


@job(queue="sms", retries=3)
def remind(company_id: int, phones: list[str], path: str, die_at: int, channel: Literal["sms", "email"] = "sms") -> int:
    """Say the same to each, by calling what is a kind of its own; die before one of them, the first time."""
    for number, phone in enumerate(phones):
        if number == die_at and not Path(path).exists():
            Path(path).touch()
            os.kill(os.getpid(), signal.SIGKILL)
        if channel == "sms":
            send_sms(phone, "Ödemenizi bekliyoruz", company_id)
        else:
            send_email(phone, "Hatırlatma", "Ödemenizi bekliyoruz")
    return len(phones)
