"""The wire to Redis: connections without hidden retries, and the Lua scripts beside this file."""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache
from hashlib import sha1
from pathlib import Path
from threading import local
from typing import Any
from urllib.parse import unquote, urlsplit

from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import AuthenticationError, ConnectionError, NoScriptError, RedisError, ResponseError
from redis.retry import Retry
from redis.sentinel import Sentinel

from workers import embedded, settings
from workers.engine.line import Command, Line
from workers.errors import BadSettings, QueueDown

PRELUDES = {
    "push": ("clock",),
    "progress": ("clock",),
    "noreturn": (),
    "cancel": ("clock", "after", "settle"),
    "renew": ("clock", "list"),
    "lost": ("clock",),
    "promote": ("clock", "after"),
    "pace": ("clock",),
    "rest": ("clock",),
    "leave": (),
    "admit": ("clock",),
    "anew": ("clock",),
    "away": ("clock",),
    "vacate": ("clock", "after"),
    "exchange": ("clock", "list", "start", "after", "settle"),
    "mend": ("clock", "after", "settle"),
}
LEASE_MS = 30_000
SOCKET_TIMEOUT_S = 10.0
PUSH_TIMEOUT_S = 1.0  # a server whose disk is busy is silent for longer than a moment
LOOK_TIMEOUT_S = 2.0  # what is asked while a person waits for the answer
LOOK_UP_EVERY_S = 5.0
TRIED, TRIED_MS = "sira:tried", 1_000
_known: dict[tuple[str, Path], tuple[str, float]] = {}
_kept = local()


def connect(timeout_s: float = SOCKET_TIMEOUT_S) -> Any:
    """This process's connection pool; one per timeout. redis-py's own ten silent retries are off: what may be said
    twice is ours to decide."""
    return _connect(_address(), timeout_s, settings.current().redis_tls_verify, os.getpid())


def _address() -> str:
    """The server's URL, looked up again every few seconds: an embedded server may come back elsewhere."""
    chosen = settings.current()
    key = (chosen.redis_url, chosen.data_dir)
    known = _known.get(key)
    if known is None or time.monotonic() - known[1] > LOOK_UP_EVERY_S:
        known = _known[key] = (embedded.redis_url(chosen), time.monotonic())
    return known[0]


@lru_cache(maxsize=8)
def _connect(url: str, timeout_s: float, verify_tls: bool, pid: int) -> Any:
    options: dict[str, Any] = {
        "socket_timeout": timeout_s,
        "socket_connect_timeout": min(timeout_s, 2.0),
        "retry": Retry(NoBackoff(), 0),
        "driver_info": None,  # redis-py would read its own version from disk in each new process, and tell the server
    }
    if url.startswith("redis+sentinel://"):
        return _from_sentinel(url, options)
    if url.startswith("rediss://") and not verify_tls:
        options["ssl_cert_reqs"] = "none"
    try:
        made = Redis.from_url(url, **options)
        made.connection_pool.connection_class(**made.connection_pool.connection_kwargs)  # that it can be: of ?options
    except (TypeError, ValueError) as error:
        raise BadSettings(reason=f"REDIS_URL: {str(error).rstrip('.')}") from None
    return made


def _from_sentinel(url: str, options: dict[str, Any]) -> Any:
    """`redis+sentinel://:password@h1:26379,h2:26379/service/0`."""
    parts = urlsplit(url)
    credentials, _, addresses = parts.netloc.rpartition("@")
    _, service, *database = parts.path.split("/")
    each = [urlsplit(f"//{address}") for address in addresses.split(",")]
    hosts = [(one.hostname or "", one.port or 26379) for one in each]
    username, password = (unquote(text) for text in credentials.partition(":")[::2])
    login = {"username": username or None, "password": password or None}
    return Sentinel(hosts, **options).master_for(service, db=int((database or ["0"])[0]), **login, **options)


@lru_cache(maxsize=16)
def _text(name: str) -> str:
    folder = Path(__file__).with_name("lua")
    return "\n".join((folder / f"{part}.lua").read_text() for part in (*PRELUDES[name], name))


@lru_cache(maxsize=64)
def _script(connection: Any, name: str) -> Any:
    return connection.register_script(_text(name))


def run(connection: Any, name: str, *args: Any) -> Any:
    """Run a script; its arguments stand at the top of its file."""
    return _script(connection, name)(keys=(), args=args)


