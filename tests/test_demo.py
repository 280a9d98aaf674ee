"""`flask demo`: what it takes from whoever starts it, and what it leaves behind."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from app import demo
from tests.conftest import ROOT, wait_until
from tests.test_processes import is_gone
from workers import settings


def test_the_demo_takes_no_setting_from_whoever_starts_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in settings.Settings.model_fields:
        monkeypatch.setenv(name.upper(), "theirs")
    (tmp_path / ".env").write_text("REDIS_URL=redis://theirs/0\n")
    monkeypatch.setenv("MARK", "kept")

    env = demo.environment(tmp_path / "demo", 8123)

    told = subprocess.run(
        [sys.executable, "-m", "flask", "--app", f"{ROOT}/wsgi.py", "check"],
        cwd=tmp_path,
        env=env,
        capture_output=True,
        text=True,
        timeout=60,
    ).stdout
    assert "theirs" not in told + "".join(env.values())
    assert f"DATA_DIR={tmp_path / 'demo'}\n" in told
    assert (env["MARK"], env["PORT"]) == ("kept", "8123")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_demo_that_is_ended_takes_the_service_with_it(tmp_path: Path, number: int) -> None:
    said = tmp_path / "said"
    command, env = [sys.executable, "-m", "flask", "demo"], {**os.environ, "DATA_DIR": str(tmp_path)}
    with said.open("w") as errors:
        ended = subprocess.Popen(command, cwd=ROOT, env=env, stdout=subprocess.DEVNULL, stderr=errors)
    try:
        wait_until(lambda: "runs at" in said.read_text() or ended.poll() is not None, timeout_s=180, what="a service")
    finally:
        ended.send_signal(number)
        ended.wait(60)

    told = re.sub(r"\x1b\[\d*m", "", (tmp_path / "demo" / "service.log").read_text())
    pids = [int(pid) for pid in re.findall(r"program started.*?pid=(\d+)", told)]
    assert len(pids) == 6
    wait_until(lambda: all(map(is_gone, pids)), what="the end of all programs")
