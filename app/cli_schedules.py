"""`flask schedules`: what runs by the clock, and how to steer it."""

import json
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import click

from app.terminal import Group, say

if TYPE_CHECKING:
    from datetime import datetime

    from workers.engine.schedules import Schedule

schedules = Group("schedules", help="What runs by the clock.")
NAME = click.argument("name", metavar="NAME")


@schedules.command("list")
def list_schedules() -> None:
    """A line each: name, state, cron line, next run, last run. Times are of their zones, the last with its outcome."""
    _ready()
    from workers.engine import schedules as engine

    found = engine.listed(history=0)
    for one in found:
        last = f"{one.last_run.state} {_local(one.last_run.due_at, one)}" if one.last_run else "-"
        click.echo("\t".join([one.name, one.state, one.cron, _local(one.next_run_at, one), last]))
    if not found:
        say("No clock has run yet: start one with `python scheduler.py`.")


@schedules.command()
@NAME
@click.option("--history", type=click.IntRange(0, 1000), default=20, show_default=True)
def show(name: str, history: int) -> None:
    """Print a schedule with its past occurrences as JSON (times in UTC)."""
    _ready()
    from app.api.schedules import view
    from workers.engine import schedules as engine

    click.echo(json.dumps(view(engine.get(name, history=history), "en"), indent=2, ensure_ascii=False))


@schedules.command()
@NAME
def run(name: str) -> None:
    """Run a schedule now, beside its plan; prints the task's id."""
    _ready()
    from workers.engine import schedules as engine

    click.echo(engine.run_now(name).id)


@schedules.command()
@NAME
def pause(name: str) -> None:
    """Enqueue nothing more until `resume`; what runs goes on."""
    _ready()
    from workers.engine import schedules as engine

    click.echo(engine.pause(name).state)


@schedules.command()
@NAME
def resume(name: str) -> None:
    """Go on with the next time. What fell into the pause is not made up for."""
    _ready()
    from workers.engine import schedules as engine

    one = engine.resume(name)
    click.echo(one.state)
    say(f"Next run: {_local(one.next_run_at, one)}.")


def _local(instant: "datetime | None", one: "Schedule") -> str:
    return instant.astimezone(ZoneInfo(one.zone)).isoformat(timespec="seconds") if instant else "-"


def _ready() -> None:
    from workers import migrations

    migrations.ready()
