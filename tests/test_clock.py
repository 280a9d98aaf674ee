"""The clock: what is due moves, what is not stays, and a clock that is told to stop ends well."""

import signal
import subprocess
import sys
from datetime import timedelta

from tests.conftest import ROOT, Service, wait_until
from workers.db import now
from workers.engine import clock, queues


def test_a_delayed_task_waits_until_it_is_due(service: Service) -> None:
    later = queues.enqueue("nothing", due_at=now() + timedelta(hours=1))
    soon = queues.enqueue("nothing", due_at=now() + timedelta(seconds=1))

    assert clock.tick() == 0
    wait_until(clock.tick)

    assert service.redis.lrange("rq:queue:maintenance", 0, -1) == [soon.id.encode()]
    assert service.redis.zscore("rq:scheduled:maintenance", later.id)


def test_the_clock_runs_beside_others_and_ends_with_0(service: Service) -> None:
    task = queues.enqueue("nothing", due_at=now() + timedelta(seconds=1))
    clocks = [subprocess.Popen([sys.executable, "scheduler.py"], cwd=ROOT, env=service.env) for _ in range(2)]

    wait_until(lambda: service.redis.lrange("rq:queue:maintenance", 0, -1) == [task.id.encode()])

    for process in clocks:
        process.send_signal(signal.SIGTERM)
    assert [process.wait(10) for process in clocks] == [0, 0]
