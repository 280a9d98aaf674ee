"""Huey: `huey_consumer bench.peers.huey.huey -w 2 -k process`. Results are read once, so they must be stored."""

import os
from collections.abc import Callable
from typing import Any

from huey import RedisHuey

from bench.peers import work

huey = RedisHuey("bench", url=os.environ["BENCH_REDIS_URL"])
tasks = {function.__name__: huey.task()(function) for function in work.TASKS}


def fill(task: str, count: int) -> None:
    for _ in range(count):
        tasks[task]()


def prepare(task: str) -> Callable[[], Any]:
    return tasks[task]
