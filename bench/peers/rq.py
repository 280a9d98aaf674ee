"""RQ as its manual has it; the same for `rq worker` and SimpleWorker."""

import os
from collections.abc import Callable
from functools import partial
from typing import Any

from redis import Redis
from rq import Queue

from bench.peers import work

queue = Queue(connection=Redis.from_url(os.environ["BENCH_REDIS_URL"]))


def fill(task: str, count: int) -> None:
    function = getattr(work, task)
    for _ in range(count // 100):
        queue.enqueue_many([Queue.prepare_data(function) for _ in range(100)])
    for _ in range(count % 100):
        queue.enqueue(function)


def prepare(task: str) -> Callable[[], Any]:
    return partial(queue.enqueue, getattr(work, task))
