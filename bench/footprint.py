"""Memory of a fleet beside two stock workers, and what 100,000 jobs leave behind in memory and in Redis."""

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from bench import contest, systems
from bench.drain import arena, empty, reached
from bench.peers import sira
from bench.service import Service, wait_until
from bench.systems import System, tree
from bench.table import Measured, Row, alternate, cost
from workers.engine import wire

JOBS, FIRST, PORTION, ROUNDS = 100_000, 5_000, 5_000, 3
BUSY = 200
GROWN_AT_MOST_MB = 4.0
TTL_S, POLL_S, SETTLED_S = 1, 0.2, 3.0
TIDIED_S = 12.0  # a keeper looks after the registries every ten seconds
STOCK = replace(contest.RQ, commands=("python -m bench.peers.stock worker --quiet",) * 2)


def footprint() -> list[Row]:
    """Memory is the proportional set size (PSS): what processes share is shared out among them."""
    with arena() as own:
        pairs = alternate(lambda: _idle(own, contest.OURS), lambda: _idle(own, STOCK), rounds=ROUNDS)
        what = f"memory (PSS) of parent, keeper and 2 children after {BUSY} jobs, to 2 rq workers with the same imports"
        return [cost(what, pairs["mb"], "MB", at_most=1.5), *_left_behind(own)]


def _idle(own: Service, system: System) -> Measured:
    empty()
    system.fill("nothing", BUSY)
    with system.running(systems.log(own)) as started:
        reached(own, system, started, BUSY, BUSY)
        time.sleep(1)
        return {"mb": sum(map(pss_mb, _all(started)))}


def _all(started: list[int]) -> list[int]:
    return [pid for each in started for pid in tree(each)]


def pss_mb(pid: int) -> float:
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024


def _left_behind(own: Service) -> list[Row]:
    """Each job's hash carries RQ's own `result_ttl` of a second, so that all of them expire while we wait."""
    empty()
    redis = wire.connect()
    with contest.LASTING.running(systems.log(own)) as started:
        _do(redis, FIRST)
        known, before_mb = _keys(redis), sum(map(pss_mb, _all(started)))
        for _ in range(JOBS // PORTION):
            _do(redis, PORTION)
        left, grown_mb = _keys(redis) - known, sum(map(pss_mb, _all(started))) - before_mb
        time.sleep(TIDIED_S)
        ids = redis.zcard("rq:finished:sms")
    what, at_most = f"{JOBS:,} more jobs on 2 children that are not replaced:", f"<= +{GROWN_AT_MOST_MB:.0f} MB"
    memory = (f"{before_mb + grown_mb:.0f} MB", f"{before_mb:.0f} MB", f"{grown_mb:+.1f} MB")
    return [
        Row(f"{what} memory (PSS) of all", *memory, at_most, grown_mb <= GROWN_AT_MOST_MB),
        Row(f"{what} keys left when their results have expired", f"{len(left):,}", "", "", "0", not left),
        Row(f"{what} ids left in RQ's registry of the finished", f"{ids:,}", "", "", "0", not ids),
    ]


def _do(redis: Any, count: int) -> None:
    """Have so many done and expired."""
    sira.fill("nothing", count, result_ttl=TTL_S)
    wait_until(lambda: not redis.llen("rq:queue:sms") and not redis.zcard("rq:wip:sms"))
    time.sleep(TTL_S)
    size, since = redis.dbsize(), time.monotonic()
    while time.monotonic() - since < SETTLED_S:
        time.sleep(POLL_S)
        if redis.dbsize() != size:
            size, since = redis.dbsize(), time.monotonic()


def _keys(redis: Any) -> set[bytes]:
    return set(redis.scan_iter(count=1_000))
