"""The one way in over HTTP: who may enqueue what for whom, before the engine accepts it."""

import hashlib
from typing import Any

from flask import Response, jsonify, request

from app.api.status import language, status_url
from app.auth import Caller, caller, known_company, owned, require_operator
from app.json import body
from workers.engine import registry
from workers.engine.queues import enqueue
from workers.engine.registry import Kind
from workers.engine.tasks import Task
from workers.errors import InvalidInput, NotAllowed

OPERATORS_QUEUE = "maintenance"
MAX_KEY_CHARS = 255


def accept(name: str) -> tuple[Response, int]:
    """Enqueue the kind `name` with the body of this request as parameters; answers 202."""
    kind = registry.get(name)
    return accepted(submit(name, dict(body()), idempotency_key(caller())), kind.accepted)


def submit(name: str, params: dict[str, Any], key: str | None) -> Task:
    """Enqueue the kind `name` for the caller, as every route and every form does; `key` makes it one task however often
    it is sent. Raises NotAllowed, NotFound, InvalidInput and what `enqueue` raises."""
    kind, who = registry.get(name), caller()
    if kind.queue == OPERATORS_QUEUE:
        require_operator()
    company_id = _company(kind, params, who)
    params = kind.check(params)
    if who.is_operator and company_id is not None:
        known_company(company_id)
    owned(kind.references(params), company_id)
    return enqueue(name, params, scope=None if company_id is None else str(company_id), key=key)


def accepted(task: Task, sentences: dict[str, str]) -> tuple[Response, int]:
    """202 with where to look."""
    url = status_url(task)
    answer = jsonify(task_id=task.id, status_url=url, status=sentences[language()])
    answer.headers["Location"] = url
    if task.replayed:
        answer.headers["Idempotent-Replayed"] = "true"
    return answer, 202


def with_more(answered: tuple[Response, int], more: dict[str, Any]) -> tuple[Response, int]:
    """An acceptance that also tells what was found in the body."""
    answer, status = answered
    answer.set_data(jsonify(answer.get_json() | more).get_data())
    return answer, status


def _company(kind: Kind, params: dict[str, Any], who: Caller) -> int | None:
    """The company that the task is for; in `params` only if the kind itself takes it."""
    named = params.get("company_id")
    if named is not None and type(named) is not int:
        raise InvalidInput([{"field": "company_id", "message": "must be a whole number"}])
    if not who.is_operator and named not in (None, who.company_id):
        raise NotAllowed()
    own = not who.is_operator or (named is None and kind.needs("company_id"))
    company_id = who.company_id if own else named
    if kind.takes("company_id") and company_id is not None:
        params["company_id"] = company_id
    elif not kind.takes("company_id"):
        params.pop("company_id", None)
    return company_id


def whose(named: int | None) -> int:
    """Whose new record it is: the caller's own company's, or that of the one that an operator names."""
    who = caller()
    if who.is_operator and named is not None:
        return known_company(named)
    if not who.is_operator and named not in (None, who.company_id):
        raise NotAllowed()
    if who.company_id is None:
        raise InvalidInput([{"field": "company_id", "message": "operators must say for which company"}])
    return who.company_id


def idempotency_key(who: Caller) -> str | None:
    """The Idempotency-Key, hashed with the caller's company and role, so that no two of them ever meet."""
    key = request.headers.get("Idempotency-Key")
    if key is None:
        return None
    if not 1 <= len(key) <= MAX_KEY_CHARS or not (key.isascii() and key.isprintable()):
        raise InvalidInput([{"field": "Idempotency-Key", "message": "must be 1 to 255 printable ASCII characters"}])
    return hashlib.sha256(f"{who.company_id} {who.role} {key}".encode()).hexdigest()


def request_schema(kind: Kind) -> dict[str, Any]:
    """The JSON Schema of what may be posted for a kind: its parameters and a `company_id` that may be left out."""
    schema = kind.schema()
    company = {"type": "integer", "description": "For operators: the company that the task is for."}
    schema["properties"] = {**schema.get("properties", {}), "company_id": company}
    schema["required"] = [name for name in schema.get("required", []) if name != "company_id"]
    return schema
