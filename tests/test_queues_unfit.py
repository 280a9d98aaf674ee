"""What SQL or Redis could not keep is refused by name before anything is written, on each database alike."""

import math
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import func, select

from tests.conftest import Service
from tests.hands import work_off
from workers.db import reading
from workers.engine import job, queues, registry
from workers.engine.tables import tasks
from workers.errors import InvalidInput


def nothing_is_written(service: Service) -> bool:
    with reading() as session:
        return session.scalar(select(func.count()).select_from(tasks)) == 0 and service.redis.dbsize() == 0


@pytest.mark.parametrize(
    "due_at",
    [datetime.max, datetime.max.replace(tzinfo=UTC), datetime.min, datetime(3000, 1, 1, tzinfo=UTC), "tomorrow", 5.0],
)
def test_a_time_outside_all_plans_is_refused(service: Service, due_at: Any) -> None:
    with pytest.raises(InvalidInput, match="due_at: must be a datetime of the years 1970 to 2999"):
        queues.enqueue("nothing", due_at=due_at)

    assert nothing_is_written(service)


def test_a_time_as_late_as_may_be_is_kept_and_found(service: Service) -> None:
    due_at = datetime(2999, 12, 31, 23, 59, 59, tzinfo=UTC)

    task = queues.enqueue("nothing", due_at=due_at)

    assert queues.find(task.id).next_run_at == due_at


@pytest.mark.parametrize(
    ("field", "unfit"),
    [
        *[("scope", unfit) for unfit in ("", 5, "x" * 41, "a\0b", "a\tb", "a\nb", "\ud800")],
        *[("key", unfit) for unfit in ("", 5, "x" * 256, "a\0b", "\ud800")],
    ],
)
def test_a_company_or_a_key_that_no_column_or_no_stream_could_hold_is_refused(
    anywhere: Service, field: str, unfit: Any
) -> None:
    with pytest.raises(InvalidInput, match=f"{field}: must be a text of 1 to {queues.CHARS[field]} printable"):
        queues.enqueue("add", {"a": 1}, **{field: unfit})

    assert nothing_is_written(anywhere)


def test_the_longest_company_and_key_are_kept_whatever_their_alphabet(anywhere: Service) -> None:
    scope, key = "ş" * queues.CHARS["scope"], "ğ" * queues.CHARS["key"]

    task = queues.enqueue("add", {"a": 1}, scope=scope, key=key)

    assert queues.find(task.id).scope == scope
    assert queues.enqueue("add", {"a": 1}, scope=scope, key=key).id == task.id


def test_all_that_is_unfit_is_named_at_once(service: Service) -> None:
    with pytest.raises(InvalidInput) as refused:
        queues.enqueue("add", {"a": 1}, scope="", key="", due_at=datetime.max)

    assert [problem["field"] for problem in refused.value.problems] == ["scope", "key", "due_at"]


@pytest.fixture
def scaled(monkeypatch: pytest.MonkeyPatch) -> None:
    """A kind that takes and gives numbers."""
    monkeypatch.setattr(registry, "_kinds", dict(registry.kinds()))

    @job(queue="sms")
    def scaled(x: float | None = None, zeros: int = 0) -> dict[str, Any]:
        """Give the number, the larger the more zeros."""
        return {"x": x, "scaled": (x or 1.0) * float(f"1e{zeros}")}


@pytest.mark.usefixtures("scaled")
@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_a_parameter_that_is_no_finite_number_is_refused_by_name(service: Service, number: float) -> None:
    with pytest.raises(InvalidInput, match=f"x: JSON can't hold this {number}"):
        queues.enqueue("scaled", {"x": number})

    assert nothing_is_written(service)


@pytest.mark.usefixtures("scaled")
def test_a_result_that_is_no_finite_number_fails_the_job_and_is_named(service: Service) -> None:
    task = queues.enqueue("scaled", {"zeros": 400})

    work_off()

    found = queues.find(task.id)
    assert (found.state, found.attempts) == ("FAILURE", 1)
    assert found.error == {
        "type": "NotSerializable",
        "message": "The job returned inf, which can't be stored. Return what JSON can hold.",
    }
