"""Occurrences whose clock died, whose push got lost, whose task is gone: each is made good, and told."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import delete, update

from tests.conftest import Service
from tests.hands import redis_away
from tests.timing import Declare, alarm_kind, only_declared, queued, rows, schedule, states, task_ids
from workers import db
from workers.engine import clock, due, find, occurrences, schedules
from workers.engine.reconcile import reconcile
from workers.engine.tables import schedules as table
from workers.engine.tables import tasks

AT = datetime(2025, 11, 24, 12, tzinfo=UTC)  # past, on every machine
HOUR = timedelta(hours=1)


@pytest.fixture
def catalogue(monkeypatch: pytest.MonkeyPatch, service: Service) -> Declare:
    return only_declared(monkeypatch)


def ago(count: int, unit: timedelta) -> datetime:
    return AT - count * unit


def test_who_dies_before_an_occurrence_is_written_has_told_that_it_was_missed(
    service: Service, catalogue: Declare, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_alerts = service.settings.model_copy(update={"alert_urls": "json://127.0.0.1:1"})
    monkeypatch.setattr("workers.settings._chosen", [with_alerts])
    alarm_kind()
    catalogue("late", cron="0 * * * *", missed="skip")
    schedules.register(ago(2, HOUR))

    with pytest.MonkeyPatch.context() as dies:
        dies.setattr(occurrences, "_write", lambda *_: (_ for _ in ()).throw(MemoryError))
        with pytest.raises(MemoryError):
            occurrences.fire(AT - timedelta(minutes=30))
    occurrences.fire(AT - timedelta(minutes=30))

    assert [find(task_id).kind for task_id in task_ids()] == [occurrences.ALARM_KIND]


def test_what_a_clock_could_not_push_is_pushed_by_the_reconciler(
    service: Service, catalogue: Declare, monkeypatch: pytest.MonkeyPatch
) -> None:
    catalogue("hourly", cron="0 * * * *")
    schedules.register(ago(1, HOUR))
    with redis_away(monkeypatch):
        occurrences.fire(AT)
    assert (states("hourly"), queued(service)) == (["enqueued"], [])

    reconcile()

    assert queued(service) == task_ids() == [due.task_id("hourly", AT)]


def test_what_a_dead_clock_wrote_and_did_not_push_another_pushes(
    service: Service, catalogue: Declare, monkeypatch: pytest.MonkeyPatch
) -> None:
    catalogue("hourly", cron="0 * * * *")
    schedules.register(ago(1, HOUR))
    with pytest.MonkeyPatch.context() as dies:
        dies.setattr(occurrences, "_push", lambda _: (_ for _ in ()).throw(MemoryError))
        with pytest.raises(MemoryError):
            occurrences.fire(AT)

    occurrences.settle(AT + timedelta(seconds=1))
    assert queued(service) == [], "whoever wrote it may still be about to"
    for _ in range(2):
        occurrences.settle(AT + timedelta(seconds=4))

    assert queued(service) == task_ids() == [due.task_id("hourly", AT)]


def test_a_run_whose_task_is_gone_does_not_block_its_schedule(catalogue: Declare) -> None:
    catalogue("hourly", cron="0 * * * *")
    schedules.register(ago(2, HOUR))
    occurrences.fire(ago(1, HOUR))
    with db.writing() as session:
        session.execute(delete(tasks))

    occurrences.settle(AT)
    occurrences.fire(AT)

    assert states("hourly") == ["unknown", "enqueued"]


@pytest.mark.parametrize("change", [{"cron": "30 12 * * *"}, {"cron": "0 * * * *", "zone": "UTC"}])
def test_what_came_due_before_a_deploy_that_changes_the_line_runs_once_by_the_old_one(
    service: Service, catalogue: Declare, change: dict[str, str]
) -> None:
    catalogue("moved", cron="0 * * * *")
    schedules.register(ago(1, HOUR))

    catalogue("moved", **change)
    for _ in range(2):
        schedules.register(AT)
        occurrences.fire(AT)

    assert queued(service) == task_ids() == [due.task_id("moved", AT)]
    assert schedule("moved").due_at > AT


def test_each_missed_run_of_a_line_that_changes_is_made_good_and_none_of_the_new_line(catalogue: Declare) -> None:
    catalogue("moved", cron="0 * * * *", missed="all", overlap="allow")
    schedules.register(ago(3, HOUR))

    catalogue("moved", cron="* * * * *", missed="all", overlap="allow")
    schedules.register(AT)
    occurrences.fire(AT)

    assert [row.due_at for row in rows("moved")] == [ago(2, HOUR), ago(1, HOUR), AT]


def test_a_schedule_whose_row_somebody_deleted_comes_back_while_the_clock_runs(
    catalogue: Declare, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("workers.engine.clock.MISSING_EVERY_S", 0.0, raising=False)
    catalogue("deleted", cron="0 0 * * *")
    catalogue("of_a_later_release", cron="0 0 * * *")
    one = clock.Clock()
    one._pass()
    with db.writing() as session:
        session.execute(delete(table).where(table.c.name == "deleted"))
        session.execute(update(table).values(cron="0 1 * * *"))

    one._pass()

    assert schedule("deleted").due_at > clock.time_of_redis()
    assert schedule("of_a_later_release").cron == "0 1 * * *", "that is for its own clock to change"
