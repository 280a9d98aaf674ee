"""Inspect: what runs, waits and works, as it is in Redis right now."""

import math
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Service, lines, wait_until
from tests.hands import claim, redis_away
from workers.db import now
from workers.engine import doctor, enqueue, inspect, queues, wire
from workers.errors import QueueDown


def test_a_running_job_is_active_and_a_waiting_one_reserved(service: Service, tmp_path: Path) -> None:
    service.run_worker()
    running = enqueue("sleep", {"seconds": 30.0, "path": str(tmp_path / "log")})
    wait_until(lambda: lines(tmp_path / "log"))
    waiting = enqueue("nothing")

    (active,) = inspect.active()
    (reserved,) = inspect.reserved()

    assert (active["task_id"], active["kind"], active["queue"]) == (running.id, "sleep", "maintenance")
    assert reserved == {"task_id": waiting.id, "queue": "maintenance", "position": 1}
    workers = [row for row in inspect.stats() if "worker" in row]
    assert [(row["state"], row["current_job"]) for row in workers] == [("busy", running.id)]


def test_what_can_be_counted_is_a_number_and_queues_are_a_list(service: Service) -> None:
    worker = service.run_worker("pdf", "sms")

    (row,) = wait_until(lambda: [row for row in inspect.stats() if "worker" in row], what="a worker that is registered")

    assert (row["successful_job_count"], row["failed_job_count"]) == (0, 0)
    assert ([row["pid"]], sorted(row["queues"])) == (worker.children(), ["pdf", "sms"])
    service.redis.hset("rq:worker:odd", mapping={"birth": "x", "successful_job_count": "many", "pid": "-"})
    service.redis.sadd("rq:workers", "rq:worker:odd")
    odd = next(row for row in inspect.stats() if row.get("worker") == "odd")
    assert (odd["successful_job_count"], odd["pid"], odd["queues"]) == (0, None, [])


@pytest.mark.parametrize("birth", ["yesterday", "2026-01-01T00:00:00", "9999-12-31T23:59:59+00:00"])
def test_what_others_wrote_into_a_hash_is_a_time_and_a_number_or_nothing(service: Service, birth: str) -> None:
    enqueue("add", {"a": 1})
    (job,) = service.redis.lrange("rq:queue:sms", 0, -1)
    service.redis.hset(b"rq:job:" + job, "enqueued_at", birth)
    service.redis.zadd("rq:wip:pdf", {"somebody's:1": 1})
    service.redis.hset("rq:job:somebody's", mapping={"started_at": birth})
    odd = {"birth": birth, "last_heartbeat": birth, "successful_job_count": "9" * 5000, "pid": "9" * 30}
    service.redis.hset("rq:worker:odd", mapping=odd)
    service.redis.sadd("rq:workers", "rq:worker:odd")

    (worker,) = inspect.workers()

    assert [worker[name] for name in ("birth", "last_heartbeat", "successful_job_count", "pid")] == [
        None,
        None,
        0,
        None,
    ]
    assert [row["waiting_since"] for row in inspect.queues()] == [None] * 5
    assert [row["started_at"] for row in inspect.active()] == [None]


def test_beside_a_key_that_is_no_hash_the_others_are_told(service: Service) -> None:
    enqueue("add", {"a": 1})
    (job,) = service.redis.lrange("rq:queue:sms", 0, -1)
    for key in (b"rq:job:" + job, "rq:job:somebody's", "rq:worker:odd"):
        service.redis.set(key, "text")
    service.redis.zadd("rq:wip:pdf", {"somebody's:1": 1})
    service.redis.sadd("rq:workers", "rq:worker:odd")

    assert inspect.workers() == []
    assert {row["queue"]: row["waiting"] for row in inspect.queues()}["sms"] == 1
    assert [row["task_id"] for row in inspect.active()] == ["somebody's"]


def test_what_waits_behind_its_companys_share_waits_for_whoever_counts(service: Service) -> None:
    params = {"lines": ["x"], "path": "/dev/null"}
    _, *others = (enqueue("write_lines", params, scope="1") for _ in range(3))
    claim("excel")

    row = {row["queue"]: row for row in inspect.queues()}["excel"]
    reserved = inspect.reserved()

    assert (row["waiting"], row["running"], row["scheduled"]) == (2, 1, 0)
    assert abs(now() - datetime.fromisoformat(row["waiting_since"])) < timedelta(minutes=5)
    assert reserved == [{"task_id": task.id, "queue": "excel", "position": None} for task in others]
    wire.connect().delete("rq:rl:1:excel:bulk:rate_limited")
    wire.connect().set("rq:rl:1:excel:bulk:rate_limited", "somebody's")
    assert {row["queue"]: row["waiting"] for row in inspect.queues()}["excel"] == 0


def test_what_waits_for_its_time_is_listed_the_next_first(service: Service) -> None:
    later = queues.enqueue("nothing", due_at=now() + timedelta(hours=2))
    sooner = queues.enqueue("add", {"a": 1}, due_at=now() + timedelta(hours=1))

    assert [row["task_id"] for row in inspect.scheduled()] == [sooner.id, later.id]


@pytest.mark.parametrize("score", [datetime.max.replace(tzinfo=UTC).timestamp(), 1e300, math.inf])
def test_what_is_due_outside_the_calendar_is_listed_last_and_without_a_time(service: Service, score: float) -> None:
    task = queues.enqueue("nothing", due_at=now() + timedelta(hours=1))
    service.redis.zadd("rq:scheduled:maintenance", {"somebody's": score})

    first, last = inspect.scheduled()

    assert first["task_id"] == task.id
    assert last == {"task_id": "somebody's", "queue": "maintenance", "due_at": None}


def test_queues_count_what_is_in_them_and_change_nothing(service: Service) -> None:
    enqueue("add", {"a": 1})
    service.redis.sadd("sira:paused", "sms")
    before = sorted(service.redis.keys("*"))

    rows = {row["queue"]: row for row in inspect.queues()}

    assert (rows["sms"]["waiting"], rows["sms"]["paused"], rows["pdf"]["waiting"]) == (1, True, 0)
    assert sorted(service.redis.keys("*")) == before


def test_the_catalogue_is_listed_with_what_each_kind_does(service: Service) -> None:
    rows = {row["kind"]: row for row in inspect.registered()}

    assert rows["generate_mutabakat_pdf"]["queue"] == "pdf"
    assert rows["add"]["summary"] == "Add two numbers."


def test_no_kind_is_summed_up_in_half_a_sentence(service: Service) -> None:
    told = {row["kind"]: row["summary"] for row in inspect.registered()}

    assert [kind for kind, summary in told.items() if summary and not summary.endswith(".")] == []
    assert told["tidy_up"].endswith("dead tokens; refresh the statistics.")


@pytest.mark.parametrize("look", [inspect.active, inspect.scheduled, inspect.reserved, inspect.stats, doctor.examine])
def test_who_looks_while_redis_is_away_is_told_so_in_words(
    service: Service, monkeypatch: pytest.MonkeyPatch, look: Callable[[], Iterable[Any]]
) -> None:
    with redis_away(monkeypatch), pytest.raises(QueueDown):
        list(look())