def say(name: str, timeout_s: float, *args: Any) -> Any:
    """As `run`, on a line of this thread's own, which costs half; for scripts that may be said twice, since what fails
    on a line that was kept, because it is broken, is said again on a new one."""
    sayer = _sayer(name, timeout_s)
    if sayer.is_open:
        with suppress(ConnectionError):
            return sayer.run(*args)
    return sayer.run(*args)


def reach(name: str, timeout_s: float) -> None:
    """Open the line on which this thread says it, where it is not open yet."""
    _sayer(name, timeout_s).open()


def _sayer(name: str, timeout_s: float) -> "Sayer":
    redis = connect(timeout_s)
    known: Sayer | None = _kept.__dict__.get(name)
    if known is None or known.redis is not redis:
        known = _kept.__dict__[name] = Sayer(redis, name)
    return known


def text(value: bytes) -> str:
    """An id of ours as it is; of what others wrote, whatever can be read."""
    return value.decode(errors="replace")


@contextmanager
def plainly() -> Iterator[None]:
    """For who asks on behalf of people: Redis being away is QueueDown, which they can understand."""
    try:
        yield
    except RedisError as error:
        raise QueueDown() from error


class Sayer:
    """Says one script over and over, on a line of its own. `broke_at`: when that broke last, in seconds since 1970."""

    def __init__(self, redis: Any, name: str) -> None:
        self.redis, self._line, self._text, self.broke_at = redis, Line(redis), _text(name), 0.0
        self._sha = sha1(self._text.encode(), usedforsecurity=False).hexdigest()

    @property
    def is_open(self) -> bool:
        return self._line.is_open

    def open(self) -> None:
        self._line.open()

    def elsewhere(self, *args: Any) -> Command:
        """What asks the script on another line. If ours was cut while it was silent, that is noticed now."""
        if self._line.is_cut():
            self._broke()
        return self._command(*args)

    def _command(self, *args: Any) -> Command:
        """Of a server that knows the script."""
        return ("EVALSHA", self._sha, 0, *args)

    def run(self, *args: Any, meanwhile: Callable[[], None] | None = None) -> Any:
        """The script's answer; what is to be done `meanwhile` takes no time of its own. After any failure the line is
        closed: an answer is never read by the wrong one."""
        try:
            try:
                self._line.send(self._command(*args))
                if meanwhile:
                    meanwhile()
                return self._line.read()
            except NoScriptError:
                self._line.send(("EVAL", self._text, 0, *args))
                return self._line.read()
        except BaseException:
            self._broke()
            raise

    def _broke(self) -> None:
        self.broke_at = time.time()
        self.close()

    def __del__(self) -> None:
        """Of a thread that has ended: what it had taken from the pool goes back."""
        with suppress(Exception):
            self.close()

    def close(self) -> None:
        self._line.close()


def is_refused(error: Exception) -> bool:
    """Whether a server is there, and does not let us in."""
    return isinstance(error, AuthenticationError)


def without_place(refused: str) -> str:
    """What a server has said, without what tells in which command of a pipeline or line of a script that was."""
    return refused.rpartition(" caused error: ")[2].partition(" script:")[0]


def refusal(connection: Any) -> str:
    """What the server has against being written to: its memory or its disk is full, or it follows another. Empty if it
    takes what comes."""
    try:
        connection.set(TRIED, 1, px=TRIED_MS)
    except ResponseError as error:
        return str(error)
    return ""


def refuse_unsafe_server() -> None:
    """Raise BadSettings where the server would lose jobs: an eviction policy, an old version, no append-only file in
    production. A server that is away or hides its settings is not judged; the connection is closed again."""
    connection = connect()
    try:
        version = str(connection.info("server").get("redis_version", "7.0"))
        policy = connection.config_get("maxmemory-policy").get("maxmemory-policy", "noeviction")
        appends = connection.config_get("appendonly").get("appendonly", "yes")
    except (RedisError, QueueDown):
        return
    finally:
        connection.connection_pool.disconnect()
    if tuple(map(int, version.split(".")[:2])) < (6, 2):
        raise BadSettings(reason=f"the Redis server is version {version}; 6.2 or newer is needed")
    if policy != "noeviction":
        raise BadSettings(reason=f"the Redis server has maxmemory-policy {policy}; set it to noeviction")
    if appends != "yes" and settings.current().app_env == "production":
        raise BadSettings(reason="the Redis server keeps no append-only file; set appendonly yes")
