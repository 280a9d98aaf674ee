"""The clock: what is due moves, what is not stays; schedules neither double nor vanish, whoever is killed or frozen."""

import fcntl
import signal
import subprocess
import sys
import time
from datetime import timedelta
from itertools import count, pairwise
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from sqlalchemy import update

from tests import kinds
from tests.conftest import ROOT, Service, wait_until
from tests.hands import at_once
from tests.timing import Declare, clocks, holder_of, only_declared, queued, rows, schedule, task_ids
from workers import db
from workers.db import now
from workers.engine import clock, find, mirror, queues, schedules, tables
from workers.engine.clock import Clock
from workers.engine.reconcile import reconcile
from workers.errors import UnknownTask

MILLISECOND = timedelta(milliseconds=1)
EACH_SECOND: dict[str, Any] = {"cron": "* * * * * *", "missed": "all", "overlap": "allow"}


@pytest.fixture
def catalogue(monkeypatch: pytest.MonkeyPatch, service: Service) -> Declare:
    return only_declared(monkeypatch)


def test_a_delayed_task_waits_until_it_is_due(service: Service) -> None:
    later = queues.enqueue("nothing", due_at=now() + timedelta(hours=1))
    soon = queues.enqueue("nothing", due_at=now() + timedelta(seconds=0.3))

    wait_until(clock.tick)

    assert now() - soon.next_run_at > -MILLISECOND, "which is as exact as Redis keeps it"
    assert clock.tick() == 0
    assert service.redis.lrange("rq:queue:maintenance", 0, -1) == [soon.id.encode()]
    assert service.redis.zscore("rq:scheduled:maintenance", later.id)


def test_what_was_given_to_the_scheduler_for_later_is_cancelled_by_it(service: Service) -> None:
    one, in_an_hour = Clock(), timedelta(hours=1)
    by_task, by_id = (one.enqueue_in(in_an_hour, kinds.nothing) for _ in range(2))
    service.redis.zadd(mirror.KEY, {"of-somebody-else": 1})

    one.cancel(by_task)
    one.cancel(by_id.id)

    assert [find(task.id).state for task in (by_task, by_id)] == ["REVOKED", "REVOKED"]
    assert (list(one.get_jobs()), one.count()) == ([], 0), "which takes out what has no job"
    with pytest.raises(UnknownTask):
        one.cancel("no such task")


def test_the_clock_runs_beside_others_and_ends_with_0(service: Service) -> None:
    task = queues.enqueue("nothing", due_at=now() + timedelta(seconds=1))
    clocks = [subprocess.Popen([sys.executable, "scheduler.py"], cwd=ROOT, env=service.env) for _ in range(2)]

    wait_until(lambda: queued(service).count(task.id) == 1, timeout_s=180)  # at some seconds of a day others come due
    wait_until(lambda: len(service.redis.keys("rq:scheduler_instance:*")) == 2, timeout_s=180)

    for process in clocks:
        process.send_signal(signal.SIGTERM)
    assert [process.wait(60) for process in clocks] == [0, 0]
    assert queued(service).count(task.id) == 1


def test_a_clock_that_is_told_to_stop_at_any_moment_of_its_wait_stops(service: Service) -> None:
    assert at_once(24, stops_when_told_at) == [0] * 24


def stops_when_told_at(step: int) -> int:
    """What a clock ends with that gets its SIGTERM at that step of its wait; killed if it does not end."""
    steps = count()

    def told(*_: Any) -> Any:
        if next(steps) == step:
            sys.settrace(None)
            signal.raise_signal(signal.SIGTERM)
        return told

    class Told(Clock):
        def _pass(self) -> None:
            sys.settrace(told)

    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.alarm(20)
    hasty = Told()
    hasty._interval = 0.01
    return hasty.run()


def test_a_due_schedule_becomes_one_task_and_its_next_time_is_kept(service: Service, catalogue: Declare) -> None:
    catalogue("each_second", **EACH_SECOND)
    one = Clock()
    schedules.register(clock.time_of_redis())

    made = wait_until(one.enqueue_jobs)

    assert queued(service) == task_ids() == [task["id"] for task in made] == [row.task_id for row in rows()]
    assert schedule("each_second").due_at == rows()[-1].due_at + timedelta(seconds=1)
    assert schedule("each_second").due_at.microsecond == 0


def test_clocks_that_look_at_the_same_moment_enqueue_each_occurrence_once(
    anywhere: Service, catalogue: Declare
) -> None:
    for number in range(40):
        catalogue(f"each_{number}", **EACH_SECOND)
    schedules.register(clock.time_of_redis() - timedelta(seconds=5))

    made = at_once(3, lambda _: [task["id"] for task in Clock().enqueue_jobs()])

    ids = [task_id for ids in made for task_id in ids]
    assert len(ids) == len(set(ids)) == len(rows()) >= 200
    assert sorted(queued(anywhere)) == task_ids() == sorted(ids)


def test_a_killed_clock_and_a_frozen_one_are_replaced_and_no_occurrence_is_lost_or_doubled(service: Service) -> None:
    with clocks(service, 3, each_second=EACH_SECOND) as running:
        killed = wait_until(lambda: len(rows()) >= 2 and holder_of(service, running), timeout_s=180)
        killed.kill()
        frozen = successor(service, running, killed)
        freeze_between_transactions(service, frozen)
        successor(service, running, frozen)

        frozen.send_signal(signal.SIGCONT)

        seen = len(rows())
        wait_until(lambda: len(rows()) >= seen + 3, timeout_s=180)
        assert frozen.poll() is None
        assert_no_gap_and_no_double(service)


