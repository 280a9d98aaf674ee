"""Occurrences: enqueued once, missed as agreed, never side by side against their will, and accounted for."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import update

from tests.conftest import Service
from tests.hands import record_all, redis_away, work_off
from tests.timing import Declare, alarm_kind, only_declared, queued, rows, schedule, states, task_ids
from workers import db, logs
from workers.engine import due, find, occurrences, schedules
from workers.engine.clock import Clock
from workers.engine.tables import schedules as table

AT = datetime(2025, 11, 24, 12, tzinfo=UTC)  # past, on every machine
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@pytest.fixture
def catalogue(monkeypatch: pytest.MonkeyPatch, service: Service) -> Declare:
    return only_declared(monkeypatch)


def ago(count: int, unit: timedelta) -> datetime:
    return AT - count * unit


def test_an_occurrence_is_enqueued_once_with_an_id_of_its_own(service: Service, catalogue: Declare) -> None:
    catalogue("hourly", cron="0 * * * *", overlap="allow")
    schedules.register(ago(90, timedelta(minutes=1)))

    first = occurrences.fire(ago(1, HOUR))
    again = occurrences.fire(ago(1, HOUR))
    second = occurrences.fire(AT)

    assert again == []
    assert [row.task_id for row in rows()] == task_ids() == queued(service) == [first[0]["id"], second[0]["id"]]
    assert first[0]["id"] == due.task_id("hourly", ago(1, HOUR)) != due.task_id("daily", ago(1, HOUR))


def test_an_occurrence_that_was_written_already_is_not_enqueued_again(service: Service, catalogue: Declare) -> None:
    catalogue("hourly", cron="0 * * * *", overlap="allow")
    schedules.register(ago(1, timedelta(minutes=1)))
    occurrences.fire(AT)
    with db.writing() as session:
        session.execute(update(table).values(due_at=AT))  # as a restored backup would have it

    assert occurrences.fire(AT) == []

    assert len(rows()) == len(task_ids()) == len(queued(service)) == 1
    assert schedule("hourly").due_at == AT + HOUR


@pytest.mark.parametrize(
    ("missed", "expected"),
    [
        ("one", [(5, "enqueued")]),
        ("all", [(5, "enqueued"), (4, "enqueued"), (3, "enqueued"), (2, "enqueued"), (1, "enqueued")]),
        ("skip", [(5, "missed")]),
    ],
)
def test_what_was_missed_runs_once_each_time_or_never(
    catalogue: Declare, missed: str, expected: list[tuple[int, str]]
) -> None:
    catalogue("hourly", cron="30 * * * *", zone="UTC", missed=missed, overlap="allow")
    schedules.register(ago(5, HOUR))

    made = occurrences.fire(AT)

    half = timedelta(minutes=30)
    assert [(row.due_at, row.state) for row in rows()] == [(ago(n, HOUR) + half, state) for n, state in expected]
    assert [row.lateness_s for row in rows()] == [n * 3600 - 1800 for n, _ in expected]
    assert len(made) == len([state for _, state in expected if state == "enqueued"])
    assert schedule("hourly").due_at == AT + half


def test_a_short_delay_is_no_miss(catalogue: Declare) -> None:
    catalogue("minutely", cron="* * * * *", missed="skip")
    schedules.register(ago(1, timedelta(seconds=130)))

    occurrences.fire(AT + timedelta(seconds=20))

    assert [(row.due_at, row.state) for row in rows()] == [(ago(2, timedelta(minutes=1)), "missed"), (AT, "enqueued")]


def test_all_that_was_missed_is_caught_up_a_hundred_at_a_time(catalogue: Declare) -> None:
    catalogue("each_second", cron="* * * * * *", missed="all", overlap="allow")
    schedules.register(ago(250, timedelta(seconds=1)))

    assert [len(occurrences.fire(AT)) for _ in range(4)] == [100, 100, 50, 0]

    assert [row.due_at for row in rows()] == [ago(249 - n, timedelta(seconds=1)) for n in range(250)]


def test_a_late_run_and_a_missed_one_are_told(catalogue: Declare, capsys: pytest.CaptureFixture[str]) -> None:
    logs.setup()  # to the streams of this test
    catalogue("late", cron="0 * * * *")
    catalogue("never", cron="0 * * * *", missed="skip")
    schedules.register(ago(5, HOUR) - timedelta(minutes=1))

    occurrences.fire(AT - timedelta(minutes=30))

    said = capsys.readouterr()
    text = said.out + said.err
    assert text.count("schedule was missed") == 2
    assert "it runs now" in text
    assert "it waits for the next time" in text


@pytest.mark.parametrize(("overlap", "runs"), [("skip", False), ("queue", False), ("allow", True)])
def test_a_late_run_is_not_said_to_run_where_the_one_before_may_keep_it_from_that(
    catalogue: Declare, capsys: pytest.CaptureFixture[str], overlap: str, runs: bool
) -> None:
    logs.setup()  # to the streams of this test
    catalogue("hourly", cron="0 * * * *", overlap=overlap)
    schedules.register(ago(5, HOUR))
    occurrences.fire(ago(4, HOUR))

    occurrences.fire(ago(1, HOUR) - timedelta(minutes=5))

    said = capsys.readouterr()
    assert (states("hourly")[-1] == "enqueued") == runs
    assert ("unless the one before has not ended" in said.out + said.err) == (not runs)


def test_operators_are_alarmed_once_an_hour(
    service: Service, catalogue: Declare, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_alerts = service.settings.model_copy(update={"alert_urls": "json://127.0.0.1:1"})
    monkeypatch.setattr("workers.settings._chosen", [with_alerts])
    alarm_kind()
    catalogue("late", cron="*/10 * * * *", overlap="allow")
    schedules.register(ago(2, HOUR))

    for minutes in (0, 15, 30, 75):
        occurrences.fire(ago(1, HOUR) + timedelta(minutes=minutes, seconds=65))

    assert [find(task_id).kind for task_id in task_ids()].count(occurrences.ALARM_KIND) == 2


@pytest.mark.parametrize(
    ("overlap", "expected"),
    [
        ("skip", ["enqueued", "skipped", "skipped"]),
        ("queue", ["enqueued", "waiting", "waiting"]),
        ("allow", ["enqueued", "enqueued", "enqueued"]),
    ],
)
def test_runs_that_would_overlap_are_skipped_wait_or_run(catalogue: Declare, overlap: str, expected: list[str]) -> None:
    catalogue("hourly", cron="0 * * * *", overlap=overlap)
    schedules.register(ago(3, HOUR))

    for n in (2, 1, 0):
        occurrences.fire(ago(n, HOUR))

    assert states("hourly") == expected


def test_waiting_runs_are_released_one_after_the_other(anywhere: Service, catalogue: Declare) -> None:
    catalogue("hourly", cron="0 * * * *", overlap="queue")
    schedules.register(ago(3, HOUR))
    for n in (2, 1, 0):
        occurrences.fire(ago(n, HOUR))
    assert occurrences.release(AT) == []

    work_off()
    occurrences.settle(AT)

    assert len(occurrences.release(AT)) == 1
    assert occurrences.release(AT) == []
    assert states("hourly") == ["done", "enqueued", "waiting"]


def test_nothing_late_is_dropped_where_each_occurrence_must_run(catalogue: Declare) -> None:
    catalogue("all_of_them", cron="*/5 * * * * *", missed="all")
    schedules.register(ago(20, timedelta(seconds=1)))

    for _ in range(6):
        occurrences.fire(AT)
        work_off()
        occurrences.settle(AT)
        occurrences.release(AT)

    assert states("all_of_them") == ["done", "done", "done", "done"]


@given(
    overlap=st.sampled_from(["skip", "queue", "allow"]),
    missed=st.sampled_from(["one", "all", "skip"]),
    late_s=st.floats(0, 1e6),
    before=st.lists(st.tuples(st.sampled_from(["enqueued", "waiting"]), st.floats(0, 1e6)), max_size=3),
)
def test_only_allow_lets_two_runs_meet_and_queue_drops_none(
    overlap: str, missed: str, late_s: float, before: list[tuple[str, float]]
) -> None:
    state = due.state_of(overlap, missed, late_s, before)

    assert (state == "enqueued") == (overlap == "allow" or not before)
    assert state != "skipped" or overlap == "skip"
    assert state != "waiting" or overlap == "queue" or missed == "all"


def test_what_came_of_each_run_is_written_down(anywhere: Service, catalogue: Declare) -> None:
    catalogue("hourly", cron="0 * * * *")
    catalogue("fails_hourly", cron="0 * * * *")
    schedules.register(ago(1, HOUR))
    occurrences.fire(AT)
    work_off()

    occurrences.settle(AT)

    assert states("hourly") == ["done"]
    assert [(row.state, row.message) for row in rows("fails_hourly")] == [("failed", "as it was told")]
    assert rows("hourly")[0].ended_at is not None
    record_all()
    assert occurrences.settle(AT) == ""


def test_a_cancelled_run_is_written_down_too(catalogue: Declare) -> None:
    from workers.engine import control

    catalogue("hourly", cron="0 * * * *")
    schedules.register(ago(1, HOUR))
    control.cancel(occurrences.fire(AT)[0]["id"])

    occurrences.settle(AT)

    assert states("hourly") == ["cancelled"]


def test_the_clock_of_redis_decides_what_is_due(
    service: Service, catalogue: Declare, monkeypatch: pytest.MonkeyPatch
) -> None:
    at = occurrences.time_of_redis()
    catalogue("yearly", cron=f"0 0 1 {(at.month + 5) % 12 + 1} *")  # half a year from now
    schedules.register(at)
    monkeypatch.setattr(occurrences, "now", lambda: AT.replace(year=2099))

    assert Clock().enqueue_jobs() == []

    with redis_away(monkeypatch):
        assert occurrences.time_of_redis().year == 2099
