"""Tables of the messages."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


Utc = sa.DateTime(timezone=True)
Serial = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    with op.batch_alter_table("task_items") as items:
        items.add_column(sa.Column("request_key", sa.String(40)))
        items.add_column(sa.Column("due_at", Utc))
    _channels()
    _deliveries()
    _suppressions()
    _sandbox()


def _channels() -> None:
    op.create_table(
        "channels",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("company_id", sa.Integer, nullable=False),
        sa.Column("channel", sa.String(5), nullable=False),
        sa.Column("provider", sa.String(20)),
        sa.Column("credentials", sa.LargeBinary),
        sa.Column("paused_reason", sa.Text),
        sa.Column("paused_at", Utc),
        sa.PrimaryKeyConstraint("id", name="pk_channels"),
        sa.ForeignKeyConstraint(["company_id"], ["companies.id"], name="fk_channels_company_id"),
        sa.UniqueConstraint("company_id", "channel", name="uq_channels_company_id_channel"),
    )


def _deliveries() -> None:
    op.create_table(
        "deliveries",
        sa.Column("id", Serial, nullable=False),
        sa.Column("company_id", sa.Integer),
        sa.Column("task_id", sa.String(36)),
        sa.Column("item_id", sa.BigInteger, nullable=False),
        sa.Column("channel", sa.String(5), nullable=False),
        sa.Column("recipient", sa.LargeBinary, nullable=False),
        sa.Column("recipient_hash", sa.String(64), nullable=False),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("provider", sa.String(20), nullable=False),
        sa.Column("provider_id", sa.String(200)),
        sa.Column("request_key", sa.String(40), nullable=False),
        sa.Column("sent_at", Utc, nullable=False),
        sa.Column("delivered_at", Utc),
        sa.Column("report", sa.Text),
        sa.PrimaryKeyConstraint("id", name="pk_deliveries"),
        sa.ForeignKeyConstraint(["company_id"], ["companies.id"], name="fk_deliveries_company_id"),
        sa.UniqueConstraint("request_key", "item_id", name="uq_deliveries_request_key_item_id"),
    )
    op.create_index("ix_deliveries_recipient", "deliveries", ["task_id", "recipient_hash"])
    op.create_index("ix_deliveries_state", "deliveries", ["state", "sent_at"])
    op.create_index("ix_deliveries_company", "deliveries", ["company_id", "channel", "sent_at"])
    op.create_index("ix_deliveries_provider_id", "deliveries", ["provider_id"])
    op.create_index("ix_deliveries_recipient_hash", "deliveries", ["recipient_hash"])


def _suppressions() -> None:
    op.create_table(
        "suppressions",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("company_id", sa.Integer, nullable=False),
        sa.Column("recipient_hash", sa.String(64), nullable=False),
        sa.Column("created_at", Utc, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_suppressions"),
        sa.ForeignKeyConstraint(["company_id"], ["companies.id"], name="fk_suppressions_company_id"),
        sa.UniqueConstraint("company_id", "recipient_hash", name="uq_suppressions_company_id_recipient_hash"),
    )


def _sandbox() -> None:
    op.create_table(
        "sandbox_messages",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("channel", sa.String(4), nullable=False),
        sa.Column("key", sa.String(320), nullable=False),
        sa.Column("ref", sa.String(120)),
        sa.Column("sender", sa.String(320)),
        sa.Column("recipient", sa.String(320), nullable=False),
        sa.Column("subject", sa.Text),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("html", sa.Text),
        sa.Column("attachments", sa.JSON, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_index("ix_sandbox_messages_key", "sandbox_messages", ["key"])
    op.create_index("ix_sandbox_messages_created_at", "sandbox_messages", ["created_at"])
