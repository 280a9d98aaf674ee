"""Job kinds: what there is to enqueue, and one route that enqueues any of it."""

from typing import Any

from flask import Response, jsonify
from pydantic import BaseModel, Field

from app.api import documented
from app.api.documented import enqueues
from app.api.enqueueing import accept, request_schema
from workers.engine import registry

api = documented.blueprint("jobs", "Jobs: every kind there is, by its name", "/api/jobs")


class KindPath(BaseModel):
    kind: str = Field(description="One of GET /api/jobs")


class KindRow(BaseModel):
    """A job kind; `schema` is the JSON Schema of what may be posted to it."""

    kind: str
    queue: str
    summary: str
    retries: int
    json_schema: dict[str, Any] = Field(alias="schema")


class Kinds(BaseModel):
    items: list[KindRow]
    next_cursor: None


@api.get("", responses={200: Kinds})
def list_kinds() -> Response:
    """List the job kinds with the JSON Schema of their parameters."""
    rows = [
        {
            "kind": kind.name,
            "queue": kind.queue,
            "summary": kind.summary,
            "retries": kind.retries,
            "schema": request_schema(kind),
        }
        for kind in sorted(registry.kinds().values(), key=lambda kind: (kind.queue, kind.name))
    ]
    return jsonify(items=rows, next_cursor=None)


@api.post("/<kind>", **enqueues(""))
def enqueue_kind(path: KindPath) -> tuple[Response, int]:
    """Enqueue a job of any kind; the body holds its parameters."""
    return accept(path.kind)
