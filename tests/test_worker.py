"""The worker: what it runs, how each ending is told, and that nothing of a broken job is ever executed."""

from pathlib import Path

import pytest

from tests.conftest import Service, lines, wait_until
from tests.faults import alive
from tests.hands import work_off
from workers import settings
from workers.db import now
from workers.engine import clock, enqueue, find
from workers.engine.control import cancel
from workers.engine.job import sealed_data
from workers.engine.seal import Seal
from workers.engine.tasks import TaskFailed, TaskTimeout


def told_ms(service: Service, task_id: str) -> int:
    """When the last thing was told of the task, by Redis' clock."""
    return int(service.redis.hget(f"rq:job:{task_id}", "sira_event").partition(b"-")[0])


def test_a_task_runs_once_and_its_result_comes_back(service: Service) -> None:
    service.run_worker()

    task = enqueue("add", {"a": 40})

    assert task.get(timeout=30) == {"sum": 42}
    ended = find(task.id)
    assert (ended.state, ended.current, ended.total, ended.attempts, ended.max_attempts) == ("SUCCESS", 100, 100, 1, 4)
    assert ended.created_at <= ended.started_at <= ended.ended_at  # type: ignore[operator]


def test_the_end_is_in_sql_when_redis_has_forgotten_everything(service: Service) -> None:
    service.run_worker()
    task = enqueue("add", {"a": 1})
    task.get(timeout=30)
    wait_until(lambda: service.redis.get("sira:recorded") == service.redis.xrevrange("sira:events", count=1)[0][0])

    service.redis.flushall()

    assert find(task.id).result == {"sum": 3}


def test_a_failure_tells_type_and_message_and_keeps_the_traceback(service: Service) -> None:
    service.run_worker()

    task = enqueue("fail", {"message": "kâğıt bitti"}).wait(30)

    assert (task.state, task.error) == ("FAILURE", {"type": "ValueError", "message": "kâğıt bitti"})
    recorded = wait_until(lambda: find(task.id).traceback)
    assert "tests/kinds.py" in recorded
    with pytest.raises(TaskFailed, match="kâğıt bitti"):
        task.get(timeout=1)


def test_a_failed_attempt_is_tried_again_after_a_back_off_and_shows_when(service: Service) -> None:
    task = enqueue("fail_once_more")
    work_off()

    waiting = find(task.id)
    assert waiting.state == "RETRY"
    pause_s = waiting.next_run_at.timestamp() - told_ms(service, task.id) / 1000  # type: ignore[union-attr]
    assert 1.5 <= pause_s <= 2.5, "the first back-off is 2 s, more or less a fifth"

    service.run_worker()
    ended = task.wait(30)
    assert (ended.state, ended.attempts, ended.max_attempts) == ("FAILURE", 2, 2)


def test_being_asked_to_retry_runs_the_job_again_whether_that_is_given_back_or_raised(
    service: Service, tmp_path: Path
) -> None:
    service.run_worker()

    for raised in (False, True):
        task = enqueue("ask_again", {"path": str(tmp_path / f"runs-{raised}"), "times": 2, "raised": raised})

        assert task.get(timeout=30) == "enough"
        assert find(task.id).attempts == 3


def test_progress_is_what_the_job_reported(service: Service, tmp_path: Path) -> None:
    service.run_worker()
    assert enqueue("count", {"path": str(tmp_path / "n"), "n": 30, "pause_s": 0.0}).get(timeout=30) == 30

    task = enqueue("count", {"path": str(tmp_path / "n"), "n": 1_000_000, "pause_s": 0.05})

    seen = wait_until(lambda: (t := find(task.id)).current >= 10 and t)
    assert (seen.state, seen.total, seen.status) == ("PROGRESS", 1_000_000, f"adım {seen.current}")
    left, pace_s = seen.total - seen.current, (now() - seen.started_at).total_seconds() / (seen.current - 1)
    assert left * 0.05 - 1 <= seen.eta_seconds <= left * pace_s + 1, "no quicker than it sleeps, no slower than it was"


def test_a_running_task_ends_when_it_is_cancelled(service: Service, tmp_path: Path) -> None:
    service.run_worker()
    task = enqueue("sleep", {"seconds": 60.0, "path": str(tmp_path / "log")})
    wait_until(lambda: lines(tmp_path / "log"))

    cancel(task.id)

    assert task.wait(20).state == "REVOKED"
    assert (tmp_path / "log").read_text() == "begin\n"
    assert enqueue("add", {"a": 1}).get(timeout=30) == {"sum": 3}, "the worker goes on"


def test_the_soft_limit_is_raised_in_the_job_which_may_tidy_up(service: Service) -> None:
    service.run_worker()

    tidy, untidy = enqueue("overrun", {"tidy": True}), enqueue("overrun")

    assert tidy.get(timeout=30) == "tidied"
    assert untidy.wait(30).error["type"] == "SoftTimeLimitExceeded"  # type: ignore[index]
    assert find(untidy.id).status == "second", "what was said last"


def test_the_hard_limit_ends_a_job_that_swallows_the_soft_one_and_what_it_has_started(service: Service) -> None:
    service.run_worker()
    started = service.data_dir / "started"

    task = enqueue("hang", {"path": str(started)}).wait(30)

    wait_until(lambda: not alive(int(started.read_text())))
    assert task.state == "FAILURE"
    assert task.error["type"] == "TimeLimitExceeded"  # type: ignore[index]


def test_a_result_that_json_cannot_hold_fails_the_task_and_names_the_type(service: Service) -> None:
    service.run_worker()

    task = enqueue("unserializable").wait(30)

    assert task.state == "FAILURE"
    assert "object" in task.error["message"]  # type: ignore[index]


