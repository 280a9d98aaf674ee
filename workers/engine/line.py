"""A connection that one process or thread keeps for itself, and speaks on without the library in between.

redis-py makes it: address, TLS, login, Sentinel. From then on bytes go straight between its socket and hiredis; that
takes a process which has just woken 60 µs less, there and back, of a millisecond in which a task reaches its job.
"""

import builtins
import select
from typing import Any

from hiredis import PushNotification, Reader, pack_command
from redis.exceptions import ConnectionError, InvalidResponse, NoScriptError, RedisError, ResponseError, TimeoutError

READ_BYTES = 16 * 1024
MORE = object()
Command = tuple[Any, ...]


class Line:
    """Opened by the first `send` at the latest. Every command that was sent has one answer to `read`, in their order;
    who does not read them closes the line. All raise RedisError."""

    def __init__(self, redis: Any) -> None:
        self._pool = redis.connection_pool
        self._connection: Any = None

    def fileno(self) -> int:
        """What a select waits for."""
        return int(self._socket.fileno())

    @property
    def is_open(self) -> bool:
        return self._connection is not None

    def open(self) -> None:
        if self._connection is None:
            self._connection = self._pool.get_connection()
            self._socket = self._connection._sock
            self._reader = Reader(protocolError=InvalidResponse, replyError=_refusal, notEnoughData=MORE)

    def is_cut(self) -> bool:
        """Whether the other end has hung up, of a line on which no answer is awaited."""
        return self._connection is not None and bool(select.select([self._socket], [], [], 0)[0])

    def send(self, *commands: Command) -> None:
        self.open()
        try:
            self._socket.sendall(b"".join([pack_command(command) for command in commands]))
        except OSError as error:
            raise _away(error) from error

    def read(self) -> Any:
        while True:
            answer = self._reader.gets()
            if answer is MORE:
                self._feed()
            elif isinstance(answer, RedisError):
                raise answer
            elif not isinstance(answer, PushNotification):
                return answer

    def _feed(self) -> None:
        try:
            heard = self._socket.recv(READ_BYTES)
        except OSError as error:
            raise _away(error) from error
        if not heard:
            raise ConnectionError("the server has closed the connection")
        self._reader.feed(heard)

    def close(self) -> None:
        if self._connection is not None:
            self._connection.disconnect()
            self._pool.release(self._connection)
            self._connection = None


def _away(error: OSError) -> RedisError:
    return (TimeoutError if isinstance(error, builtins.TimeoutError) else ConnectionError)(str(error))


def _refusal(text: str) -> ResponseError:
    return (NoScriptError if text.startswith("NOSCRIPT") else ResponseError)(text)
