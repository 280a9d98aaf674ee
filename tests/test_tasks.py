"""A task as people see it: SQL and Redis laid over each other, the later event wins, an end stays an end."""

import socket
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import update

from tests.conftest import HURRIED_S, SECRET, Service
from tests.hands import claim, put_row, redis_away, settle, work_off
from workers import settings
from workers.db import now, writing
from workers.engine import enqueue, events, find, outcome, wire
from workers.engine.events import padded
from workers.engine.outcome import Outcome
from workers.engine.seal import Seal
from workers.engine.tables import tasks
from workers.engine.tasks import Task, TaskFailed, TaskTimeout, search
from workers.errors import UnknownTask

MIDNIGHT = datetime(2026, 1, 5, tzinfo=UTC)
META = {"current": 3, "total": 10, "status": "adım 3", "from": 1, "from_ms": 1000, "at_ms": 5000}


def put_job(service: Service, task_id: str, **fields: Any) -> None:
    """A job's hash, without a queue."""
    service.redis.hset(f"rq:job:{task_id}", mapping=fields)


@pytest.mark.parametrize(
    "task_id",
    [
        *("", "x", "1", "-1", "../../etc/passwd", "%", "a" * 35, "a" * 37, "z" * 36, "%" * 36, "'" * 36),
        *("\0" * 36, "\ud800" * 36, "ş" * 36, "😀" * 36, "01900000-0000-7000-8000-000000000000"),
        *("01900000-0000-7000-8000-00000000000\n", None, 7, b"a" * 36, ["a"] * 36, 1.5),
    ],
)
def test_an_id_of_any_shape_that_is_not_ours_is_an_unknown_task(anywhere: Service, task_id: Any) -> None:
    with pytest.raises(UnknownTask):
        find(task_id)


def test_ids_are_known_only_letter_by_letter_and_never_before_their_release(anywhere: Service) -> None:
    known = put_row(id="01900000-0000-7000-8000-abcdefabcdef")
    hidden = put_row(released=False)

    assert find(known).id == known
    for task_id in (known.upper(), f"{known}-h1", f" {known[1:]}", hidden):
        with pytest.raises(UnknownTask):
            find(task_id)


@pytest.mark.parametrize(
    ("row", "job", "seen"),
    [
        (("PENDING", "0-0"), None, "PENDING"),
        (("PENDING", "0-0"), ("queued", "", "5-0"), "PENDING"),
        (("PENDING", "5-0"), ("scheduled", "", "5-0"), "PENDING"),
        (("PENDING", "5-0"), ("started", "", "6-0"), "STARTED"),
        (("PENDING", "5-0"), ("started", "PROGRESS", "7-0"), "PROGRESS"),
        (("STARTED", "6-0"), ("queued", "PROGRESS", "8-0"), "PROGRESS"),
        (("PROGRESS", "9-0"), ("started", "", "6-0"), "PROGRESS"),
        (("PROGRESS", "10-0"), ("finished", "SUCCESS", "9-5"), "PROGRESS"),
        (("PROGRESS", "9-2"), ("finished", "SUCCESS", "9-10"), "SUCCESS"),
        (("STARTED", "6-0"), ("scheduled", "RETRY", "7-0"), "RETRY"),
        (("RETRY", "7-0"), ("queued", "RETRY", "7-0"), "RETRY"),
        (("RETRY", "7-0"), ("started", "RETRY", "8-0"), "STARTED"),
        (("STARTED", "6-0"), ("failed", "FAILURE", "7-0"), "FAILURE"),
        (("STARTED", "6-0"), ("canceled", "REVOKED", "7-0"), "REVOKED"),
        (("STARTED", "6-0"), ("stopped", "", "6-0"), "REVOKED"),
        (("STARTED", "6-0"), ("finished", "", "6-0"), "SUCCESS"),
        (("SUCCESS", "6-0"), ("queued", "", "9-0"), "SUCCESS"),
        (("SUCCESS", "6-0"), ("failed", "FAILURE", "9-0"), "SUCCESS"),
        (("FAILURE", "6-0"), ("finished", "SUCCESS", "9-0"), "FAILURE"),
        (("REVOKED", "6-0"), ("started", "PROGRESS", "9-0"), "REVOKED"),
        (("PENDING", "9-0"), ("failed", "FAILURE", "8-0"), "PENDING"),
    ],
)
def test_the_later_event_wins_and_an_end_never_goes_back(
    service: Service, row: tuple[str, str], job: tuple[str, str, str] | None, seen: str
) -> None:
    state, event = row
    task_id = put_row(state=state, event_id=padded(event))
    if job:
        status, told, told_at = job
        meta = Seal.dumps(META) if told == "PROGRESS" else b""
        put_job(service, task_id, status=status, sira_state=told, sira_event=told_at, meta=meta)

    assert find(task_id).state == seen
    assert search()[0][0].state == seen


