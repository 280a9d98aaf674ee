"""deploy/: other ways to start the same processes. The Procfile is the truth, these say the same."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT

PROCFILE = dict(line.split(": ", 1) for line in (ROOT / "Procfile").read_text().splitlines())
PROCESSES = ("web", "worker", "clock")


@pytest.mark.parametrize("name", PROCESSES)
@pytest.mark.parametrize("path", ["systemd/sira-{name}.service", "supervisor.conf", "compose.yaml"])
def test_each_process_is_started_as_the_procfile_has_it(path: str, name: str) -> None:
    text = (ROOT / "deploy" / path.format(name=name)).read_text().replace("$$", "$")

    started = re.findall(r"exec (.+)'", text)

    assert PROCFILE[name] in started
    assert set(started) <= {PROCFILE[each] for each in PROCESSES}


def test_however_the_web_is_started_it_reads_long_addresses() -> None:
    command = [sys.executable, "-m", *PROCFILE["web"].partition(" --workers")[0].split(), "--print-config"]

    told = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=180).stdout

    assert re.search(r"^limit_request_line += 8190$", told, re.MULTILINE)


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="no systemd-analyze on PATH")
def test_systemd_takes_the_units(tmp_path: Path) -> None:
    for unit in (ROOT / "deploy/systemd").glob("*.service"):
        (tmp_path / unit.name).write_text(unit.read_text())

    units = map(str, tmp_path.glob("*.service"))
    told = subprocess.run(["systemd-analyze", "verify", "--man=no", *units], capture_output=True, text=True)

    ours = [line for line in told.stderr.splitlines() if "sira-" in line]
    assert ours == []


def test_gunicorns_own_lines_are_in_utc_wherever_it_runs() -> None:
    command = [sys.executable, "-m", "gunicorn", "wsgiref.simple_server:demo_app", "--bind", "127.0.0.1:0"]
    server = subprocess.Popen(
        command, cwd=ROOT, env={**os.environ, "TZ": "Asia/Tokyo"}, stderr=subprocess.PIPE, text=True
    )
    try:
        assert server.stderr is not None
        assert " +0000] " in server.stderr.readline()
    finally:
        server.terminate()
        server.communicate(timeout=20)


def test_a_web_process_never_looks_through_what_it_loaded_for_garbage() -> None:
    script = (
        "import gc, runpy; runpy.run_path('gunicorn.conf.py')['post_worker_init'](None); print(gc.get_freeze_count())"
    )

    told = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)

    assert int(told.stdout) > 1000
