"""Faults 18 and 22: clocks that go wrong, and releases that differ between the workers."""

import fcntl
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import update

from tests import faults
from tests.conftest import lines, wait_until
from tests.faults import LEASE_S, Crew, family, overlaps, sized, until
from workers.db import now, writing
from workers.engine import enqueue, find, ledger
from workers.engine.tables import tasks
from workers.errors import SiraError

crew = faults.crew
HOUR = 3600
CLOCKS = {"ahead": HOUR + 60, "behind": -HOUR - 60}


@sized(
    short={"clock": "ahead", "jobs": 60, "seconds": 3.0},
    full=[{"clock": clock, "jobs": 2_000, "seconds": 60.0} for clock in CLOCKS],
)
def test_18_a_worker_whose_clock_is_an_hour_wrong_harms_nobody(crew: Crew, size: dict[str, Any]) -> None:
    clock_s = CLOCKS[size["clock"]]
    crew.sabotage["lease_s"] = LEASE_S  # no lease runs out here, unless by a clock
    beats = crew.service.data_dir / "beats"
    crew.start(clock_s=clock_s)
    crew.start()
    long = enqueue("beat", {"path": str(beats), "seconds": size["seconds"]})
    due_at = now() + timedelta(seconds=size["seconds"] / 2)
    due = enqueue("linger", {"path": str(beats.with_name("due")), "release": str(beats)}, due_at=due_at)
    crew.enqueue(size["jobs"])
    wait_until(lambda: lines(beats.with_name("due")), timeout_s=size["seconds"] + 20)
    early_s = (due_at - now()).total_seconds()
    settled_s = crew.settle(size["seconds"] + 60)

    lost, twice = crew.count()
    crew.note(clock_s=clock_s, settled_s=settled_s, due_late_s=round(-early_s, 2))
    assert (lost, twice, crew.leftovers()) == (0, 0, {})
    assert crew.states() == {"SUCCESS": size["jobs"] + 2}
    assert len({beat.split()[0] for beat in lines(beats)}) == 1, "the running job was not given to another"
    assert early_s <= 0, "what is due later was not run too early"
    for task_id in (long.id, due.id):
        assert find(task_id).attempts == 1


@sized(short={"rounds": 1}, full={"rounds": 5})
def test_18_a_bulk_that_is_being_written_outlives_a_clock_that_is_ahead(crew: Crew, size: dict[str, Any]) -> None:
    crew.start(clock_s=HOUR + 60)
    accepted: list[str] = []
    for turn in range(size["rounds"]):
        path = crew.service.data_dir / f"bulk-{turn}"
        task = enqueue_slowly({"numbers": list(range(5)), "path": str(path)}, pause_s=2.0)
        accepted += [task] if task else []

    settled_s = crew.settle(60)

    crew.note(rounds=size["rounds"], accepted=len(accepted), settled_s=settled_s)
    assert [find(task_id).state for task_id in accepted] == ["SUCCESS"] * len(accepted), "what was accepted runs"


def enqueue_slowly(params: dict[str, Any], *, pause_s: float) -> str | None:
    """Enqueue a bulk whose items take long to write; its id, or None where it was refused in words."""
    fill = ledger.fill

    def slowly(task_id: str, rows: list[Any]) -> None:
        fill(task_id, rows)
        time.sleep(pause_s)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ledger, "fill", slowly)
        try:
            return enqueue("send_all", params).id
        except SiraError:
            return None


@sized(short={"rounds": 1}, full={"rounds": 10})
def test_18_a_task_of_a_clock_that_is_ahead_is_pushed_again_all_the_same(crew: Crew, size: dict[str, Any]) -> None:
    made = crew.enqueue(size["rounds"])
    crew.service.redis.flushall()
    with writing() as session:
        session.execute(update(tasks).values(created_at=now() + timedelta(hours=1)))
    crew.start()

    settled_s = until(lambda: all(find(task.id).ended for task in made), 120, "tasks that never reached Redis")

    crew.note(settled_s=settled_s)
    assert crew.count() == (0, 0)


@sized(
    short={"lacks": "the module", "jobs": 20, "seconds": 3.0},
    full=[{"lacks": lacks, "jobs": 500, "seconds": 60.0} for lacks in ("the module", "the kind")],
)
def test_22_a_release_that_comes_to_one_worker_later_fails_nothing(crew: Crew, size: dict[str, Any]) -> None:
    old = crew.start(**({"old_release": True} if size["lacks"] == "the module" else {"lacks": ["of_the_next_release"]}))
    crew.start()
    ends = time.monotonic() + size["seconds"]
    made = []
    for number in range(size["jobs"]):
        made.append(enqueue("of_the_next_release", {"path": str(crew.effects), "number": number}))
        time.sleep(max(ends - time.monotonic(), 0.0) / (size["jobs"] - number))
    code = old.stop()
    crew.workers.remove(old)
    crew.start()
    settled_s = crew.settle(120)

    waited = [task for task in made if find(task.id).attempts == 1]
    crew.note(jobs=size["jobs"], settled_s=settled_s, first_attempt=len(waited), states=dict(crew.states()))
    assert code == 0
    assert crew.states() == {"SUCCESS": size["jobs"]}
    assert sorted(map(int, lines(crew.effects))) == list(range(size["jobs"])), "each ran once"
    assert len(waited) == size["jobs"], "a release that is missing uses no attempt"


@sized(
    short={"seconds": 6.0, "lease_s": 4.0},
    full={"seconds": 60.0, "lease_s": 30.0},
)
def test_a_keeper_that_is_kept_waiting_renews_its_leases_all_the_same(crew: Crew, size: dict[str, Any]) -> None:
    beats, release = crew.service.data_dir / "beats", crew.service.data_dir / "release"
    crew.sabotage["lease_s"] = size["lease_s"]
    crew.start(1, "--concurrency", "2")
    wait_until(lambda: crew.service.redis.get("sira:duty:recorder"), what="a recorder")
    others = family(crew.start().pid)
    tell_all(others, signal.SIGSTOP)
    task = enqueue("beat", {"path": str(beats), "seconds": 900.0, "release": str(release)})
    wait_until(lambda: lines(beats))

    crew.enqueue(100, seconds=size["seconds"] / 50)
    with one_writer_at_a_time(crew):
        tell_all(others, signal.SIGCONT)
        time.sleep(size["seconds"])
    release.touch()
    ended = task.wait(size["seconds"] + 40)

    copies = len({beat.split()[0] for beat in lines(beats)})
    crew.note(seconds=size["seconds"], copies=copies, overlaps=overlaps(lines(beats)))
    assert ended.state == "SUCCESS"
    assert copies == 1, "nobody took the job of a machine that lives"


def tell_all(pids: list[int], number: signal.Signals) -> None:
    for pid in pids:
        os.kill(pid, number)


@contextmanager
def one_writer_at_a_time(crew: Crew) -> Iterator[None]:
    """Somebody writes for long: all others wait for the lock of SQLite's writers."""
    with (crew.service.data_dir / "sira.db.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
