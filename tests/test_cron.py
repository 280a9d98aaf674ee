"""Cron lines against a second implementation, which looks at every minute (or second) there is."""

from datetime import UTC, datetime, timedelta
from itertools import takewhile
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from workers.engine import cron, job, registry
from workers.errors import BadSettings

RANGES = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 7))
PUT_FORWARD_OR_BACK = [
    ("Europe/Berlin", datetime(2026, 3, 29, 1)),
    ("Europe/Berlin", datetime(2026, 10, 25, 1)),
    ("America/New_York", datetime(2027, 3, 14, 7)),
    ("America/New_York", datetime(2027, 11, 7, 6)),
    ("Australia/Lord_Howe", datetime(2026, 10, 3, 15, 30)),  # half an hour
    ("Australia/Lord_Howe", datetime(2027, 4, 3, 15)),
    ("America/Havana", datetime(2026, 3, 8, 5)),  # at midnight: a day that begins at 01:00
    ("America/Havana", datetime(2026, 11, 1, 5)),
    ("Africa/Cairo", datetime(2026, 4, 23, 22)),
    ("Africa/Cairo", datetime(2026, 10, 29, 21)),
    ("Pacific/Apia", datetime(2011, 12, 30, 10)),  # a whole day was left out
    ("Asia/Pyongyang", datetime(2018, 5, 4, 15)),  # half an hour, for ever
    ("America/St_Johns", datetime(2011, 3, 13, 3, 31)),  # at one minute past midnight
    ("Europe/Istanbul", datetime(2015, 11, 8, 1)),
    ("Europe/Istanbul", datetime(2016, 9, 6, 21)),  # the summer time that stayed
    ("Europe/Istanbul", datetime(2026, 3, 29, 1)),  # nothing happens
    ("Asia/Kathmandu", datetime(2026, 1, 1)),
    ("UTC", datetime(2028, 2, 29)),
]


def parts(low: int, high: int) -> st.SearchStrategy[str]:
    number = st.integers(low, high)
    pair = st.tuples(number, number).map(sorted)
    step = st.integers(1, high)
    return st.one_of(
        number.map(str),
        pair.map(lambda ends: f"{ends[0]}-{ends[1]}"),
        st.tuples(pair, step).map(lambda both: f"{both[0][0]}-{both[0][1]}/{both[1]}"),
        step.map(lambda every: f"*/{every}"),
    )


def field(low: int, high: int) -> st.SearchStrategy[str]:
    return st.one_of(st.just("*"), st.just("*"), st.lists(parts(low, high), min_size=1, max_size=3).map(",".join))


lines = st.tuples(*(field(*ends) for ends in RANGES)).map(" ".join)
seconds = field(0, 59)
moments = st.sampled_from(PUT_FORWARD_OR_BACK)
hours = st.integers(-30, 6)


def numbers(text: str, low: int, high: int) -> set[int]:
    found: set[int] = set()
    for part in text.split(","):
        span, _, step = part.partition("/")
        first, _, last = (f"{low}-{high}" if span == "*" else span).partition("-")
        found |= set(range(int(first), int(last or first) + 1, int(step or 1)))
    return found


class Slow:
    """A cron line as sets of numbers; the days are those of the month or those of the week if both are given."""

    def __init__(self, line: str) -> None:
        second, *rest = line.split() if len(line.split()) == 6 else ["0", *line.split()]
        self.second = numbers(second, 0, 59)
        self.minute, self.hour, self.day, self.month, self.weekday = map(numbers, rest, *zip(*RANGES, strict=True))
        self.weekday = {number % 7 for number in self.weekday}
        self.either = rest[2] != "*" and rest[4] != "*"

    def comes_at(self, wall: datetime) -> bool:
        days = (wall.day in self.day, wall.isoweekday() % 7 in self.weekday)
        on_day = any(days) if self.either else all(days)
        clock = wall.hour in self.hour and wall.minute in self.minute and wall.second in self.second
        return clock and on_day and wall.month in self.month

    def times(self, zone: ZoneInfo, after: datetime, until: datetime, step: timedelta) -> list[datetime]:
        found, instant, before = [], after, after.astimezone(zone).replace(tzinfo=None)
        while (instant := instant + step) <= until:
            local = instant.astimezone(zone)
            wall, left_out = local.replace(tzinfo=None), before + step
            comes = local.fold == 0 and self.comes_at(wall)
            while not comes and left_out < wall:
                comes, left_out = self.comes_at(left_out), left_out + step
            found += [instant] if comes else []
            before = wall
        return found


