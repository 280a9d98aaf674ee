"""A job of 5 ms of CPU: ours on two children and on three, beside two bare loops over the same function on two cores.

A third child keeps a core busy that would wait for the server: with two, the kernel at times runs the server always on
the core of the one, and the other's stands still as long. Two more rows tell what of the difference is the machine's:
beside loops that ask the server for no more than an answer after every turn, which the least that could bring and
report a job can't spare, and beside Huey.
"""

import os
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import partial
from multiprocessing import get_context

from redis import Redis

from bench import contest
from bench.drain import arena, drain
from bench.peers.work import cpu_5ms
from bench.table import Measured, Row, alternate, gain
from workers.engine.line import Line

JOBS, ROUNDS = 2_000, 5
THREE = replace(contest.OURS, commands=("python -m bench.worker --concurrency 3",))


def cpu() -> list[Row]:
    with arena() as own, ProcessPoolExecutor(2, get_context("spawn")) as pool:
        _loops(pool, _bare)
        systems = (partial(drain, own, each, "cpu_5ms", JOBS) for each in (contest.OURS, THREE, contest.HUEY))
        loops = (partial(_loops, pool, each) for each in (_bare, _asking))
        found = alternate(*systems, *loops, rounds=ROUNDS)
    two, three, huey, bare, asking = found["rate"]
    beside = {"two loops that ask the server after each": asking, "Huey": huey}
    what = "jobs of 5 ms of CPU"
    return [
        gain(f"{what}, to two bare loops: jobs", [two, bare], "/s", at_least=0.9, more_is_better=True),
        gain(f"{what}, 3 children, to two bare loops: jobs", [three, bare], "/s", at_least=0.9, more_is_better=True),
        gain(f"{what}, to two bare loops: CPU of a job in the workers and the keeper", found["cpu"][:4:3], "ms"),
        *(gain(f"{what}, to {who}: jobs", [two, rate], "/s", more_is_better=True) for who, rate in beside.items()),
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
