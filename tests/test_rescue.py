"""Death: children killed, fleets killed, workers frozen, Redis gone; nothing is lost and nothing is told twice."""

import json
import os
import signal
import time
from pathlib import Path

import pytest

from tests.conftest import Service, lines, wait_until
from tests.faults import alive
from tests.hands import at_once, claim, expire_leases, told_of
from workers.engine import doctor, ending, enqueue, find, fleet, keeper, ledger, outcome, rescue
from workers.engine.tasks import search
from workers.engine.wire import LEASE_MS
from workers.engine.worker import Worker


def history(task_id: str) -> list[tuple[str, str | None]]:
    """What the recorder has written of a task by now, and with which words."""
    return [(row.state, row.message) for row in told_of(task_id)]


def test_the_job_of_a_killed_child_is_tried_again_within_seconds(service: Service, tmp_path: Path) -> None:
    worker = service.run_worker()
    task = enqueue("die", {"path": str(tmp_path / "deaths"), "times": 1})

    assert task.get(timeout=20) == "alive"

    story = wait_until(lambda: (told := history(task.id)) and told[-1][0] == "SUCCESS" and dict(told))
    assert "killed by SIGKILL" in story["RETRY"]
    assert worker.process.poll() is None


def test_a_poison_job_is_failed_at_its_fourth_death_and_others_go_on(service: Service, tmp_path: Path) -> None:
    service.env["TESTS_SABOTAGE"] = json.dumps({"back_off_s": 3600})  # it is the test that ends each pause
    service.run_worker()
    path = tmp_path / "deaths"
    poison = enqueue("die", {"path": str(path), "times": 99})
    others = [enqueue("add", {"a": number}) for number in range(20)]
    assert [task.get(timeout=20) for task in others] == [{"sum": number + 2} for number in range(20)]

    for deaths in (1, 2, 3):
        wait_until(lambda deaths=deaths: len(lines(path)) == deaths)
        wait_until(lambda: find(poison.id).state == "RETRY")
        service.redis.zadd("rq:scheduled:maintenance", {poison.id: 0})

    assert poison.wait(20).state == "FAILURE"
    assert len(lines(path)) == 4


