"""The `flask` commands. Heavy modules are imported inside them, so that each starts as quickly as it can."""

import sys
from typing import TYPE_CHECKING

import click

from app.cli_records import companies, tokens, users
from app.cli_schedules import schedules
from app.cli_tasks import enqueue, tasks
from app.cli_watch import doctor, events, inspect
from app.terminal import Command, Group, say
from workers import logs, settings

if TYPE_CHECKING:  # tools that only need the commands can do without Flask
    from flask import Flask

db = Group("db", help="The database.")


def application() -> "Flask":
    """What `flask` runs them on: without a route, and without all that stands behind the routes."""
    from flask import Flask

    app = Flask("app")
    logs.report_errors(settings.current().sentry_dsn)
    register(app)
    return app


def register(app: "Flask") -> None:
    """Give the application its commands."""
    for command in (companies, tokens, users, enqueue, tasks, schedules, inspect, events, doctor, db, check, up, demo):
        app.cli.add_command(command)


@db.command()
def upgrade() -> None:
    """Make or change the tables as this release needs them. Safe to repeat, and at once from many hosts."""
    from workers import migrations

    changed = migrations.upgrade()
    say(f"The database {'was upgraded to' if changed else 'is already at'} revision {migrations.head()}.")


@db.command()
@click.argument("message")
def revise(message: str) -> None:
    """For developers: draft the next revision. It holds what the tables in code have and the database lacks."""
    from contextlib import redirect_stdout

    from workers import migrations

    with redirect_stdout(sys.stderr):
        path = migrations.revise(message)
    click.echo(path)


@click.command(cls=Command)
def check() -> None:
    """Print the settings, masked, and try them. Ends with 1 if any would not work, or is unsafe in production."""
    from app import checks, rate

    rate.read("RATE_LIMIT", settings.current().rate_limit)  # one sentence, as of all settings that can't be read
    for name, value in settings.current().masked().items():
        click.echo(f"{name}={value}")
    findings = list(checks.findings(settings.current()))
    for finding in findings:
        say(f"{'ok' if finding.fine else 'WRONG':5}  {finding.what}: {finding.text}")
    if not all(finding.fine for finding in findings):
        sys.exit(1)


@click.command(cls=Command)
@click.option("--port", type=click.IntRange(1, 65535), help="Where the web listens (default: PORT).")
@click.option("--concurrency", type=click.IntRange(1), default=3, show_default=True, help="How many jobs run at once.")
@click.option("--no-sandbox", is_flag=True, help="Start no mail and SMS servers of our own.")
def up(port: int | None, concurrency: int, no_sandbox: bool) -> None:
    """Run the whole service in the foreground until Ctrl-C. With nothing configured: on the sample company."""
    from app import checks
    from app import up as service

    chosen = settings.current()
    checks.readable(chosen)
    sample = _show_the_sample if chosen.embedded_redis and not chosen.database_url else None
    with service.sandbox(chosen, wanted=not no_sandbox) as (extra, addresses):
        code = service.run(
            chosen, port=port, concurrency=concurrency, extra=extra, addresses=addresses, before_ready=sample
        )
    sys.exit(code)


def _show_the_sample() -> None:
    """The password is told once: only when the service is there to sign in to."""
    from app import sample

    sample.load()
    if login := sample.first_login():
        click.echo(f"login: {login[0]} / {login[1]}")


@click.command(cls=Command)
def demo() -> None:
    """Run the main job on the sample data, with progress. Prints where the results are."""
    from app import demo as show

    sys.exit(show.run(settings.current()))
