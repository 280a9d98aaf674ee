"""For load balancers: is the process alive, and can it take work?"""

from typing import Any

from flask import Response, jsonify
from flask_openapi3 import APIBlueprint, Tag
from pydantic import BaseModel

from app.api.documented import named_after_function
from app.errors import RETRY_AFTER_S
from workers import migrations
from workers.engine import queues
from workers.errors import Conflict, DatabaseDown

api = APIBlueprint(
    "health",
    __name__,
    abp_tags=[Tag(name="health", description="Health: for load balancers")],
    operation_id_callback=named_after_function,
)


class Alive(BaseModel):
    status: str


class Ready(BaseModel):
    """`degraded`: Redis is away or full, or its disk is. Tasks are accepted all the same and run when it takes them,
    so the status stays 200."""

    status: str
    database: bool
    redis: bool


@api.get("/healthz", responses={200: Alive})
def healthz() -> Response:
    """Tell that the process lives."""
    return jsonify(status="ok")


@api.get("/readyz", responses={200: Ready, 503: Ready})
def readyz() -> Response:
    """Tell whether work can be taken: the database answers, and is upgraded."""
    found: dict[str, Any] = {"database": _database(), "redis": queues.takes()}
    status = "ok" if all(found.values()) else "degraded" if found["database"] else "down"
    answer = jsonify(status=status, **found)
    if not found["database"]:
        answer.status_code, answer.headers["Retry-After"] = 503, str(RETRY_AFTER_S)
    return answer


def _database() -> bool:
    """Whether it answers, and has the tables of this release: without them it takes nothing."""
    try:
        return migrations.current()
    except Conflict:  # of a later release, which is being rolled out
        return True
    except DatabaseDown:
        return False
