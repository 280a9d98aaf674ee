"""The database: all or nothing, and one error for every way of being down."""

import os
import socket
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st
from sqlalchemy import event, insert, literal, select, text
from sqlalchemy.exc import DBAPIError, IntegrityError

from tests.conftest import SECRET, Service
from tests.hands import at_once
from workers import db, settings
from workers.engine.queues import new_id
from workers.engine.tables import keys
from workers.errors import BadSettings, DatabaseDown

KERNEL = ("TCP_KEEPIDLE", "TCP_KEEPINTVL", "TCP_KEEPCNT", "TCP_USER_TIMEOUT")
ROW: dict[str, Any] = {"scope": "", "key": "k", "request_hash": "0", "task_id": new_id(), "created_at": db.now()}


@pytest.fixture
def chosen() -> Iterator[None]:
    """Room for settings of the test's own."""
    yield
    db.close()
    settings.use(None)


def use(**variables: Any) -> None:
    settings.use(settings.load(secret_key=SECRET, **variables))


def rows() -> int:
    with db.reading() as session:
        return len(session.execute(select(keys)).all())


def test_a_transaction_that_fails_leaves_nothing(anywhere: Service) -> None:
    def stumble() -> None:
        with db.writing() as session:
            session.execute(insert(keys), ROW)
            _ = 1 / 0

    def insert_twice() -> None:
        with db.writing() as session:
            session.execute(insert(keys), {**ROW, "key": "another"})
            session.execute(insert(keys), ROW)
            session.execute(insert(keys), ROW)

    for work, error in ((stumble, ZeroDivisionError), (insert_twice, IntegrityError)):
        with pytest.raises(error):
            work()

    assert rows() == 0
    with db.writing() as session:
        session.execute(insert(keys), ROW)
    assert rows() == 1, "the turn was given back"


def test_readers_are_not_held_up_by_a_writer_and_see_only_what_is_committed(anywhere: Service) -> None:
    with db.writing() as session:
        session.execute(insert(keys), ROW)
        assert rows() == 0

    assert rows() == 1


@pytest.mark.parametrize("place", ["under a file", "a folder", "nobody listens"])
def test_a_database_that_cannot_be_opened_is_down(chosen: None, tmp_path: Path, place: str) -> None:
    (tmp_path / "file").write_text("not a folder")
    urls = {
        "under a file": f"sqlite:///{tmp_path}/file/sira.db",
        "a folder": f"sqlite:///{tmp_path}",
        "nobody listens": "postgresql://sira@127.0.0.1:1/sira",
    }
    use(database_url=urls[place])

    with pytest.raises(DatabaseDown), db.reading() as session:
        session.execute(text("SELECT 1 FROM tasks"))
    with pytest.raises(DatabaseDown), db.writing() as session:
        session.execute(text("SELECT 1"))


def test_a_database_that_can_only_be_read_is_down_for_writers_alone(anywhere: Service) -> None:
    kind = db.engine().dialect.name
    only_reads = {"sqlite": "PRAGMA query_only = ON", "postgresql": "SET default_transaction_read_only = on"}[kind]
    db.close()
    event.listen(db.engine(), "connect", lambda connection, _: (connection.execute(only_reads), connection.commit()))

    with pytest.raises(DatabaseDown), db.writing() as session:
        session.execute(insert(keys), ROW)

    assert rows() == 0


def test_a_lock_file_that_cannot_be_opened_means_down(service: Service) -> None:
    lock = service.data_dir / "sira.db.lock"
    lock.unlink(missing_ok=True)
    lock.mkdir()

    with pytest.raises(DatabaseDown), db.writing():
        pytest.fail("nobody holds the turn")


@pytest.mark.parametrize("anywhere", ["postgresql"], indirect=True)
def test_a_server_that_goes_away_is_down_and_comes_back_by_itself(anywhere: Service) -> None:
    assert rows() == 0
    with pytest.raises(DatabaseDown), db.writing() as session:
        session.execute(text("SELECT pg_terminate_backend(pg_backend_pid())"))

    assert rows() == 0


@pytest.mark.parametrize("anywhere", ["postgresql"], indirect=True)
def test_a_connection_that_goes_silent_is_given_up_by_the_kernel_within_fifteen_seconds(anywhere: Service) -> None:
    with db.reading() as session:
        held = session.connection().connection.driver_connection
        with socket.socket(fileno=os.dup(held.fileno())) as wire:
            told = {name: wire.getsockopt(socket.IPPROTO_TCP, getattr(socket, name)) for name in KERNEL}

    assert told["TCP_KEEPIDLE"] + told["TCP_KEEPINTVL"] * told["TCP_KEEPCNT"] <= 15, "an answer that never comes"
    assert 0 < told["TCP_USER_TIMEOUT"] <= 15_000, "a question that nobody takes"


