"""A PostgreSQL that stands still (a machine that is moved or out of memory, a disk that hangs): its kernel goes on to
acknowledge what comes, so that who waits for an answer would wait for ever."""

import time
from collections.abc import Generator
from typing import Any

import psycopg
from psycopg.errors import ConnectionTimeout

SILENT_S, ANSWERS_WITHIN_S = 3.0, 2


class Watched(psycopg.Connection[Any]):
    """A query may take any time. But of one whose answer is long in coming another connection asks, every three
    seconds, whether the server still takes any; if not, this one is given up."""

    def wait(self, gen: Any, *args: Any, **options: Any) -> Any:
        return super().wait(self._watched(gen), *args, **options)

    def _watched(self, gen: Any) -> Generator[Any, Any, Any]:
        ask_at = time.monotonic() + SILENT_S
        try:
            wanted = next(gen)
            while True:
                ready = yield wanted
                if not ready and time.monotonic() >= ask_at:
                    self._ask()
                    ask_at = time.monotonic() + SILENT_S
                wanted = gen.send(ready)
        except StopIteration as ended:
            return ended.value

    def _ask(self) -> None:
        """Raises OperationalError where it is silent. One that refuses us, since it has too many others, lives."""
        dsn, password = self.info.dsn, self.info.password
        try:
            psycopg.connect(dsn, password=password, connect_timeout=ANSWERS_WITHIN_S).close()
        except ConnectionTimeout as error:
            self.pgconn.finish()
            raise psycopg.OperationalError("the server has fallen silent") from error
        except psycopg.Error:
            return
