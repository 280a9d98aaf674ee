"""How long a task waits for idle workers: from just before its enqueue to the first line of the job."""

import statistics
from collections.abc import Sequence
from dataclasses import replace

from bench import contest, systems
from bench.drain import arena, empty, reached
from bench.service import Service
from bench.systems import System
from bench.table import Row

TASKS, ROUNDS = 80, 3
WARM = 10
ENQUEUED = replace(contest.OURS, name="Sıra, its commit to SQL included", module="sira_enqueue")


def latencies() -> list[Row]:
    """One task at a time, with pauses of 50 to 200 ms; the rounds of all systems alternate, their samples are pooled.

    Ours commits a task's row before the clock starts, as no peer writes one; what that takes is told beside it.
    """
    contestants = (contest.OURS, ENQUEUED, *contest.PEERS)
    samples: dict[str, list[float]] = {system.name: [] for system in contestants}
    with arena() as own:
        for _ in range(ROUNDS):
            for system in contestants:
                samples[system.name] += _round(own, system)
    ours, included = samples[contest.OURS.name], samples[ENQUEUED.name]
    peers = {peer.name: samples[peer.name] for peer in contest.PEERS}
    return [
        *(row for share in (50, 99) for row in _judged(share, ours, peers)),
        Row("idle pick-up, enqueue's commit to SQL included: p50 · p99", _both(included), "", ""),
        *(Row(f"idle pick-up, to {name}: p50 · p99", _both(ours), _both(peers[name]), "") for name in peers),
    ]


def _judged(share: int, ours: list[float], peers: dict[str, list[float]]) -> list[Row]:
    best = min(peers, key=lambda name: percentile(peers[name], share))
    pair = [percentile(ours, share), percentile(peers[best], share)]
    ratio = pair[0] / pair[1]
    what, (own, other) = f"idle pick-up p{share}, to the best peer ({best})", (f"{s * 1000:.2f} ms" for s in pair)
    return [Row(what, own, other, f"{ratio:.2f} x", "<= 1.0 x", ratio <= 1)]


def _both(samples: list[float]) -> str:
    return " · ".join(f"{percentile(samples, share) * 1000:.2f}" for share in (50, 99)) + " ms"


def percentile(samples: Sequence[float], share: int) -> float:
    """The value that `share` % of the samples do not exceed, between neighbours in proportion."""
    return statistics.quantiles(samples, n=100, method="inclusive")[share - 1]


def _round(own: Service, system: System) -> list[float]:
    empty()
    system.fill("nothing", WARM)
    with system.running(systems.log(own)) as started:
        reached(own, system, started, WARM, WARM)
        return system.latencies(TASKS)
