"""What one SIGKILL costs: 1,000 jobs of 5 ms, all processes of a system killed in the middle, then started again."""

import time
from dataclasses import dataclass
from typing import Any

from bench import contest, systems
from bench.drain import arena, empty, reached
from bench.service import Service
from bench.systems import System
from bench.table import Row
from workers.engine import wire

JOBS, AT = 1_000, 300
POLL_S, QUIET_S = 0.2, 5.0


@dataclass(frozen=True)
class Counts:
    """Of the jobs: ended with a result, and of the others those that Redis still holds; and when no more ended."""

    done: int
    held: int
    settled_s: float

    @property
    def lost(self) -> int:
        """Never below 0: a job that was killed between its result and its acknowledgement is done and held."""
        return max(0, JOBS - self.done - self.held)

    def __str__(self) -> str:
        return f"{self.lost} lost, {self.held} late" if self.held else f"{self.lost} lost, {self.settled_s:.0f} s"


def kills() -> list[Row]:
    """Lost is what has no result and is not held by Redis either; late is what Redis holds when nothing moves."""
    with arena() as own:
        ours, *theirs = (_killed(own, system) for system in (contest.OURS, *contest.PEERS))
    what = f"one SIGKILL of all among {JOBS:,} jobs of 5 ms"
    rows = [Row(what, str(ours), "", "", "0 lost", ours.lost == ours.held == 0, contest.OURS.after_kill)]
    for peer, counts in zip(contest.PEERS, theirs, strict=True):
        rows.append(Row(f"{what}, to {peer.name}", str(ours), str(counts), "", note=peer.after_kill))
    return rows


def _killed(own: Service, system: System) -> Counts:
    empty()
    system.fill("cpu_5ms", JOBS)
    with system.running(systems.log(own)) as started:
        reached(own, system, started, JOBS, AT)
    killed = time.monotonic()
    with system.running(systems.log(own)):
        return _settled(wire.connect(), system, killed)


def _settled(redis: Any, system: System, killed: float) -> Counts:
    """Wait until all have ended, or none ended for a while and Redis holds none that could."""
    seen, moved = 0, time.monotonic()
    while True:
        done, held = system.done(redis, JOBS), system.held(redis)
        if done != seen:
            seen, moved = done, time.monotonic()
        still_s = time.monotonic() - moved
        if done == JOBS or still_s > max(QUIET_S, system.back_s if held else 0):
            return Counts(done, held, moved - killed)
        time.sleep(POLL_S)
