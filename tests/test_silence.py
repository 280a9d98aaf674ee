"""A PostgreSQL that stands still, and one that takes its time: real servers, real signals."""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from app import create_app
from tests.conftest import SECRET, Service, wait_until
from workers import db, settings
from workers.engine import enqueue, find, wire
from workers.errors import DatabaseDown

PATIENCE_S = 20


@pytest.fixture
def on_postgres(service: Service, postgres_database: str, monkeypatch: pytest.MonkeyPatch) -> Service:
    db.close()
    given = {"redis_url": service.settings.redis_url, "data_dir": service.data_dir, "secret_key": SECRET}
    settings.use(settings.load(database_url=postgres_database, **given))
    service.env["DATABASE_URL"] = postgres_database
    monkeypatch.setattr(db, "_somebody_waits", False, raising=False)
    return service


def ask() -> int:
    with db.reading() as session:
        return int(session.scalar(text("SELECT 1")) or 0)


def server_pids() -> list[int]:
    """The server's first process and all that it has forked."""
    with db.reading() as session:
        backend = session.scalar(text("SELECT pg_backend_pid()"))
    parent = int(Path(f"/proc/{backend}/stat").read_text().rpartition(")")[2].split()[1])
    return [parent, *map(int, Path(f"/proc/{parent}/task/{parent}/children").read_text().split())]


@contextmanager
def standing_still() -> Iterator[None]:
    pids = server_pids()
    try:
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        yield
    finally:
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)


def within(seconds: float, work: Callable[[], object]) -> object:
    """What the work gives; it fails where it takes longer."""

    def too_long(*_: object) -> None:
        raise TimeoutError

    before = signal.signal(signal.SIGALRM, too_long)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        return work()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def test_whose_request_meets_a_server_that_stands_still_is_told_so(on_postgres: Service) -> None:
    app = create_app()
    client = app.test_client()
    assert client.get("/readyz").status_code == 200

    with standing_still():
        answers: Any = [within(PATIENCE_S, lambda: client.get("/readyz")) for _ in range(2)]

    assert [(answer.status_code, "Retry-After" in answer.headers) for answer in answers] == [(503, True)] * 2
    assert wait_until(lambda: client.get("/readyz").status_code == 200)


def test_an_enqueue_meets_it_and_is_told_so(on_postgres: Service) -> None:
    create_app()
    assert ask() == 1

    with standing_still(), pytest.raises(DatabaseDown):
        within(PATIENCE_S, lambda: enqueue("add", {"a": 1}))

    assert wait_until(ask) == 1


def test_a_server_that_takes_its_time_is_waited_for(on_postgres: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workers.silence.SILENT_S", 0.2)
    create_app()

    with db.reading() as session:
        session.execute(text("SELECT pg_sleep(1)"))


def leased_until(service: Service) -> float:
    """When the first lease runs out, in milliseconds; 0 where nobody holds one."""
    found = service.redis.zrange("sira:leases", 0, 0, withscores=True)
    return float(found[0][1]) if found else 0.0


def test_jobs_wait_for_a_server_that_stands_still_and_are_done_once(on_postgres: Service) -> None:
    worker = on_postgres.run_worker(concurrency=2)
    tasks = [enqueue("add", {"a": number}) for number in range(20)]
    bulk = enqueue("write_lines", {"lines": [str(n) for n in range(60)], "path": str(on_postgres.data_dir / "told")})
    wait_until((on_postgres.data_dir / "told").exists)

    with standing_still():
        frozen_at = on_postgres.redis.time()[0] * 1000
        wait_until(lambda: leased_until(on_postgres) > frozen_at + wire.LEASE_MS + 5000, what="leases that are renewed")

    assert bulk.get(timeout=60) == 60
    assert [task.get(timeout=60) for task in tasks] == [{"sum": number + 2} for number in range(20)]
    assert find(bulk.id).attempts == 1
    assert worker.process.poll() is None
