"""The database: one engine per process, short transactions, one writer at a time on SQLite."""

import fcntl
import os
import re
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from threading import Thread
from typing import Any

import orjson
from sqlalchemy import DateTime, Dialect, Engine, MetaData, create_engine, event
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DatabaseError, DBAPIError, InterfaceError, OperationalError
from sqlalchemy.orm import DeclarativeBase, Session
from sqlalchemy.pool import ConnectionPoolEntry
from sqlalchemy.types import TypeDecorator

from workers import settings
from workers.errors import BadSettings, DatabaseDown, TablesMissing

NAMES = {
    "ix": "ix_%(column_0_N_label)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s",
    "pk": "pk_%(table_name)s",
}
metadata = MetaData(naming_convention=NAMES)
NO_TABLE = re.compile(r"no such (table|column)|(relation|column) .* does not exist")
QUIET: dict[str, Any] = {"hide_parameters": True}  # errors name the statement, never what people posted
QUIET |= {"json_serializer": lambda value: orjson.dumps(value).decode(), "json_deserializer": orjson.loads}
FROZEN_FOR_S = 8
AT_LEAST_LOCAL = (
    "SELECT set_config('synchronous_commit', 'local', false) WHERE current_setting('synchronous_commit') = 'off'"
)
TAKES_NO_WRITES = "25006"  # of PostgreSQL: its host lets it only read, for the disk is full or another leads
# A route that has gone silent tells nobody, and who waits for its answer waits for ever. So the kernel asks after 5 s
# of silence whether the other end lives, and gives up what is not acknowledged within 10 s. A query may take any time.
GIVES_UP = {"connect_timeout": 5, "keepalives_idle": 5, "keepalives_interval": 2, "keepalives_count": 3}
GIVES_UP |= {"tcp_user_timeout": 10_000}
_engines: dict[tuple[settings.Settings, int], Engine] = {}
_somebody_waits = False


class Base(DeclarativeBase):
    """Parent of the models."""

    metadata = metadata


class Utc(TypeDecorator[datetime]):
    """An instant: aware and UTC in Python, whatever the database keeps."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Any) -> datetime | None:
        return value.astimezone(UTC) if value is not None else None

    def process_result_value(self, value: datetime | None, dialect: Any) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def now() -> datetime:
    return datetime.now(UTC)


def storable(text: str) -> str:
    """The text without what no database and no JSON can hold: NUL and lone surrogates (from cells, from file names)."""
    return text.replace("\0", "").encode(errors="replace").decode()


@contextmanager
def reading() -> Iterator[Session]:
    """A session that only reads."""
    with _translated(), Session(engine(), expire_on_commit=False) as session:
        yield session


@contextmanager
def writing() -> Iterator[Session]:
    """One write transaction: commits at the end, rolls back on any error. Keep it under 50 ms, without network."""
    bound = engine()
    with _translated(), _turn(bound), Session(bound, expire_on_commit=False) as session:
        session.connection(execution_options={"sira_writes": True})
        yield session
        session.commit()


def insert(dialect: str, table: Any) -> Any:
    """An INSERT of the kind of that database, which knows what to do about a conflict."""
    return (sqlite if dialect == "sqlite" else postgresql).insert(table)


def many(session: Session, query: Any, rows: Sequence[Mapping[str, Any]]) -> int:
    """Run the query for each row; how many rows of the database it met. Every row has the same names, all that the
    query needs: defaults are not filled in. SQLAlchemy's own way costs twice what the database does."""
    if not rows:
        return 0
    connection = session.connection()
    sql, names, finish = _prepared(query, tuple(rows[0]), connection.dialect)
    columns = [_finished([row[name] for row in rows], process) for name, process in zip(names, finish, strict=True)]
    ready: Any = list(zip(*columns, strict=True))
    if not connection.dialect.positional:
        ready = [dict(zip(names, row, strict=True)) for row in ready]
    return connection.exec_driver_sql(sql, ready).rowcount


def _finished(values: list[Any], process: Any) -> list[Any]:
    """The values of one column as the driver takes them; what is one and the same object is worked out once."""
    if process is None:
        return values
    known = {id(value): value for value in values}
    done = {key: process(value) for key, value in known.items()}
    return [done[id(value)] for value in values]


@lru_cache(maxsize=64)
def _prepared(query: Any, given: tuple[str, ...], dialect: Dialect) -> tuple[str, list[str], list[Any]]:
    """The query in the words of this database, the order of its parameters, and what each value goes through."""
    compiled = query.compile(dialect=dialect, column_keys=list(given))
    names = list(compiled.positiontup or compiled.binds)
    types = (compiled.binds[name].type for name in names)
    return str(compiled), names, [kind.dialect_impl(dialect).bind_processor(dialect) for kind in types]