def assert_both_agree(line: str, zone: str, after: datetime, span: timedelta, step: timedelta) -> None:
    never = cron.fault_of(line, zone)
    assert never is None or "failed to find" in never, "only a day that never comes has no times"
    found = [] if never else list(takewhile(lambda slot: slot <= after + span, cron.times(line, zone, after)))
    assert found == Slow(line).times(ZoneInfo(zone), after, after + span, step)


@settings(max_examples=100, deadline=None)
@given(line=lines, moment=moments, start=hours)
@example(line="30 2 * * *", moment=("Europe/Berlin", datetime(2026, 3, 29, 1)), start=-20)
@example(line="30 2 * * *", moment=("Europe/Berlin", datetime(2026, 10, 25, 1)), start=-20)
@example(line="*/15 * * * *", moment=("Europe/Berlin", datetime(2026, 10, 25, 1)), start=0)
@example(line="0 12 30 12 *", moment=("Pacific/Apia", datetime(2011, 12, 30, 10)), start=-20)
@example(line="0 0 * * *", moment=("America/Havana", datetime(2026, 3, 8, 5)), start=-20)
@example(line="0 9 5-5 * 1-1/3", moment=("UTC", datetime(2028, 2, 29)), start=0)
@example(line="0 9 13 * 0-6", moment=("UTC", datetime(2028, 2, 29)), start=0)
@example(line="* * */2 * 0-6", moment=("Europe/Berlin", datetime(2026, 3, 29, 1)), start=0)
@example(line="0 9 1-31 * 5", moment=("UTC", datetime(2028, 2, 29)), start=0)
@example(line="0 9 */1 * */1", moment=("UTC", datetime(2028, 2, 29)), start=0)
@example(line="0 0 13 * 5", moment=("UTC", datetime(2028, 2, 29)), start=0)
@example(line="0 9 1,* * 1", moment=("UTC", datetime(2028, 2, 29)), start=0)
@example(line="0 9 1 * */3,*", moment=("UTC", datetime(2028, 2, 29)), start=0)
def test_every_line_comes_when_the_slow_implementation_says(line: str, moment: Any, start: int) -> None:
    zone, at = moment

    assert_both_agree(
        line, zone, at.replace(tzinfo=UTC) + timedelta(hours=start), timedelta(days=2), timedelta(minutes=1)
    )


@settings(max_examples=25, deadline=None)
@given(second=seconds, moment=moments, minutes=st.integers(-50, 10))
def test_lines_with_seconds_agree_too(second: str, moment: Any, minutes: int) -> None:
    zone, at = moment
    after = at.replace(tzinfo=UTC) + timedelta(minutes=minutes, seconds=17)

    assert_both_agree(f"{second} * * * * *", zone, after, timedelta(hours=2), timedelta(seconds=1))


@settings(max_examples=100, deadline=None)
@given(line=lines, moment=moments, start=hours)
def test_the_next_time_does_not_depend_on_when_one_asks(line: str, moment: Any, start: int) -> None:
    zone, at = moment
    after = at.replace(tzinfo=UTC) + timedelta(hours=start)
    if cron.fault_of(line, zone):
        return

    first = cron.following(line, zone, after)

    assert after < first
    assert cron.following(line, zone, first - timedelta(microseconds=1)) == first
    assert cron.following(line, zone, after + (first - after) / 2) == first


WALL_CLOCK = [
    ("30 2 * * *", "Europe/Berlin", "2026-03-28T12:00Z", ["2026-03-29T03:00+02:00", "2026-03-30T02:30+02:00"]),
    ("30 2 * * *", "Europe/Berlin", "2026-10-24T12:00Z", ["2026-10-25T02:30+02:00", "2026-10-26T02:30+01:00"]),
    ("0 0 * * *", "Europe/Istanbul", "2026-03-28T12:00Z", ["2026-03-29T00:00+03:00", "2026-03-30T00:00+03:00"]),
    ("0 9 * * 1", "Europe/Istanbul", "2026-11-23T05:59Z", ["2026-11-23T09:00+03:00", "2026-11-30T09:00+03:00"]),
    ("*/5 * * * * *", "UTC", "2026-11-23T05:59:57Z", ["2026-11-23T06:00:00Z", "2026-11-23T06:00:05Z"]),
    ("0 0 29 2 *", "UTC", "2026-01-01T00:00Z", ["2028-02-29T00:00Z", "2032-02-29T00:00Z"]),
    ("0 0 * * 7", "UTC", "2026-11-23T00:00Z", ["2026-11-29T00:00Z", "2026-12-06T00:00Z"]),
    ("0 9 * * FRI#1", "UTC", "2026-11-23T00:00Z", ["2026-12-04T09:00Z", "2027-01-01T09:00Z"]),
    ("0 0 9 * 12 FRI#1", "UTC", "2026-11-23T00:00Z", ["2026-12-04T09:00Z", "2027-12-03T09:00Z"]),
    ("0 9 * * L5", "UTC", "2026-11-23T00:00Z", ["2026-11-27T09:00Z", "2026-12-25T09:00Z"]),
    ("0 9 15 * 1-MON", "UTC", "2026-12-08T00:00Z", ["2026-12-14T09:00Z", "2026-12-15T09:00Z"]),
    ("5-05 9 * * *", "UTC", "2026-11-23T00:00Z", ["2026-11-23T09:05Z", "2026-11-24T09:05Z"]),
    ("0 9 L,1-31 * 5", "UTC", "2026-11-23T00:00Z", ["2026-11-23T09:00Z", "2026-11-24T09:00Z"]),
    ("0 0 L * *", "UTC", "2026-11-23T00:00Z", ["2026-11-30T00:00Z", "2026-12-31T00:00Z"]),
]


