"""Reading records for the jobs: plain dicts, as few queries as possible."""

from typing import Any

from sqlalchemy import select

from workers.db import reading
from workers.models import Account, Mutabakat

CHUNK = 500


def mutabakat(ids: list[int]) -> dict[int, dict[str, Any]]:
    """Mutabakat records by id, those that exist: `{"id", "company_id", "as_of", "reply_by", "variant", "created_at",
    "account_code", "snapshot"}`."""
    wanted = (Mutabakat.id, Mutabakat.company_id, Mutabakat.as_of, Mutabakat.reply_by, Mutabakat.variant)
    found: dict[int, dict[str, Any]] = {}
    with reading() as session:
        for start in range(0, len(ids), CHUNK):
            query = select(*wanted, Mutabakat.created_at, Account.code.label("account_code"), Mutabakat.snapshot)
            query = query.join(Account, Account.id == Mutabakat.account_id)
            rows = session.execute(query.where(Mutabakat.id.in_(ids[start : start + CHUNK]))).mappings()
            found.update({row["id"]: dict(row) for row in rows})
    return found
