"""What a person at the terminal sees of a command: one sentence for an error, and a bar or plain lines for progress."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from workers.errors import SiraError

if TYPE_CHECKING:  # the engine takes a third of a second to import
    from workers.engine.tasks import Task

LOOK_EVERY_S = 0.5
GIVE_UP = 3  # gunicorn starts a worker that ends with another code again, for ever


@contextmanager
def one_sentence() -> Iterator[None]:
    """Errors that a person can act on end the command with their sentence, in English as all commands are, and exit
    code 1; faults of ours keep their traceback."""
    try:
        yield
    except SiraError as error:
        from workers.wording.told import worded

        raise click.ClickException(worded(error.message, "en")) from error
    except OSError as error:
        if not error.filename:
            raise
        raise click.ClickException(f"{error.filename}: {error.strerror}.") from error


@contextmanager
def loading() -> Iterator[None]:
    """`one_sentence` for what commands load, and servers, too: they print a traceback of whatever is raised."""
    try:
        with one_sentence():
            yield
    except click.ClickException as refused:
        if click.get_current_context(silent=True):
            raise
        refused.show()
        sys.exit(GIVE_UP)


def runs_a_command() -> bool:
    """Whether `flask` is looking for one of our commands. Its own `run`, `shell` and `routes` are found by then, and
    look from inside."""
    from flask.cli import FlaskGroup

    asking = click.get_current_context(silent=True)
    return asking is not None and asking.parent is None and isinstance(asking.command, FlaskGroup)


class Command(click.Command):
    """A command whose errors are one sentence."""

    def invoke(self, ctx: click.Context) -> Any:
        with one_sentence():
            return super().invoke(ctx)


class Group(click.Group):
    """A group of such commands."""

    command_class = Command
    group_class = type


def say(text: str) -> None:
    """Tell a person, on standard error: standard output is for programs."""
    click.echo(text, err=True)


class Progress:
    """Progress on standard error: a bar on a terminal, elsewhere plain lines `N/M`, each when it changes."""

    def __init__(self, label: str) -> None:
        self._bar: Any = None
        if sys.stderr.isatty():
            self._bar = click.progressbar(length=100, label=label, file=sys.stderr, show_pos=True)
        self._told = ""

    def __enter__(self) -> "Progress":
        if self._bar:
            self._bar.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar:
            self._bar.render_finish()

    def show(self, current: int, total: int) -> None:
        """`current` of `total` is done; both may change at any time."""
        line = f"{current}/{total}"
        if self._bar:
            self._bar.length = total
            self._bar.update(current - self._bar.pos)
        elif line != self._told:
            say(line)
        self._told = line


def watch(task: "Task") -> "Task":
    """Show the progress of a task until it has ended; gives it as it ended."""
    with Progress(task.kind) as progress:
        while not task.ended:
            task = task.wait(LOOK_EVERY_S)
            progress.show(task.current, task.total)
    return task
