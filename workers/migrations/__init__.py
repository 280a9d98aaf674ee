"""The database's changes in order, each a file in versions/; `flask db upgrade` runs those that are missing.
env.py is Alembic's way in."""

from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, inspect, text
from sqlalchemy.exc import DBAPIError

from workers import db, settings
from workers.errors import Conflict

if TYPE_CHECKING:  # importing alembic takes 0.5 s, and most commands find nothing to do
    from alembic.config import Config

HERE = Path(__file__).parent
ADVISORY_LOCK = 0x51BA  # any number of our own, the same in every release
THINKS_FOR = "10min"  # the longest between two statements: revisions are loaded and compared in here


def upgrade() -> bool:
    """Bring the database to this release; tells whether there was anything to do. Any number may call it at once:
    the second waits (SQLite: the write lock, PostgreSQL: an advisory lock) and then finds nothing to do.

    All missing revisions are one transaction: a failure leaves the database as it was.
    Raises Conflict where a revision fails or a later release has been here, DatabaseDown.
    """
    if current():
        return False
    with db.writing() as session:
        connection = session.connection()
        _take_time(connection)
        if connection.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": ADVISORY_LOCK})
        else:
            _suspend_foreign_keys(connection)
        if _revision(connection) == head():
            return False
        _run(connection)
    return True


def ready() -> None:
    """For commands: an embedded SQLite gets its tables at first use, a database server only by `flask db upgrade`:
    until then this raises Conflict."""
    if current():
        return
    if settings.current().database_url:
        raise Conflict(reason="the database lacks tables of this release; run `flask db upgrade` first")
    upgrade()


def current() -> bool:
    """Does the database stand where this release wants it? Raises Conflict where it stands further."""
    with db.reading() as session:
        found = _revision(session.connection())
    if found > head():
        reason = f"the database is at revision {found}, this release knows {head()}; install the later release again"
        raise Conflict(reason=reason)
    return found == head()


def head() -> str:
    """The latest revision of this release, such as `0001`: revisions are numbered, and a file's name begins with it."""
    return max(path.name.partition("_")[0] for path in (HERE / "versions").glob("[0-9]*.py"))


def revise(message: str) -> Path:
    """Draft the next revision from what the tables in code have and the (upgraded) database lacks; gives the file."""
    from alembic import command

    with db.reading() as session:
        number = f"{int(head()) + 1:04d}"
        _take_time(session.connection())
        made = command.revision(config(session.connection()), message, autogenerate=True, rev_id=number)
    return Path(made.path)  # type: ignore[union-attr]  # one head, one script


def config(connection: Connection) -> "Config":
    """Alembic's configuration, without an alembic.ini, for work on this connection."""
    from alembic.config import Config

    made = Config(attributes={"connection": connection})
    made.set_main_option("script_location", str(HERE).replace("%", "%%"))
    return made


def _take_time(connection: Connection) -> None:
    """PostgreSQL would take this transaction for that of a frozen process (see db.py) where the machine is slow."""
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(f"SET LOCAL idle_in_transaction_session_timeout = '{THINKS_FOR}'")


def _revision(connection: Connection) -> str:
    if not inspect(connection).has_table("alembic_version"):
        return ""
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar() or ""


def _suspend_foreign_keys(connection: Connection) -> None:
    """SQLite changes a table by making it anew, which its foreign keys forbid, and they heed nothing inside a
    transaction: so it begins again, under the same write lock. The connection is closed afterwards, not used again."""
    connection.detach()
    for statement in ("ROLLBACK", "PRAGMA foreign_keys=OFF", "BEGIN IMMEDIATE"):
        connection.exec_driver_sql(statement)


def _run(connection: Connection) -> None:
    from alembic import command

    try:
        command.upgrade(config(connection), "head")
    except DBAPIError as error:
        if error.connection_invalidated:
            raise
        raise Conflict(reason=f"the upgrade failed and changed nothing: {error.orig}") from error
    if connection.dialect.name == "sqlite" and connection.exec_driver_sql("PRAGMA foreign_key_check").first():
        raise Conflict(reason="the upgrade would have left records without their parent, so it changed nothing")
