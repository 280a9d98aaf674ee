"""A job of 5 ms of CPU: ours on two children, beside two bare loops over the same function."""

import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

from bench import contest
from bench.drain import arena, drain
from bench.peers.work import cpu_5ms
from bench.table import Measured, Row, alternate, gain

JOBS, ROUNDS = 2_000, 5


def cpu() -> list[Row]:
    with arena() as own, ProcessPoolExecutor(2, get_context("spawn")) as pool:
        _bare(pool)
        found = alternate(lambda: drain(own, contest.OURS, "cpu_5ms", JOBS), lambda: _bare(pool), rounds=ROUNDS)
    what = "jobs of 5 ms of CPU, to two bare loops:"
    return [
        gain(f"{what} jobs", found["rate"], "/s", at_least=0.9, more_is_better=True),
        gain(f"{what} CPU of a job in the workers and the keeper", found["cpu"], "ms"),
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
