"""Accepting work: the row first, the job second; never twice, never half, and nothing readable in Redis."""

import threading
import time
import uuid
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import rq
from rq.job import validate_job_id
from sqlalchemy import func, select

from tests.conftest import Service
from tests.hands import claim, everything_in, put_row, redis_away, row_of, work_off
from workers.db import now, reading
from workers.engine import control, enqueue, find, job, queues, reconcile, registry, wire
from workers.engine.job import ARGUMENTS_LIMIT_BYTES, Job, opened
from workers.engine.queues import new_id, push
from workers.engine.seal import Seal
from workers.engine.tables import items, keys, tasks
from workers.engine.tasks import params_of
from workers.errors import InvalidInput, TooLarge, UnknownKind

CANARY = "Gizli4711Kanarya"
ALREADY = timedelta(0)


def how_many(table: Any) -> int:
    with reading() as session:
        return session.scalar(select(func.count()).select_from(table)) or 0


def test_an_accepted_task_is_a_committed_row_and_a_job_that_rq_can_read(anywhere: Service) -> None:
    task = enqueue("add", {"a": 40}, scope="7")

    row = row_of(task.id)
    assert (row["kind"], row["queue"], row["scope"], row["state"]) == ("add", "sms", "7", "PENDING")
    assert (row["max_attempts"], row["item_count"], params_of(task.id)) == (4, None, {"a": 40, "b": 2})

    job = Job.fetch(task.id, connection=anywhere.redis)
    assert (job.get_status(), job.origin, job.description) == ("queued", "sms", "add")
    assert (job.func_name, job.args, job.kwargs) == ("add", [], {"a": 40, "b": 2})
    assert (job.timeout, job.retries_left, job.retry_intervals) == (1800, 3, [2, 8, 30, 120])
    assert job.created_at == job.enqueued_at
    assert abs((job.created_at - task.created_at).total_seconds()) < 60


@pytest.mark.parametrize(("kind", "timeout_s"), [("hang", 1), ("overrun", 60), ("half_a_second", 1)])
def test_a_hard_limit_reaches_redis_in_whole_seconds_and_is_never_none(
    service: Service, monkeypatch: pytest.MonkeyPatch, kind: str, timeout_s: int
) -> None:
    monkeypatch.setattr(registry, "_kinds", dict(registry.kinds()))

    @job(queue="maintenance", hard_limit_s=0.5)
    def half_a_second() -> None:
        """Be quick."""

    task = enqueue(kind)

    assert Job.fetch(task.id, connection=service.redis).timeout == timeout_s


def test_the_job_stands_where_rqs_own_tools_look_for_it(service: Service) -> None:
    task = enqueue("add", {"a": 40})

    stock = rq.Queue("sms", connection=service.redis, job_class=Job, serializer=Seal)
    assert stock.job_ids == [task.id]
    assert [queue.name for queue in rq.Queue.all(connection=service.redis, job_class=Job)] == ["sms"]
    assert service.redis.hget(f"rq:job:{task.id}", "status") == b"queued"


def test_what_enqueue_gives_is_what_find_gives(anywhere: Service) -> None:
    given = enqueue("add", {"a": 40}, scope="7")

    found = find(given.id)
    assert (found.id, found.kind, found.queue, found.scope) == (given.id, "add", "sms", "7")
    assert (given.state, given.created_at, given.max_attempts) == (found.state, found.created_at, found.max_attempts)
    assert found.position == 1


def test_nothing_of_the_parameters_can_be_read_in_redis(service: Service, tmp_path: Path) -> None:
    secret = str(tmp_path / CANARY)
    enqueue("tell_success", {"path": secret})
    enqueue("fail", {"message": CANARY}, scope="7")
    bulk = enqueue("write_lines", {"lines": [CANARY, CANARY], "path": secret, "pause_s": 0.0})
    report = enqueue("count", {"path": secret, "n": 2, "pause_s": 0.0})
    delayed = enqueue("tell_failure", {"path": secret}, due_at=now() + timedelta(hours=1))
    assert CANARY.encode() not in everything_in(service.redis)

    work_off()

    assert [find(task.id).state for task in (bulk, report, delayed)] == ["SUCCESS", "SUCCESS", "PENDING"]
    held = everything_in(service.redis)
    assert bulk.id.encode() in held
    assert CANARY.encode() not in held


