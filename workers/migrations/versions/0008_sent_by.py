"""A letter names the items by which it was sent, or may have been: it is a draft again once all of them have failed.

What was sent before names none, and stays sent.
"""

import sqlalchemy as sa
from alembic import op

revision, down_revision = "0008", "0007"


def upgrade() -> None:
    op.add_column("mutabakat", sa.Column("sent_by", sa.JSON(), nullable=True))
