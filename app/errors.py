"""The one place where an exception becomes an answer: RFC 9457 `application/problem+json`."""

import re
import traceback
import uuid
from typing import Any

import orjson
from flask import Flask, Response, request
from pydantic import BaseModel, ValidationError
from werkzeug.exceptions import HTTPException

from app.api.status import language
from app.desk import gate, told
from workers import errors, logs
from workers.wording.told import worded

STATUSES: dict[type[errors.SiraError], int] = {
    errors.InvalidInput: 422,
    errors.KeyReused: 422,
    errors.NotSignedIn: 401,
    errors.NotAllowed: 403,
    errors.NotFound: 404,
    errors.MissingRecord: 404,
    errors.Conflict: 409,
    errors.TooLarge: 413,
    errors.LimitReached: 429,
    errors.DatabaseDown: 503,
    errors.QueueDown: 503,
    errors.StorageFailed: 503,
}
RETRY_AFTER_S = 5
MAX_FIELD_ERRORS = 100

log = logs.get(__name__)


class FieldError(BaseModel):
    """What is wrong with one field: `{"field": "lines.0.amount", "message": "…"}`."""

    field: str
    message: str


class Problem(BaseModel):
    """An error, as RFC 9457 has it."""

    type: str
    title: str
    status: int
    detail: str
    instance: str | None = None
    errors: list[FieldError] | None = None


def register(app: Flask) -> None:
    app.register_error_handler(errors.SiraError, from_sira)
    app.register_error_handler(HTTPException, from_http)
    app.register_error_handler(Exception, from_unexpected)


def from_sira(error: errors.SiraError) -> Response:
    """One of our own errors; those without a status of their own are faults of the service (500)."""
    status = next((STATUSES[cls] for cls in type(error).__mro__ if cls in STATUSES), None)
    if status is None:
        return from_unexpected(error)
    if status == 404 and not isinstance(error, errors.UnknownKind):
        error = errors.NotFound()
    if isinstance(error, errors.QueueDown):
        error = errors.QueueDown()  # what exactly is down where is for operators, in the log and `flask check`
    if gate.is_page():
        return gate.refusal(status, told.told(error), headers=_headers(error), error=error)
    name, lang = type(error).__name__, language(default="en")
    more: dict[str, Any] = {}
    if isinstance(error, errors.InvalidInput):
        found = error.problems[:MAX_FIELD_ERRORS]
        more["errors"] = [{**each, "message": worded(each["message"], lang)} for each in found]
    return problem(
        status,
        type=f"urn:sira:error:{name}",
        title=_spaced(name),
        detail=worded(error.message, lang),
        headers=_headers(error),
        **more,
    )


def from_http(error: HTTPException) -> Response | HTTPException:
    """What Flask refuses by itself: unknown path, wrong method (its Allow header stays), too many bytes, …"""
    if error.response is not None or error.code is None or error.code < 400:
        return error
    if error.code == 404:
        return from_sira(errors.NotFound())
    headers = {name: value for name, value in error.get_headers() if name.lower() != "content-type"}
    if gate.is_page():
        return gate.refusal(error.code, "", headers=headers)
    detail = _too_many_bytes() if error.code == 413 else error.description
    return problem(error.code, type="about:blank", title=error.name, detail=detail, headers=headers)


def _too_many_bytes() -> str:
    """Werkzeug refuses both by the same error."""
    limit, field_limit = request.max_content_length or 0, request.max_form_memory_size or 0
    return f"A request may have {limit:,} bytes at most, and a field of a form {field_limit:,}. Send less at once."


def from_unexpected(error: Exception) -> Response:
    """A fault of ours: the log gets the frames (never the message: it may hold parameter values), the caller an id."""
    incident = uuid.uuid4().urn
    frames = "".join(traceback.format_tb(error.__traceback__))
    rule = request.url_rule.rule if request.url_rule else None
    log.error(
        "request failed", error=type(error).__name__, method=request.method, route=rule, id=incident, trace=frames
    )
    if gate.is_page():
        return gate.refusal(500, incident, headers={})
    detail = "Something went wrong on our side and was logged under the id in `instance`. Try again later."
    return problem(500, type="about:blank", title="Internal Server Error", detail=detail, instance=incident)


def problem(status: int, *, headers: dict[str, str] | None = None, **members: Any) -> Response:
    """The response. A 404 names no `instance`: unknown and foreign ids must answer with one and the same body."""
    body = {
        "type": members.pop("type"),
        "title": members.pop("title"),
        "status": status,
        "detail": members.pop("detail"),
    }
    if status != 404:
        body["instance"] = members.pop("instance", request.path)
    response = Response(orjson.dumps({**body, **members}), status, mimetype="application/problem+json")
    response.headers.update(headers or {})
    return response


def refuse_invalid(error: ValidationError) -> None:
    """flask-openapi3's callback: pydantic's findings as InvalidInput."""
    raise errors.InvalidInput(
        [
            {"field": ".".join(map(str, found["loc"])) or "body", "message": _sentence(found)}
            for found in error.errors(include_url=False, include_input=False, include_context=False)
        ]
    )


def _sentence(found: Any) -> str:
    """Pydantic's words, but for those that name a class of ours. (A body that is something else has been refused.)"""
    if found["type"] == "model_type":
        return "must be a JSON object" if found["loc"] else "is empty; send a JSON object"
    return found["msg"].removeprefix("Value error, ")


def _headers(error: errors.SiraError) -> dict[str, str]:
    if isinstance(error, errors.NotSignedIn):
        return {"WWW-Authenticate": 'Bearer realm="sira"'}
    if isinstance(error, errors.LimitReached):
        return {"Retry-After": str(error.fields["retry_after_s"])}
    if isinstance(error, errors.DatabaseDown | errors.QueueDown | errors.StorageFailed):
        return {"Retry-After": str(RETRY_AFTER_S)}
    return {}


def _spaced(name: str) -> str:
    """`InvalidInput` as "Invalid input"."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).capitalize()
