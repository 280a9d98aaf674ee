"""Tasks: what became of what was accepted."""

from typing import Annotated, Any, Literal

from flask import Response, jsonify
from pydantic import BaseModel, ConfigDict, Field, model_validator

from app.api import documented, downloads, streams
from app.api.documented import problems
from app.api.status import Row, Status, iso, language, row_of, status_of
from app.auth import caller, company_scope, sees
from app.fields import Input, OneLine, Query
from workers.engine import control, ledger, tasks
from workers.errors import NotAllowed, UnknownTask
from workers.wording.told import worded

MAX_WAIT_S = 30

api = documented.blueprint("tasks", "Tasks: watch, cancel, retry, fetch the result", "/api/tasks")

State = Literal["PENDING", "STARTED", "PROGRESS", "RETRY", "SUCCESS", "FAILURE", "REVOKED"]
ItemState = Literal["pending", "sending", "done", "failed", "skipped", "unknown"]
Cursor = Annotated[str, Field(max_length=100, description="next_cursor of the page before"), OneLine]


class TaskPath(BaseModel):
    task_id: str = Field(description="What the 202 answer gave as task_id")


class Wait(Query):
    wait: float = Field(0, ge=0, le=MAX_WAIT_S, description="Seconds to wait for the end of the task before answering")


class Search(Query):
    state: State | None = None
    queue: Annotated[str, Field(max_length=40), OneLine] | None = None
    kind: Annotated[str, Field(max_length=100), OneLine] | None = None
    q: (
        Annotated[str, Field(max_length=200, description="Looks into ids, kinds, statuses and errors"), OneLine] | None
    ) = None
    company: int | None = Field(None, description="The tasks of one company (members: their own)")
    cursor: Cursor | None = None
    limit: int = Field(20, ge=1, le=100)


class ItemSearch(Query):
    state: ItemState | None = None
    cursor: Cursor | None = None
    limit: int = Field(50, ge=1, le=100)


class Rows(BaseModel):
    items: list[Row]
    next_cursor: str | None


class Item(BaseModel):
    """One row of a bulk task: who got what."""

    id: int
    position: int
    ref: str | None
    state: str
    attempts: int
    error: str | None
    provider_id: str | None
    updated_at: str


class Items(BaseModel):
    items: list[Item]
    next_cursor: str | None


class Retry(Input):
    """What to run again: all that failed, only failed items, or (only when asked so) those of unknown outcome."""

    model_config = ConfigDict(openapi_extra={"required": False})  # type: ignore[typeddict-unknown-key]

    only: Literal["failed", "unknown"] | None = None

    @model_validator(mode="before")
    @classmethod
    def _may_be_left_out(cls, body: Any) -> Any:
        return {} if body is None else body


def visible(task_id: str) -> tasks.Task:
    """The task, if it is the caller's to see; an id of any shape that isn't ours is unknown, as a foreign one is."""
    task = tasks.find(task_id)
    if not sees(task.scope):
        raise UnknownTask()
    return task


@api.get("", responses={200: Rows, **problems(403, 422)})
def list_tasks(query: Search) -> Response:
    """List tasks, newest first."""
    scope = company_scope()
    if query.company is not None:
        if scope not in (None, str(query.company)):
            raise NotAllowed()
        scope = str(query.company)
    found, cursor = tasks.search(scope=scope, **query.model_dump(exclude={"company"}))
    return jsonify(items=[row_of(task, language()) for task in found], next_cursor=cursor)


@api.get("/<task_id>/status", responses={200: Status, **problems(404, 422)})
def task_status(path: TaskPath, query: Wait) -> Response:
    """Tell the state of a task, at once or as soon as it has ended."""
    task = visible(path.task_id)
    if query.wait and not task.ended:
        with streams.seat() as free:
            task = task.wait(query.wait, left=streams.left_by_client()) if free else task
    return jsonify(status_of(task, language(), traceback=caller().is_operator))


@api.get("/<task_id>/events", responses={200: streams.DOCUMENTED, **problems(404, 422)})
def task_events(path: TaskPath, query: streams.Since) -> Response:
    """Stream the states of a task as Server-Sent Events, from the present one to the last."""
    return streams.of_task(visible(path.task_id), query.last_event_id)


@api.get("/<task_id>/result", responses={200: downloads.DOCUMENTED, **problems(404, 409)})
def task_result(path: TaskPath) -> Response:
    """Fetch the result: a file as a download, anything else as JSON."""
    return downloads.result_of(visible(path.task_id))


@api.get("/<task_id>/items", responses={200: Items, **problems(404, 422)})
def task_items(path: TaskPath, query: ItemSearch) -> Response:
    """List the items of a bulk task in the order they were posted, `error` in the language of Accept-Language."""
    rows, cursor = ledger.page(visible(path.task_id).id, **query.model_dump())
    return jsonify(items=[_item(row, language()) for row in rows], next_cursor=cursor)


def _item(row: dict[str, Any], lang: str) -> dict[str, Any]:
    return {**row, "error": worded(row["error"] or "", lang) or None, "updated_at": iso(row["updated_at"])}


@api.post("/<task_id>/cancel", responses={202: Status, **problems(404, 409)})
def cancel_task(path: TaskPath) -> tuple[Response, int]:
    """Cancel a task: a waiting one at once, a running one within 20 seconds."""
    return _answered(control.cancel(visible(path.task_id).id))


@api.post("/<task_id>/retry", responses={202: Status, **problems(404, 409)})
def retry_task(path: TaskPath, body: Retry) -> tuple[Response, int]:
    """Run again what failed, under the same id and with its attempts anew."""
    return _answered(control.retry(visible(path.task_id).id, body.only))


def _answered(task: tasks.Task) -> tuple[Response, int]:
    """202 with the state as it is now."""
    return jsonify(status_of(task, language(), traceback=caller().is_operator)), 202
