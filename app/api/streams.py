"""Server-Sent Events: what happens to tasks, as it happens. Each stream holds a thread, so their number is capped."""

import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import chain
from typing import Annotated, Any

import orjson
from flask import Response, request
from pydantic import Field
from werkzeug.exceptions import ServiceUnavailable

from app.api.status import language, status_of
from app.auth import Caller, caller, holder
from app.fields import OneLine, Query
from workers import logs
from workers.engine import events, tasks
from workers.errors import SiraError

SEATS = 24  # of the 32 threads that a web process has
HEARTBEAT_S = 15.0
RECONNECT_MS = 3000
FULL_RETRY_AFTER_S = 5
PRESENT = 100  # of the newest tasks, those that live begin the stream of a company
DOCUMENTED = {
    "description": "`event: status`, `id:` the event's id, `data:` the status object in one line",
    "content": {"text/event-stream": {"schema": {"type": "string"}}},
}
Changes = Iterable[tuple[str, tasks.Task] | None]

log = logs.get(__name__)
_seats = threading.BoundedSemaphore(SEATS)


class Since(Query):
    last_event_id: Annotated[str, OneLine, Field(max_length=40)] | None = Field(
        None, description="The last id that was received; the header Last-Event-ID does the same"
    )


@contextmanager
def seat() -> Iterator[bool]:
    """A place for a request that holds its thread for long; False when all are taken."""
    taken = _seats.acquire(blocking=False)
    try:
        yield taken
    finally:
        if taken:
            _seats.release()


def of_task(task: tasks.Task, since: str | None) -> Response:
    """The states of one task, from the present one to the last."""
    return _stream(events.follow(task_id=task.id, last_id=_last_id(since), heartbeat_s=HEARTBEAT_S))


def of_company(scope: str | None, since: str | None) -> Response:
    """All that happens to the tasks of a company (None: of all): first those that live, or what came after `since`."""
    last_id = _last_id(since)
    if last_id:
        return _stream(events.follow(scope=scope, last_id=last_id, heartbeat_s=HEARTBEAT_S))
    last_id = events.newest()  # before the look at the tasks, so that nothing falls between the two
    found, _ = tasks.search(scope=scope, limit=PRESENT)
    present = [(last_id, task) for task in found if not task.ended]
    return _stream(chain(present, events.follow(scope=scope, last_id=last_id, heartbeat_s=HEARTBEAT_S)))


def _last_id(since: str | None) -> str | None:
    return request.headers.get("Last-Event-ID") or since


def _stream(changes: Changes) -> Response:
    answer = Response(mimetype="text/event-stream", headers={"X-Accel-Buffering": "no"})
    if request.method == "HEAD":  # its body is never closed, so it must hold no seat
        return answer
    if not _seats.acquire(blocking=False):
        raise ServiceUnavailable(
            "All event streams are taken; ask for the status instead.", retry_after=FULL_RETRY_AFTER_S
        )
    answer.call_on_close(_seats.release)
    answer.response = _lines(changes, language(), caller())
    return answer


def _lines(changes: Changes, lang: str, who: Caller) -> Iterator[str]:
    """The stream as text. It ends when the token does, and where a store fails: the client comes back by itself."""
    yield f"retry: {RECONNECT_MS}\n\n"
    checked = time.monotonic()
    try:
        for change in changes:
            if time.monotonic() - checked > HEARTBEAT_S:
                if holder(who.digest) is None:
                    return
                checked = time.monotonic()
            yield _event(*change, lang, who) if change else ": heartbeat\n\n"
    except SiraError as error:
        log.warning("event stream broken off", error=error.type)


def _event(event_id: str, task: tasks.Task, lang: str, who: Caller) -> str:
    data: dict[str, Any] = status_of(task, lang, traceback=who.is_operator)
    return f"id: {event_id}\nevent: status\ndata: {orjson.dumps(data).decode()}\n\n"
