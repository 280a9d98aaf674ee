"""Celery on its prefork pool: acknowledged late, so that a killed worker loses nothing; results in Redis."""

import os
from collections.abc import Callable
from typing import Any

from celery import Celery

from bench.peers import work

url = os.environ["BENCH_REDIS_URL"].replace("unix://", "redis+socket://")
app = Celery("bench", broker=url, backend=url)
app.conf.update(task_acks_late=True, task_reject_on_worker_lost=True, broker_connection_retry_on_startup=True)
tasks = {function.__name__: app.task(name=function.__name__)(function) for function in work.TASKS}


def fill(task: str, count: int) -> None:
    for _ in range(count):
        tasks[task].delay()


def prepare(task: str) -> Callable[[], Any]:
    return tasks[task].delay