def successor(service: Service, running: list[subprocess.Popen[bytes]], former: Any) -> Any:
    """The clock that takes over."""
    return wait_until(
        lambda: (holder := holder_of(service, running)) is not former and holder, timeout_s=180, what="a takeover"
    )


def test_what_the_leading_clock_leaves_lying_another_enqueues(service: Service, catalogue: Declare) -> None:
    catalogue("of_the_next_release", cron="0 0 * * *")
    schedules.register(clock.time_of_redis() - timedelta(days=2))
    service.redis.set(clock.LEASE, "an older release", px=60_000)

    Clock()._pass()

    assert queued(service) == [row.task_id for row in rows()] != []
    assert service.redis.get(clock.LEASE) == b"an older release"


def test_what_a_flushed_redis_lost_comes_back_and_the_clock_goes_on(service: Service, catalogue: Declare) -> None:
    catalogue("each_second", **EACH_SECOND)
    with clocks(service, 2, each_second=EACH_SECOND) as running:
        wait_until(lambda: len(rows()) >= 2, timeout_s=180)

        service.redis.flushall()

        seen = len(rows())
        wait_until(lambda: len(rows()) >= seen + 3, timeout_s=180)
        assert [process.poll() for process in running] == [None, None]
        wait_until(lambda: (reconcile(), set(queued(service)) >= {row.task_id for row in rows()})[1])
        assert_no_gap_and_no_double(service)


@pytest.mark.parametrize("key", ["rq:scheduled:pdf", "sira:draining", mirror.KEY, "the first run"])
def test_what_redis_refuses_keeps_the_clock_from_nothing_else(service: Service, catalogue: Declare, key: str) -> None:
    catalogue("each_second", **EACH_SECOND)
    one = Clock()
    wait_until(lambda: (one._pass(), rows())[1])
    service.redis.set(f"rq:job:{rows()[0].task_id}" if key == "the first run" else key, "written by somebody else")
    later = queues.enqueue("each_second", due_at=now() + timedelta(seconds=1))

    wait_until(lambda: (one._pass(), len(rows()) >= 3 and later.id in queued(service))[1])

    assert key == "the first run" or one._told.startswith("redis refuses: "), "for it is there"


def test_a_lease_that_is_lost_while_redis_grants_no_other_is_told_once(
    service: Service, catalogue: Declare, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    one = Clock()
    wait_until(lambda: (one._pass(), service.redis.get(clock.LEASE))[1])
    service.redis.delete(clock.LEASE)
    service.redis.config_set("maxmemory", 1)
    try:
        for _ in range(3):
            one._pass()
    finally:
        service.redis.config_set("maxmemory", 0)

    said = capsys.readouterr()
    assert (said.out + caplog.text).count("lease lost") == 1  # by the other, where a test before has set up a log
    wait_until(lambda: (one._pass(), service.redis.get(clock.LEASE))[1])


def test_a_clock_of_redis_that_stood_ahead_for_a_moment_stops_no_schedule(
    service: Service, catalogue: Declare, monkeypatch: pytest.MonkeyPatch
) -> None:
    catalogue("nightly", cron="0 0 * * *")
    one, at = Clock(), clock.time_of_redis()
    with monkeypatch.context() as ahead:
        ahead.setattr(clock, "time_of_redis", lambda: at + timedelta(days=3650))
        one._pass()

    one._pass()

    assert clock.time_of_redis() < schedule("nightly").due_at < at + timedelta(days=2)


def test_a_schedule_that_is_resumed_while_redis_hangs_keeps_nobody_from_writing(
    service: Service, catalogue: Declare
) -> None:
    catalogue("nightly", cron="0 0 * * *")
    schedules.pause("nightly")
    service.redis.client_pause(5000)
    resuming, waited_s = Thread(target=schedules.resume, args=("nightly",)), list[float]()

    resuming.start()
    while resuming.is_alive():
        began = time.monotonic()
        with db.writing() as session:
            session.execute(update(tables.schedules).values(missed="one"))
        waited_s.append(time.monotonic() - began)

    assert max(waited_s) < 3
    assert schedules.get("nightly").state == "active"


def freeze_between_transactions(service: Service, process: subprocess.Popen[bytes]) -> None:
    """Whoever is frozen inside a transaction holds SQLite's lock until it wakes, which no clock can help."""
    process.send_signal(signal.SIGSTOP)
    while is_locked(service.data_dir / "sira.db.lock"):
        process.send_signal(signal.SIGCONT)
        time.sleep(0.05)
        process.send_signal(signal.SIGSTOP)


def is_locked(path: Path) -> bool:
    with path.open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def assert_no_gap_and_no_double(service: Service) -> None:
    due = [row.due_at for row in rows()]
    assert {later - earlier for earlier, later in pairwise(due)} == {timedelta(seconds=1)}
    wait_until(lambda: set(queued(service)) >= {row.task_id for row in rows()[: len(due)]})
    assert len(queued(service)) == len(set(queued(service)))
