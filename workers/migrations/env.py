"""Run by Alembic for each of its commands: which tables there should be, and on which connection to work."""

from typing import Any, Literal

from alembic import context
from alembic.autogenerate.api import AutogenContext
from sqlalchemy import Connection

import workers.engine.tables
import workers.models  # noqa: F401  (its tables stand in the metadata)
from workers import db


def plain(kind: str, item: Any, autogenerate: AutogenContext) -> str | Literal[False]:
    """Write our own types as SQLAlchemy's, so that a revision keeps its meaning when our code moves on."""
    return "sa.DateTime(timezone=True)" if kind == "type" and isinstance(item, db.Utc) else False


connection: Connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=db.metadata,
    render_item=plain,
    render_as_batch=connection.dialect.name == "sqlite",
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