@pytest.mark.parametrize(("line", "zone", "after", "expected"), WALL_CLOCK)
def test_a_line_names_times_on_the_wall_of_its_zone(line: str, zone: str, after: str, expected: list[str]) -> None:
    slots = cron.times(line, zone, datetime.fromisoformat(after))

    assert [next(slots) for _ in expected] == [datetime.fromisoformat(one) for one in expected]


def test_what_looks_for_work_all_day_rests_in_no_hour_of_the_year() -> None:
    twice = datetime(2026, 10, 25, 1, tzinfo=UTC)  # of the two hours from 02:00 in Berlin the second begins
    lines = [(kind.cron, kind.zone or "Europe/Berlin") for kind in registry.kinds().values() if kind.when]

    assert len(lines) >= 3
    assert all(cron.following(str(line), zone, twice) <= twice + timedelta(minutes=5) for line, zone in lines)


FAULTS = [
    ({"cron": "0 25 * * *"}, "cron '0 25 [*] [*] [*]'.*out of range.*five fields"),
    ({"cron": "every day"}, "five fields"),
    ({"cron": "0 0 30 2 *"}, "never comes"),
    ({"cron": "R 0 * * *"}, "chance"),
    ({"cron": "@daily"}, "five fields"),
    ({"cron": "0 9 1 * FRI#1"}, "forget the day of the month.*write [*] there"),
    ({"cron": "0 9 15 * l5"}, "forget the day of the month"),
    ({"cron": "0 0 9 15 * FRI#1"}, "forget the day of the month"),
    ({"cron": "0 9 15W * MON"}, "forget the weekday beside W; write [*] there"),
    ({"cron": "0 0 * * * * 2026"}, "five fields"),
    ({"cron": 5}, "five fields"),
    ({"cron": f"0{',0' * 96} 0 * * *"}, "201 characters, and 200 are kept; write ranges"),
    ({"cron": "0 0 * * *", "zone": "Europe/Ankara"}, "IANA.*Europe/Istanbul"),
    ({"cron": "0 0 * * *", "zone": "/etc/passwd"}, "IANA"),
    ({"cron": "0 0 * * *", "zone": 3}, "IANA"),
    ({"zone": "Europe/Istanbul"}, "declare cron"),
    ({"cron": "0 0 * * *", "overlap": "wait"}, "skip, queue or allow"),
    ({"cron": "0 0 * * *", "missed": "none"}, "one, all or skip"),
    ({"crom": "0 0 * * *"}, "no option 'crom'; do you mean cron"),
    ({"overlaps": "skip"}, "do you mean overlap"),
    ({"daily": True}, "there are retries"),
]


@pytest.mark.parametrize(("options", "told"), FAULTS, ids=str)
def test_a_faulty_schedule_is_refused_where_it_is_declared_with_the_fix(options: dict[str, Any], told: str) -> None:
    def nightly() -> None:
        """Run at night."""

    with pytest.raises(BadSettings, match=told):
        job(queue="maintenance", **options)(nightly)

    assert "nightly" not in registry._kinds


def test_messages_have_no_schedule_of_their_own() -> None:
    def nightly(text: str = "good night") -> None:
        """Say good night."""

    with pytest.raises(BadSettings, match="schedule a job that enqueues it"):
        job(queue="maintenance", cron="0 0 * * *", single=True)(nightly)


def test_a_schedule_needs_a_default_for_every_parameter() -> None:
    def nightly(days: int, dry_run: bool = False) -> None:
        """Run at night."""

    with pytest.raises(BadSettings, match="give days a default"):
        job(queue="maintenance", cron="0 0 * * *")(nightly)
