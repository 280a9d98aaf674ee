"""The evidence of a message names the account at the gateway: only that one can be asked what became of it.

What was sent before names none; of it the provider alone is known.
"""

import sqlalchemy as sa
from alembic import op

revision, down_revision = "0007", "0006"


def upgrade() -> None:
    op.add_column("deliveries", sa.Column("account", sa.String(40), nullable=True))
