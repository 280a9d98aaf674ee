"""Reading records for the jobs: plain dicts, as few queries as possible."""

from typing import Any

from sqlalchemy import bindparam, select

from workers.db import reading
from workers.models import Account, Mutabakat

CHUNK = 500
M, A = Mutabakat.__table__.c, Account.__table__.c
BY_IDS = (  # made once, of tables: building it of models at each call would cost as much as a tenth of a letter
    select(M.id, M.company_id, M.as_of, M.reply_by, M.variant, M.created_at, A.code.label("account_code"), M.snapshot)
    .join_from(Mutabakat.__table__, Account.__table__, A.id == M.account_id)
    .where(M.id.in_(bindparam("ids", expanding=True)))
)


def mutabakat(ids: list[int]) -> dict[int, dict[str, Any]]:
    """Mutabakat records by id, those that exist: `{"id", "company_id", "as_of", "reply_by", "variant", "created_at",
    "account_code", "snapshot"}`."""
    found: dict[int, dict[str, Any]] = {}
    with reading() as session:
        for start in range(0, len(ids), CHUNK):
            rows = session.execute(BY_IDS, {"ids": ids[start : start + CHUNK]}).mappings()
            found.update({row["id"]: dict(row) for row in rows})
    return found
