"""Every table of the first release, spelled out: a revision must mean the same when the code has moved on."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

tables = sa.MetaData(
    naming_convention={
        "ix": "ix_%(column_0_N_label)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)
Utc = sa.DateTime(timezone=True)
Serial = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

sa.Table(
    "companies",
    tables,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("name", sa.String(200), nullable=False),
    sa.Column("vkn", sa.String(10), nullable=False),
    sa.Column("tax_office", sa.String(100)),
    sa.Column("address", sa.Text),
    sa.Column("phone", sa.String(40)),
    sa.Column("email", sa.String(320)),
    sa.Column("legal_text", sa.Text),
    sa.Column("options", sa.JSON, nullable=False),
    sa.Column("created_at", Utc, nullable=False),
)

sa.Table(
    "idempotency_keys",
    tables,
    sa.Column("scope", sa.String(40), primary_key=True),
    sa.Column("key", sa.String(255), primary_key=True),
    sa.Column("request_hash", sa.String(64), nullable=False),
    sa.Column("task_id", sa.String(36), nullable=False),
    sa.Column("created_at", Utc, nullable=False, index=True),
)

sa.Table(
    "task_history",
    tables,
    sa.Column("id", Serial, primary_key=True),
    sa.Column("task_id", sa.String(36), nullable=False, index=True),
    sa.Column("event_id", sa.String(32), nullable=False),
    sa.Column("state", sa.String(10), nullable=False),
    sa.Column("at", Utc, nullable=False, index=True),
    sa.Column("attempt", sa.Integer, nullable=False),
    sa.Column("worker", sa.String(100)),
    sa.Column("message", sa.Text),
    sa.Index("uq_task_history_event", "task_id", "event_id", "state", unique=True),
)

sa.Table(
    "task_items",
    tables,
    sa.Column("id", Serial, primary_key=True),
    sa.Column("task_id", sa.String(36), nullable=False),
    sa.Column("position", sa.Integer, nullable=False),
    sa.Column("state", sa.String(10), nullable=False),
    sa.Column("ref", sa.String(120)),
    sa.Column("value", sa.LargeBinary, nullable=False),
    sa.Column("output", sa.LargeBinary),
    sa.Column("error", sa.Text),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("provider_id", sa.String(200)),
    sa.Column("taken_by", sa.String(80)),
    sa.Column("updated_at", Utc, nullable=False),
    sa.Index("ix_task_items_state", "task_id", "state", "position"),
    sa.Index("uq_task_items_position", "task_id", "position", unique=True),
)

sa.Table(
    "tasks",
    tables,
    sa.Column("id", sa.String(36), primary_key=True),
    sa.Column("kind", sa.String(100), nullable=False),
    sa.Column("queue", sa.String(40), nullable=False),
    sa.Column("scope", sa.String(40)),
    sa.Column("state", sa.String(10), nullable=False),
    sa.Column("released", sa.Boolean, nullable=False),
    sa.Column("params", sa.LargeBinary, nullable=False),
    sa.Column("created_at", Utc, nullable=False),
    sa.Column("due_at", Utc),
    sa.Column("started_at", Utc),
    sa.Column("ended_at", Utc),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("max_attempts", sa.Integer, nullable=False),
    sa.Column("current", sa.Integer, nullable=False),
    sa.Column("total", sa.Integer, nullable=False),
    sa.Column("status", sa.Text),
    sa.Column("result", sa.LargeBinary),
    sa.Column("error_type", sa.String(100)),
    sa.Column("error_message", sa.Text),
    sa.Column("traceback", sa.LargeBinary),
    sa.Column("event_id", sa.String(32), nullable=False),
    sa.Column("item_count", sa.Integer),
    sa.Column("missing_at", Utc),
    sa.Index("ix_tasks_kind", "kind", "id"),
    sa.Index("ix_tasks_queue", "queue", "id"),
    sa.Index("ix_tasks_scope", "scope", "id"),
    sa.Index("ix_tasks_state", "state", "id"),
)

sa.Table(
    "accounts",
    tables,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("company_id", sa.Integer, sa.ForeignKey("companies.id"), nullable=False),
    sa.Column("code", sa.String(60), nullable=False),
    sa.Column("title", sa.String(200), nullable=False),
    sa.Column("vkn", sa.String(10)),
    sa.Column("tckn", sa.String(11)),
    sa.Column("tax_office", sa.String(100)),
    sa.Column("email", sa.String(320)),
    sa.Column("phone", sa.String(40)),
    sa.Column("updated_at", Utc, nullable=False),
    sa.UniqueConstraint("company_id", "code"),
)

sa.Table(
    "files",
    tables,
    sa.Column("id", sa.String(36), primary_key=True),
    sa.Column("company_id", sa.Integer, sa.ForeignKey("companies.id"), index=True),
    sa.Column("task_id", sa.String(36), index=True),
    sa.Column("purpose", sa.String(20), nullable=False),
    sa.Column("filename", sa.String(255), nullable=False),
    sa.Column("content_type", sa.String(100), nullable=False),
    sa.Column("size", sa.Integer, nullable=False),
    sa.Column("sha256", sa.String(64), nullable=False),
    sa.Column("storage_key", sa.String(255), nullable=False),
    sa.Column("created_at", Utc, nullable=False),
)

sa.Table(
    "tokens",
    tables,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("company_id", sa.Integer, sa.ForeignKey("companies.id"), nullable=False, index=True),
    sa.Column("role", sa.String(10), nullable=False),
    sa.Column("digest", sa.String(64), nullable=False, unique=True),
    sa.Column("created_at", Utc, nullable=False),
    sa.Column("expires_at", Utc),
    sa.Column("revoked_at", Utc),
)

sa.Table(
    "users",
    tables,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("company_id", sa.Integer, sa.ForeignKey("companies.id"), index=True),
    sa.Column("email", sa.String(320), nullable=False, unique=True),
    sa.Column("name", sa.String(200)),
    sa.Column("phone", sa.String(40)),
    sa.Column("language", sa.String(2), nullable=False),
    sa.Column("role", sa.String(10), nullable=False),
    sa.Column("password_hash", sa.String(255), nullable=False),
    sa.Column("password_changed_at", Utc, nullable=False),
    sa.Column("created_at", Utc, nullable=False),
    sa.Column("active", sa.Boolean, nullable=False),
)

sa.Table(
    "mutabakat",
    tables,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("company_id", sa.Integer, sa.ForeignKey("companies.id"), nullable=False),
    sa.Column("account_id", sa.Integer, sa.ForeignKey("accounts.id"), nullable=False, index=True),
    sa.Column("as_of", sa.Date, nullable=False),
    sa.Column("reply_by", sa.Date),
    sa.Column("variant", sa.String(12), nullable=False),
    sa.Column("state", sa.String(12), nullable=False),
    sa.Column("snapshot", sa.JSON, nullable=False),
    sa.Column("created_at", Utc, nullable=False),
    sa.Index("ix_mutabakat_company", "company_id", "id"),
)


def upgrade() -> None:
    tables.create_all(op.get_bind(), checkfirst=False)
