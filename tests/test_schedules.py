"""Schedules: registered as declared, steered by operators, shown in the mirror; what can't be read is set aside."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from rq_scheduler import Scheduler
from sqlalchemy import delete, update

from tests.conftest import Service
from tests.hands import at_once, work_off
from tests.timing import Declare, only_declared, queued, rows, schedule, states, task_ids
from workers import db
from workers.engine import clock, doctor, find, mirror, occurrences, registry, schedules
from workers.engine.clock import Clock
from workers.engine.job import Job
from workers.engine.tables import schedules as table
from workers.engine.tables import tasks
from workers.errors import BadSettings, Conflict

AT = datetime(2025, 11, 24, 12, tzinfo=UTC)  # past, on every machine
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@pytest.fixture
def catalogue(monkeypatch: pytest.MonkeyPatch, service: Service) -> Declare:
    return only_declared(monkeypatch)


def ago(count: int, unit: timedelta) -> datetime:
    return AT - count * unit


def test_registering_adds_what_the_code_declares_in_its_zone(catalogue: Declare) -> None:
    catalogue("nightly", cron="0 0 * * *")
    catalogue("in_tokyo", cron="0 0 * * *", zone="Asia/Tokyo", overlap="queue", missed="all")
    catalogue("unscheduled")

    schedules.register(AT)

    nightly, in_tokyo = schedule("nightly"), schedule("in_tokyo")
    assert (nightly.zone, nightly.due_at) == ("Europe/Istanbul", datetime(2025, 11, 24, 21, tzinfo=UTC))
    assert (in_tokyo.zone, in_tokyo.due_at) == ("Asia/Tokyo", datetime(2025, 11, 24, 15, tzinfo=UTC))
    assert (in_tokyo.overlap, in_tokyo.missed, schedule("unscheduled")) == ("queue", "all", None)


def test_registering_again_keeps_the_due_time_and_the_pause(catalogue: Declare) -> None:
    catalogue("hourly", cron="0 * * * *")
    schedules.register(ago(5, HOUR))
    before = schedule("hourly")
    schedules.pause("hourly")

    schedules.register(AT)

    assert (schedule("hourly").due_at, schedule("hourly").paused) == (before.due_at, True)


def test_a_due_time_that_a_clock_which_stood_ahead_left_is_reckoned_anew(catalogue: Declare) -> None:
    catalogue("hourly", cron="0 * * * *")
    schedules.register(ago(2, HOUR))
    occurrences.fire(AT.replace(year=2036))

    schedules.register(AT)

    assert schedule("hourly").due_at == AT + HOUR


def test_a_changed_line_or_zone_is_due_anew_and_another_policy_is_not(catalogue: Declare) -> None:
    catalogue("changed", cron="0 0 * * *")
    schedules.register(AT)
    before = schedule("changed").due_at

    catalogue("changed", cron="0 0 * * *", overlap="allow")
    schedules.register(AT + HOUR)
    assert (schedule("changed").due_at, schedule("changed").overlap) == (before, "allow")

    catalogue("changed", cron="0 1 * * *")
    schedules.register(AT + HOUR)
    assert schedule("changed").due_at == before + HOUR

    catalogue("changed", cron="0 1 * * *", zone="UTC")
    schedules.register(AT + HOUR)
    assert schedule("changed").due_at == before + 4 * HOUR


def test_what_the_code_no_longer_schedules_goes_and_its_history_stays(catalogue: Declare) -> None:
    catalogue("given_up", cron="0 * * * *", overlap="queue")
    schedules.register(ago(1, DAY))
    occurrences.fire(ago(22, HOUR))
    occurrences.fire(ago(21, HOUR))

    catalogue("given_up")
    schedules.register(AT)

    assert schedule("given_up") is None
    assert states("given_up") == ["enqueued", "skipped"]
    assert "removed" in rows("given_up")[1].message


def test_a_schedule_whose_kind_is_gone_is_left_alone_and_shown_by_the_doctor(catalogue: Declare) -> None:
    catalogue("vanished", cron="0 * * * *")
    catalogue("here", cron="0 * * * *")
    schedules.register(ago(1, DAY))
    del registry._kinds["vanished"]

    schedules.register(AT)
    made = occurrences.fire(AT)

    assert [task["kind"] for task in made] == ["here"]
    assert [one.name for one in schedules.listed()] == ["here"]
    assert "declares vanished" in told()["schedule without a kind"].advice
    assert told(mend=True)["schedule without a kind"].mended
    assert "schedule without a kind" not in told()


def test_a_paused_schedule_rests_and_what_fell_into_the_pause_is_not_made_up_for(catalogue: Declare) -> None:
    catalogue("hourly", cron="0 * * * *", missed="all")
    schedules.register(ago(5, HOUR))

    paused = schedules.pause("hourly")
    assert (paused.state, paused.next_run_at, occurrences.fire(AT)) == ("paused", None, [])

    resumed = schedules.resume("hourly", AT)
    assert (resumed.state, resumed.next_run_at, occurrences.fire(AT)) == ("active", AT + HOUR, [])
    assert schedules.resume("hourly", AT + DAY).next_run_at == AT + HOUR


def test_a_run_beside_the_plan_is_part_of_the_history(service: Service, catalogue: Declare) -> None:
    catalogue("nightly", cron="0 0 * * *")

    task = schedules.run_now("nightly")

    seen = schedules.get("nightly")
    assert queued(service) == [task.id]
    assert (seen.last_run.task_id, seen.last_run.state, seen.history) == (task.id, "enqueued", [seen.last_run])
    with pytest.raises(Conflict, match="has not ended"):
        schedules.run_now("nightly")


def test_a_run_with_a_key_is_enqueued_once(service: Service, catalogue: Declare) -> None:
    catalogue("nightly", cron="0 0 * * *")

    asked = [schedules.run_now("nightly", key="my key") for _ in range(3)]

    assert [task.replayed for task in asked] == [False, True, True]
    assert queued(service) == [asked[0].id]
    assert len(rows()) == 1


@pytest.mark.parametrize(("overlap", "runs"), [("skip", 1), ("allow", 3)])
def test_of_runs_that_are_asked_for_at_once_one_begins(
    anywhere: Service, catalogue: Declare, overlap: str, runs: int
) -> None:
    catalogue("nightly", cron="0 0 * * *", overlap=overlap)
    schedules.register(AT)

    def ask(_: int) -> str | None:
        try:
            return schedules.run_now("nightly").id
        except Conflict:
            return None

    begun = sorted(filter(None, at_once(3, ask)))

    assert begun == task_ids() == sorted(row.task_id for row in rows())
    assert len(begun) == runs


def test_runs_that_are_asked_for_in_one_instant_are_all_in_the_history(anywhere: Service) -> None:
    with db.writing() as session:
        for number in range(3):
            occurrences.note_run(session, {"id": f"task-{number}", "kind": "nightly", "created_at": AT})

    assert sorted(row.task_id for row in rows()) == ["task-0", "task-1", "task-2"]


def test_a_run_whose_task_is_gone_keeps_no_operator_from_running_it(catalogue: Declare) -> None:
    catalogue("nightly", cron="0 0 * * *")
    first = schedules.run_now("nightly")
    with db.writing() as session:
        session.execute(delete(tasks))

    assert schedules.run_now("nightly").id != first.id


@pytest.mark.parametrize("steer", [schedules.get, schedules.pause, schedules.resume, schedules.run_now])
def test_an_unknown_schedule_is_said_to_be_unknown(catalogue: Declare, steer: Any) -> None:
    catalogue("unscheduled")

    for name in ("unscheduled", "no_such_kind", "ş\0"):
        with pytest.raises(schedules.UnknownSchedule):
            steer(name)


@pytest.mark.parametrize("broken", [{"cron": "nonsense"}, {"zone": "Mars/Olympus"}, {"cron": "0 0 30 2 *"}])
def test_one_unreadable_schedule_is_set_aside_and_the_rest_go_on(catalogue: Declare, broken: dict[str, str]) -> None:
    for name in ("before", "broken", "other"):
        catalogue(name, cron="0 * * * *")
    schedules.register(ago(1, HOUR))
    with db.writing() as session:
        session.execute(update(table).where(table.c.name == "broken").values(**broken))

    made = occurrences.fire(AT)

    assert {task["kind"] for task in made} == {"before", "other"}
    assert schedules.get("broken").state == "set_aside"
    assert "broken is left out" in told()["schedule set aside"].advice
    schedules.register(AT)
    assert schedules.get("broken").state == "active"


def test_garbage_in_the_sorted_set_is_left_alone_and_shown(service: Service, catalogue: Declare) -> None:
    catalogue("hourly", cron="0 * * * *")
    schedules.register(AT)
    garbage = [b"not-a-job", b"\xff\xfe", b"rq:job:x", b"12"]
    service.redis.hset("rq:job:not-a-job", mapping={"data": b"\x80\x05garbage", "created_at": "nonsense"})
    service.redis.zadd(mirror.KEY, dict.fromkeys(garbage, 1))
    service.redis.set("rq:job:schedule-hourly", "no hash")

    Clock().enqueue_jobs()

    assert set(mirror.strangers()) == set(garbage)
    assert told(mend=True)["entry of another scheduler"].mended
    assert mirror.strangers() == []
    assert service.redis.zscore(mirror.KEY, "schedule-hourly")
    assert service.redis.hget("rq:job:schedule-hourly", "status") == b"scheduled"


def test_a_schedule_that_no_clock_serves_is_overdue(catalogue: Declare) -> None:
    catalogue("hourly", cron="0 * * * *")
    schedules.register(ago(1, DAY))

    assert "Start a clock" in told()["schedule overdue"].advice


def told(*, mend: bool = False) -> dict[str, doctor.Finding]:
    return {finding.what: finding for finding in doctor.examine(mend=mend)}


def test_its_sorted_set_mirrors_what_comes_next(service: Service, catalogue: Declare) -> None:
    catalogue("hourly", cron="0 * * * *")
    catalogue("paused", cron="0 * * * *")
    schedules.register(clock.time_of_redis())
    schedules.pause("paused")

    Clock().enqueue_jobs()

    jobs = list(Clock().get_jobs(with_times=True))
    assert [(job.id, job.description) for job, _ in jobs] == [("schedule-hourly", "hourly 0 * * * * Europe/Istanbul")]
    assert jobs[0][1].replace(tzinfo=UTC) == schedule("hourly").due_at
    assert jobs[0][0].meta["cron_string"] == "0 * * * *"
    schedules.pause("hourly")
    Clock().enqueue_jobs()
    assert list(Clock().get_jobs()) == []
    assert Scheduler.scheduled_jobs_key == mirror.KEY


@pytest.mark.filterwarnings("ignore::FutureWarning")  # crontab's
def test_an_entry_of_the_mirror_that_somebody_enqueues_runs_nothing(service: Service, catalogue: Declare) -> None:
    catalogue("hourly", cron="0 * * * *")
    schedules.register(clock.time_of_redis())
    Clock().enqueue_jobs()

    stock = Scheduler(connection=service.redis, job_class=Job)
    stock.enqueue_job(next(stock.get_jobs()))
    work_off()

    assert service.redis.hget("rq:job:schedule-hourly", "status") == b"failed"


def test_its_calls_go_through_the_one_door(service: Service, catalogue: Declare) -> None:
    function = catalogue("later")

    task = Clock().enqueue_in(HOUR, function, number=3)
    naive = Clock().enqueue_at(datetime(2100, 1, 1), function, 4)

    assert service.redis.zcard("rq:scheduled:maintenance") == 2
    assert find(naive.id).next_run_at == datetime(2100, 1, 1, tzinfo=UTC)
    assert find(task.id).next_run_at > clock.time_of_redis()
    for call in (Clock().cron, Clock().schedule, Clock().enqueue_job):
        with pytest.raises(BadSettings, match="declared on their kinds"):
            call("* * * * *", function)


def test_a_clock_takes_the_lease_of_nobody_and_gives_back_only_its_own(service: Service) -> None:
    first, second = Clock(lease_s=600), Clock(lease_s=600)
    assert (first.acquire_lock(), second.acquire_lock(), first.acquire_lock()) == (True, False, True)

    second.remove_lock()
    service.redis.set(clock.LEASE, "another", px=600_000)

    assert not first.acquire_lock()
    first.remove_lock()
    assert service.redis.get(clock.LEASE) == b"another"
