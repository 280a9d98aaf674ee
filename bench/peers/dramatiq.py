"""Dramatiq: `dramatiq bench.peers.dramatiq --processes 2`, with the results middleware.

Each process has its eight threads: with one it fetches so few ahead that it does an eighth (530 a second of 3,900).
"""

import os
from collections.abc import Callable
from typing import Any

import dramatiq
from dramatiq.brokers.redis import RedisBroker
from dramatiq.results import Results
from dramatiq.results.backends import RedisBackend

from bench.peers import work

url = os.environ["BENCH_REDIS_URL"]
broker = RedisBroker(url=url)
broker.add_middleware(Results(backend=RedisBackend(url=url)))
dramatiq.set_broker(broker)
tasks = {function.__name__: dramatiq.actor(function, store_results=True) for function in work.TASKS}


def fill(task: str, count: int) -> None:
    for _ in range(count):
        tasks[task].send()


def prepare(task: str) -> Callable[[], Any]:
    return tasks[task].send
