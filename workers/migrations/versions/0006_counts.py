"""Progress counts bytes, too: of a file of 3 GB these were more than the columns held.

SQLite's integers hold them as they are.
"""

import sqlalchemy as sa
from alembic import op

revision, down_revision = "0006", "0005"


def upgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.alter_column("tasks", "current", type_=sa.BigInteger)
        op.alter_column("tasks", "total", type_=sa.BigInteger)
