"""Waiting: an idle worker wakes at once for any queue, removes nothing, and does not spin."""

import os
import select
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.conftest import Service, wait_until
from tests.hands import FORK
from workers.engine import enqueue, find, waiting, wire
from workers.engine.claim import Claim
from workers.engine.registry import QUEUES
from workers.engine.waiting import Turn, Waiter
from workers.engine.wire import LEASE_MS
from workers.engine.worker import Worker

AHEAD_MS = 600_000  # so long counts what is claimed ahead; a keeper renews it for seconds


@contextmanager
def waiter(
    service: Service, *queues: str, renewed_ms_ago: int = 0, turn: Turn | None = None
) -> Iterator[tuple[Waiter, int]]:
    """A waiter of the worker `w`, and where a signal would write to wake it."""
    sayer, (wake_r, wake_w) = wire.Sayer(service.redis, "exchange"), os.pipe()
    sayer.run("w", LEASE_MS, "", "", 0)  # from now on the server knows the script
    seconds, _ = service.redis.time()
    born = {"birth": "today", "sira_ahead": seconds * 1000 + AHEAD_MS - renewed_ms_ago}
    service.redis.hset("rq:worker:w", mapping=born)
    one = Waiter(
        service.redis, list(queues), wake_r, lambda queue: sayer.elsewhere("w", LEASE_MS, "ahead", "1", 1, queue), turn
    )
    yield one, wake_w
    one.close()
    os.close(wake_w)


def test_a_push_to_any_queue_wakes_and_is_claimed_in_the_same_moment(service: Service) -> None:
    with waiter(service, "sms", "email", "maintenance") as (one, _):
        assert one.wait(0.05) == (False, None)

        task = enqueue("nothing")

        came, claimed = one.wait(5)
        assert came
        assert claimed
        assert Claim(claimed).job_id == task.id
        assert service.redis.hget(f"rq:job:{task.id}", "status") == b"started"


def test_a_worker_that_is_no_longer_renewed_is_woken_and_takes_nothing(service: Service) -> None:
    with waiter(service, "maintenance", renewed_ms_ago=AHEAD_MS + 1_000) as (one, _):
        assert one.wait(0.05) == (False, None)

        task = enqueue("nothing")

        assert one.wait(5) == (True, None)
        assert service.redis.lrange("rq:queue:maintenance", 0, -1) == [task.id.encode()]


def test_a_worker_that_holds_a_job_claims_no_other_ahead(service: Service) -> None:
    with waiter(service, "sms", "maintenance") as (one, _):
        assert one.wait(0.05) == (False, None)
        first, second = enqueue("add", {"a": 1}), enqueue("nothing")

        _, claimed = one.wait(5)
        again = one.wait(5)

        assert {Claim(claimed).job_id, again[1]} in ({first.id, None}, {second.id, None})
        assert sum(service.redis.llen(f"rq:queue:{queue}") for queue in ("sms", "maintenance")) == 1


def test_what_is_claimed_ahead_and_never_read_is_found_as_a_stray(service: Service) -> None:
    with waiter(service, "maintenance") as (one, _):
        assert one.wait(0.05) == (False, None)
        task = enqueue("nothing")
        wait_until(lambda: not service.redis.llen("rq:queue:maintenance"))

        one.close()

        assert [job_id.decode() for job_id, *_ in wire.run(service.redis, "lost", "w", 10)] == [task.id]


def test_a_claim_ahead_counts_from_the_birth_of_a_child(service: Service) -> None:
    """Not only once a keeper has come round: here there is none."""
    child = FORK.Process(target=lambda: Worker(["maintenance"], name="w").work_kept(max_jobs=1))
    child.start()
    wait_until(lambda: asked(service) == 1)
    os.kill(child.pid, signal.SIGSTOP)

    task = enqueue("nothing")

    assert wait_until(
        lambda: service.redis.hget(f"rq:job:{task.id}", "status") == b"started", what="a claim made ahead"
    )
    os.kill(child.pid, signal.SIGCONT)
    child.join(30)
    assert child.exitcode == 0
    assert find(task.id).state == "SUCCESS"


def test_idle_workers_that_are_stopped_as_work_comes_give_it_back_unused(service: Service) -> None:
    made = []
    for _ in range(3):
        worker = service.run_worker(concurrency=2)
        enqueue("nothing").get(timeout=30)
        worker.process.terminate()
        made += [enqueue("nothing") for _ in range(5)]
        assert worker.process.wait(90) == 0
    service.run_worker()

    assert [task.get(timeout=60) for task in made] == [None] * len(made)
    assert {find(task.id).attempts for task in made} == {1}
    assert service.redis.zcard("sira:leases") == 0


def test_a_signal_wakes_the_waiter(service: Service) -> None:
    with waiter(service, "sms") as (one, wake_w):
        os.write(wake_w, b"x")

        assert one.wait(5) == (True, None)


def calls(service: Service, command: str) -> int:
    """How often the server was given this command since it was started."""
    told = service.redis.info("commandstats").get(f"cmdstat_{command}")
    return int(told["calls"]) if told else 0


def calls_a_second(service: Service, command: str) -> float:
    """Measured once what the start brings is over. A machine that stands still meanwhile makes the time longer, too."""
    time.sleep(0.5)
    before, began = calls(service, command), time.monotonic()
    time.sleep(1.5)
    return (calls(service, command) - before) / (time.monotonic() - began)


