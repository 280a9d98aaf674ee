"""From a mutabakat's snapshot, as it is kept, to the letter that is printed."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from workers.services.letters import Letter, Line, Party


def letter(record: Mapping[str, Any], *, zone: str = "Europe/Istanbul") -> Letter:
    """The letter of one record: `{"id", "as_of", "reply_by", "variant", "created_at", "account_code",
    "snapshot"}`.

    Its visible date is the day the record was made, in the zone of the people who read it. Raises InvalidLetter.
    """
    snapshot = record["snapshot"]
    return Letter(
        number=f"MUT-{record['as_of']:%Y}-{record['id']:06d}",
        sender=Party(**snapshot["sender"]),
        receiver=Party(**snapshot["receiver"]),
        account_code=record["account_code"],
        as_of=record["as_of"],
        date=record["created_at"].astimezone(ZoneInfo(zone)).date(),
        lines=tuple(Line(line["currency"], Decimal(line["amount"]), line["side"]) for line in snapshot["lines"]),
        reply_by=record["reply_by"],
        variant=record["variant"],
        legal_text=snapshot.get("legal_text"),
    )