def test_a_worker_writes_no_parameters_into_its_log(service: Service) -> None:
    worker = service.run_worker()

    enqueue("fail", {"message": CANARY}).wait(60)

    assert worker.stop() == 0
    assert "outcome=failed" in worker.log.read_text()
    assert CANARY not in worker.log.read_text()


def test_a_second_push_of_the_same_task_changes_nothing(service: Service) -> None:
    task = enqueue("add", {"a": 1})
    before = everything_in(service.redis)

    assert push(row_of(task.id)) is False

    assert everything_in(service.redis) == before


@pytest.mark.parametrize("claimed", [False, True])
def test_even_a_push_that_replaces_an_end_leaves_what_waits_or_runs_alone(service: Service, claimed: bool) -> None:
    task = enqueue("add", {"a": 1})
    claim("sms") if claimed else None
    before = everything_in(service.redis)

    assert push(row_of(task.id), replace_ended=True) is False

    assert everything_in(service.redis) == before


def test_a_push_of_a_retry_that_comes_when_its_run_has_ended_changes_nothing(service: Service) -> None:
    task = enqueue("fail")
    work_off()
    control.retry(task.id)
    late = row_of(task.id)
    work_off()

    assert (push(late, replace_ended=True), service.redis.llen("rq:queue:email")) == (False, 0)


def test_a_push_after_the_end_changes_nothing(service: Service) -> None:
    task = enqueue("add", {"a": 1})
    row = row_of(task.id)
    work_off()

    assert push(row) is False

    assert find(task.id).state == "SUCCESS"
    assert service.redis.llen("rq:queue:sms") == 0


def test_work_is_accepted_while_redis_is_away_and_pushed_when_it_is_back(
    anywhere: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queues, "BREAKER_S", 3600.0)
    with redis_away(monkeypatch):
        task = enqueue("add", {"a": 40})
        with monkeypatch.context() as asked:
            asked.delattr(wire, "say")
            bulk = enqueue("square_all", {"numbers": [1, 2]})  # after a failed push nobody waits for the next one
        assert (find(task.id).state, find(bulk.id).state) == ("PENDING", "PENDING")
    assert not anywhere.redis.exists(f"rq:job:{task.id}")

    monkeypatch.setattr(reconcile, "NEVER_PUSHED_FOR", ALREADY)
    assert reconcile.reconcile() == 2

    work_off()
    assert (find(task.id).result, find(bulk.id).result) == ({"sum": 42}, 5)


