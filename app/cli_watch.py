"""`flask inspect`, `flask events`, `flask doctor`: look at the running service."""

import json
import sys
from contextlib import suppress
from typing import Any

import click

from app.terminal import Command, say

VIEWS = ("active", "scheduled", "reserved", "stats", "registered")


@click.command(cls=Command)
@click.argument("view", type=click.Choice(VIEWS))
@click.option("--json", "as_json", is_flag=True, help="One JSON list instead of lines.")
def inspect(view: str, as_json: bool) -> None:
    """Show what runs or waits, who works, or which kinds there are."""
    from workers.engine import inspect as looking

    rows = getattr(looking, view)()
    if as_json:
        click.echo(json.dumps(rows, ensure_ascii=False, indent=2))
        return
    for row in rows:
        click.echo("  ".join(f"{name}={_plain(value)}" for name, value in row.items() if value is not None))
    if not rows:
        say(f"Nothing is {view}.")


def _plain(value: Any) -> Any:
    return ",".join(value) if isinstance(value, list) else value


@click.command(cls=Command)
@click.option("--company", "company_id", type=int, help="Only the tasks of this company.")
def events(company_id: int | None) -> None:
    """Print each change of each task as it happens, until Ctrl-C."""
    from workers.engine.events import follow
    from workers.engine.queues import require

    require()  # later on a Redis that is away comes back; one that never was there is a mistake
    with suppress(KeyboardInterrupt):  # it is how one leaves
        for told in follow(scope=str(company_id) if company_id else None):
            if told is not None:
                event_id, task = told
                click.echo(f"{event_id}  {task.id}  {task.kind}  {task.state}  {task.current}/{task.total}")


@click.command(cls=Command)
@click.option("--mend", is_flag=True, help="Put right what can be put right.")
def doctor(mend: bool) -> None:
    """Look for what no healthy service has. Ends with 1 if anything was found that is not mended."""
    from workers.engine.doctor import examine

    findings = list(examine(mend=mend))
    for finding in findings:
        mended = " Mended." if finding.mended else ""
        click.echo(f"{finding.what}: {finding.task_id or ''} {finding.advice}{mended}".replace(":  ", ": "))
    say(f"{len(findings)} findings." if findings else "All is well.")
    if not all(finding.mended for finding in findings):
        sys.exit(1)
