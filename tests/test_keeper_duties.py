"""The keeper's duties for the whole service: done by one, who neither keeps what it can't do nor forgets the others.
(Leases, deaths and limits: test_rescue.py.)"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from threading import Thread

import pytest

from tests.conftest import Service, wait_until
from tests.hands import claim, row_of
from workers import settings
from workers.db import now
from workers.engine import enqueue, events, keeper, queues
from workers.engine.keeper import Keeper, Periods

NO_DATABASE = "postgresql://sira@127.0.0.1:1/nowhere"


@pytest.fixture
def pipe() -> Iterator[int]:
    """Where the fleet would write to the keeper."""
    read, write = os.pipe()
    yield read
    os.close(read)
    os.close(write)


@contextmanager
def no_database(service: Service) -> Iterator[None]:
    """The route to the database is cut; that to Redis is not."""
    settings.use(service.settings.model_copy(update={"database_url": NO_DATABASE}))
    try:
        yield
    finally:
        settings.use(service.settings)


@contextmanager
def working(keeper: Keeper) -> Iterator[None]:
    """The keeper does what may wait for SQL, beside the test."""
    slow = Thread(target=keeper._work_slowly, daemon=True)
    slow.start()
    try:
        yield
    finally:
        keeper._stop = True
        slow.join(10)


@pytest.mark.parametrize(("duty", "holder"), [("_record", "recorder"), ("_reconcile", "reconciler")])
def test_a_keeper_that_cannot_reach_its_database_leaves_its_duties_to_one_that_can(
    service: Service, pipe: int, duty: str, holder: str
) -> None:
    cut_off, healthy = Keeper(pipe), Keeper(pipe)
    task = enqueue("add", {"a": 1})
    claim("sms")

    with no_database(service):
        cut_off._round([(getattr(cut_off, duty), 0.0)])
    healthy._round([(healthy._record, 0.0), (healthy._reconcile, 0.0)])

    assert service.redis.get(f"sira:duty:{holder}") == healthy.me.encode()
    assert row_of(task.id)["state"] == "STARTED"


def test_a_backlog_without_an_end_keeps_no_other_duty_waiting(
    service: Service, pipe: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "record", lambda: events.BATCH)
    due = enqueue("nothing", due_at=now() + timedelta(seconds=1))

    with working(Keeper(pipe)):
        wait_until(lambda: service.redis.lrange("rq:queue:maintenance", 0, -1) == [due.id.encode()])


def test_a_recorder_that_is_behind_goes_on_without_a_pause(
    service: Service, pipe: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keeper, "RECORD_FOR_S", 0.0)
    for _ in range(3 * events.BATCH + 1):
        last = service.redis.xadd(events.STREAM, {"c1": f"{queues.new_id()}\tSTARTED\t\tsms\t1\tw"})

    with working(Keeper(pipe, Periods(record_s=3_600.0))):
        wait_until(lambda: service.redis.get(events.RECORDED) == last)
