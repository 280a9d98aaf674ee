"""Child processes: what is started is ended, with all it has started itself."""

import os
import signal
import subprocess
import sys
from pathlib import Path

from tests.conftest import ROOT, wait_until
from workers import processes


def is_gone(pid: int) -> bool:
    """True also for a zombie whose new parent has not looked yet."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


def test_a_child_says_how_it_ended_as_often_as_it_is_asked() -> None:
    process = processes.spawn([sys.executable, "-c", "raise SystemExit(3)"])
    wait_until(lambda: processes.ended(process))
    assert processes.ended(process)
    assert processes.end(process, 5) == 3
    assert processes.end(process, 5) == 3
    assert processes.ended(process)


DEAF = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN)"
STUBBORN = f"{DEAF}; print(1, flush=True); time.sleep(600)"


def test_a_child_that_ignores_sigterm_is_killed_with_its_own_children(tmp_path: Path) -> None:
    script = f"""
{DEAF}
import subprocess, sys
inner = subprocess.Popen([sys.executable, "-c", {STUBBORN!r}], stdout=subprocess.PIPE)
inner.stdout.readline()
open("pid", "w").write(str(inner.pid))
time.sleep(600)
"""
    process = processes.spawn([sys.executable, "-c", script], cwd=tmp_path)
    inner = int(wait_until(lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text()))
    assert not processes.ended(process)
    assert processes.end(process, 0.2) == -signal.SIGKILL
    assert processes.ended(process)
    wait_until(lambda: is_gone(inner), what="the end of the inner process")


PARENT = """
import sys, time
from workers import processes
child = processes.spawn([sys.executable, "-c", "import time; time.sleep(600)"])
print(child.pid, flush=True)
time.sleep(600)
"""


def test_a_child_ends_when_its_parent_is_killed() -> None:
    with subprocess.Popen([sys.executable, "-c", PARENT], cwd=ROOT, stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        assert not is_gone(child)
        parent.kill()
    wait_until(lambda: is_gone(child))


def test_a_child_has_a_session_of_its_own_so_that_ctrl_c_does_not_reach_it() -> None:
    process = processes.spawn([sys.executable, "-c", "import time; time.sleep(600)"])
    assert os.getsid(process.pid) == process.pid
    assert processes.end(process, 30) == -signal.SIGTERM
