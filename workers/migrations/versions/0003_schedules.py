"""Tables of the schedules."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

Utc = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "schedules",
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("cron", sa.String(200), nullable=False),
        sa.Column("zone", sa.String(64), nullable=False),
        sa.Column("overlap", sa.String(10), nullable=False),
        sa.Column("missed", sa.String(10), nullable=False),
        sa.Column("due_at", Utc, nullable=False),
        sa.Column("paused", sa.Boolean, nullable=False),
        sa.Column("fault", sa.Text),
        sa.PrimaryKeyConstraint("name", name="pk_schedules"),
    )
    op.create_index("ix_schedules_due_at", "schedules", ["due_at"])
    op.create_table(
        "occurrences",
        sa.Column("schedule", sa.String(100), nullable=False),
        sa.Column("due_at", Utc, nullable=False),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("task_id", sa.String(36)),
        sa.Column("enqueued_at", Utc),
        sa.Column("ended_at", Utc),
        sa.Column("lateness_s", sa.Float),
        sa.Column("message", sa.Text),
        sa.PrimaryKeyConstraint("schedule", "due_at", name="pk_occurrences"),
    )
    op.create_index("ix_occurrences_state", "occurrences", ["state", "task_id"])
    op.create_index("ix_occurrences_schedule", "occurrences", ["schedule", "state"])
    op.create_table(
        "cleanups",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("kind", sa.String(100), nullable=False),
        sa.Column("task_id", sa.String(36)),
        sa.Column("at", Utc, nullable=False),
        sa.Column("deleted", sa.JSON, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_cleanups"),
    )
    op.create_index("ix_cleanups_at", "cleanups", ["at"])
    op.add_column("users", sa.Column("password_expired_at", Utc))
    op.add_column("users", sa.Column("password_notice_for", sa.Date))
