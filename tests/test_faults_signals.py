"""Signals that reach a child too late, too often or all at once: only the job that they are for may feel them."""

import asyncio
import os
import select
import signal
import time
from typing import Any

import pytest

from tests import faults
from tests.conftest import Service, lines, wait_until
from tests.faults import Crew, alive, runs, sized
from tests.hands import at_once, work_off
from workers.engine import enqueue, find, signals
from workers.engine.worker import Worker

crew = faults.crew


def test_a_cancel_that_was_meant_for_an_earlier_job_ends_nobody_else(crew: Crew) -> None:
    release = crew.service.data_dir / "release"
    worker = crew.start()
    task = enqueue("linger", {"path": str(crew.effects), "release": str(release)})
    wait_until(lambda: lines(crew.effects))

    os.kill(worker.children()[0], signal.SIGUSR1)
    release.touch()

    assert task.wait(60).state == "SUCCESS"


def test_signals_that_a_job_has_taken_for_itself_are_taken_back_before_the_next(service: Service) -> None:
    taken, limited = enqueue("leave", {"how": "signals"}), enqueue("overrun", {"tidy": True})

    work_off()

    assert [find(task.id).state for task in (taken, limited)] == ["SUCCESS", "SUCCESS"]
    assert find(limited.id).result == "tidied"


def test_a_signal_ends_the_wait_for_work_also_behind_a_job_that_ran_an_event_loop() -> None:
    """Else an idle worker would hear of a stop only when it looks up by itself."""
    assert at_once(1, lambda _: _hears_behind_an_event_loop()) == [True]


def _hears_behind_an_event_loop() -> bool:
    read, write = os.pipe2(os.O_NONBLOCK)
    signals.take({signal.SIGUSR1: lambda *_: None}, write)
    asyncio.run(_heed_a_signal())

    signals.take_again()
    os.kill(os.getpid(), signal.SIGUSR1)

    return bool(select.select([read], [], [], 0)[0])


async def _heed_a_signal() -> None:
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGWINCH, print)
    loop.remove_signal_handler(signal.SIGWINCH)


@pytest.mark.parametrize("how", ["SIGUSR1", "SIGUSR2"])
def test_a_job_that_sends_itself_our_signals_ends_as_any(service: Service, how: str) -> None:
    task = enqueue("mistreat", {"how": how})

    work_off()

    assert find(task.id).state == "SUCCESS"


def test_a_terminal_that_is_closed_stops_a_worker_in_order(service: Service) -> None:
    task, waiting = enqueue("mistreat", {"how": "hung up"}), enqueue("nothing")

    at_once(1, lambda _: Worker(["maintenance"]).work())

    assert [find(each.id).state for each in (task, waiting)] == ["SUCCESS", "PENDING"]


def test_a_copy_that_a_job_has_forked_can_be_ended_as_any_process(service: Service) -> None:
    task = enqueue("leave", {"how": "ended copy"})

    work_off()

    assert find(task.id).state == "SUCCESS"


@pytest.mark.parametrize("number", [signal.SIGUSR1, signal.SIGUSR2], ids=["cancel", "stop"])
@sized(short={"jobs": 40, "seconds": 2.0}, full={"jobs": 400, "seconds": 20.0})
def test_a_storm_of_signals_costs_no_job_and_no_child(crew: Crew, size: dict[str, Any], number: signal.Signals) -> None:
    worker = crew.start()
    child = wait_until(worker.children)[0]
    crew.enqueue(1)[0].wait(60)
    crew.enqueue(size["jobs"], ("email", "sms"), seconds=0.01)

    ends = time.monotonic() + size["seconds"]
    while time.monotonic() < ends and alive(child):
        os.kill(child, number)
        time.sleep(crew.random.uniform(0.0, 0.003))
    settled_s = crew.settle(60 + size["jobs"] / 10)

    ran = runs(crew.effects)
    states = crew.states()
    crew.note(jobs=size["jobs"], settled_s=settled_s, runs=sum(ran.values()), states=dict(states))
    assert states == {"SUCCESS": size["jobs"] + 1}, "nobody cancelled any of them"
    assert {find(task.id).attempts for task in crew.tasks} == {1}, "being put back is no attempt"
