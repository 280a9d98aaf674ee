"""Progress: what a running job reports is seen, not too often, and never stops a job that may go on."""

import math
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st

from app.api import status
from tests.conftest import Service
from tests.hands import claim, redis_away, settle
from workers.engine import control, enqueue, events, find, outcome, progress, running
from workers.engine.progress import report
from workers.engine.running import Cancelled, Lost, Run, Stopping, Yielded, pause_point
from workers.engine.seal import Seal


@pytest.fixture
def run(service: Service) -> Iterator[Run]:
    """A job that runs, as its own code sees it."""
    task = enqueue("add", {"a": 1})
    job_id, execution = claim("sms")
    present = Run(job_id, task.id, execution)
    token = running.present.set(present)
    yield present
    running.present.reset(token)
    running.clear()


def told(service: Service) -> int:
    """How many reports the stream tells of."""
    return sum(b"\tPROGRESS\t" in entry[b"c1"] for _, entry in service.redis.xrange("sira:events"))


def test_a_report_is_what_people_see(service: Service, run: Run) -> None:
    report(3, 10, "adım 3")

    task = find(run.task_id)
    assert (task.state, task.current, task.total, task.percent, task.status) == ("PROGRESS", 3, 10, 30, "adım 3")
    assert told(service) == 1


def test_a_total_that_nobody_knows_is_shown_as_none(
    service: Service, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "EVERY_S", math.inf)
    report(3, None)
    report(700, None)

    task = find(run.task_id)
    shown = status.row_of(task, "tr")
    assert (task.current, task.percent, task.eta_seconds) == (3, 0, None), "the second came too soon to be told"
    assert (shown["current"], shown["total"], shown["percent"]) == (3, None, 0)


def test_a_job_that_keeps_its_place_leaves_when_its_slice_is_over(run: Run) -> None:
    pause_point()
    run.slice_ends = 0.0

    with pytest.raises(Yielded):
        pause_point()


def test_a_report_is_sealed_in_rqs_own_meta(service: Service, run: Run) -> None:
    report(3, 10, "Gizli")

    meta = service.redis.hget(f"rq:job:{run.job_id}", "meta")
    assert b"Gizli" not in meta
    assert Seal.loads(meta)["current"] == 3


def test_outside_a_worker_a_report_is_nothing(service: Service) -> None:
    report(3, 10)

    assert service.redis.dbsize() == 0


def test_many_reports_are_thinned_out_but_the_last_is_always_told(service: Service, run: Run) -> None:
    for number in range(1, 1001):
        report(number, 1000)

    assert find(run.task_id).current == 1000
    assert told(service) < 500


@examples(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=50)
@given(reports=st.lists(st.tuples(st.integers(-5, 200), st.integers(-5, 100)), min_size=1, max_size=10))
def test_what_is_reported_stays_within_its_bounds(run: Run, reports: list[tuple[int, int]]) -> None:
    run.meta = {}
    for current, total in reports:
        report(current, total)

        assert 0 <= run.meta["current"] <= run.meta["total"]
        assert run.meta["from"] <= run.meta["current"]
        assert run.meta["from_ms"] <= run.meta["at_ms"]


def test_the_pace_of_a_job_that_starts_over_is_that_of_its_new_run(run: Run) -> None:
    report(10, 100)
    report(50, 100)
    run.meta = {**run.meta, "from_ms": run.meta["from_ms"] - 3_600_000, "at_ms": run.meta["at_ms"] - 3_000_000}

    report(11, 100)

    assert (run.meta["from"], run.meta["from_ms"]) == (11, run.meta["at_ms"])


def test_the_pace_is_measured_from_the_first_report_and_anew_after_a_step_back(run: Run) -> None:
    report(10, 100)
    report(50, 100)
    assert run.meta["from"] == 10

    report(5, 100)
    assert run.meta["from"] == 5


def test_a_status_that_no_database_can_hold_is_told_without_what_is_wrong(run: Run) -> None:
    report(1, 2, "satır\0 \ud800")

    assert find(run.task_id).status == "satır ?"


ODD = st.one_of(
    st.none(), st.integers(), st.integers(2**50), st.floats(), st.decimals(), st.fractions(), st.text(), st.booleans()
)


@examples(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=100)
@given(current=ODD, total=ODD, status=ODD | st.binary())
def test_no_report_fails_its_job_whatever_it_is_given(run: Run, current: Any, total: Any, status: Any) -> None:
    report(current, total, status)

    told = Seal.loads(Seal.dumps(run.meta))
    assert 0 <= told["current"] <= events.MOST
    assert 0 <= told["total"] <= events.MOST
    assert isinstance(told["status"], str | None)


@pytest.mark.parametrize(
    ("given_by_the_job", "current", "total", "percent"),
    [
        ((3_000_000_000, 4_000_000_000), 3_000_000_000, 4_000_000_000, 75),
        ((2**63, 2**64), 2**51, 2**52, 50),
        ((3 * 2**70, 2**72), 3 * 2**50, 2**52, 75),
        ((math.nan, 10), 0, 10, 0),
        ((3, math.nan), 3, 0, 0),
        ((3, math.inf), 3, 0, 0),
        ((math.inf, 10), 0, 10, 0),
        ((2.9, Decimal("10.5")), 2, 10, 20),
    ],
)
def test_a_count_of_any_size_is_shown_by_its_true_share_and_what_is_not_finite_as_unknown(
    run: Run, given_by_the_job: tuple[Any, Any], current: int, total: int, percent: int
) -> None:
    report(*given_by_the_job)

    task = find(run.task_id)
    assert (task.current, task.total, task.percent) == (current, total, percent)


def test_a_status_that_is_no_text_is_shown_as_its_text(run: Run) -> None:
    report(1, 2, 5)

    assert find(run.task_id).status == "5"


def test_a_job_that_another_worker_holds_by_now_is_told_so(service: Service, run: Run) -> None:
    settle(run.job_id, run.execution, "sms", outcome.Outcome("back"))
    claim("sms", "another")

    with pytest.raises(Lost):
        report(3, 10)

    assert find(run.task_id).state == "STARTED"


def test_a_job_that_is_to_be_cancelled_hears_of_it_when_it_reports(run: Run) -> None:
    control.cancel(run.task_id)

    with pytest.raises(Cancelled):
        report(3, 10)


def test_redis_being_away_does_not_stop_a_job(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    with redis_away(monkeypatch):
        report(3, 10)

    report(10, 10)
    assert find(run.task_id).current == 10


def test_a_helper_reports_nothing_of_its_own(service: Service, run: Run) -> None:
    helper = Run(f"{run.task_id}-h1", run.task_id, "its-execution")
    running.present.set(helper)

    report(3, 10)

    assert told(service) == 0


def test_what_was_asked_of_a_job_while_it_must_not_be_disturbed_is_raised_after_it(run: Run) -> None:
    done: list[str] = []

    def send() -> None:
        with running.undisturbed():
            running.ask(Stopping)
            report(1, 2)
            done.append("sent and written down")

    with pytest.raises(Stopping):
        send()
    assert done == ["sent and written down"]

    report(2, 2)
    assert find(run.task_id).current == 2, "it was asked once"


def test_what_is_asked_of_a_worker_without_a_job_is_nothing() -> None:
    running.ask(Stopping)

    running.check()
