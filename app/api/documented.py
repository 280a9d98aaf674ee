"""What the routes share in the OpenAPI document."""

from typing import Any

from flask_openapi3 import APIBlueprint, Tag
from pydantic import BaseModel

KEYED = {"x-keyed": True}  # an extension of routes that honour the Idempotency-Key and enqueue no kind by its name
TOKEN: list[dict[str, list[str]]] = [{"token": []}]
MEANINGS = {
    400: "The body is no JSON",
    401: "No valid token",
    403: "Your role or company does not allow this",
    404: "No such thing here (or not yours)",
    409: "Not in the present state",
    413: "Too many bytes",
    415: "Not application/json",
    422: "Bad input; `errors` names each field",
    429: "Too many requests; see Retry-After",
    503: "The database does not answer; see Retry-After",
}


class Accepted(BaseModel):
    """A task was accepted and will run."""

    task_id: str
    status_url: str
    status: str


def blueprint(name: str, title: str, prefix: str) -> APIBlueprint:
    """An API blueprint of one resource; all its routes need a token."""
    return APIBlueprint(
        name,
        __name__,
        url_prefix=prefix,
        abp_tags=[Tag(name=name, description=title)],
        abp_security=TOKEN,
        abp_responses=problems(401, 429, 503),
        operation_id_callback=named_after_function,
    )


def named_after_function(*, name: str, path: str, method: str) -> str:
    """An operationId that people can read and generated clients can use as a name."""
    return name


def problems(*statuses: int) -> dict[Any, Any]:
    """Error answers, as flask-openapi3 wants them; those to a body (400, 413, 415, 422) the document adds by itself to
    every route that writes."""
    schema = {"$ref": "#/components/schemas/Problem"}
    return {
        status: {"description": MEANINGS[status], "content": {"application/problem+json": {"schema": schema}}}
        for status in statuses
    }


def enqueues(kind: str) -> dict[str, Any]:
    """Options of a route that enqueues `kind`: the document takes the body's schema from the catalogue."""
    return {
        "openapi_extensions": {"x-kind": kind},
        "responses": {202: Accepted, **problems(403, 404)},
    }
