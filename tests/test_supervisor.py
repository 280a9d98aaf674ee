"""The supervisor: small real programs, a supervisor in a process of its own, real signals."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace

import pytest

from app import supervisor
from app.supervisor import Child, Program, Supervisor
from tests.conftest import ROOT, wait_until
from tests.test_processes import is_gone

# A program that tells a file when it starts and when it gets SIGTERM; `then` is what it does meanwhile.
PROGRAM = """
import os, signal, sys, time
def tell(what):
    with open("told", "a") as file:
        file.write(f"{sys.argv[1]} {what} {os.getpid()}\\n")
def stop(*_):
    tell("stops")
    sys.exit(0)
signal.signal(signal.SIGTERM, stop)
tell("starts")
THEN
"""
WAITS = "while True: time.sleep(0.05)"
IGNORES = "signal.signal(signal.SIGTERM, lambda *_: tell('ignores')); tell('deaf')\nwhile True: time.sleep(0.05)"

SUPERVISOR = """
import sys
from app.supervisor import Program, Supervisor
from workers import logs
logs.setup(production=True)
def program(name, then, **options):
    return Program(name, [sys.executable, "-c", PROGRAM.replace("THEN", then), name], **options)
supervisor = Supervisor(PROGRAMS, OPTIONS)
sys.exit(supervisor.run(lambda: print("all are ready", flush=True)))
"""


class Running:
    """A supervisor in a process of its own, and what its programs told."""

    def __init__(self, folder: Path, process: "subprocess.Popen[str]") -> None:
        self.folder, self.process = folder, process

    def told(self) -> list[str]:
        """Lines `name starts|stops|…` without the process ids."""
        return [line.rpartition(" ")[0] for line in self._lines()]

    def pids(self) -> set[int]:
        return {int(line.rpartition(" ")[2]) for line in self._lines()}

    def pid(self, name: str) -> int:
        return [int(line.split()[2]) for line in self._lines() if line.startswith(f"{name} starts")][-1]

    def _lines(self) -> list[str]:
        path = self.folder / "told"
        return path.read_text().splitlines() if path.exists() else []

    def log(self) -> str:
        return (self.folder / "log").read_text()

    def stopped(self) -> list[tuple[str, int]]:
        """The programs in the order in which they were stopped, with how each ended."""
        found = re.findall(r'"program": "(\w+)", "exit_code": (-?\d+).*"program stopped"', self.log())
        return [(name, int(code)) for name, code in found]

    def wait_for(self, line: str, times: int = 1) -> None:
        wait_until(lambda: self.told().count(line) >= times, what=f"{times} × {line!r}")

    def wait_ready(self) -> None:
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == "all are ready\n", self.log()

    def stop(self, signum: int = signal.SIGTERM) -> int:
        self.process.send_signal(signum)
        return self.process.wait(120)

    def left(self) -> list[int]:
        return [pid for pid in self.pids() if not is_gone(pid)]


@pytest.fixture
def supervise(tmp_path: Path) -> Iterator[Callable[..., Running]]:
    """Run a supervisor over programs written as `program("name", then, …)`, separated by commas."""
    running: list[Running] = []

    def run(programs: str, options: str = "") -> Running:
        script = SUPERVISOR.replace("PROGRAMS", f"[{programs}]").replace("OPTIONS", options)
        names = f"PROGRAM, WAITS, IGNORES = {PROGRAM!r}, {WAITS!r}, {IGNORES!r}\n"
        with (tmp_path / "log").open("w") as log:
            process = subprocess.Popen(
                [sys.executable, "-c", names + script],
                cwd=tmp_path,
                env={**os.environ, "PYTHONPATH": str(ROOT)},
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        running.append(Running(tmp_path, process))
        return running[-1]

    yield run
    for each in running:
        each.process.kill()
        each.process.communicate()
        for pid in each.left():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def test_programs_start_in_order_and_stop_in_reverse(supervise: Callable[..., Running]) -> None:
    up = supervise("program('a', WAITS), program('b', WAITS), program('c', WAITS)")
    up.wait_ready()
    for name in "abc":
        up.wait_for(f"{name} starts")
    assert up.stop() == 0
    assert up.told()[3:] == ["c stops", "b stops", "a stops"]
    assert up.left() == []


def test_the_next_program_waits_until_the_one_before_is_ready(supervise: Callable[..., Running]) -> None:
    ready = "ready=lambda: __import__('os').path.exists('go')"
    up = supervise(f"program('a', WAITS, {ready}), program('b', WAITS)")
    up.wait_for("a starts")
    assert up.told() == ["a starts"]
    (up.folder / "go").touch()
    up.wait_ready()
    up.wait_for("b starts")
    assert up.stop() == 0


def test_a_program_that_runs_once_must_end_well_before_the_next(supervise: Callable[..., Running]) -> None:
    up = supervise("program('a', WAITS), program('m', 'tell(\"ends\")', once=True), program('b', WAITS)")
    up.wait_ready()
    up.wait_for("b starts")
    assert up.told().index("m ends") < up.told().index("b starts")
    assert up.stop() == 0
    assert up.told().count("m starts") == 1


def test_a_program_that_must_end_well_and_does_not_ends_it_all(supervise: Callable[..., Running]) -> None:
    up = supervise("program('a', WAITS), program('m', 'sys.exit(3)', once=True), program('b', WAITS)")
    assert up.process.wait(120) == 1
    assert "b starts" not in up.told()
    assert up.left() == []
    assert re.search(r'"program": "m".*"exit_code": 3', up.log())


def test_a_program_that_nobody_can_reach_any_more_is_ended_in_order_and_starts_again(
    supervise: Callable[..., Running],
) -> None:
    lost = "lost=lambda: __import__('os').path.exists('lost') and not __import__('os').remove('lost')"
    up = supervise(f"program('a', WAITS, {lost}), program('b', WAITS)", "first_pause_s=0.05")
    up.wait_ready()
    up.wait_for("b starts")

    (up.folder / "lost").touch()

    wait_until(lambda: up.told().count("a starts") == 2)
    assert up.stop() == 0
    assert (up.told().count("a stops"), up.told().count("b starts")) == (2, 1)


def test_a_program_that_dies_starts_again_with_pauses_that_double(supervise: Callable[..., Running]) -> None:
    up = supervise("program('a', 'sys.exit(7)'), program('b', WAITS)", "first_pause_s=0.05, longest_pause_s=0.15")
    wait_until(lambda: up.log().count("again_in_s") >= 5)
    up.wait_for("b starts")
    assert up.stop() == 0
    died = re.findall(r'"exit_code": 7, "again_in_s": ([\d.]+)', up.log())
    assert died[:5] == ["0.05", "0.1", "0.15", "0.15", "0.15"]
    assert up.told().count("b starts") == 1


def test_a_program_that_was_killed_starts_again_and_its_exit_code_is_told(supervise: Callable[..., Running]) -> None:
    up = supervise("program('a', WAITS), program('b', WAITS)", "first_pause_s=0.05")
    up.wait_ready()
    up.wait_for("a starts")
    os.kill(up.pid("a"), signal.SIGKILL)
    up.wait_for("a starts", times=2)
    assert '"exit_code": -9' in up.log()
    assert up.stop() == 0
    assert up.left() == []


@pytest.mark.parametrize(("lived_s", "pause_s"), [(59, 16), (60, 0.5), (3600, 0.5)])
def test_the_pause_begins_anew_after_a_minute_of_life(
    lived_s: float, pause_s: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor, "time", SimpleNamespace(monotonic=lambda: 10_000.0))
    child = Child(Program("a", []), since=10_000.0 - lived_s, pause_s=8)
    Supervisor([])._bury(child, 1)
    assert child.pause_s == pause_s


def test_the_pause_is_never_longer_than_half_a_minute() -> None:
    child, pauses = Child(Program("a", [])), []
    for _ in range(9):
        child.since = time.monotonic()
        Supervisor([])._bury(child, 1)
        pauses.append(child.pause_s)
    assert pauses == [0.5, 1, 2, 4, 8, 16, 30, 30, 30]


def test_a_program_that_can_not_be_started_is_tried_again(supervise: Callable[..., Running]) -> None:
    up = supervise("Program('a', ['/nonexistent/program']), program('b', WAITS)", "first_pause_s=0.05")
    wait_until(lambda: up.log().count("No such file or directory") >= 3)
    assert up.stop() == 0


def test_the_children_of_a_dead_program_are_gone_before_it_starts_again(supervise: Callable[..., Running]) -> None:
    forks = "if not os.fork(): tell('forked')\nwhile True: time.sleep(0.05)"
    up = supervise(f"program('a', {forks!r})", "first_pause_s=0.05")
    up.wait_for("a forked")
    inner = next(pid for pid in up.pids() if pid != up.pid("a"))
    os.kill(up.pid("a"), signal.SIGKILL)
    up.wait_for("a starts", times=2)
    assert is_gone(inner)
    assert up.stop() == 0
    assert up.left() == []


def test_a_program_that_ignores_sigterm_is_killed_and_the_rest_stops_well(supervise: Callable[..., Running]) -> None:
    up = supervise("program('a', WAITS), program('b', IGNORES, stop_s=0.3), program('c', WAITS)")
    up.wait_ready()
    for line in ("a starts", "b deaf", "c starts"):
        up.wait_for(line)
    assert up.stop() == 0
    assert up.stopped() == [("c", 0), ("b", -signal.SIGKILL), ("a", 0)]
    assert up.left() == []


def test_all_together_stop_in_the_time_there_is(supervise: Callable[..., Running]) -> None:
    up = supervise("*[program(name, IGNORES, stop_s=60) for name in 'abc']", "stop_s=1.5")
    up.wait_ready()
    for name in "abc":
        up.wait_for(f"{name} deaf")
    assert up.stop() == 0
    assert up.stopped() == [(name, -signal.SIGKILL) for name in "cba"]
    assert up.left() == []


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_stop_during_the_start_stops_what_has_started(supervise: Callable[..., Running], signum: int) -> None:
    up = supervise("program('a', WAITS), program('b', WAITS, ready=lambda: False), program('c', WAITS)")
    for name in "ab":
        up.wait_for(f"{name} starts")
    assert up.stop(signum) == 0
    assert up.told()[2:] == ["b stops", "a stops"]
    assert '"program": "c"' not in up.log()
    assert up.left() == []


def test_a_stop_during_a_pause_does_not_wait_for_its_end(supervise: Callable[..., Running]) -> None:
    up = supervise("program('a', 'sys.exit(1)'), program('b', WAITS)", "first_pause_s=3600")
    wait_until(lambda: "again_in_s" in up.log())
    assert up.stop() == 0


def test_further_signals_change_nothing(supervise: Callable[..., Running]) -> None:
    up = supervise("program('a', WAITS), program('b', IGNORES, stop_s=2.5)")
    up.wait_ready()
    up.wait_for("b deaf")
    up.process.send_signal(signal.SIGTERM)
    up.wait_for("b ignores")
    up.process.send_signal(signal.SIGINT)
    assert up.stop() == 0
    assert up.told()[-1] == "a stops"
    assert up.left() == []


def test_programs_do_not_outlive_a_supervisor_that_was_killed(supervise: Callable[..., Running]) -> None:
    up = supervise("program('a', WAITS), program('b', WAITS)")
    up.wait_ready()
    for name in "ab":
        up.wait_for(f"{name} starts")
    up.process.kill()
    wait_until(lambda: not up.left(), what="the end of all programs")
    assert sorted(up.told()[2:]) == ["a stops", "b stops"]


def test_what_programs_print_is_kept_from_standard_output(supervise: Callable[..., Running]) -> None:
    up = supervise("program('a', 'print(\"ready\", flush=True)\\n' + WAITS)")
    up.wait_ready()
    wait_until(lambda: "ready\n" in up.log())
    assert up.stop() == 0