@pytest.mark.parametrize("anywhere", ["postgresql"], indirect=True)
@pytest.mark.parametrize(("chosen", "held"), [("off", "local"), ("remote_apply", "remote_apply")])
def test_a_commit_is_on_the_disk_also_where_the_server_would_not_wait_for_it(
    anywhere: Service, chosen: str, held: str
) -> None:
    """What was declared before a mail goes out must be known after a crash, or it is mailed again."""
    url = f"{anywhere.settings.database}?options=-csynchronous_commit%3D{chosen}"
    settings.use(anywhere.settings.model_copy(update={"database_url": url}))

    with db.writing() as session:
        assert session.scalar(text("SHOW synchronous_commit")) == held


def test_wrong_sql_is_its_authors_error_and_not_a_database_that_is_away(anywhere: Service) -> None:
    for wrong in ("SELECT no_such_function(1)", "SELEKT 1"):
        with pytest.raises(DBAPIError) as raised, db.reading() as session:
            session.execute(text(wrong))

        assert not isinstance(raised.value, DatabaseDown)


def test_an_error_of_the_work_itself_is_not_called_a_database_error(service: Service) -> None:
    with pytest.raises(FileNotFoundError), db.writing():
        Path("/no/such/file").read_text()


INSTANTS = st.datetimes(datetime(1900, 1, 2), datetime(2100, 1, 1), timezones=st.timezones() | st.just(UTC))


@examples(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50, deadline=None)
@given(instant=INSTANTS)
def test_an_instant_comes_back_as_the_same_instant_in_utc(anywhere: Service, instant: datetime) -> None:
    with db.reading() as session:
        kept = session.scalar(select(literal(instant, db.Utc)))

    assert kept == instant.astimezone(UTC)
    assert kept.tzinfo is UTC


def test_a_naive_time_is_the_time_on_this_machines_clock_as_python_has_it(
    anywhere: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        with db.reading() as session:
            kept = session.scalar(select(literal(datetime(2026, 1, 5, 9, 0), db.Utc)))
    finally:
        monkeypatch.undo()
        time.tzset()

    assert kept == datetime(2026, 1, 5, 0, 0, tzinfo=UTC)


def test_postgresql_ends_the_transaction_of_who_is_frozen_in_it(
    service: Service, postgres_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(db, "FROZEN_FOR_S", 1)
    settings.use(service.settings.model_copy(update={"database_url": postgres_database}))
    lock = text("SELECT pg_advisory_xact_lock(6)")

    def stand_still() -> None:
        with db.writing() as frozen:
            frozen.execute(lock)
            with db.writing() as other:
                other.execute(lock)
            frozen.execute(lock)

    with pytest.raises(DatabaseDown):
        stand_still()


def test_no_time_stays_no_time(service: Service) -> None:
    with db.reading() as session:
        assert session.scalar(select(literal(None, db.Utc))) is None


def test_a_fork_gets_an_engine_of_its_own_and_leaves_its_parents_alone(anywhere: Service) -> None:
    ours = db.engine()
    assert rows() == 0

    def write(_: int) -> tuple[bool, int]:
        with db.writing() as session:
            session.execute(insert(keys), ROW)
        return db.engine() is ours, os.getpid()

    [(shared, pid)] = at_once(1, write)

    assert (shared, pid == os.getpid()) == (False, False)
    assert db.engine() is ours
    assert rows() == 1


def test_equal_settings_are_one_key_of_a_cache_and_other_services_are_another(tmp_path: Path) -> None:
    first, same, other = (settings.Settings(data_dir=tmp_path / name) for name in ("a", "a", "b"))

    assert {first: 1}[same] == 1
    assert other not in {first: 1}
    assert first.model_copy(update={"sms_daily_cap": 5}) not in {first: 1}


def test_an_option_of_the_address_that_nobody_knows_is_named(chosen: None) -> None:
    use(database_url="postgresql://sira:hidden@127.0.0.1:1/sira?sslmode=prefer&foo=1")

    with (
        pytest.raises(BadSettings, match=r'DATABASE_URL can.t be used: invalid connection option "foo"') as refused,
        db.reading(),
    ):
        pass

    assert "hidden" not in str(refused.value)
