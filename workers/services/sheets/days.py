"""Days as sheets write them: 31.12.2025, 31/12/2025, 31 Aralık 2025, 2025-12-31, 20251231, and Excel's serial 46022."""

import re
from datetime import date, timedelta

from workers.services import turkish

EPOCH = date(1899, 12, 30)  # Excel counts a 29 February 1900 that was none; right from March 1900 on
EPOCH_1904 = date(1904, 1, 1)  # as Excel for Mac once counted
FIRST_SERIAL, LAST_SERIAL = 10_000, 80_000  # 1927 to 2119: smaller ones are rather years or row numbers
FIRST_YEAR, LAST_YEAR = 1900, 2199
_TIME = r"(?:[ T]+\d{1,2}:\d{2}(?::\d{2}(?:[.,]\d+)?)?(?: ?(?:Z|[+-]\d{2}:\d{2}))?)?"
_DAY_FIRST = re.compile(r"(\d{1,2})([./-])(\d{1,2})\2(\d{4}|\d{2})\.?" + _TIME, re.ASCII)
_YEAR_FIRST = re.compile(r"(\d{4})([./-])(\d{1,2})\2(\d{1,2})" + _TIME, re.ASCII)
_NAMED = re.compile(r"(\d{1,2})[ .-]+([^\W\d_]+)[ .,-]+(\d{4}|\d{2})")
_COMPACT = re.compile(r"(\d{4})(\d{2})(\d{2})", re.ASCII)
_MONTHS = {turkish.fold(name)[:letters]: n for letters in (3, 9) for n, name in enumerate(turkish.MONTHS, 1)}


def parse(text: str) -> date | None:
    """The day that `text` is, day before month as in Turkey; None if it is none. A year 25 is 2025.

    >>> parse("31.12.2025"), parse("31 Aralık 2025"), parse("12/31/2025")
    (datetime.date(2025, 12, 31), datetime.date(2025, 12, 31), None)
    """
    bare = " ".join(text.split())
    if found := _DAY_FIRST.fullmatch(bare):
        return _day(_year(found[4]), int(found[3]), int(found[1]))
    if found := _YEAR_FIRST.fullmatch(bare):
        return _day(int(found[1]), int(found[3]), int(found[4]))
    if found := _NAMED.fullmatch(bare):
        return _day(_year(found[3]), _MONTHS.get(turkish.fold(found[2]), 0), int(found[1]))
    if found := _COMPACT.fullmatch(bare):
        return _day(int(found[1]), int(found[2]), int(found[3]))
    return serial(int(bare)) if re.fullmatch(r"[0-9]{5}", bare) else None


def serial(number: float, epoch: date = EPOCH) -> date | None:
    """
    >>> serial(46022), serial(2025)
    (datetime.date(2025, 12, 31), None)
    """
    return epoch + timedelta(days=int(number)) if FIRST_SERIAL <= number < LAST_SERIAL else None


def _year(digits: str) -> int:
    return int(digits) + (2000 if len(digits) == 2 else 0)


def _day(year: int, month: int, day: int) -> date | None:
    try:
        return date(year, month, day) if FIRST_YEAR <= year <= LAST_YEAR else None
    except ValueError:
        return None
