"""taskiq on a list: `taskiq worker bench.peers.taskiq:broker --workers 2`. Its jobs are coroutines."""

import asyncio
import os
from collections.abc import Awaitable, Callable
from typing import Any

from taskiq import AsyncBroker
from taskiq_redis import ListQueueBroker, RedisAsyncResultBackend

from bench.peers import work

URL = os.environ["BENCH_REDIS_URL"]
RESULT_S = 86_400


class Queue:
    """A broker with our tasks. The stream's module has another one."""

    def __init__(self, broker: AsyncBroker) -> None:
        self.broker = broker.with_result_backend(RedisAsyncResultBackend(URL, result_ex_time=RESULT_S))
        self.tasks = {function.__name__: self._task(function) for function in work.TASKS}
        self._loop: asyncio.AbstractEventLoop | None = None

    def _task(self, function: Callable[[], int]) -> Any:
        async def run() -> int:
            return function()

        return self.broker.task(task_name=function.__name__)(run)

    def fill(self, task: str, count: int) -> None:
        async def enqueue() -> None:
            for _ in range(count):
                await self.tasks[task].kiq()

        self._wait(enqueue())

    def prepare(self, task: str) -> Callable[[], Any]:
        self._started()
        return lambda: self._wait(self.tasks[task].kiq())

    def _wait(self, work: Awaitable[Any]) -> Any:
        return self._started().run_until_complete(work)

    def _started(self) -> asyncio.AbstractEventLoop:
        if self._loop is None:
            self._loop = asyncio.new_event_loop()
            self._loop.run_until_complete(self.broker.startup())
        return self._loop


queue = Queue(ListQueueBroker(URL))
broker, fill, prepare = queue.broker, queue.fill, queue.prepare
