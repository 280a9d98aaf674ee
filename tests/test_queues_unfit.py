"""What SQL or Redis could not keep is refused by name before anything is written, on each database alike."""

from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import func, select

from tests.conftest import Service
from workers.db import reading
from workers.engine import queues
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
