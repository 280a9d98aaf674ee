"""What a schedule that is due asks for, decided as values: nothing here reads more than it is given."""

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import chain, islice, takewhile
from typing import Any
from uuid import UUID

from workers.engine import cron

AT_ONCE = 100  # occurrences of one schedule that a pass catches up with
ON_TIME_S = 2.0
MISSED_AFTER_S = 60.0


@dataclass(frozen=True)
class Plan:
    """The occurrences of `schedule` (a row) to run and to write off, and when it is due next."""

    schedule: Any
    runs: list[datetime]
    missed: list[datetime]
    next_due: datetime


def plan(schedule: Any, at: datetime) -> Plan:
    """For a row whose due time has come at `at`. What was missed longer ago than a minute is late: missed="one" runs
    once for all of it, "all" runs each (a hundred at a time), "skip" goes on with the latest if that is not late."""
    line, zone, due = schedule.cron, schedule.zone, schedule.due_at
    if schedule.missed == "all":
        slots = takewhile(lambda slot: slot <= at, chain([due], cron.times(line, zone, due)))
        runs = list(islice(slots, AT_ONCE))
        return Plan(schedule, runs, [], cron.following(line, zone, runs[-1]))
    following = cron.following(line, zone, at)
    if schedule.missed == "one":
        return Plan(schedule, [due], [], following)
    since = max(due - cron.ONE_S, at - timedelta(seconds=MISSED_AFTER_S))
    latest = [*takewhile(lambda slot: slot <= at, cron.times(line, zone, since))][-1:]
    return Plan(schedule, latest, [due] if due not in latest else [], following)


def state_of(overlap: str, missed: str, lateness_s: float, before: list[tuple[str, float]]) -> str:
    """What becomes of an occurrence beside those `before` it that have not ended (their states and lateness).

    With missed="all" none is dropped for a delay of the clock: what is late, or comes behind what is late, waits.
    """
    if overlap == "allow" or not before:
        return "enqueued"
    delayed = lateness_s > ON_TIME_S or any(state == "waiting" or late_s > ON_TIME_S for state, late_s in before)
    return "waiting" if overlap == "queue" or (missed == "all" and delayed) else "skipped"


def task_id(schedule: str, due: datetime) -> str:
    """Of each occurrence its own, the same wherever it is computed: a UUIDv7 whose time is the due time."""
    noise = int.from_bytes(hashlib.sha256(f"{schedule} {due.isoformat()}".encode()).digest()[:10], "big")
    value = (int(due.timestamp() * 1000) << 80) | (0x7 << 76) | ((noise >> 66 & 0xFFF) << 64)
    return str(UUID(int=value | (0b10 << 62) | (noise & (1 << 62) - 1)))