def test_an_idle_worker_asks_redis_next_to_nothing(service: Service) -> None:
    service.run_worker(concurrency=2)
    enqueue("nothing").get(timeout=30)

    assert calls_a_second(service, "evalsha") < 20, "the keeper's rounds, not the children's polling"


def test_a_paused_queue_with_work_does_not_make_workers_spin(service: Service) -> None:
    service.redis.sadd("sira:paused", "maintenance")
    task, before = enqueue("nothing"), calls(service, "blmove")
    service.run_worker()
    wait_until(lambda: calls(service, "blmove") > before + len(QUEUES), what="waits for work")

    assert calls_a_second(service, "blmove") < 20
    assert find(task.id).state == "PENDING"


def test_a_worker_survives_that_its_waiting_connections_are_cut(service: Service) -> None:
    worker = service.run_worker()
    enqueue("nothing").get(timeout=30)

    service.redis.client_kill_filter(_type="normal", skipme=True)

    assert enqueue("add", {"a": 1}).get(timeout=30) == {"sum": 3}
    assert wait_until(worker.children)


def test_a_line_that_was_cut_without_a_word_is_asked_anew(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    nowhere, end = socket.socketpair()
    with waiter(service, "maintenance") as (one, _), nowhere, end:
        assert one.wait(0.05) == (False, None)
        os.dup2(nowhere.fileno(), next(iter(one._asked)))
        with monkeypatch.context() as later:
            later.setattr(waiting, "SILENT_S", 0.0, raising=False)
            assert one.wait(0.05) == (False, None)

        task = enqueue("nothing")

        _, claimed = one.wait(5)
        assert claimed
        assert Claim(claimed).job_id == task.id


def test_a_line_that_answered_while_its_worker_was_at_work_is_not_cut(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    with waiter(service, "maintenance") as (one, _):
        assert one.wait(0.05) == (False, None)
        task = enqueue("nothing")
        wait_until(lambda: not service.redis.llen("rq:queue:maintenance"))
        monkeypatch.setattr(waiting, "SILENT_S", 0.0)

        _, claimed = one.wait(5)

        assert claimed
        assert Claim(claimed).job_id == task.id


def test_however_often_the_turn_was_handed_on_it_wakes_once(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    turn = Turn()
    for _ in range(1_000):
        turn.hand_on()
    monkeypatch.setattr(turn, "take", lambda: False)
    with waiter(service, "maintenance", turn=turn) as (one, _):
        assert one.wait(5) == (False, None)

        assert not hinted(turn, within_s=0.05)


def test_who_has_other_work_leaves_the_turn_to_the_next(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    turn = Turn()
    turn.hand_on()
    assert hinted(turn, within_s=5)
    monkeypatch.setattr(turn, "take", lambda: False)
    with waiter(service, "maintenance", turn=turn) as (one, wake_w):
        os.write(wake_w, b"x")

        assert one.wait(5) == (True, None)

    assert hinted(turn, within_s=0)


def test_who_is_back_at_once_keeps_the_turn_and_wakes_nobody() -> None:
    turn = Turn()
    turn.hand_on()

    assert turn.take()

    assert not hinted(turn, within_s=0.05)


def test_a_child_whose_job_closed_the_timer_works_on_until_it_hands_the_turn_on(service: Service) -> None:
    """Then it ends, and is replaced: it could tell nobody, and must not keep the turn for ever."""
    turn = Turn()
    os.close(turn.hint)
    with waiter(service, "maintenance", turn=turn) as (one, _):
        assert one.wait(0.05) == (False, None), "it waits, and does not turn in circles"

        with pytest.raises(OSError, match="timerfd_settime"):
            one.hand_on()


def hinted(turn: Turn, within_s: float) -> bool:
    """Whether the others of a fleet are told that the turn may be free."""
    return bool(select.select([turn.hint], [], [], within_s)[0])


def asked(service: Service) -> int:
    """How many connections wait in Redis for work."""
    return int(service.redis.info("clients")["blocked_clients"])


def test_a_push_wakes_one_child_of_a_fleet_and_not_the_herd(service: Service) -> None:
    service.run_worker(concurrency=4)

    wait_until(lambda: asked(service) == len(QUEUES))
    time.sleep(0.5)

    assert asked(service) == len(QUEUES), "one of the four waits for all"


def test_a_child_that_dies_before_it_knows_of_its_job_has_not_lost_it(service: Service) -> None:
    worker = service.run_worker()
    wait_until(lambda: asked(service) == len(QUEUES))
    (name,), (child,) = service.redis.smembers("rq:workers"), worker.children()
    wait_until(lambda: int(service.redis.hget(name, "sira_ahead")), what="a keeper that renews")
    os.kill(child, signal.SIGSTOP)

    task = enqueue("nothing")
    wait_until(lambda: service.redis.hget(f"rq:job:{task.id}", "status") == b"started", what="a claim made ahead")
    os.kill(child, signal.SIGKILL)

    ended = task.wait(30)
    assert (ended.state, ended.attempts, ended.max_attempts) == ("SUCCESS", 1, 1)


def test_when_the_child_that_waits_for_all_is_killed_or_busy_another_takes_its_turn(service: Service) -> None:
    worker = service.run_worker(concurrency=3)
    wait_until(lambda: asked(service) == len(QUEUES) and len(worker.children()) == 3)
    for pid in worker.children()[:2]:
        os.kill(pid, signal.SIGKILL)

    at_once = [enqueue("linger", {"path": os.devnull, "release": "never"}) for _ in range(3)]

    assert wait_until(lambda: all(find(task.id).state == "STARTED" for task in at_once))
