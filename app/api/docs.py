"""The OpenAPI document, and the page that shows it."""

from typing import Any, cast

import orjson
from flask import Response, current_app, jsonify, render_template
from flask_openapi3 import APIBlueprint, OpenAPI, Tag

from app.api.documented import named_after_function, problems
from app.api.enqueueing import request_schema
from app.api.status import language
from workers.engine import registry
from workers.engine.registry import Kind

EXTENSION = "openapi.document"
SCHEMAS = "#/components/schemas/"
IDEMPOTENCY_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "description": "Send it again with the same body, and you get the same task",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255},
}

api = APIBlueprint(
    "docs",
    __name__,
    url_prefix="/api",
    abp_tags=[Tag(name="docs", description="This document")],
    operation_id_callback=named_after_function,
)


@api.get("/openapi.json", responses={200: {"content": {"application/json": {"schema": {"type": "object"}}}}})
def openapi_json() -> Response:
    """Give the OpenAPI document."""
    return jsonify(document())


@api.get("/docs", doc_ui=False)
def docs_page() -> str:
    return render_template("docs.html", lang=language())


def document() -> dict[str, Any]:
    """The OpenAPI 3.1 document: the routes as declared, and each kind of job as declared in workers/jobs/."""
    kept: dict[str, Any] = current_app.extensions
    if EXTENSION not in kept:
        kept[EXTENSION] = _made(orjson.loads(orjson.dumps(cast(OpenAPI, current_app).api_doc)))
    return kept[EXTENSION]


def _made(spec: dict[str, Any]) -> dict[str, Any]:
    schemas = spec["components"]["schemas"]
    spec["security"] = []
    for name, kind in registry.kinds().items():
        schemas |= _schemas(name, request_schema(kind))
        spec["paths"][f"/api/jobs/{name}"] = {"post": _operation(spec, name, kind)}
    for path in spec["paths"].values():
        for method, operation in path.items():
            _mend(operation, schemas, writes=method != "get")
    return spec


def _schemas(name: str, schema: dict[str, Any]) -> dict[str, Any]:
    """The schema of a kind and those inside it, as components of their own."""
    moved = orjson.loads(orjson.dumps(schema).replace(b'"#/$defs/', f'"{SCHEMAS}{name}.'.encode()))
    inner = moved.pop("$defs", {})
    return {name: moved, **{f"{name}.{part}": definition for part, definition in inner.items()}}


def _operation(spec: dict[str, Any], name: str, kind: Kind) -> dict[str, Any]:
    """POST /api/jobs/<name>: as /api/jobs/{kind}, with the parameters of this kind."""
    general = spec["paths"]["/api/jobs/{kind}"]["post"]
    own = {"summary": kind.summary or name, "operationId": f"enqueue_{name}", "x-kind": name, "parameters": []}
    return {**general, **own, "responses": dict(general["responses"])}


def _mend(operation: dict[str, Any], schemas: dict[str, Any], *, writes: bool) -> None:
    """Fill in the bodies of what enqueues, and what is refused of any body; drop the 422 that flask-openapi3 claims for
    every route."""
    answers = operation["responses"]
    if "application/json" in answers.get("422", {}).get("content", {}):
        del answers["422"]
    if writes:
        operation["responses"] = {str(status): told for status, told in problems(400, 413, 415, 422).items()} | answers
    kind, keyed = operation.pop("x-kind", None), operation.pop("x-keyed", False)
    if kind is not None or keyed:
        operation["parameters"] = [*operation.get("parameters", []), IDEMPOTENCY_KEY]
    if kind is not None:
        schema = {"$ref": SCHEMAS + kind} if kind in schemas else {"type": "object"}
        operation["requestBody"] = {"required": True, "content": {"application/json": {"schema": schema}}}
