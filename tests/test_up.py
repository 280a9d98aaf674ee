"""`flask up`: the real start and stop, a real Valkey, and stand-ins for the web, the workers and the clock."""

import os
import re
import runpy
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.request import urlopen

import pytest
import redis
from gunicorn.arbiter import Arbiter

from app.ports import held_port
from tests.conftest import ROOT, lines, wait_until
from tests.test_processes import is_gone
from workers import settings
from workers.embedded import redis_url
from workers.errors import QueueDown

STAND_INS = {
    "wsgi.py": """
import os
from flask import Flask
app = Flask(__name__)
@app.get("/healthz")
def healthz():
    return {"pid": os.getpid(), "port": os.environ["PORT"], "data_dir": os.environ["DATA_DIR"]}
@app.cli.group()
def db(): ...
@db.command()
def upgrade():
    open(os.environ["DATA_DIR"] + "/migrated", "w").close()
""",
    "scheduler.py": "import signal; signal.pause()",
    "workers/__main__.py": """
import os, signal, sys
open(os.environ["DATA_DIR"] + "/workers", "w").write(" ".join(sys.argv[1:]))
print("ready", flush=True)
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
signal.pause()
""",
    "workers/__init__.py": "",
}
UP = """
import sys
from pathlib import Path
sys.path.insert(0, ROOT)
from app import up
from workers import settings
up.PROJECT = Path(PROJECT)
sys.exit(up.run(settings.load(), port=int(sys.argv[1]), concurrency=2))
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """The project folder with stand-ins for the programs that `flask up` starts."""
    for name, text in STAND_INS.items():
        path = tmp_path / "project" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path / "project"


@pytest.fixture
def data_dir() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="sira") as folder:
        yield Path(folder)


@pytest.fixture
def held() -> Iterator[socket.socket]:
    with held_port() as holder:
        yield holder


@pytest.fixture
def port(held: socket.socket) -> int:
    return int(held.getsockname()[1])


@pytest.fixture
def flask_up(project: Path, data_dir: Path, port: int) -> Iterator[Callable[..., "subprocess.Popen[str]"]]:
    started: list[subprocess.Popen[str]] = []
    clean = {name: value for name, value in os.environ.items() if name not in ("REDIS_URL", "DATABASE_URL")}

    def start(**env: str) -> "subprocess.Popen[str]":
        script = UP.replace("ROOT", repr(str(ROOT))).replace("PROJECT)", f"{str(project)!r})")
        started.append(
            subprocess.Popen(
                [sys.executable, "-c", script, str(port)],
                env={**clean, "DATA_DIR": str(data_dir), **env},
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
        )
        return started[-1]

    yield start
    for process in started:
        process.terminate()
        process.communicate(timeout=120)


def test_up_starts_all_says_ready_and_leaves_nothing(
    flask_up: Callable[..., "subprocess.Popen[str]"], data_dir: Path, port: int
) -> None:
    up = flask_up()
    assert up.stdout is not None
    assert up.stdout.readline() == f"ready http://127.0.0.1:{port}\n"
    with urlopen(f"http://127.0.0.1:{port}/healthz") as answer:
        assert f'"port":"{port}"' in answer.read().decode().replace(" ", "")
    assert (data_dir / "migrated").exists()
    wait_until(lambda: lines(data_dir / "workers") == ["--concurrency 2"], what="the workers")
    inside = data_dir / "redis.url"
    assert inside.read_text().startswith("unix://:")
    up.send_signal(signal.SIGINT)
    out, log = up.communicate(timeout=120)
    assert (up.returncode, out) == (0, "")
    stopped = re.findall(r"program stopped.*?program=\W*(\w+)", plain(log))
    assert stopped == ["web", "clock", "workers", "valkey"]


def test_a_valkey_that_was_killed_comes_back_where_it_was_with_all_it_had(
    flask_up: Callable[..., "subprocess.Popen[str]"], data_dir: Path
) -> None:
    up = flask_up()
    assert up.stdout is not None
    assert up.stdout.readline().startswith("ready")
    chosen = settings.load(data_dir=data_dir, redis_url="")
    former = redis_url(chosen)
    with redis.Redis.from_url(former) as client:
        client.set("accepted", "task")
        wait_until(lambda: client.info("persistence")["aof_buffer_length"] == 0)
        killed = client.info("server")["process_id"]
    os.kill(killed, signal.SIGKILL)
    wait_until(lambda: server_pid(chosen) not in (None, killed), what="another server")
    assert redis_url(chosen) == former
    with redis.Redis.from_url(former) as client:
        assert client.get("accepted") == b"task"


def test_a_valkey_whose_socket_somebody_deleted_is_started_anew_with_all_it_had(
    flask_up: Callable[..., "subprocess.Popen[str]"], data_dir: Path
) -> None:
    up = flask_up()
    assert up.stdout is not None
    assert up.stdout.readline().startswith("ready")
    chosen = settings.load(data_dir=data_dir, redis_url="")
    deaf = server_pid(chosen)
    with redis.Redis.from_url(redis_url(chosen)) as client:
        client.set("accepted", "task")

    (data_dir / "redis.sock").unlink()

    wait_until(lambda: server_pid(chosen) not in (None, deaf), what="another server")
    with redis.Redis.from_url(redis_url(chosen)) as client:
        assert client.get("accepted") == b"task"
    assert deaf
    assert is_gone(deaf)


def test_a_valkey_that_can_not_read_its_file_is_told_with_the_place_that_says_why(
    flask_up: Callable[..., "subprocess.Popen[str]"], data_dir: Path
) -> None:
    kept = data_dir / "redis" / "appendonlydir"
    kept.mkdir(parents=True)
    (kept / "appendonly.aof.manifest").write_text("nonsense")

    up = flask_up()

    assert up.stderr is not None
    died = next(line for line in map(plain, up.stderr) if "program died" in line)
    assert str(data_dir / "redis" / "valkey.log") in died
    assert "MANIFEST" in (data_dir / "redis" / "valkey.log").read_text()


def server_pid(chosen: settings.Settings) -> int | None:
    try:
        with redis.Redis.from_url(redis_url(chosen)) as client:
            return int(client.info("server")["process_id"])
    except (QueueDown, redis.RedisError):
        return None


def test_a_killed_up_takes_all_with_it_and_can_start_again_at_once(
    flask_up: Callable[..., "subprocess.Popen[str]"], port: int
) -> None:
    up = flask_up()
    assert up.stdout is not None
    assert up.stdout.readline().startswith("ready")
    up.kill()
    _, log = up.communicate(timeout=120)
    pids = [int(pid) for pid in re.findall(r"program started.*?pid=\W*(\d+)", plain(log))]
    assert len(pids) == 5
    wait_until(lambda: all(map(is_gone, pids)), what="the end of all programs")
    again = flask_up()
    assert again.stdout is not None
    assert again.stdout.readline() == f"ready http://127.0.0.1:{port}\n"


def test_a_web_that_can_not_read_its_settings_gives_up_with_one_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PORT", "often")
    settings.use(None)

    with pytest.raises(SystemExit) as ended:
        runpy.run_path(f"{ROOT}/wsgi.py")

    assert ended.value.code == Arbiter.WORKER_BOOT_ERROR
    assert capsys.readouterr().err.splitlines() == [
        "Error: The settings can't be used: PORT Input should be a valid integer, unable to parse string as an integer."
    ]


@pytest.fixture
def real_up(data_dir: Path) -> Iterator[Callable[..., "subprocess.Popen[str]"]]:
    """The command itself, with nothing configured but where its data lie."""
    unset = ("REDIS_URL", "DATABASE_URL", "SECRET_KEY")
    clean = {name: value for name, value in os.environ.items() if name not in unset}
    command = [sys.executable, "-m", "flask", "up", "--concurrency", "1", "--no-sandbox", "--port"]
    with ExitStack() as started:

        def start(port: int, folder: Path = data_dir) -> "subprocess.Popen[str]":
            env = {**clean, "DATA_DIR": str(folder), "WEB_CONCURRENCY": "1"}
            pipes: Any = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
            up = subprocess.Popen([*command, str(port)], cwd=ROOT, env=env, **pipes)
            started.callback(up.communicate, timeout=120)
            started.callback(up.terminate)
            return up

        yield start


def test_a_first_up_that_fails_leaves_the_first_login_to_the_next(
    real_up: Callable[..., "subprocess.Popen[str]"], port: int
) -> None:
    with HTTPServer(("127.0.0.1", port), Healthy) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        failed = real_up(port)
        out, _ = failed.communicate(timeout=120)
        server.shutdown()
    assert (failed.returncode, out) == (2, "")

    again = real_up(port)

    assert again.stdout is not None
    assert again.stdout.readline().startswith("login: operator@ornek.example / ")
    assert again.stdout.readline() == f"ready http://127.0.0.1:{port}\n"


def test_up_names_a_folder_that_it_cant_write_to(real_up: Callable[..., "subprocess.Popen[str]"], port: int) -> None:
    up = real_up(port, Path("/proc/sira"))

    out, log = up.communicate(timeout=120)

    assert (up.returncode, out, "database" in log) == (2, "", False)
    assert "DATA_DIR /proc/sira can't be written to" in log


def plain(log: str) -> str:
    return re.sub(r"\x1b\[\d*m", "", log)


class Healthy(BaseHTTPRequestHandler):
    """Another service that lives."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()


def test_up_refuses_a_folder_that_another_serves_with_a_redis_of_its_own_too(
    flask_up: Callable[..., "subprocess.Popen[str]"], data_dir: Path
) -> None:
    first = flask_up(REDIS_URL="redis://127.0.0.1:1/0", SECRET_KEY="x" * 32)
    assert first.stdout is not None
    assert first.stdout.readline().startswith("ready")
    assert (data_dir / "redis.url").read_text() == ""
    second = flask_up(PORT="1")
    _, log = second.communicate(timeout=120)
    assert second.returncode == 2
    assert f"`flask up` already runs in DATA_DIR {data_dir}" in log
