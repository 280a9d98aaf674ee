"""How far each import of a sheet has come."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.create_table(
        "imports",
        sa.Column("task_id", sa.String(36), primary_key=True),
        sa.Column("execution", sa.String(80), nullable=False),
        sa.Column("reached", sa.Text),
        sa.Column("new", sa.Integer, nullable=False),
        sa.Column("changed", sa.Integer, nullable=False),
        sa.Column("unchanged", sa.Integer, nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
    )