def test_a_child_that_leaves_on_an_error_of_the_engine_counts_its_job_as_lost(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    def work(_: int) -> None:
        with pytest.raises(ZeroDivisionError):
            Worker(["sms"], name="slot").work_kept(burst=True)

    monkeypatch.setattr(Worker, "_perform", lambda *_: 1 / 0)
    task = enqueue("add", {"a": 1})

    at_once(1, work)
    assert rescue.dead_child("slot", outcome.child_lost("exit code 1")) == 1

    assert (find(task.id).state, find(task.id).error["type"]) == ("RETRY", "WorkerLost")  # type: ignore[index]
    assert service.redis.hmget(f"rq:job:{task.id}", "sira_losses", "retries_left") == [b"1", b"2"]


def test_a_dead_fleet_takes_its_children_with_it_and_another_gives_their_work_back(
    service: Service, tmp_path: Path
) -> None:
    dead = service.run_worker()
    log, release = tmp_path / "log", tmp_path / "release"
    task = enqueue("linger", {"path": str(log), "release": str(release)})
    wait_until(lambda: lines(log))
    children = dead.children()

    dead.process.kill()

    wait_until(lambda: not any(map(alive, children)))
    release.touch()
    service.run_worker()
    expire_leases(service)
    assert task.get(timeout=20) == "released"
    assert lines(log) == ["begin", "begin", "end"]
    assert find(task.id).attempts == 1, "a host that dies uses no attempt"


def test_what_a_frozen_worker_says_late_is_refused(service: Service, tmp_path: Path) -> None:
    frozen = service.run_worker()
    log, release = tmp_path / "log", tmp_path / "release"
    task = enqueue("linger", {"path": str(log), "release": str(release)})
    wait_until(lambda: lines(log))
    everyone = [frozen.pid, *map(int, Path(f"/proc/{frozen.pid}/task/{frozen.pid}/children").read_text().split())]
    for pid in everyone:
        os.kill(pid, signal.SIGSTOP)
    release.touch()
    expire_leases(service)
    service.run_worker()
    assert task.get(timeout=20) == "released"
    ended_at = find(task.id).ended_at

    for pid in everyone:
        os.kill(pid, signal.SIGCONT)

    wait_until(lambda: "late outcome refused" in frozen.log.read_text())
    assert find(task.id).ended_at == ended_at
    assert service.redis.xlen(f"rq:results:{task.id}") == 1, "one result per task"


def test_a_lease_that_is_renewed_is_not_rescued(service: Service, tmp_path: Path) -> None:
    service.run_worker()
    task = enqueue("linger", {"path": str(tmp_path / "log"), "release": str(tmp_path / "release")})
    wait_until(lambda: service.redis.zcard("sira:leases") == 1)
    first = service.redis.zrange("sira:leases", 0, -1, withscores=True)[0][1]

    wait_until(lambda: service.redis.zrange("sira:leases", 0, -1, withscores=True)[0][1] > first)

    assert rescue.expired() == 0
    (tmp_path / "release").touch()
    assert task.get(timeout=20) == "released"
    assert first - time.time() * 1000 <= LEASE_MS


def test_a_stop_lets_a_short_job_end_and_leaves_the_rest_waiting(service: Service, tmp_path: Path) -> None:
    worker = service.run_worker()
    log = tmp_path / "log"
    running = enqueue("end_with_the_stop", {"path": str(log)})
    waiting = enqueue("nothing")
    wait_until(lambda: lines(log))

    assert worker.stop() == 0

    assert find(running.id).state == "SUCCESS"
    assert find(waiting.id).state == "PENDING"


@pytest.mark.parametrize("kind", ["sleep", "stay"])
def test_a_stop_puts_a_long_job_back_at_the_front_without_using_a_retry(
    service: Service, tmp_path: Path, kind: str
) -> None:
    service.env["TESTS_SABOTAGE"] = json.dumps({"stop_s": [0.5, 1.5]})
    worker = service.run_worker()
    log = tmp_path / "log"
    long = enqueue(kind, {"seconds": 60.0, "path": str(log)})
    enqueue("sleep", {"seconds": 0.0})
    wait_until(lambda: lines(log))

    assert worker.stop() == 0

    assert service.redis.lrange("rq:queue:maintenance", 0, 0) == [long.id.encode()]
    assert service.redis.hmget(f"rq:job:{long.id}", "retries_left", "sira_losses") == [b"0", None]
    assert find(long.id).state in ("PENDING", "STARTED")
    assert (find(long.id).state, long.id in ids(find(long.id).state)) == ("PENDING", True)
    claim("maintenance")
    assert (find(long.id).state, long.id in ids("STARTED")) == ("STARTED", True)


def ids(state: str) -> list[str]:
    return [task.id for task in search(state=state)[0]]


def test_a_stop_takes_less_than_twenty_seconds() -> None:
    """Also where Redis says nothing: behind the children the keeper leaves, which takes up to four seconds then."""
    assert fleet.ASK_AFTER_S < fleet.KILL_AFTER_S <= 20 - keeper.LEAVE_S - 2


def test_a_stop_that_ends_a_child_by_force_uses_no_attempt(service: Service, tmp_path: Path) -> None:
    worker = service.run_worker()
    log = tmp_path / "log"
    long = enqueue("sleep", {"seconds": 60.0, "path": str(log)})
    wait_until(lambda: lines(log))
    [child] = worker.children()

    worker.process.send_signal(signal.SIGTERM)
    os.kill(child, signal.SIGKILL)

    assert worker.process.wait(20) == 0
    assert service.redis.lrange("rq:queue:maintenance", 0, 0) == [long.id.encode()]
    assert find(long.id).error is None


def test_redis_restarted_while_a_job_runs_costs_nothing(service: Service, tmp_path: Path) -> None:
    worker = service.run_worker()
    log = tmp_path / "log"
    task = enqueue("sleep", {"seconds": 1.0, "path": str(log)})
    wait_until(lambda: lines(log))

    service.redis.client_kill_filter(_type="normal", skipme=False)

    assert task.get(timeout=20) == "slept"
    assert log.read_text().split() == ["begin", "end"]
    assert worker.process.poll() is None


def test_children_killed_again_and_again_lose_no_job(service: Service, tmp_path: Path) -> None:
    worker = service.run_worker(concurrency=2)
    tasks = [enqueue("add", {"a": number}) for number in range(150)]
    tasks += [enqueue("sleep_and_count", {"path": str(tmp_path / str(n))}) for n in range(40)]

    for _ in range(8):
        victims = wait_until(worker.children)
        os.kill(victims[0], signal.SIGKILL)
        wait_until(lambda victims=victims: victims[0] not in worker.children())

    states = {task.wait(60).state for task in tasks}
    assert states == {"SUCCESS"}
    runs = [len(lines(tmp_path / str(n))) for n in range(40)]
    assert sum(runs) - 40 <= 8, "at most one run more for each kill"


def test_a_worker_that_stops_hands_its_duties_over_at_once(service: Service) -> None:
    worker = service.run_worker()
    wait_until(lambda: service.redis.get("sira:duty:recorder"))

    worker.stop()

    assert service.redis.get("sira:duty:recorder") is None, "the next keeper records now, not when a lease has ended"
    assert service.redis.get("sira:duty:reconciler") is None


def test_a_machine_that_has_slept_does_not_take_its_own_jobs_away(service: Service) -> None:
    task = enqueue("add", {"a": 1})
    claim("sms", "sleeper")
    expire_leases(service)

    assert rescue.expired(spared={"sleeper"}) == 0

    assert service.redis.hget(f"rq:job:{task.id}", "status") == b"started"
    assert rescue.expired() == 1


def test_a_child_killed_for_the_job_before_costs_the_next_one_nothing(service: Service) -> None:
    next_one = enqueue("nothing")
    claim("maintenance", "slot")

    rescue.dead_child("slot", outcome.child_lost("killed"), ("the job before", outcome.child_lost("too long")))

    assert service.redis.lrange("rq:queue:maintenance", 0, -1) == [next_one.id.encode()]
    assert service.redis.hmget(f"rq:job:{next_one.id}", "retries_left", "sira_losses") == [b"0", None]


def test_what_a_dead_child_held_and_had_not_begun_was_not_lost(service: Service) -> None:
    begun, unread = enqueue("add", {"a": 1}), enqueue("add", {"a": 2})
    (_, execution), _ = claim("sms", "slot 1"), claim("sms", "slot 2")

    rescued = [rescue.dead_child(name, outcome.child_lost("killed"), begun=execution) for name in ("slot 1", "slot 2")]

    assert rescued == [1, 1]

    left = [service.redis.hmget(f"rq:job:{task.id}", "retries_left", "sira_losses") for task in (begun, unread)]
    assert left == [[b"2", b"1"], [b"3", None]]
    assert [find(task.id).state for task in (begun, unread)] == ["RETRY", "PENDING"]


def test_a_failure_that_comes_late_leaves_the_items_to_who_works_on_them(service: Service) -> None:
    task = enqueue("write_lines", {"lines": ["a", "b"], "path": "x"})
    job_id, late = claim("excel", "frozen")
    expire_leases(service)
    rescue.expired()
    _, present = claim("excel", "another")
    failed = outcome.failed(TimeoutError("the line was dead"), retries_left=0, retries=0)

    ending.ready(job_id, late, "excel", failed)
    assert ledger.counts(task.id) == {"pending": 2}

    ending.ready(job_id, present, "excel", failed)
    assert ledger.counts(task.id) == {"skipped": 2}


def by_stock_worker(service: Service, status: str, until: float) -> str:
    """A job that a stock worker holds, as RQ writes it, and one of ours had before; its id."""
    task = enqueue("add", {"a": 1})
    service.redis.lpop("rq:queue:sms")
    service.redis.hset(f"rq:job:{task.id}", mapping={"status": status, "worker_name": "stock", "sira_execution": ""})
    service.redis.zadd("rq:wip:sms", {f"{task.id}:execution": until})
    service.redis.zadd(f"rq:executions:{task.id}", {"execution": until + 60})
    return task.id


@pytest.mark.parametrize("status", ["queued", "started"])
def test_what_a_dead_stock_worker_held_comes_back_and_what_a_living_one_holds_is_left_alone(
    service: Service, status: str
) -> None:
    seconds, _ = service.redis.time()
    by_stock_worker(service, status, seconds + 90)
    left = by_stock_worker(service, status, seconds - 1)

    assert [finding.task_id for finding in doctor.examine() if finding.task_id] == [left]
    assert rescue.left_by_stock_workers() == 1

    assert service.redis.lrange("rq:queue:sms", 0, -1) == [left.encode()]
    assert service.redis.zcard("rq:wip:sms") == 1
    service.run_worker()
    assert wait_until(lambda: find(left).result) == {"sum": 3}
    assert find(left).attempts == 1
