import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Column, Connection, Integer, Table, create_engine, inspect, select, text
from sqlalchemy.exc import IntegrityError

import workers.engine.tables  # noqa: F401
from tests.postgres import fresh_database, running_postgres
from workers import db, migrations, settings
from workers.errors import Conflict
from workers.models import Company, Token

BEFORE = migrations.head()
LONGER = """
import sqlalchemy as sa
from alembic import op

revision, down_revision = "9998", "{before}"


def upgrade() -> None:
    with op.batch_alter_table("companies") as companies:
        companies.alter_column("name", existing_type=sa.String(200), type_=sa.String(300))
"""
UPGRADE = "from workers import migrations; print(migrations.upgrade())"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with running_postgres(tmp_path_factory.mktemp("postgres")) as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def empty(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[settings.Settings]:
    """The settings of this process, with an empty database."""
    url = "" if request.param == "sqlite" else fresh_database(request.getfixturevalue("server"))
    chosen = settings.load(data_dir=tmp_path / "büro ş", database_url=url, redis_url="", secret_key="k" * 32)
    settings.use(chosen)
    yield chosen
    db.engine().dispose()
    db.close()
    settings.use(None)


def differences() -> list[object]:
    """On a connection of its own: to compare takes longer than a transaction of the service may pause."""
    with create_engine(db.engine().url).connect() as connection:
        return compare_metadata(MigrationContext.configure(connection), db.metadata)


def test_an_empty_database_gets_every_table_of_the_code(empty: settings.Settings) -> None:
    assert not migrations.current()
    assert len(differences()) >= len(db.metadata.tables)

    assert migrations.upgrade() is True

    assert migrations.current()
    assert differences() == []


def test_an_upgraded_database_takes_records_and_keeps_them_over_another_upgrade(empty: settings.Settings) -> None:
    migrations.upgrade()
    with db.writing() as session:
        session.add(Company(name="Iğdır Çağ Şırınga", vkn="4540536920"))

    assert migrations.upgrade() is False

    with db.reading() as session:
        assert [company.name for company in session.query(Company)] == ["Iğdır Çağ Şırınga"]


def test_processes_that_upgrade_at_once_do_it_once(empty: settings.Settings) -> None:
    environment = os.environ | {
        "DATA_DIR": str(empty.data_dir),
        "DATABASE_URL": empty.database_url,
        "SECRET_KEY": empty.secret_key,
        "REDIS_URL": "",
    }
    command = [sys.executable, "-c", UPGRADE]
    started = [subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    told = [process.communicate(timeout=300)[0].strip() for process in started]

    assert [process.returncode for process in started] == [0, 0, 0, 0]
    assert sorted(told) == ["False", "False", "False", "True"]
    assert differences() == []


def test_an_upgrade_is_not_taken_for_a_frozen_process_while_it_loads_its_revisions(
    empty: settings.Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    allowed: list[str] = []

    def look(connection: Connection) -> None:
        ask = "SHOW idle_in_transaction_session_timeout"
        on_server = connection.dialect.name == "postgresql"
        allowed.append(connection.exec_driver_sql(ask).scalar_one() if on_server else migrations.THINKS_FOR)

    monkeypatch.setattr(migrations, "_run", look)
    migrations.upgrade()

    assert allowed == [migrations.THINKS_FOR]


def test_a_database_of_a_later_release_is_refused_with_advice(empty: settings.Settings) -> None:
    migrations.upgrade()
    with db.writing() as session:
        session.execute(text("UPDATE alembic_version SET version_num = '9999'"))

    with pytest.raises(Conflict, match=r"9999.*install the later release"):
        migrations.upgrade()


def test_a_failed_upgrade_leaves_the_database_as_it_was(empty: settings.Settings) -> None:
    with db.writing() as session:
        session.execute(text("CREATE TABLE mutabakat (of_another_program INTEGER)"))

    with pytest.raises(Conflict, match=r"changed nothing: .*mutabakat"):
        migrations.upgrade()

    with db.reading() as session:
        assert inspect(session.connection()).get_table_names() == ["mutabakat"]


def test_the_number_in_the_file_names_is_the_head_that_alembic_finds(empty: settings.Settings) -> None:
    with db.reading() as session:
        script = ScriptDirectory.from_config(migrations.config(session.connection()))

    assert script.get_heads() == [migrations.head()]


def test_a_new_table_is_drafted_as_the_next_revision(
    empty: settings.Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = shutil.copytree(migrations.HERE, tmp_path / "migrations")
    monkeypatch.setattr(migrations, "HERE", copy)
    migrations.upgrade()
    table = Table("novelties", db.metadata, Column("id", Integer, primary_key=True), Column("at", db.Utc, index=True))
    try:
        drafted = migrations.revise("Novelties")

        assert drafted == copy / "versions" / f"{int(BEFORE) + 1:04d}_novelties.py"
        assert "workers" not in drafted.read_text()
        assert migrations.upgrade() is True
        assert differences() == []
    finally:
        db.metadata.remove(table)


def test_a_table_that_others_refer_to_can_be_changed(
    empty: settings.Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = shutil.copytree(migrations.HERE, tmp_path / "migrations")
    monkeypatch.setattr(migrations, "HERE", copy)
    migrations.upgrade()
    with db.writing() as session:
        company = Company(name="Çınar", vkn="4540536920")
        session.add(company)
        session.flush()
        session.add(Token(company_id=company.id, role="member", digest="d"))
    (copy / "versions" / "9998_longer.py").write_text(LONGER.format(before=BEFORE))

    assert migrations.upgrade() is True

    with db.reading() as session:
        assert [token.company_id for token in session.scalars(select(Token))] == [company.id]
    with pytest.raises(IntegrityError), db.writing() as session:
        session.add(Token(company_id=company.id + 1, role="member", digest="e"))


def test_importing_the_migrations_does_not_import_alembic() -> None:
    code = "import sys, workers.migrations; print('alembic' in sys.modules)"

    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert told.stdout.strip() == "False"