def test_work_that_was_put_back_without_a_report_waits(service: Service) -> None:
    task_id = put_row()
    put_job(service, task_id, status="queued", sira_state="PROGRESS", sira_event="5-0")

    assert find(task_id).state == "PENDING"


def test_a_success_is_a_hundred_of_a_hundred_wherever_it_is_read(service: Service) -> None:
    recorded = put_row(state="SUCCESS", current=3, total=10)
    live = put_row()
    put_job(service, live, status="finished", sira_event="5-0", meta=Seal.dumps(META))

    for task in (find(recorded), find(live)):
        assert (task.current, task.total, task.percent) == (100, 100, 100)


@pytest.mark.parametrize("state", ["FAILURE", "REVOKED", "RETRY", "PROGRESS"])
def test_what_did_not_succeed_keeps_what_was_reported(service: Service, state: str) -> None:
    task = find(put_row(state=state, current=3, total=10, status="adım 3"))

    assert (task.current, task.total, task.percent, task.status) == (3, 10, 30, "adım 3")


def test_a_retry_says_when_it_runs_next_and_why(service: Service) -> None:
    task = enqueue("add", {"a": 1})
    job_id, execution = claim("sms")
    error = Seal.dumps({"type": "Timeout", "message": "no answer"})

    settle(job_id, execution, "sms", Outcome("retry", delay_ms=600_000, error=error, payload=error))

    found = find(task.id)
    assert (found.state, found.attempts, found.position) == ("RETRY", 1, None)
    assert found.error == {"type": "Timeout", "message": "no answer"}
    assert timedelta(seconds=500) < found.next_run_at - now() <= timedelta(seconds=601)  # type: ignore[operator]


def test_positions_count_from_one_and_move_up(service: Service) -> None:
    waiting = [enqueue("add", {"a": number}) for number in range(3)]
    assert [find(task.id).position for task in waiting] == [1, 2, 3]

    claim("sms")

    assert [find(task.id).position for task in waiting] == [None, 1, 2]


def test_times_and_attempts_come_from_the_run(service: Service) -> None:
    task = enqueue("add", {"a": 1})
    before = now() - timedelta(milliseconds=5)
    job_id, execution = claim("sms")
    running = find(task.id)
    settle(job_id, execution, "sms", outcome.finished({"sum": 3}))

    ended = find(task.id)
    assert (running.state, running.attempts, running.ended_at) == ("STARTED", 1, None)
    assert before <= running.started_at <= ended.ended_at <= now() + timedelta(seconds=1)  # type: ignore[operator]
    assert ended.started_at == running.started_at
    assert ended.result == {"sum": 3}


