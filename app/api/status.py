"""The status object in answers: its schema, and the language of its reader."""

import re
from functools import lru_cache
from typing import Any

from flask import request
from pydantic import BaseModel
from werkzeug.datastructures import LanguageAccept
from werkzeug.http import parse_accept_header

from workers.statuses import iso, row_of, sentence, status_of, status_url

__all__ = ["LANGUAGES", "Links", "Row", "Status", "TaskError", "iso", "language", "row_of", "sentence", "status_of"]
__all__ += ["status_url"]
LANGUAGES = ("tr", "en")


class Links(BaseModel):
    """Where to go from here; null where it does not apply."""

    self: str
    events: str
    items: str | None
    result: str | None
    cancel: str | None
    retry: str | None


class TaskError(BaseModel):
    """Why a task failed, as it was written; `status` says it in the language of Accept-Language. `traceback` for
    operators only."""

    type: str
    message: str
    traceback: str | None = None


class Row(BaseModel):
    """A task in a list: its status without the result. Keys that don't apply are null, times ISO 8601 in UTC."""

    task_id: str
    kind: str
    queue: str
    state: str
    current: int
    total: int | None
    percent: int
    status: str
    eta_seconds: int | None
    counts: dict[str, int] | None
    position: int | None
    next_run_at: str | None
    created_at: str
    started_at: str | None
    ended_at: str | None
    attempts: int
    max_attempts: int
    error: TaskError | None
    links: Links


class Status(Row):
    """A task, with its result once it has one."""

    result: Any = None


def language(default: str = "tr") -> str:
    """What Accept-Language prefers of tr and en, else `default`: en where an error is told to a program."""
    return _preferred(request.headers.get("Accept-Language", ""), default)


@lru_cache(maxsize=256)
def _preferred(header: str, default: str) -> str:
    """By quality, a region as its language; what is named with q=0 is refused, and `*` asks for the default. Werkzeug's
    own match takes `en;q=0.5` before `tr-TR`, because it knows no regions at first."""
    asked: dict[str, float] = {}
    for tag, quality in parse_accept_header(header, LanguageAccept):  # those named come before `*`
        if tag != "*":
            name = re.split("[-_]", tag.lower())[0]
            asked[name] = max(quality, asked.get(name, 0.0))
        elif quality > 0:
            asked.setdefault(default, quality)
    wanted = [name for name in asked if name in LANGUAGES and asked[name] > 0]
    left = [name for name in (default, *LANGUAGES) if name not in asked]
    return max(wanted, key=asked.__getitem__) if wanted else (*left, default)[0]
