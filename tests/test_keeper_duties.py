"""The keeper's duties for the whole service: done by one, who neither keeps what it can't do nor forgets the others.
(Leases, deaths and limits: test_rescue.py.)"""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.conftest import Service
from tests.hands import claim, row_of
from workers import settings
from workers.engine import enqueue
from workers.engine.keeper import Keeper

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
