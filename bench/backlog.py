"""Whether a job costs more when many wait: no-op jobs out of a deep queue and out of a short one."""

import os
import signal
import statistics
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from bench import contest, systems
from bench.drain import Point, arena, compact, empty, per_job, reached
from bench.service import Service
from bench.systems import tree
from bench.table import Measured, Row, alternate, gain
from workers.engine import wire

DEEP, WINDOW = 100_000, 20_000
SHORT, REFILLS, ROUNDS = 1_000, 20, 3
SKIPPED = 0.1
# Not recorded: of a short window, the recorder would write most after its end. Not replaced: a new child is not frozen.
OURS = replace(contest.LASTING, env=contest.UNRECORDED.env)


def backlog() -> list[Row]:
    """20,000 jobs while at least 100,000 wait, beside twenty times a thousand when no more than that wait."""
    with arena() as own:
        found = alternate(lambda: _deep(own), lambda: _short(own), rounds=ROUNDS)
    what = f"no-op drain at {DEEP:,} waiting, to {SHORT:,} waiting:"
    return [
        gain(f"{what} jobs", found["rate"], "/s", at_least=0.9, more_is_better=True),
        gain(f"{what} CPU of the workers and the keeper", found["cpu"], "ms"),
        gain(f"{what} CPU of the server", found["server"], "ms"),
    ]


def _deep(own: Service) -> Measured:
    empty()
    OURS.fill("nothing", DEEP + WINDOW)
    compact()
    with OURS.running(systems.log(own)) as started:
        return per_job(*_window(own, started, 0, WINDOW))


def _short(own: Service) -> Measured:
    empty()
    OURS.fill("nothing", SHORT)
    with OURS.running(systems.log(own)) as started:
        reached(own, OURS, started, 0, SHORT)
        windows = [_refilled(own, started) for _ in range(REFILLS)]
    seen = [per_job(first, last) for first, last in windows if last.done - first.done >= SHORT / 2]
    costs = {name: statistics.mean(window[name] for window in seen) for name in seen[0]}
    return costs | {"rate": statistics.harmonic_mean(window["rate"] for window in seen)}


def _refilled(own: Service, started: list[int]) -> tuple[Point, Point]:
    """The children are frozen until all wait, so that they begin together (not the keeper, which may hold a lock)."""
    before, slots = OURS.done(wire.connect(), 0), _slots(started)
    _signal(slots, signal.SIGSTOP)
    OURS.fill("nothing", SHORT)
    _signal(slots, signal.SIGCONT)
    return _window(own, started, before, SHORT)


def _slots(started: list[int]) -> list[int]:
    """The children that work."""
    everything = [pid for each in started for pid in tree(each)]
    return [pid for pid in everything if b"slot" in Path(f"/proc/{pid}/cmdline").read_bytes()]


def _signal(pids: list[int], number: signal.Signals) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, number)


def _window(own: Service, started: list[int], before: int, count: int) -> tuple[Point, Point]:
    """The first tenth and the end; a machine that is busy elsewhere may let them fall together."""
    first = reached(own, OURS, started, 0, before + int(count * SKIPPED))
    return first, reached(own, OURS, started, 0, before + count)
