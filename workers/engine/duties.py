"""Duties that need doing once in the whole service: one keeper has each of them at a time, by a lease in Redis."""

from collections.abc import Iterator
from contextlib import contextmanager

from redis.exceptions import RedisError

from workers.engine import wire
from workers.errors import QueueDown


class Duties:
    """Those of one keeper, by the name it goes by; if it dies, another takes over when the lease ends."""

    def __init__(self, me: str, lease_s: float) -> None:
        self._me, self._lease_ms = me, int(lease_s * 1000)

    @contextmanager
    def on(self, duty: str) -> Iterator[bool]:
        """Whether the duty is ours. Who fails at it gives it up: another may reach the database that we can't."""
        ours = self._holds(duty)
        try:
            yield ours
        except (RedisError, QueueDown):
            raise
        except Exception:
            self.hand_over(duty)
            raise

    def _holds(self, duty: str) -> bool:
        key, connection = f"sira:duty:{duty}", wire.connect()
        if connection.set(key, self._me, nx=True, px=self._lease_ms):
            return True
        if connection.get(key) != self._me.encode():
            return False
        connection.pexpire(key, self._lease_ms)
        return True

    def hand_over(self, *duties: str) -> None:
        """Leave those of these duties that are ours to whoever comes next, at once."""
        connection = wire.connect()
        for duty in duties:
            if connection.get(f"sira:duty:{duty}") == self._me.encode():
                connection.delete(f"sira:duty:{duty}")
