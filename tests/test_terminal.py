import os
import pty
import subprocess
import sys
from pathlib import Path

import click
import pytest

from app.terminal import one_sentence
from tests.conftest import ROOT
from workers.errors import BadPhone, Conflict

SHOW = """
from app.terminal import Progress
with Progress("letters") as progress:
    for current in (0, 0, 5, 10):
        progress.show(current, 10)
"""


def test_without_a_terminal_progress_is_a_line_for_each_change() -> None:
    told = subprocess.run([sys.executable, "-c", SHOW], cwd=ROOT, capture_output=True, text=True, check=True)

    assert told.stdout == ""
    assert told.stderr == "0/10\n5/10\n10/10\n"


def test_on_a_terminal_progress_is_a_bar_that_leaves_the_cursor_as_it_was() -> None:
    ours, theirs = pty.openpty()
    subprocess.run([sys.executable, "-c", SHOW], cwd=ROOT, stderr=theirs, check=True)
    os.close(theirs)

    told = os.read(ours, 65536).decode()

    assert "letters" in told
    assert "5/10" in told
    assert told.rindex("\x1b[?25h") > told.rindex("\x1b[?25l")


def test_an_error_that_a_person_can_act_on_is_its_sentence(tmp_path: Path) -> None:
    with pytest.raises(click.ClickException, match="the task has ended"), one_sentence():
        raise Conflict(reason="the task has ended")
    with pytest.raises(click.ClickException, match="can't be used: the number is empty"), one_sentence():
        raise BadPhone(reason="numara boş")
    with pytest.raises(click.ClickException, match="missing: No such file"), one_sentence():
        (tmp_path / "missing").read_text()


def test_a_fault_of_ours_keeps_its_traceback() -> None:
    with pytest.raises(ZeroDivisionError), one_sentence():
        1 // 0  # noqa: B018