def test_a_payload_that_is_not_ours_fails_and_runs_nothing(service: Service) -> None:
    others = {
        "pickle": b"\x80\x05K\x01.",
        "json of another serializer": b'["os.system", null, ["touch /tmp/sira-was-here"], {}]',
        "forged seal": b"S1" + bytes(60),
    }
    forged = {name: enqueue("add", {"a": 1}) for name in others}
    for name, task in forged.items():
        service.redis.hset(f"rq:job:{task.id}", "data", others[name])

    service.run_worker()

    for name, task in forged.items():
        assert task.wait(30).state == "FAILURE", name
        assert not Path("/tmp/sira-was-here").exists(), name
    assert enqueue("add", {"a": 1}).get(timeout=30) == {"sum": 3}, "the worker goes on"


def test_the_data_of_one_task_does_not_run_as_another(service: Service, tmp_path: Path) -> None:
    victim = enqueue("nothing")
    forged = Seal.dumps({"id": "another", "kind": "tell_success", "params": {"path": str(tmp_path / "ran")}})
    service.redis.hset(f"rq:job:{victim.id}", "data", forged)

    service.run_worker()

    assert victim.wait(30).state == "FAILURE"
    assert not (tmp_path / "ran").exists()


def test_a_task_of_one_company_does_not_run_for_another(service: Service) -> None:
    moved, freed = enqueue("add", {"a": 1}, scope="7"), enqueue("add", {"a": 1}, scope="7")
    service.redis.hset(f"rq:job:{moved.id}", "sira_scope", "8")
    service.redis.hset(f"rq:job:{freed.id}", "sira_scope", "")

    work_off()

    assert [find(task.id).error["type"] for task in (moved, freed)] == ["SealBroken", "SealBroken"]  # type: ignore[index]


def test_a_kind_outside_the_catalogue_fails_with_its_name(service: Service) -> None:
    task = enqueue("nothing")
    service.redis.hset(
        f"rq:job:{task.id}", "data", Seal.dumps({"id": task.id, "kind": "os.system", "params": {"command": "true"}})
    )

    service.run_worker()

    ended = task.wait(30)
    assert ended.error["type"] == "NotInCatalogue"  # type: ignore[index]
    assert "os.system" in ended.error["message"]  # type: ignore[index]


def test_callbacks_are_called_once_with_the_ended_task(service: Service, tmp_path: Path) -> None:
    service.run_worker()
    good, bad = tmp_path / "good", tmp_path / "bad"

    enqueue("tell_success", {"path": str(good)})
    enqueue("tell_failure", {"path": str(bad)})

    wait_until(lambda: lines(good) and lines(bad))
    assert good.read_text() == "success SUCCESS\n"
    assert bad.read_text() == "failure FAILURE\n"


def test_waiting_for_a_result_gives_up_in_time_and_the_task_goes_on(service: Service) -> None:
    task = enqueue("add", {"a": 1})

    with pytest.raises(TaskTimeout):
        task.get(timeout=0.1)

    service.run_worker()
    assert task.get(timeout=30) == {"sum": 3}


def test_queues_are_served_by_priority(service: Service, tmp_path: Path) -> None:
    path = str(tmp_path / "order")
    low = enqueue("write_lines", {"lines": ["excel"], "path": path})
    high = enqueue("square_all", {"numbers": [1]})

    service.run_worker()

    low.get(timeout=30)
    assert find(high.id).ended_at < find(low.id).ended_at  # type: ignore[operator]


def test_a_paused_queue_is_left_alone_and_a_resumed_one_goes_on(service: Service) -> None:
    service.redis.sadd("sira:paused", "sms")
    service.run_worker()
    held, free = enqueue("add", {"a": 1}), enqueue("nothing")

    free.get(timeout=30)
    assert find(held.id).state == "PENDING"

    service.redis.srem("sira:paused", "sms")
    assert held.get(timeout=30) == {"sum": 3}


def test_nothing_is_left_in_redis_but_hashes_results_and_registries_that_expire(service: Service) -> None:
    worker = service.run_worker()
    for number in range(20):
        enqueue("add", {"a": number})
    last = enqueue("add", {"a": 0})
    last.get(timeout=30)
    wait_until(lambda: all(find(last.id).ended for _ in range(1)))

    assert worker.stop() == 0

    redis = service.redis
    assert redis.zcard("sira:leases") == 0
    assert not list(redis.scan_iter("rq:execution*"))
    assert not list(redis.scan_iter("rq:wip:*"))
    assert not list(redis.scan_iter("rq:worker:*"))
    assert all(0 < redis.ttl(key) <= 86_400 for key in redis.scan_iter("rq:job:*"))
    assert all(0 < redis.ttl(key) <= 86_400 for key in redis.scan_iter("rq:results:*"))


def test_a_task_whose_key_this_worker_lacks_waits_for_one_that_has_it(service: Service) -> None:
    """As in the middle of a change of keys; what somebody else has sealed into its job fails at once."""
    waiting, forged = enqueue("nothing"), enqueue("nothing")
    ours = service.settings
    settings.use(ours.model_copy(update={"secret_key": "another key of thirty-two characters"}))
    service.redis.hset(f"rq:job:{forged.id}", "data", sealed_data(forged.id, "nothing", {}))
    settings.use(ours.model_copy(update={"secret_key": "a third key of at least thirty-two characters"}))

    work_off()
    settings.use(ours)

    assert find(forged.id).state == "FAILURE"
    assert (find(waiting.id).state, find(waiting.id).attempts) == ("RETRY", 1)
    service.redis.zadd("rq:scheduled:maintenance", {waiting.id: 1}, xx=True)
    clock.tick(["maintenance"])
    work_off()
    assert find(waiting.id).state == "SUCCESS"
