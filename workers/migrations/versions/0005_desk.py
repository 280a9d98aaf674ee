"""Tables of the desk."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

Utc = sa.DateTime(timezone=True)
Serial = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    _sessions()
    _acts()
    _search()
    _told()
    _home()
    op.create_index("ix_mutabakat_as_of", "mutabakat", ["company_id", "as_of"])
    op.execute("ANALYZE tasks")  # a new index without statistics is taken for better than it is
    op.execute("ANALYZE task_items")


def _sessions() -> None:
    op.add_column("users", sa.Column("session_epoch", sa.Integer, nullable=False, server_default="0"))


def _acts() -> None:
    op.create_table(
        "acts",
        sa.Column("id", Serial, nullable=False),
        sa.Column("at", Utc, nullable=False),
        sa.Column("user_id", sa.Integer),
        sa.Column("company_id", sa.Integer),
        sa.Column("what", sa.String(80), nullable=False),
        sa.Column("task_id", sa.String(36)),
        sa.Column("item_id", sa.BigInteger),
        sa.Column("detail", sa.Text),
        sa.PrimaryKeyConstraint("id", name="pk_acts"),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_acts_user_id"),
        sa.ForeignKeyConstraint(["company_id"], ["companies.id"], name="fk_acts_company_id"),
    )
    op.create_index("ix_acts_at", "acts", ["at"])
    op.create_index("ix_acts_task", "acts", ["task_id", "id"])
    op.create_index("ix_acts_company", "acts", ["company_id", "id"])


def _search() -> None:
    op.create_index("ix_task_items_ref", "task_items", ["task_id", "ref"])
    failed = sa.text("error IS NOT NULL")
    op.create_index("ix_task_items_error", "task_items", ["task_id"], sqlite_where=failed, postgresql_where=failed)


def _told() -> None:
    op.add_column("users", sa.Column("notices_seen_at", Utc))
    op.add_column("channels", sa.Column("since", Utc))
    op.create_index("ix_tasks_ended", "tasks", ["scope", "ended_at", "kind"])
    op.create_table(
        "tellings",
        sa.Column("id", Serial, nullable=False),
        sa.Column("company_id", sa.Integer, nullable=False),
        sa.Column("channel", sa.String(5), nullable=False),
        sa.Column("task_id", sa.String(36)),
        sa.Column("task_ended_at", Utc),
        sa.Column("message_id", sa.String(40)),
        sa.Column("body", sa.LargeBinary),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("status_code", sa.Integer),
        sa.Column("answer", sa.Text),
        sa.Column("created_at", Utc, nullable=False),
        sa.Column("due_at", Utc),
        sa.Column("tried_at", Utc),
        sa.Column("handed_to", sa.String(36)),
        sa.PrimaryKeyConstraint("id", name="pk_tellings"),
        sa.ForeignKeyConstraint(["company_id"], ["companies.id"], name="fk_tellings_company_id"),
        sa.UniqueConstraint("task_id", "task_ended_at", "channel", name="uq_tellings_task_id_task_ended_at_channel"),
    )
    op.create_index("ix_tellings_company", "tellings", ["company_id", "id"])
    op.create_index("ix_tellings_ended", "tellings", ["company_id", "channel", "task_ended_at"])
    op.create_index("ix_tellings_tried", "tellings", ["company_id", "channel", "tried_at"])
    op.create_index("ix_tellings_due_at", "tellings", ["due_at"])


def _home() -> None:
    live, ended = sa.text("ended_at IS NULL"), sa.text("ended_at IS NOT NULL")
    columns = ["ended_at", "scope", "state", "queue", "released", "due_at", "created_at"]
    op.create_index("ix_tasks_live", "tasks", columns, sqlite_where=live, postgresql_where=live)
    columns = ["ended_at", "scope", "state", "created_at", "started_at"]
    op.create_index("ix_tasks_pace", "tasks", columns, sqlite_where=ended, postgresql_where=ended)
