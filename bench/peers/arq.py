"""arq: `arq bench.peers.arq.WorkerSettings`, two such processes. Its jobs are coroutines."""

import asyncio
import os
from collections.abc import Callable
from typing import Any

from arq import create_pool
from arq.connections import RedisSettings

from bench.peers import work

settings = RedisSettings.from_dsn(os.environ["BENCH_REDIS_URL"])
loop = asyncio.new_event_loop()


async def nothing(_: Any) -> int:
    return work.nothing()


async def cpu_5ms(_: Any) -> int:
    return work.cpu_5ms()


async def stamp(_: Any) -> int:
    return work.stamp()


class WorkerSettings:
    """What the worker reads."""

    functions = (nothing, cpu_5ms, stamp)
    redis_settings = settings
    poll_delay = 0.01  # s; with its own 0.5 s nothing but that would be measured: 200 jobs a second, not 1,700


def fill(task: str, count: int) -> None:
    send = prepare(task)
    for _ in range(count):
        send()


def prepare(task: str) -> Callable[[], Any]:
    pool = loop.run_until_complete(create_pool(settings))
    return lambda: loop.run_until_complete(pool.enqueue_job(task))
