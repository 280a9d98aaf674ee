"""Who was written to, as people type it: as the mask that the ledger shows, and as the hash that the evidence keeps."""

import re

from workers import settings
from workers.errors import BadAddress, BadPhone
from workers.messages import digests as hashes
from workers.services import addresses, phones

MASKED = re.compile(r"\+?\d*…\d{4}|\w?\*{3}(@[\w.-]+)?")
LAST_FOUR = re.compile(r"\d{4}")


def names(text: str) -> bool:
    """Whether the text is a recipient and nothing else; four digits may be a year too."""
    return bool(refs(text)) and not LAST_FOUR.fullmatch(text.strip())


def refs(text: str) -> list[str]:
    """How the recipient stands in a ledger; empty if the text is none.

    Four digits are the end of a number, which is all that a ledger shows of it.
    """
    text = text.strip()
    if MASKED.fullmatch(text):
        return [text]
    if whole := _whole(text):
        return [addresses.mask(whole) if "@" in whole else phones.mask(whole)]
    return [phones.mask(f"+905550{text.rjust(6, '0')}"), text] if LAST_FOUR.fullmatch(text) else []


def digests(text: str) -> list[str]:
    """The keyed hashes of a whole number or address, one for each key of SECRET_KEY; empty for anything else."""
    whole = _whole(text.strip())
    return [*hashes(whole), *hashes(whole.lower())] if whole else []  # older ones are of the spelling that was posted


def _whole(text: str) -> str | None:
    try:
        return addresses.check(text) if "@" in text else phones.parse(text, settings.current().countries).e164
    except (BadAddress, BadPhone):
        return None
