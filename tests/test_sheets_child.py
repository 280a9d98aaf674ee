"""The process that reads a foreign file: waited for, told from one that was killed, and gone when it is not needed."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from threading import Timer

import pytest

from tests.conftest import ROOT
from tests.workbooks import FIELDS, GOOD, balances
from workers.errors import WorkerLost
from workers.services import sheets
from workers.services.sheets import Limits


def test_a_reader_that_is_kept_waiting_is_waited_for_because_the_file_is_not_to_blame(tmp_path):
    path = balances(tmp_path / "cari.xlsx", *[GOOD] * 20_000)

    with sheets.read(path, filename="cari.xlsx", fields=FIELDS, limits=Limits(seconds=2.0)) as opened:
        reader = int(children()[0])
        os.kill(reader, signal.SIGSTOP)
        goes_on = Timer(3.0, os.kill, (reader, signal.SIGCONT))
        goes_on.start()

        assert sum(len(chunk) for chunk in opened.rows()) == 20_000


def test_the_child_ends_with_the_block_however_much_is_unread(tmp_path):
    path = balances(tmp_path / "cari.xlsx", *[GOOD] * 50_000)

    with sheets.read(path, filename="cari.xlsx", fields=FIELDS) as opened:
        next(opened.rows())
        assert len(children()) == 1

    assert children() == []


@pytest.mark.parametrize("name", ["SIGKILL", "SIGTERM"])
def test_a_reader_that_is_killed_from_outside_is_no_fault_of_the_file_and_is_tried_again(tmp_path, name):
    path = balances(tmp_path / "cari.xlsx", *[GOOD] * 50_000)

    with sheets.read(path, filename="cari.xlsx", fields=FIELDS) as opened:
        os.kill(int(children()[0]), signal.Signals[name])
        with pytest.raises(WorkerLost, match=name) as caught:
            list(opened.rows())

    assert not caught.value.final


def test_a_reader_that_computes_too_long_is_told_from_one_that_is_killed():
    endless = "import os; from workers.services.sheets import child; child.CPU_S = 1; child.confine(os.getppid(), 512)"
    ended = subprocess.run([sys.executable, "-c", f"{endless}\nwhile True: pass"], cwd=ROOT, timeout=60)

    assert ended.returncode == -signal.SIGXCPU


def children():
    """The reading processes that this process has, the dead that nobody waited for among them."""
    own = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
    return [pid for pid in own if b"sheets.child" in Path(f"/proc/{pid}/cmdline").read_bytes()]
