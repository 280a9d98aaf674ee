"""Reads of every request, past SQLAlchemy's execution layer: it costs twenty times what such a query does."""

from functools import cache
from typing import Any

from sqlalchemy import Dialect, Select
from sqlalchemy.dialects import sqlite

from workers import db


def rows(query: Select[Any], **params: Any) -> list[tuple[Any, ...]]:
    """The rows as the driver gives them, errors as `db.reading`; for queries made once, of plain numbers and text."""
    engine = db.engine()
    try:
        connection = engine.raw_connection()
        try:
            cursor = connection.cursor()
            cursor.execute(_sql(query, engine.dialect), params)
            return list(cursor.fetchall())
        finally:
            connection.close()
    except engine.dialect.loaded_dbapi.Error:
        with db.reading() as session:  # the slow way knows what each error means
            return [tuple(row) for row in session.connection().execute(query, params)]


@cache
def _sql(query: Select[Any], dialect: Dialect) -> str:
    """The query in the words of this database, its parameters by name."""
    named = sqlite.dialect(paramstyle="named") if dialect.name == "sqlite" else dialect
    return str(query.compile(dialect=named))
