"""`flask inspect`, `flask events` and `flask doctor`, as processes of their own beside a service."""

import json
import signal
import subprocess
import sys
from pathlib import Path

from tests.commands import flask
from tests.conftest import ROOT, Service, wait_until
from workers.engine import enqueue


def test_inspect_prints_lines_for_people_and_json_for_programs(service: Service) -> None:
    task = enqueue("add", {"a": 1})

    lines, rows = flask(service, "inspect", "reserved"), flask(service, "inspect", "reserved", "--json")

    assert f"task_id={task.id}  queue=sms  position=1" in lines.stdout
    assert json.loads(rows.stdout) == [{"task_id": task.id, "queue": "sms", "position": 1}]
    assert flask(service, "inspect", "active").stderr.strip().endswith("Nothing is active.")


def test_the_doctor_ends_with_1_as_long_as_something_is_broken(service: Service) -> None:
    task = enqueue("add", {"a": 1})
    service.redis.lpop("rq:queue:sms")

    looked, mended = flask(service, "doctor"), flask(service, "doctor", "--mend")

    assert looked.returncode == 1
    assert f"popped and lost: {task.id}" in looked.stdout
    assert "Mended." in mended.stdout
    assert service.redis.llen("rq:queue:sms") == 1


def test_events_says_at_once_that_no_service_runs(service: Service, tmp_path: Path) -> None:
    nothing = flask(service, "events", REDIS_URL="", DATA_DIR=str(tmp_path))
    away = flask(service, "events", REDIS_URL="redis://127.0.0.1:1/0")

    assert (nothing.returncode, away.returncode) == (1, 1)
    assert f"No `flask up` runs in DATA_DIR {tmp_path}" in nothing.stderr
    assert "Redis does not answer" in away.stderr


def waits_for_events(client: dict[str, str]) -> bool:
    """Not one of ours whose last question was the same, and was answered."""
    return client["cmd"] == "xread" and "b" in client["flags"]


def test_events_prints_each_change_until_ctrl_c(service: Service) -> None:
    command = [sys.executable, "-m", "flask", "events"]
    log = service.data_dir / "events.log"
    process = subprocess.Popen(command, cwd=ROOT, env=service.env, stdout=log.open("w"), stderr=subprocess.STDOUT)
    try:
        wait_until(lambda: any(map(waits_for_events, service.redis.client_list())), timeout_s=180, what="a reader")
        task = enqueue("add", {"a": 1})
        wait_until(lambda: f"{task.id}  add  PENDING" in log.read_text())
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0, "Ctrl-C is how one leaves"
        assert "Aborted" not in log.read_text()
    finally:
        process.kill()
        process.wait(60)
