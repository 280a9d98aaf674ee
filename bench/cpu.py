"""A job of 5 ms of CPU: ours on two children, beside two bare loops over the same function, and beside Huey, which does
least around a job: what neither of us reaches is the machine's."""

import time
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context

from bench import contest
from bench.drain import arena, drain
from bench.peers.work import cpu_5ms
from bench.table import Measured, Row, alternate, gain

JOBS, ROUNDS = 2_000, 5


def cpu() -> list[Row]:
    with arena() as own, ProcessPoolExecutor(2, get_context("spawn")) as pool:
        _bare(pool)
        ours, huey = (partial(drain, own, system, "cpu_5ms", JOBS) for system in (contest.OURS, contest.HUEY))
        found = alternate(ours, lambda: _bare(pool), huey, rounds=ROUNDS)
    what, rates, cpu_ms = "jobs of 5 ms of CPU, to", found["rate"], found["cpu"]
    return [
        gain(f"{what} two bare loops: jobs", rates[:2], "/s", at_least=0.9, more_is_better=True),
        gain(f"{what} two bare loops: CPU of a job in the workers and the keeper", cpu_ms[:2], "ms"),
        gain(f"{what} Huey: jobs", [rates[0], rates[2]], "/s", more_is_better=True),
    ]


def _bare(pool: ProcessPoolExecutor) -> Measured:
    began = time.monotonic()
    used_s = sum(pool.map(_loop, [JOBS // 2] * 2))
    return {"rate": JOBS / (time.monotonic() - began), "cpu": used_s * 1000 / JOBS}


def _loop(jobs: int) -> float:
    began = time.process_time()
    for _ in range(jobs):
        cpu_5ms()
    return time.process_time() - began
