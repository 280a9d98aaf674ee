"""deploy/: other ways to start the same processes. The Procfile is the truth, these say the same."""

import json
import os
import re
import resource
import shutil
import subprocess
import sys
from datetime import datetime, timedelta
from pathlib import Path
from socket import create_connection, create_server

import pytest

from tests.conftest import ROOT, Service, wait_until
from workers import embedded, settings
from workers.db import now
from workers.engine import queues, wire

PROCFILE = dict(line.split(": ", 1) for line in (ROOT / "Procfile").read_text().splitlines())
PROCESSES = ("web", "worker", "clock")
GIVEN = {
    **{"SECRET_KEY": "a key of its own of thirty-two characters", "PASSWORD": "p4ssw0rd"},
    **{"PUBLIC_URL": "https://sira.example.com", "SMTP_URL": "smtp://mail.example.com:587?tls=starttls"},
}
COMPOSED = re.sub(
    r"\$\{(\w+)[^}]*\}", lambda found: GIVEN.get(found[1], found[0]), (ROOT / "deploy/compose.yaml").read_text()
)
COMPOSED_SETTINGS = {
    name.lower(): value
    for name, value in re.findall(r"^    ([A-Z_]+): (.+)$", COMPOSED, re.MULTILINE)
    if name != "PATH"
}


@pytest.mark.parametrize("name", PROCESSES)
@pytest.mark.parametrize("path", ["systemd/sira-{name}.service", "supervisor.conf", "compose.yaml"])
def test_each_process_is_started_as_the_procfile_has_it(path: str, name: str) -> None:
    text = (ROOT / "deploy" / path.format(name=name)).read_text().replace("$$", "$")

    started = re.findall(r"exec (.+)'", text)

    assert PROCFILE[name] in started
    assert set(started) <= {PROCFILE[each] for each in PROCESSES}


def test_however_the_web_is_started_it_reads_long_addresses_and_opens_no_door_of_its_own() -> None:
    command = [sys.executable, "-m", *PROCFILE["web"].partition(" --workers")[0].split(), "--print-config"]

    told = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=180).stdout

    assert re.search(r"^limit_request_line += 8190$", told, re.MULTILINE)
    assert re.search(r"^control_socket_disable += True$", told, re.MULTILINE), "in a home that may be read-only"


def test_what_compose_sets_is_safe_in_production() -> None:
    assert settings.load(**COMPOSED_SETTINGS).unsafe() == []


def test_the_server_that_compose_starts_is_reached_where_it_says(service: Service, tmp_path: Path) -> None:
    command = re.findall(r">-\n((?: {6}.+\n)+)", COMPOSED)[0].replace("/data/", f"{tmp_path}/").split()
    url = COMPOSED_SETTINGS["redis_url"].replace("/run/valkey/", f"{tmp_path}/")
    server = subprocess.Popen([embedded.server(), *command[1:]], cwd=tmp_path, stdout=subprocess.DEVNULL)
    try:
        settings.use(settings.load(**{**COMPOSED_SETTINGS, "redis_url": url}))
        wait_until(queues.ping, what="the server")

        wire.refuse_unsafe_server()  # raises where it would lose jobs
        assert wire.connect().config_get("port") == {"port": "0"}
    finally:
        wire.connect().connection_pool.disconnect()
        server.terminate()
        server.wait(timeout=20)


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="no systemd-analyze on PATH")
def test_systemd_takes_the_units(tmp_path: Path) -> None:
    for unit in (ROOT / "deploy/systemd").glob("*.service"):
        (tmp_path / unit.name).write_text(unit.read_text())

    units = map(str, tmp_path.glob("*.service"))
    told = subprocess.run(["systemd-analyze", "verify", "--man=no", *units], capture_output=True, text=True)

    ours = [line for line in told.stderr.splitlines() if "sira-" in line]
    assert ours == []


def _gunicorn_says(request: bytes, **environment: str) -> list[str]:
    """What gunicorn writes of its start, of this request and of its end."""
    listener = create_server(("127.0.0.1", 0))
    bind = ["--bind", f"fd://{listener.fileno()}"]
    command = [shutil.which("gunicorn", path=Path(sys.executable).parent), "wsgiref.simple_server:demo_app", *bind]
    env = {**os.environ, "TZ": "Asia/Tokyo", **environment}
    with subprocess.Popen(
        command, cwd=ROOT, env=env, stderr=subprocess.PIPE, text=True, pass_fds=[listener.fileno()]
    ) as server:
        with create_connection(listener.getsockname(), timeout=60) as caller:
            caller.sendall(request)
            caller.recv(100)
        server.terminate()
        return server.communicate(timeout=60)[1].splitlines()


def test_gunicorns_own_lines_are_json_in_production_as_all_others() -> None:
    said = [json.loads(line) for line in _gunicorn_says(b"GET / HTTP/1.1\r\n\r\n", APP_ENV="production")]

    assert said[0]["event"].startswith("Starting gunicorn")
    assert {tuple(sorted(line)) for line in said} == {("event", "level", "timestamp")}
    assert all(line["timestamp"].endswith("Z") for line in said)
    assert abs(datetime.fromisoformat(said[0]["timestamp"]) - now()) < timedelta(hours=1), "UTC, wherever it runs"


def test_of_a_request_that_cannot_be_read_gunicorn_says_neither_what_it_holds_nor_who_sent_it() -> None:
    said = _gunicorn_says(b"GET / HTTP/1.1\r\nAuthorization : Bearer a-token\r\n\r\n", APP_ENV="development")

    (line,) = [line for line in said if "Invalid request" in line]
    assert line.endswith("Invalid request")
    assert "a-token" not in "".join(said)


def test_a_web_process_never_looks_through_what_it_loaded_for_garbage() -> None:
    script = (
        "import gc, runpy; runpy.run_path('gunicorn.conf.py')['post_worker_init'](None); print(gc.get_freeze_count())"
    )

    told = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)

    assert int(told.stdout) > 1000


@pytest.mark.parametrize("name", PROCESSES)
def test_no_process_leaves_its_memory_in_a_file_where_it_crashes(service: Service, name: str) -> None:
    hard = resource.getrlimit(resource.RLIMIT_CORE)[1]
    command = re.split(" --(?:workers|concurrency)", PROCFILE[name])[0].split()
    orders = {"web": ["-m", *command, "--bind", "127.0.0.1:0"]}.get(name, command[1:])
    started = subprocess.Popen(
        [sys.executable, *orders],
        cwd=ROOT,
        env=service.env,
        stderr=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_CORE, (hard, hard)),
    )
    try:
        wait_until(lambda: _cores([started.pid, *_children(started.pid)][-1]) == 0, timeout_s=30, what=name)
    finally:
        started.terminate()
        started.wait(60)


def _children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _cores(pid: int) -> int:
    """How large a file it would leave, in bytes."""
    return resource.prlimit(pid, resource.RLIMIT_CORE)[0]
