"""A job of 5 ms of CPU: ours on two children, beside two bare loops over the same function.

Two more rows tell what of the difference is the machine's: beside loops that ask the server for no more than an answer
after every turn, which the least that could bring and report a job can't spare, and beside Huey.
"""

import os
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context

from redis import Redis

from bench import contest
from bench.drain import arena, drain
from bench.peers.work import cpu_5ms
from bench.table import Measured, Row, alternate, gain
from workers.engine.line import Line

JOBS, ROUNDS = 2_000, 5


def cpu() -> list[Row]:
    with arena() as own, ProcessPoolExecutor(2, get_context("spawn")) as pool:
        _loops(pool, _bare)
        ours, huey = (partial(drain, own, system, "cpu_5ms", JOBS) for system in (contest.OURS, contest.HUEY))
        found = alternate(ours, partial(_loops, pool, _bare), partial(_loops, pool, _asking), huey, rounds=ROUNDS)
    what, rates, cpu_ms = "jobs of 5 ms of CPU, to", found["rate"], found["cpu"]
    beside = {"two such loops that ask the server for an answer after each": 2, "Huey": 3}
    return [
        gain(f"{what} two bare loops: jobs", rates[:2], "/s", at_least=0.9, more_is_better=True),
        gain(f"{what} two bare loops: CPU of a job in the workers and the keeper", cpu_ms[:2], "ms"),
        *(gain(f"{what} {who}: jobs", [rates[0], rates[n]], "/s", more_is_better=True) for who, n in beside.items()),
    ]


def _loops(pool: ProcessPoolExecutor, loop: Callable[[int], None]) -> Measured:
    began = time.monotonic()
    used_s = sum(pool.map(partial(_used_s, loop), [JOBS // 2] * 2))
    return {"rate": JOBS / (time.monotonic() - began), "cpu": used_s * 1000 / JOBS}


def _used_s(loop: Callable[[int], None], jobs: int) -> float:
    began = time.process_time()
    loop(jobs)
    return time.process_time() - began


def _bare(jobs: int) -> None:
    for _ in range(jobs):
        cpu_5ms()


def _asking(jobs: int) -> None:
    line = Line(Redis.from_url(os.environ["BENCH_REDIS_URL"]))
    for _ in range(jobs):
        cpu_5ms()
        line.send(("PING",))
        line.read()
    line.close()
