"""`flask enqueue` and `flask tasks`: give work, watch it, stop it."""

import json
import sys
from typing import TYPE_CHECKING, Any

import click

from app.cli_records import ID
from app.terminal import Command, Group, say, watch

if TYPE_CHECKING:
    from workers.engine.tasks import Task

STATES = click.Choice(["PENDING", "STARTED", "PROGRESS", "RETRY", "SUCCESS", "FAILURE", "REVOKED"])

tasks = Group("tasks", help="What was enqueued, and what became of it.")


class JsonObject(click.ParamType):
    """Parameters of a kind, such as '{"mutabakat_id": 123}'; `-` reads them from standard input."""

    name = "json"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> dict[str, Any]:
        try:
            found = json.loads(sys.stdin.read() if value == "-" else value)
        except ValueError as error:
            self.fail(f"This is no JSON: {error}.", param, ctx)
        if not isinstance(found, dict):
            self.fail('A JSON object is needed, such as {"mutabakat_id": 123}.', param, ctx)
        return found


@click.command(cls=Command)
@click.argument("kind")
@click.argument("params", metavar="[JSON]", type=JsonObject(), default="{}")
@click.option("--company", "company_id", metavar="ID", type=ID, help="The company that the task is for.")
@click.option("--wait", is_flag=True, help="Show the progress; end with 1 unless the task succeeds.")
def enqueue(kind: str, params: dict[str, Any], company_id: int | None, wait: bool) -> None:
    """Enqueue a task with its parameters as JSON. None: {}; `-` reads them from standard input. Prints its id."""
    from workers.engine import queues

    params, company_id = _for_company(kind, params, company_id)
    task = queues.enqueue(kind, params, scope=str(company_id) if company_id else None)
    click.echo(task.id)
    sys.stdout.flush()  # who waits for the task may want its id before it ends
    if wait:
        _finish(watch(task))


@tasks.command("list")
@click.option("--state", type=STATES)
@click.option("--queue")
@click.option("--kind")
@click.option("--company", "company_id", metavar="ID", type=ID)
@click.option("--limit", type=click.IntRange(1, 1000), default=20, show_default=True)
def list_tasks(company_id: int | None, **query: Any) -> None:
    """The newest, a line each: id, state, kind, progress, made at."""
    from workers.engine.tasks import search

    _ready()
    found, _ = search(scope=str(company_id) if company_id else None, **query)
    for task in found:
        made = task.created_at.isoformat(timespec="seconds")
        click.echo(f"{task.id}\t{task.state}\t{task.kind}\t{task.current}/{task.total}\t{made}")
    if not found:
        say("No such tasks." if company_id or query["state"] or query["queue"] or query["kind"] else "No tasks yet.")


@tasks.command()
@click.argument("task_id", metavar="ID")
def show(task_id: str) -> None:
    """Print the status of a task as JSON."""
    from app.api.status import status_of
    from workers.engine.tasks import find

    _ready()
    click.echo(json.dumps(status_of(find(task_id), "en", traceback=True), indent=2, ensure_ascii=False))


@tasks.command()
@click.argument("task_id", metavar="ID")
def cancel(task_id: str) -> None:
    """Stop a task, waiting or running; prints its state."""
    from workers.engine import control

    _ready()
    click.echo(control.cancel(task_id).state)


@tasks.command()
@click.argument("task_id", metavar="ID")
@click.option("--only", type=click.Choice(["failed", "unknown"]), help="Only the items of that state.")
def retry(task_id: str, only: str | None) -> None:
    """Run again what failed; prints the state."""
    from workers.engine import control

    _ready()
    click.echo(control.retry(task_id, only=only).state)


def _ready() -> None:
    from workers import migrations

    migrations.ready()


def _for_company(name: str, params: dict[str, Any], company_id: int | None) -> tuple[dict[str, Any], int | None]:
    """The parameters and the company that they are for, by the rules that hold over HTTP: the records they name must
    be that company's."""
    from app.auth import known_company, owned
    from workers.engine import registry

    _ready()
    kind = registry.get(name)
    if kind.takes("company_id") and company_id is not None:
        params = {"company_id": company_id, **params}
        if params["company_id"] != company_id:
            raise click.UsageError("--company and the company_id in the parameters differ.")
    checked = kind.check(params)
    if company_id is None:
        company_id = checked.get("company_id")
    if company_id is not None:
        known_company(company_id)
    owned(kind.references(checked), company_id)
    return params, company_id


def _finish(task: "Task") -> None:
    if task.state != "SUCCESS":
        raise click.ClickException((task.error or {}).get("message") or f"The task ended as {task.state}.")
    say(json.dumps(task.result, ensure_ascii=False))
