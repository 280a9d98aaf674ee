"""What the tests of the clock share: schedules that only they know, in this process and in clocks of their own.

`python -m tests.timing '{"every": {"cron": "* * * * * *"}}'` is a real clock whose catalogue holds just these.
"""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import select

from tests.conftest import ROOT, Service
from workers.db import reading
from workers.engine import job, registry
from workers.engine.clock import LEASE
from workers.engine.tables import occurrences, schedules, tasks

Declare = Callable[..., Any]


def declare(name: str, **options: Any) -> Any:
    """A kind of that name that gives back its parameter; `options` as of @job."""

    def run(number: int = 1, fail: bool = False) -> int:
        if fail or name.startswith("fail"):
            raise ValueError("as it was told")
        return number

    run.__name__ = run.__qualname__ = name
    return job(queue="maintenance", **{"retries": 0, **options})(run)


def only_declared(monkeypatch: pytest.MonkeyPatch) -> Declare:
    """Declare kinds with what this gives; they are all that there is, until the test ends."""
    monkeypatch.setattr(registry, "_kinds", {})
    monkeypatch.setattr(registry, "_loaded", True)
    return declare


def alarm_kind() -> None:
    """Declare the kind by which operators are alarmed."""

    def alert_operators(subject: str, text: str) -> None:
        """Tell them."""

    job(queue="maintenance")(alert_operators)


@contextmanager
def clocks(service: Service, count: int, **kinds: dict[str, Any]) -> Iterator[list[subprocess.Popen[bytes]]]:
    """Clock processes that schedule these kinds; killed at the end unless they have ended."""
    started = [start(service, number, kinds) for number in range(count)]
    try:
        yield started
    finally:
        for process in started:
            if process.poll() is None:
                os.kill(process.pid, signal.SIGKILL)
                process.wait()


def start(service: Service, number: int, kinds: dict[str, dict[str, Any]]) -> subprocess.Popen[bytes]:
    log = (service.data_dir / f"clock-{number}.log").open("a")
    command = [sys.executable, "-m", "tests.timing", json.dumps(kinds)]
    return subprocess.Popen(command, cwd=ROOT, env=service.env, stdout=log, stderr=log)


def holder_of(service: Service, running: list[subprocess.Popen[bytes]]) -> subprocess.Popen[bytes] | None:
    """The clock that holds the lease."""
    pid = (service.redis.get(LEASE) or b"-0").decode().rpartition("-")[2]
    return next((process for process in running if process.pid == int(pid)), None)


def rows(name: str | None = None) -> list[Any]:
    """The occurrences, oldest first."""
    query = select(occurrences).order_by(occurrences.c.due_at)
    with reading() as session:
        return list(session.execute(query.where(occurrences.c.schedule == name) if name else query))


def states(name: str) -> list[str]:
    return [row.state for row in rows(name)]


def schedule(name: str) -> Any:
    """The schedule's row; None if there is none."""
    with reading() as session:
        return session.execute(select(schedules).where(schedules.c.name == name)).first()


def task_ids() -> list[str]:
    """The ids of all tasks in SQL."""
    with reading() as session:
        return list(session.scalars(select(tasks.c.id).order_by(tasks.c.id)))


def queued(service: Service) -> list[str]:
    """The ids that wait in the queue, in order; the same one twice if it was pushed twice."""
    return [one.decode() for one in service.redis.lrange("rq:queue:maintenance", 0, -1)]


def main() -> int:
    import scheduler

    registry._loaded = True
    for name, options in json.loads(sys.argv[1]).items():
        declare(name, **options)
    return scheduler.main()


if __name__ == "__main__":
    sys.exit(main())