def engine() -> Engine:
    """The engine of this process; a forked child gets its own, because sockets must not cross a fork."""
    key = (settings.current(), os.getpid())
    if key not in _engines:
        _engines[key] = _open(key[0].database)
    return _engines[key]


def somebody_waits() -> None:
    """From here on this process serves people: whose request meets a PostgreSQL that stands still is told so, by
    DatabaseDown after some seconds. A job waits for it: what it has begun there may still be done."""
    global _somebody_waits
    _somebody_waits = True


def close() -> None:
    """Give all connections back: before a change of settings, and after an interrupt that left one half-way."""
    for (_, pid), bound in _engines.items():
        bound.dispose(close=pid == os.getpid())
    _engines.clear()


def _open(url: str) -> Engine:
    if url.startswith("sqlite"):
        made = create_engine(url, connect_args={"timeout": 5, "check_same_thread": False}, pool_size=40, **QUIET)
        with suppress(OSError):  # it is there already, or SQLite will say that it can't open the file
            path = Path(str(made.url.database))
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            path.touch(mode=0o600, exist_ok=False)  # SQLite would let everybody read; what it puts beside is as this
        event.listen(made, "connect", _prepare_sqlite)
        event.listen(made, "begin", _begin_sqlite)
        return made
    options: dict[str, Any] = {"pool_pre_ping": True, "pool_size": 10, "max_overflow": 30, **QUIET}
    made = create_engine(url, connect_args=GIVES_UP, **options)
    _refuse_unknown_options(made.url.query)
    event.listen(made, "do_connect", _watched)
    event.listen(made, "connect", _prepare_postgresql)
    return made


def _watched(_: Dialect, __: ConnectionPoolEntry, args: Sequence[Any], options: dict[str, Any]) -> Any:
    """None leaves it to SQLAlchemy to connect."""
    if not _somebody_waits:
        return None
    from workers.silence import Watched

    return Watched.connect(*args, **options)


def _refuse_unknown_options(query: Mapping[str, Any]) -> None:
    from psycopg import ProgrammingError, conninfo

    try:
        conninfo.make_conninfo(**query)
    except ProgrammingError as error:
        said = str(error).strip()
        raise BadSettings(reason=f"DATABASE_URL can't be used: {said}") from error


def _prepare_sqlite(connection: Any, _: ConnectionPoolEntry) -> None:
    connection.isolation_level = None
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}")


def _prepare_postgresql(connection: Any, _: ConnectionPoolEntry) -> None:
    """A process that is frozen inside a transaction must not keep its locks for longer than a clock may be away. What
    is committed must outlive a crash, as in SQLite: what was declared and then forgotten would be sent twice."""
    connection.autocommit = True
    connection.execute(f"SET idle_in_transaction_session_timeout = '{FROZEN_FOR_S}s'")
    connection.execute(AT_LEAST_LOCAL)
    connection.autocommit = False


def _begin_sqlite(connection: Any) -> None:
    if connection.get_execution_options().get("sira_writes"):
        connection.exec_driver_sql("BEGIN IMMEDIATE")
    else:
        connection.connection.execute("BEGIN")  # the driver's own: this can't fail, and each request reads twice


@contextmanager
def _turn(bound: Engine) -> Iterator[None]:
    """SQLite alone starves its writers for seconds; waiting in the kernel for one file lock is fair.

    That wait has no end of its own, so a thread does it where there is one: whoever is frozen in a transaction of its
    own must not hold up for as long what else this process does. Closing the file gives back what comes too late.
    """
    if bound.dialect.name != "sqlite":
        yield
        return
    handle = os.open(f"{bound.url.database}.lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        if not _is_ours(handle):
            waiter = Thread(target=fcntl.flock, args=(handle, fcntl.LOCK_EX), daemon=True)
            waiter.start()
            waiter.join(FROZEN_FOR_S)
            if not _is_ours(handle):
                raise DatabaseDown()
        yield
    finally:
        os.close(handle)


def _is_ours(handle: int) -> bool:
    """Whether the lock is, from now on at the latest: who has it may take it once more."""
    with suppress(BlockingIOError):
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    return False


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except DBAPIError as error:
        if NO_TABLE.search(str(error.orig)):
            raise TablesMissing() from error
        if getattr(error.orig, "sqlite_errorcode", None) == sqlite3.SQLITE_ERROR:
            raise  # SQLite's word for wrong SQL, which no waiting mends; other databases have a class for it
        unusable = type(error) is DatabaseError  # SQLite's word for a file that is damaged or no database at all
        unusable = unusable or getattr(error.orig, "sqlstate", None) == TAKES_NO_WRITES
        if unusable or isinstance(error, OperationalError | InterfaceError) or error.connection_invalidated:
            raise DatabaseDown() from error
        raise
    except OSError as error:
        if error.filename and str(error.filename).endswith(".lock"):
            raise DatabaseDown() from error
        raise
