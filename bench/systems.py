"""A system that the benchmarks compare: how its processes are started, filled, asked, counted and ended."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.service import ROOT, TICK_S, Service, children

VENVS = ROOT / ".venv-bench"
REQUIREMENTS = {"peers": ROOT / "bench" / "requirements.txt", "arq": ROOT / "bench" / "requirements-arq.txt"}


@dataclass(frozen=True)
class System:
    """`module` is one of bench/peers; `commands` start two working processes in all. Of so many tasks filled,
    `done(redis, filled)` counts those that ended with a result, `held(redis)` the others that Redis still knows.
    `slower` is about how many times slower than ours it is. `after_kill` says what a SIGKILL costs; what it held comes
    back within `back_s` seconds (0: not within the minutes that a benchmark waits)."""

    name: str
    module: str
    commands: tuple[str, ...]
    done: Callable[[Any, int], int]
    held: Callable[[Any], int]
    venv: str = ""
    env: dict[str, str] = field(default_factory=dict)
    slower: int = 1
    after_kill: str = ""
    back_s: float = 0

    @property
    def python(self) -> Path:
        return _venv(self.venv) / "bin" / "python" if self.venv else Path(sys.executable)

    def fill(self, task: str, count: int) -> None:
        self._call("fill", task, str(count))

    def latencies(self, count: int) -> list[float]:
        """Seconds from enqueue to the first line, one task at a time."""
        return list(json.loads(self._call("latency", str(count))))

    def _call(self, *arguments: str) -> str:
        command = [str(self.python), "-m", "bench.peers", self.module, *arguments]
        return subprocess.run(command, cwd=ROOT, env=self._env(), check=True, stdout=subprocess.PIPE, text=True).stdout

    def _env(self) -> dict[str, str]:
        path = f"{self.python.parent}:{os.environ['PATH']}"
        return {**os.environ, **self.env, "PATH": path, "PYTHONPATH": str(ROOT)}

    @contextmanager
    def running(self, log: Path) -> Iterator[list[int]]:
        """Its processes while the block runs; gives the ids of those that were started. All are killed at the end."""
        with log.open("a") as output:
            options: dict[str, Any] = {"cwd": ROOT, "env": self._env(), "stdout": output, "stderr": output}
            started = [subprocess.Popen(each.split(), start_new_session=True, **options) for each in self.commands]
        try:
            yield [process.pid for process in started]
        finally:
            for pid in [pid for process in started for pid in tree(process.pid)]:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            for process in started:
                process.wait()


def log(own: Service) -> Path:
    """Where the processes of the systems write."""
    return own.folder / "systems.log"


def tree(pid: int) -> list[int]:
    """A living process and all that came of it."""
    try:
        return [pid, *(below for child in children(pid) for below in tree(child))]
    except (FileNotFoundError, ProcessLookupError):
        return []


def cpu_s(pids: list[int]) -> float:
    """CPU time so far of living processes and of those of their children that they have buried, in seconds."""
    return sum(_ticks(pid) for pid in pids) * TICK_S


def _ticks(pid: int) -> int:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return sum(map(int, fields[11:15]))


def _venv(name: str) -> Path:
    """The virtual environment of peers, made or brought up to date if its requirements are newer than it."""
    wanted, made = REQUIREMENTS[name], VENVS / name / "made"
    if not made.exists() or made.stat().st_mtime < wanted.stat().st_mtime:
        print(f"bench: installing {wanted.name} into {VENVS / name}", file=sys.stderr, flush=True)
        subprocess.run([sys.executable, "-m", "venv", VENVS / name], check=True)
        pip = [str(VENVS / name / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, "-r", wanted], check=True)
        made.touch()
    return VENVS / name