def test_without_redis_sql_alone_speaks(anywhere: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    done, waiting = enqueue("add", {"a": 1}, scope="7"), enqueue("nothing", due_at=now() + timedelta(hours=1))
    work_off()
    while events.record():
        pass

    with redis_away(monkeypatch):
        assert (find(done.id).state, find(done.id).result) == ("SUCCESS", {"sum": 3})
        assert (find(waiting.id).state, find(waiting.id).next_run_at is not None) == ("PENDING", True)
        assert [task.id for task in search()[0]] == sorted([done.id, waiting.id], reverse=True)


def test_redis_holding_nonsense_is_as_good_as_no_redis(service: Service) -> None:
    task_id = put_row(state="STARTED")
    service.redis.set(f"rq:job:{task_id}", "no hash")

    assert find(task_id).state == "STARTED"


def test_the_error_and_its_traceback_come_from_sql(anywhere: Service) -> None:
    task_id = put_row(
        state="FAILURE", error_type="ValueError", error_message="no", traceback=Seal.dumps("line 1"), ended_at=now()
    )

    found = find(task_id)

    assert (found.error, found.traceback) == ({"type": "ValueError", "message": "no"}, "line 1")


def test_a_result_whose_key_is_gone_is_said_to_be_unreadable(service: Service) -> None:
    task_id = put_row(state="SUCCESS", result=Seal.dumps({"sum": 3}))
    other = service.settings.model_copy(update={"secret_key": SECRET[::-1]})
    settings.use(other)

    assert "not among SECRET_KEY" in find(task_id).result["unreadable"]
    assert search()[0][0].state == "SUCCESS"


@pytest.mark.parametrize(
    ("change", "eta_s"),
    [
        ({"current": 30, "total": 100, "from": 10, "from_ms": 0, "at_ms": 20_000}, 70),
        ({"current": 100, "total": 100, "from": 0, "from_ms": 0, "at_ms": 20_000}, 0),
        ({"current": 10, "total": 100, "from": 10, "from_ms": 0, "at_ms": 20_000}, None),
        ({"current": 11, "total": 100, "from": 10, "from_ms": 5, "at_ms": 5}, None),
    ],
)
def test_the_eta_is_the_pace_since_the_first_report(
    service: Service, change: dict[str, int], eta_s: int | None
) -> None:
    task_id = put_row()
    put_job(service, task_id, status="started", sira_state="PROGRESS", sira_event="5-0", meta=Seal.dumps(META | change))

    assert find(task_id).eta_seconds == eta_s


def test_only_what_runs_has_an_eta(service: Service) -> None:
    task_id = put_row()
    put_job(service, task_id, status="scheduled", sira_state="RETRY", sira_event="5-0", meta=Seal.dumps(META))

    assert find(task_id).eta_seconds is None


@given(current=st.integers(0, 10**9), total=st.integers(-1, 10**9))
def test_a_percentage_is_a_whole_number_from_0_to_100_and_100_only_when_all_is_done(current: int, total: int) -> None:
    nothing: dict[str, Any] = dict.fromkeys(("scope", "status", "started_at", "ended_at"))
    counted: dict[str, Any] = {"current": current, "total": total, "attempts": 1, "max_attempts": 1}
    task = Task("", "", "", state="PROGRESS", created_at=MIDNIGHT, **counted, **nothing)

    assert 0 <= task.percent <= 100
    assert (task.percent == 100) == (current >= total > 0)


def test_get_gives_the_result_of_a_task_that_has_ended(service: Service) -> None:
    task, failing, revoked = enqueue("add", {"a": 40}), enqueue("fail", {"message": "bitti"}), enqueue("nothing")
    with writing() as session:
        session.execute(update(tasks).where(tasks.c.id == revoked.id).values(state="REVOKED"))
    work_off()

    assert task.get(timeout=1) == {"sum": 42}
    with pytest.raises(TaskFailed, match=f"{failing.id} ended as FAILURE: bitti"):
        failing.get(timeout=1)
    with pytest.raises(TaskFailed, match="REVOKED: cancelled"):
        revoked.get(timeout=1)


@pytest.mark.parametrize("timeout_s", [0, 0.05])
def test_get_gives_up_in_time_and_says_that_the_task_goes_on(service: Service, timeout_s: float) -> None:
    task = enqueue("add", {"a": 1})
    began = time.monotonic()

    with pytest.raises(TaskTimeout, match="it goes on"):
        task.get(timeout=timeout_s)

    assert time.monotonic() - began < 5
    assert task.wait(timeout_s).state == "PENDING"


def test_a_server_that_is_silent_holds_up_a_look_at_a_task_for_a_moment_only(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wire, "LOOK_TIMEOUT_S", HURRIED_S["LOOK_TIMEOUT_S"])
    task_id = put_row()
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        settings.use(service.settings.model_copy(update={"redis_url": f"redis://127.0.0.1:{port}/0"}))
        began = time.monotonic()

        assert find(task_id).state == "PENDING"
        assert time.monotonic() - began < wire.SOCKET_TIMEOUT_S - 1, "as what works waits for its server"
    settings.use(service.settings)
