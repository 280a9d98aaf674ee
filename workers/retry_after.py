"""Retry-After as others write it (RFC 9110, 10.2.3): a number of seconds, or a date."""

import re
from datetime import UTC
from email.utils import parsedate_to_datetime
from time import time


def seconds(written: str) -> float:
    """How long that is from now, below 0 for a date that has passed. Raises ValueError for what says no time."""
    written = written.strip()
    if re.fullmatch(r"\d+(\.\d+)?", written, re.ASCII):
        return float(written)
    when = parsedate_to_datetime(written)
    return when.replace(tzinfo=when.tzinfo or UTC).timestamp() - time()
