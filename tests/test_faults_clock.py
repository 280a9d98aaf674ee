"""Fault 19: clocks that are killed while they hold the lease; and a million old rows that go while others write."""

import os
import signal
import subprocess
import sys
import time
from datetime import datetime, timedelta
from itertools import pairwise
from statistics import quantiles
from typing import Any

import pytest
from sqlalchemy import func, insert, select

from tests.conftest import ROOT, Service, wait_until
from tests.face import open_face
from tests.faults import sized
from tests.hands import put_row, work_off
from tests.timing import Declare, clocks, holder_of, only_declared, rows, start, task_ids
from workers import db, settings
from workers.db import now
from workers.engine import clock, schedules
from workers.engine.tables import history

CLEAN = "from workers.jobs.maintenance import cleanup_old_logs; print(cleanup_old_logs()['count'])"
ROWS_TOGETHER = 5000


@pytest.fixture
def catalogue(monkeypatch: pytest.MonkeyPatch, service: Service) -> Declare:
    return only_declared(monkeypatch)


@pytest.fixture
def figures(request: pytest.FixtureRequest) -> dict[str, Any]:
    noted: dict[str, Any] = {}
    request.node.user_properties.append(("figures", noted))
    return noted


@sized(
    short={"every_s": 1, "for_s": 9, "kill_each_s": 3},
    full={"every_s": 5, "for_s": 300, "kill_each_s": 10},
)
def test_19_holders_that_are_killed_again_and_again_lose_and_double_nothing(
    service: Service, catalogue: Declare, size: dict[str, int], figures: dict[str, Any]
) -> None:
    line = {"cron": f"*/{size['every_s']} * * * * *", "missed": "all", "overlap": "allow"}
    catalogue("ticks", **line)
    kills, next_kill = 0, size["kill_each_s"]
    with clocks(service, 2, ticks=line) as running:
        wait_until(rows, timeout_s=180, what="the first occurrence")
        began = time.monotonic()
        while (past_s := time.monotonic() - began) < size["for_s"] or (kills < 2 and past_s < size["for_s"] + 60):
            holder = holder_of(service, running)
            if holder and past_s > next_kill and all(is_up(service, clock) for clock in running):
                holder.send_signal(signal.SIGKILL)
                holder.wait()
                running[running.index(holder)] = start(service, 9, {"ticks": line})
                kills, next_kill = kills + 1, next_kill + size["kill_each_s"]
            work_off()
            time.sleep(0.2)
        until = now()
        wait_until(lambda: rows()[-1].due_at > until, timeout_s=180, what="the last occurrence")
        wait_until(lambda: (work_off(), states_until(until) == {"done"})[1], timeout_s=180, what="the end of all")

    seen = [row for row in rows() if row.due_at <= until]
    gaps = [later - earlier for earlier, later in pairwise(row.due_at for row in seen)]
    late_s = max(row.lateness_s for row in seen)
    figures |= {"kills": kills, "occurrences": len(seen), "latest_s": round(late_s, 1)}
    assert set(gaps) == {timedelta(seconds=size["every_s"])}, "no occurrence is missing"
    assert len(seen) >= size["for_s"] // size["every_s"] - 1
    assert kills >= 2
    assert len(task_ids()) == len({row.task_id for row in rows() if row.task_id}), "and each has one task"
    assert late_s < 15


def is_up(service: Service, running: subprocess.Popen[bytes]) -> bool:
    """Whether the clock has made a pass, so that it can take over."""
    return bool(service.redis.exists(f"rq:scheduler_instance:{os.uname().nodename}-{running.pid}"))


def states_until(until: datetime) -> set[str]:
    return {row.state for row in rows() if row.due_at <= until}


@sized(short={"schedules": 60}, full={"schedules": 1000})
def test_19_many_schedules_of_one_second_are_each_enqueued_once_by_three_clocks(
    service: Service, catalogue: Declare, size: dict[str, int], figures: dict[str, Any]
) -> None:
    at = (now() + timedelta(seconds=12)).replace(microsecond=0)
    line = f"{at.second} {at.minute} {at.hour} {at.day} {at.month} *"
    many = {f"of_{number:04d}": {"cron": line, "zone": "UTC"} for number in range(size["schedules"])}
    for name, declared in many.items():
        catalogue(name, **declared)
    schedules.register(now())  # so that a clock which starts later than that finds them due
    with clocks(service, 3, **many):
        wait_until(lambda: now() >= at, timeout_s=180, what="the second in question")
        queue = "rq:queue:maintenance"
        wait_until(lambda: service.redis.llen(queue) >= size["schedules"], timeout_s=180, what="all tasks")
        figures |= {"all_pushed_s": round((clock.time_of_redis() - at).total_seconds(), 2)}

        queued = service.redis.lrange(queue, 0, -1)
        assert len(set(queued)) == len(queued) == size["schedules"]
        assert {row.due_at for row in rows()} == {at}


@sized(short={"rows": 10_000}, full={"rows": 1_000_000})
def test_old_log_rows_go_while_the_api_answers(service: Service, size: dict[str, int], figures: dict[str, Any]) -> None:
    fill_history(size["rows"])
    settings.use(service.settings.model_copy(update={"rate_limit": "1000000/minute"}))
    face = open_face()
    quiet_s = [answer_s(face) for _ in range(200)]
    began, busy_s = time.monotonic(), []
    command = [sys.executable, "-c", CLEAN]
    with subprocess.Popen(command, cwd=ROOT, env=service.env, stdout=subprocess.PIPE, text=True) as process:
        try:
            while process.poll() is None:
                busy_s.append(answer_s(face))
            told = process.communicate()[0]
        finally:
            process.kill()
    took_s = time.monotonic() - began

    figures |= {"rows": size["rows"], "took_s": round(took_s, 1), "answers": len(busy_s)}
    figures |= {"quiet_p99_ms": p99_ms(quiet_s), "busy_p99_ms": p99_ms(busy_s), "longest_ms": round(max(busy_s) * 1000)}
    assert int(told) == size["rows"]
    with db.reading() as session:
        assert session.scalar(select(func.count()).select_from(history)) == 0


def fill_history(count: int) -> None:
    task_id, at = put_row(), now() - timedelta(days=100)
    for begin in range(0, count, ROWS_TOGETHER):
        with db.writing() as session:
            numbers = range(begin, min(begin + ROWS_TOGETHER, count))
            given = [{"task_id": task_id, "event_id": f"{n:032}", "state": "STARTED", "at": at} for n in numbers]
            session.execute(insert(history), given)


def answer_s(face: Any) -> float:
    """How long the API takes for a new task and its status."""
    began = time.monotonic()
    face.ayse.status(face.ayse.enqueue("add", a=1))
    return time.monotonic() - began


def p99_ms(taken_s: list[float]) -> float:
    return round(quantiles(taken_s, n=100)[-1] * 1000, 1) if len(taken_s) > 1 else 0.0
