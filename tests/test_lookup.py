"""Reads past SQLAlchemy's execution layer: the same answers, the same error, and every connection given back."""

from pathlib import Path

import pytest
from sqlalchemy import bindparam, column, select, table

from app import lookup
from tests.conftest import Service
from tests.face import new_company
from workers import db, settings
from workers.errors import DatabaseDown, TablesMissing
from workers.models import Company

NAME_OF = select(Company.__table__.c.name).where(Company.__table__.c.id == bindparam("id"))

MISSING = select(column("x")).select_from(table("no_such_table"))


def test_rows_are_found_by_name_on_every_database(anywhere: Service) -> None:
    company_id = new_company("4540536920")

    assert lookup.rows(NAME_OF, id=company_id) == [("Şirket 4540536920",)]
    assert lookup.rows(NAME_OF, id=company_id + 1) == []


def test_what_was_just_committed_is_seen(anywhere: Service) -> None:
    company_id = new_company("4540536920")
    lookup.rows(NAME_OF, id=company_id)
    with db.writing() as session:
        session.get_one(Company, company_id).name = "Yeni Ad"

    assert lookup.rows(NAME_OF, id=company_id) == [("Yeni Ad",)]


def test_connections_go_back_to_the_pool_also_after_an_error(anywhere: Service) -> None:
    for _ in range(60):  # more than the pool holds
        with pytest.raises(TablesMissing):
            lookup.rows(MISSING)
    assert db.engine().pool.checkedout() == 0  # type: ignore[attr-defined]
    with db.writing():  # no read transaction of ours is left open
        pass


@pytest.mark.parametrize("url", ["sqlite:///{folder}", "postgresql://nobody@127.0.0.1:1/none"])
def test_a_database_that_is_gone_is_named(service: Service, tmp_path: Path, url: str) -> None:
    chosen = settings.load(database_url=url.format(folder=tmp_path), secret_key="x" * 40, data_dir=tmp_path)
    settings.use(chosen)
    with pytest.raises(DatabaseDown):
        lookup.rows(NAME_OF, id=1)
