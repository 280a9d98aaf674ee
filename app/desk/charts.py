"""How it went over the last hour and day: how many tasks ended well and ill, and how long they had waited.

One look at the newest WINDOW ends of the last day in the index `ix_tasks_pace`, counted by the minute; charts are
folded from these minutes, so that no page becomes slower with the history.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Row, Select, Text, cast, func, select
from sqlalchemy.orm import Session

from workers.db import reading
from workers.engine.tables import tasks

WINDOW = 25_000
DAY, HOUR = timedelta(days=1), timedelta(hours=1)
SPANS = {"hour": (HOUR, timedelta(minutes=5)), "day": (DAY, HOUR)}
T = tasks.c


@dataclass
class Bar:
    """One step of a chart. `wait_s`: of the tasks that began, on average, and `longest_s` the longest."""

    start: datetime
    done: int = 0
    failed: int = 0
    waited: int = 0
    waited_s: float = 0.0
    longest_s: float | None = None

    @property
    def wait_s(self) -> float | None:
        return self.waited_s / self.waited if self.waited else None


@dataclass(frozen=True)
class Pace:
    """The charts of a span. `rate`: percent of the ends that were good, None without any."""

    span: str
    bars: list[Bar]

    @property
    def done(self) -> int:
        return sum(bar.done for bar in self.bars)

    @property
    def failed(self) -> int:
        return sum(bar.failed for bar in self.bars)

    @property
    def rate(self) -> int | None:
        ended = self.done + self.failed
        return self.done * 100 // ended if ended else None

    @property
    def wait_s(self) -> float | None:
        waited = sum(bar.waited for bar in self.bars)
        return sum(bar.waited_s for bar in self.bars) / waited if waited else None

    def columns(self) -> dict[str, list[Any]]:
        """What uPlot draws: starts as seconds since 1970, and a list of values for each line."""
        return {
            "at": [int(bar.start.timestamp()) for bar in self.bars],
            "done": [bar.done for bar in self.bars],
            "failed": [bar.failed for bar in self.bars],
            "wait": [round(bar.wait_s, 1) if bar.wait_s is not None else None for bar in self.bars],
            "longest": [round(bar.longest_s, 1) if bar.longest_s is not None else None for bar in self.bars],
        }


def paces(scope: str | None, at: datetime) -> tuple[list[Pace], bool]:
    """The last hour and the last day of a company (None: of all), and whether these are all of their ends."""
    with reading() as session:
        minutes = session.execute(by_minute(session, scope, at - DAY)).all()
    whole = sum(minute.ended for minute in minutes) < WINDOW
    return [Pace(span, _folded(minutes, at, *length)) for span, length in SPANS.items()], whole


def by_minute(session: Session, scope: str | None, since: datetime) -> Select[Any]:
    """Rows (minute as `2026-11-23 14:05` in UTC, state, ended, waited, waited_s, longest_s)."""
    newest = select(T.ended_at, T.state, T.created_at, T.started_at).where(T.ended_at > since)
    if scope is not None:
        newest = newest.where(func.coalesce(T.scope, "") == scope)  # a sum, so that this index is the one that is used
    n = newest.order_by(T.ended_at.desc()).limit(WINDOW).subquery().c
    minute, waited_s = _sqlite(n) if session.get_bind().dialect.name == "sqlite" else _postgres(n)
    waits = (func.count(n.started_at), func.sum(waited_s), func.max(waited_s))
    names = ("waited", "waited_s", "longest_s")
    columns = (minute.label("minute"), n.state, func.count().label("ended"))
    return select(*columns, *(w.label(name) for w, name in zip(waits, names, strict=True))).group_by(minute, n.state)


def _sqlite(n: Any) -> tuple[Any, Any]:
    days = func.julianday(cast(n.started_at, Text)) - func.julianday(cast(n.created_at, Text))
    return func.substr(cast(n.ended_at, Text), 1, 16), days * 86400.0


def _postgres(n: Any) -> tuple[Any, Any]:
    minute = func.to_char(func.timezone("UTC", n.ended_at), "YYYY-MM-DD HH24:MI")
    return minute, func.extract("epoch", n.started_at - n.created_at)


def _folded(minutes: Sequence[Row[Any]], at: datetime, length: timedelta, step: timedelta) -> list[Bar]:
    """The minutes in steps on the clock; the last step holds `at`, and is not full yet."""
    step_s = int(step.total_seconds())
    last = int(at.timestamp()) // step_s
    first = last - int(length / step) + 1
    bars = {number: Bar(datetime.fromtimestamp(number * step_s, UTC)) for number in range(first, last + 1)}
    for minute in minutes:
        began = datetime.fromisoformat(f"{minute.minute}+00:00")
        if bar := bars.get(int(began.timestamp()) // step_s):
            _add(bar, minute)
    return list(bars.values())


def _add(bar: Bar, minute: Row[Any]) -> None:
    bar.done += minute.ended if minute.state == "SUCCESS" else 0
    bar.failed += minute.ended if minute.state == "FAILURE" else 0
    bar.waited += minute.waited
    bar.waited_s += float(minute.waited_s or 0)
    longest = (value for value in (bar.longest_s, minute.longest_s) if value is not None)
    bar.longest_s = max(map(float, longest), default=None)
