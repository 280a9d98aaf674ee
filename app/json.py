"""JSON in and out by orjson: quick and strict (no NaN, no lone surrogates, no broken UTF-8)."""

from typing import Any

import orjson
from flask import Request, Response, request
from flask.json.provider import JSONProvider
from werkzeug.exceptions import BadRequest


class OrJson(JSONProvider):
    def dumps(self, obj: Any, **_: Any) -> str:
        return orjson.dumps(obj).decode()

    def loads(self, s: str | bytes, **_: Any) -> Any:
        return orjson.loads(s)

    def response(self, *args: Any, **kwargs: Any) -> Response:
        return Response(orjson.dumps(self._prepare_response_obj(args, kwargs)), mimetype="application/json")


class JsonRequest(Request):
    """A request that says where its JSON breaks."""

    def on_json_loading_failed(self, e: ValueError | None) -> Any:
        raise BadRequest(f"The body is no JSON: {e}." if e else "The body is no JSON.")


def has_body() -> bool:
    """Whether this request carries a body at all."""
    return bool(request.content_length or request.headers.get("Transfer-Encoding"))


def body() -> dict[str, Any]:
    """The JSON object of this request; empty without a body. (`_admit` has refused anything else.)"""
    return request.get_json() if has_body() else {}
