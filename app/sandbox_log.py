"""What the sandbox accepted, in the database: one writer, many messages in one commit."""

from collections.abc import Callable, Iterator
from concurrent.futures import Future
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any

from sqlalchemy.orm import Session

from workers import db

BATCH = 100

Work = Callable[[Session], Any]


class MessageLog:
    """Runs what writes, in the order of its coming; who waits together shares a transaction."""

    def __init__(self) -> None:
        self._waiting: SimpleQueue[tuple[Work, Future[Any]]] = SimpleQueue()
        Thread(target=self._write, daemon=True).start()

    def write(self, work: Work) -> Future[Any]:
        """What `work` returns, once it is committed; the error of the transaction if it is not."""
        future: Future[Any] = Future()
        self._waiting.put((work, future))
        return future

    def _write(self) -> None:
        while True:
            batch = [self._waiting.get(), *self._more()]
            try:
                with db.writing() as session:
                    results = [work(session) for work, _ in batch]
            except Exception as error:  # nothing of the batch was kept: everybody in it is told
                for _, future in batch:
                    future.set_exception(error)
            else:
                for (_, future), result in zip(batch, results, strict=True):
                    future.set_result(result)

    def _more(self) -> Iterator[tuple[Work, Future[Any]]]:
        for _ in range(BATCH - 1):
            try:
                yield self._waiting.get_nowait()
            except Empty:
                return
