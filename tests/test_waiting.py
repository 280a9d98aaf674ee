"""Waiting: an idle worker wakes at once for any queue, removes nothing, and does not spin."""

import os
import signal
import time

from tests.conftest import Service, wait_until
from workers.engine import enqueue, find
from workers.engine.registry import QUEUES
from workers.engine.waiting import Waiter


def test_a_push_to_any_queue_wakes_and_removes_nothing(service: Service) -> None:
    wake_r, wake_w = os.pipe()
    waiter = Waiter(service.redis, ["sms", "email", "maintenance"], wake_r)
    assert waiter.wait(0.05) is False

    task = enqueue("nothing")

    assert waiter.wait(5) is True
    assert service.redis.lrange("rq:queue:maintenance", 0, -1) == [task.id.encode()]
    waiter.close()
    os.close(wake_w)


def test_a_signal_wakes_the_waiter(service: Service) -> None:
    wake_r, wake_w = os.pipe()
    waiter = Waiter(service.redis, ["sms"], wake_r)

    os.write(wake_w, b"x")

    assert waiter.wait(5) is True
    waiter.close()


def test_an_idle_worker_asks_redis_next_to_nothing(service: Service) -> None:
    service.run_worker(concurrency=2)
    enqueue("nothing").get(timeout=10)
    time.sleep(0.5)
    scripts = service.redis.info("commandstats")["cmdstat_evalsha"]["calls"]

    time.sleep(1.5)

    asked = service.redis.info("commandstats")["cmdstat_evalsha"]["calls"] - scripts
    assert asked < 30, "the keeper's rounds, not the children's polling"


def test_a_paused_queue_with_work_does_not_make_workers_spin(service: Service) -> None:
    service.redis.sadd("sira:paused", "maintenance")
    task = enqueue("nothing")
    service.run_worker()
    time.sleep(0.5)
    before = service.redis.info("commandstats")["cmdstat_blmove"]["calls"]

    time.sleep(1.5)

    assert service.redis.info("commandstats")["cmdstat_blmove"]["calls"] - before < 30
    assert find(task.id).state == "PENDING"


def test_a_worker_survives_that_its_waiting_connections_are_cut(service: Service) -> None:
    worker = service.run_worker()
    enqueue("nothing").get(timeout=10)

    service.redis.client_kill_filter(_type="normal", skipme=True)

    assert enqueue("add", {"a": 1}).get(timeout=15) == {"sum": 3}
    assert wait_until(worker.children)


def waiting(service: Service) -> int:
    """How many connections wait in Redis for work."""
    return int(service.redis.info("clients")["blocked_clients"])


def test_a_push_wakes_one_child_of_a_fleet_and_not_the_herd(service: Service) -> None:
    service.run_worker(concurrency=4)

    wait_until(lambda: waiting(service) == len(QUEUES))
    time.sleep(0.5)

    assert waiting(service) == len(QUEUES), "one of the four waits for all"


def test_when_the_child_that_waits_for_all_is_killed_or_busy_another_takes_its_turn(service: Service) -> None:
    worker = service.run_worker(concurrency=3)
    wait_until(lambda: waiting(service) == len(QUEUES))
    for pid in worker.children()[:2]:
        os.kill(pid, signal.SIGKILL)

    at_once = [enqueue("sleep", {"seconds": 8}) for _ in range(3)]

    assert wait_until(lambda: all(find(task.id).state == "STARTED" for task in at_once))