def test_a_server_that_refuses_a_push_loses_nothing_either(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    service.redis.config_set("maxmemory", 1)
    monkeypatch.setattr(queues, "_closed_until", 0.0)
    try:
        task = enqueue("add", {"a": 40})
    finally:
        service.redis.config_set("maxmemory", 0)
        monkeypatch.setattr(queues, "_closed_until", 0.0)
    assert service.redis.llen("rq:queue:sms") == 0

    monkeypatch.setattr(reconcile, "NEVER_PUSHED_FOR", ALREADY)
    assert reconcile.reconcile() == 1
    assert service.redis.lrange("rq:queue:sms", 0, -1) == [task.id.encode()]


def test_a_task_for_later_waits_among_the_scheduled_until_it_is_due(service: Service) -> None:
    due_at = now() + timedelta(hours=1)
    task = enqueue("add", {"a": 1}, due_at=due_at)

    assert service.redis.llen("rq:queue:sms") == 0
    assert service.redis.zscore("rq:scheduled:sms", task.id) == pytest.approx(due_at.timestamp(), abs=0.002)
    found = find(task.id)
    assert (found.state, found.position) == ("PENDING", None)
    assert abs(found.next_run_at - due_at) < timedelta(milliseconds=2)  # type: ignore[operator]
    assert Job.fetch(task.id, connection=service.redis).get_status() == "scheduled"

    work_off()
    assert find(task.id).state == "PENDING"


def test_a_task_whose_time_is_past_waits_in_its_queue(service: Service) -> None:
    task = enqueue("add", {"a": 1}, due_at=now() - timedelta(seconds=1))

    assert service.redis.lrange("rq:queue:sms", 0, -1) == [task.id.encode()]


def test_arguments_past_256_kb_are_refused_and_leave_nothing(anywhere: Service) -> None:
    with pytest.raises(TooLarge, match="pass its id"):
        enqueue("fail", {"message": "x" * ARGUMENTS_LIMIT_BYTES})

    assert how_many(tasks) == 0
    assert enqueue("fail", {"message": "x" * (ARGUMENTS_LIMIT_BYTES - 100)}).state == "PENDING"


def test_items_do_not_count_as_arguments(service: Service) -> None:
    lines = ["x" * 10_000] * 50

    task = enqueue("write_lines", {"lines": lines, "path": "p"})

    assert len(service.redis.hget(f"rq:job:{task.id}", "data")) < 1000
    assert how_many(items) == 50


@pytest.mark.parametrize(
    ("kind", "params", "error"),
    [
        ("os.system", {}, UnknownKind),
        ("add", {"a": "one"}, InvalidInput),
        ("add", {"a": 1, "c": 2}, InvalidInput),
        ("square_all", {"numbers": []}, InvalidInput),
        ("square_all", {"numbers": "12"}, InvalidInput),
        ("square_all", {}, InvalidInput),
    ],
)
def test_what_cannot_run_is_refused_before_anything_is_written(
    service: Service, kind: str, params: dict[str, Any], error: type[Exception]
) -> None:
    with pytest.raises(error):
        enqueue(kind, params, key="k")

    assert (how_many(tasks), how_many(items), how_many(keys)) == (0, 0, 0)
    assert list(service.redis.scan_iter()) == []


def test_ids_are_uuids_of_version_7_that_sort_in_the_order_they_were_made_and_suit_rq() -> None:
    began_ms = time.time_ns() // 1_000_000
    made = [new_id() for _ in range(2000)]
    ended_ms = time.time_ns() // 1_000_000

    parsed = [uuid.UUID(text) for text in made]
    assert {(value.version, value.variant) for value in parsed} == {(7, uuid.RFC_4122)}
    assert [str(value) for value in parsed] == made
    moments = [value.int >> 80 for value in parsed]
    assert made == sorted(made)
    assert began_ms <= moments[0]
    assert moments[-1] <= ended_ms
    assert len(set(made)) == 2000
    assert {len(text) for text in made} == {36}
    for text in made:
        validate_job_id(text)


def test_any_number_of_threads_may_push_one_after_the_other(service: Service) -> None:
    for number in range(120):  # more than a pool has connections
        thread = threading.Thread(target=enqueue, args=("add", {"a": number}))
        thread.start()
        thread.join()

    assert service.redis.llen("rq:queue:sms") == 120


def test_a_ping_tells_whether_redis_answers(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    assert queues.ping() is True

    with redis_away(monkeypatch):
        assert queues.ping() is False


def test_a_row_and_its_job_carry_the_same_sealed_bytes_and_rows_of_older_releases_are_still_pushed(
    service: Service,
) -> None:
    new, old = enqueue("add", {"a": 40}, scope="7"), put_row(params=Seal.dumps({"a": 1, "b": 2}), scope="7")

    push(row_of(old))

    assert wire.connect().hget(f"rq:job:{new.id}", "data") == row_of(new.id)["params"]
    assert opened(old, wire.connect().hget(f"rq:job:{old}", "data"), "7")[:2] == ("add", {"a": 1, "b": 2})
    assert (params_of(new.id), params_of(old)) == ({"a": 40, "b": 2}, {"a": 1, "b": 2})


def test_delay_takes_parameters_as_a_call_does_and_needs_neither_flask_nor_a_company(service: Service) -> None:
    from tests.kinds import add

    by_name, by_place = add.delay(a=40), add.delay(40, b=3)  # type: ignore[attr-defined]

    assert [params_of(task.id) for task in (by_name, by_place)] == [
        {"a": 40, "b": 2},
        {"a": 40, "b": 3},
    ]
    assert (by_name.scope, by_name.kind) == (None, "add")
