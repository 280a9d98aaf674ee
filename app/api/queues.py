"""Queues and workers, as operators see and steer them."""

from typing import Any

from flask import Response, jsonify
from pydantic import BaseModel, Field

from app.api import documented
from app.api.documented import problems
from app.auth import require_operator
from workers.engine import inspect, steering

api = documented.blueprint("queues", "Queues and workers (operators)", "/api")


class QueuePath(BaseModel):
    name: str = Field(description="pdf, sms, email, excel or maintenance")


class QueueView(BaseModel):
    """How many jobs wait (also those that are over their company's share), run, wait for their time, have failed and
    have finished (of the last day)."""

    name: str
    waiting: int
    running: int
    scheduled: int
    failed: int
    finished: int
    paused: bool
    draining: bool


class Queues(BaseModel):
    items: list[QueueView]
    next_cursor: None


class WorkerView(BaseModel):
    """A slot of `python -m workers` is a worker of its own; its name holds host, process and slot."""

    name: str
    state: str | None
    queues: list[str]
    current_task: str | None
    done: int
    failed: int
    last_seen_at: str | None


class Workers(BaseModel):
    items: list[WorkerView]
    next_cursor: None


@api.get("/queues", responses={200: Queues, **problems(403)})
def list_queues() -> Response:
    """List the queues with their lengths."""
    require_operator()
    return jsonify(items=[_queue(row) for row in inspect.queues()], next_cursor=None)


@api.post("/queues/<name>/pause", responses={200: QueueView, **problems(403, 404)})
def pause_queue(path: QueuePath) -> Response:
    """Let nothing more be taken from a queue; what runs goes on."""
    require_operator()
    steering.pause(path.name)
    return _answer(path.name)


@api.post("/queues/<name>/resume", responses={200: QueueView, **problems(403, 404)})
def resume_queue(path: QueuePath) -> Response:
    """Let work be taken from a queue again."""
    require_operator()
    steering.resume(path.name)
    return _answer(path.name)


@api.post("/queues/<name>/drain", responses={200: QueueView, **problems(403, 404)})
def drain_queue(path: QueuePath) -> Response:
    """Finish what a queue has now, then pause it; what comes meanwhile waits."""
    require_operator()
    steering.drain(path.name)
    return _answer(path.name)


@api.get("/workers", responses={200: Workers, **problems(403)})
def list_workers() -> Response:
    """List the workers and what each of them runs."""
    require_operator()
    return jsonify(items=[_worker(row) for row in inspect.workers()], next_cursor=None)


def _answer(name: str) -> Response:
    return jsonify(next(_queue(row) for row in inspect.queues() if row["queue"] == name))


def _queue(row: dict[str, Any]) -> dict[str, Any]:
    return {"name": row["queue"], **{name: row[name] for name in QueueView.model_fields if name != "name"}}


def _worker(row: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": row["worker"],
        "state": row["state"],
        "queues": row["queues"],
        "current_task": row["current_job"],
        "done": row["successful_job_count"],
        "failed": row["failed_job_count"],
        "last_seen_at": row["last_heartbeat"],
    }
