"""Cron lines: when a schedule comes next. Pure arithmetic: a line, a zone and an instant give an instant.

The line names times on the wall of its zone. A local time that does not exist (the clock is put forward over it) runs
at the next one that does; a local time that comes twice (the clock is put back) runs the first time only.
"""

import re
from collections.abc import Collection, Iterator
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

if TYPE_CHECKING:  # 10 ms that only who has schedules should wait for
    from croniter import croniter

FORM = 'five fields (minute hour day month weekday), or six with seconds first, such as "0 9 * * 1" or "*/5 * * * * *"'
RANDOM = re.compile(r"(?i)(^|,)[hr](\(|/|,|$)")
RANGE = re.compile(r"\b(\w+)-(\w+)(/\d+)?(?=,|\s|$)")
NTH_WEEKDAY = re.compile(r"(?i)#|(^|,)l\w")
ONE_S = timedelta(seconds=1)
CHARS = 200  # what the column holds; SQLite would take more, and PostgreSQL would refuse all schedules for one
ANY = {"*", "?"}
DAYS, WEEKDAYS = 31, 7
LOOKED_AT = datetime(2024, 1, 1)


def fault_of(line: object, zone: object) -> str | None:
    """What is wrong with this line or zone, with the fix; None where nothing is."""
    if not isinstance(line, str) or len(line.split()) not in (5, 6):
        return f"cron {line!r} can't be read; write {FORM}"
    if len(line) > CHARS:
        return f"cron {line[:40]!r}… has {len(line)} characters, and {CHARS} are kept; write ranges and steps: 0-59/2"
    if any(RANDOM.search(field) for field in line.split()):
        return f"cron {line!r} leaves the time to chance (H, R), so no two clocks would agree; name the time"
    if forgotten := _forgotten(line):
        return f"cron {line!r}: croniter would forget {forgotten}; write * there"
    try:
        _first(line)
    except Exception as error:  # croniter has a family of its own, and ValueError and KeyError for some lines
        return f"cron {line!r} never comes or can't be read ({error}); write {FORM}"
    return _fault_of_zone(zone)


def _forgotten(line: str) -> str:
    """What croniter makes nothing of where both kinds of days are named; empty if it minds both."""
    day, _, weekday = line.split()[-3:]
    if {day, weekday} & ANY:
        return ""
    if NTH_WEEKDAY.search(weekday):
        return "the day of the month beside # or L"
    return "the weekday beside W" if "w" in day.lower() else ""


def _fault_of_zone(zone: object) -> str | None:
    try:
        ZoneInfo(zone)  # type: ignore[arg-type]
    except Exception:  # a name, a folder, an absolute path, no text: each has an error of its own
        return f"zone {zone!r} is no IANA time zone; write one such as Europe/Istanbul"
    return None


def following(line: str, zone: str, after: datetime) -> datetime:
    """The first time of this schedule later than the instant `after` (aware); UTC."""
    return next(times(line, zone, after))


def times(line: str, zone: str, after: datetime) -> Iterator[datetime]:
    """The times of this schedule later than `after`, without end, each later than the one before; UTC."""
    place, last = ZoneInfo(zone), after.astimezone(UTC)
    wall = last.astimezone(place).replace(tzinfo=None)
    hands = _hands(line, wall)
    while True:
        instant = _instant(hands.get_next(datetime), place)
        if instant > last:
            last = instant
            yield instant


def _hands(line: str, wall: datetime) -> "croniter":
    """croniter on a wall without zones: what zones do to local times is ours to decide."""
    from croniter import croniter

    return croniter(_plain(line), wall, second_at_beginning=True)


@lru_cache(maxsize=1024)
def _plain(line: str) -> str:
    """The line without what croniter misreads: a range of one, and a list of all days beside days of the other kind.
    Where both kinds are named a day needs to be in one of them, so that is every day; croniter now forgets the one
    list, now the other."""
    from croniter import croniter

    fields = RANGE.sub(_one_of_a_range, line).split()
    found, _ = croniter.expand(" ".join(fields), second_at_beginning=True)
    if not {fields[-3], fields[-1]} & ANY and (_are_all(found[2], DAYS) or _are_all(found[4], WEEKDAYS)):
        fields[-3] = fields[-1] = "*"
    return " ".join(fields)


def _one_of_a_range(span: re.Match[str]) -> str:
    """croniter reads 5-5, and 1-MON, as every number there is."""
    from croniter import croniter

    known = {name: number for names in croniter.ALPHACONV for name, number in names.items()}
    first, last = (known.get(end.lower(), end.lstrip("0") or 0) for end in span.groups()[:2])
    return span[1] if str(first) == str(last) else span[0]


def _are_all(found: Collection[int | str], count: int) -> bool:
    return "*" in found or len({*found} - {"l"}) == count


@lru_cache(maxsize=1024)
def _first(line: str) -> datetime:
    return _hands(line, LOOKED_AT).get_next(datetime)


def _instant(wall: datetime, zone: ZoneInfo) -> datetime:
    """When the clocks of `zone` show `wall` for the first time, or jump over it."""
    instant = wall.replace(tzinfo=zone).astimezone(UTC)
    if instant.astimezone(zone).replace(tzinfo=None) == wall:
        return instant
    before, after = wall.replace(tzinfo=zone, fold=1).astimezone(UTC), instant
    offset = after.astimezone(zone).utcoffset()
    while after - before > ONE_S:  # the jump lies between: halve until it is found
        middle = before + (after - before) // 2
        middle = middle.replace(microsecond=0)
        if middle.astimezone(zone).utcoffset() == offset:
            after = middle
        else:
            before = middle
    return after
