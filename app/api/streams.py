"""Server-Sent Events: what happens to tasks, as it happens. Each stream holds a thread, so their number is capped."""

import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import chain
from typing import Annotated, Any

import orjson
from flask import Response, request
from pydantic import Field
from werkzeug.exceptions import ServiceUnavailable

from app.api.status import iso, language, status_of
from app.auth import Caller, caller, holder
from app.desk import i18n, session, told
from app.fields import OneLine, Query
from workers import logs
from workers.db import now
from workers.engine import ends, events, tasks
from workers.errors import SiraError

SEATS = 24  # of the 32 threads that a web process has
HEARTBEAT_S = 15.0
LONGEST_S = 3600.0  # then the reader comes back with its last id, and is asked anew who it is
RECONNECT_MS = 3000
FULL_RETRY_AFTER_S = 5
PRESENT = 100  # tasks that live begin the stream of a company, the newest of them
DOCUMENTED = {
    "description": "`event: status`, `id:` the event's id, `data:` the status object in one line",
    "content": {"text/event-stream": {"schema": {"type": "string"}}},
}
Changes = Iterable[tuple[str, tasks.Task] | None]

log = logs.get(__name__)
_seats = threading.BoundedSemaphore(SEATS)


class Since(Query):
    last_event_id: Annotated[str, Field(max_length=40), OneLine] | None = Field(
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
    return _stream(
        events.follow(task_id=task.id, last_id=_last_id(since), heartbeat_s=HEARTBEAT_S, left=left_by_client())
    )


def of_company(scope: str | None, since: str | None) -> Response:
    """All that happens to the tasks of a company (None: of all): first those that live, or what came after `since`."""
    last_id, present = _last_id(since), []
    if not last_id:
        last_id = events.newest()  # before the look at the tasks, so that nothing falls between the two
        present = [(last_id, task) for task in ends.lately(scope, now(), PRESENT) if not task.ended]
    follow = events.follow(scope=scope, last_id=last_id, heartbeat_s=HEARTBEAT_S, left=left_by_client())
    return _stream(chain(present, follow))


def left_by_client() -> Callable[[], bool]:
    """Whether the client has hung up: who goes from page to page would else hold a seat for each until its next
    heartbeat, and who waits for an end until the end of that time. Servers that show no socket, or one of TLS, learn it
    then."""
    line = request.environ.get("gunicorn.socket") or request.environ.get("werkzeug.socket")

    def left() -> bool:
        try:
            return line is not None and line.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT) == b""
        except (BlockingIOError, ValueError):
            return False
        except OSError:
            return True

    return left


def _last_id(since: str | None) -> str | None:
    return request.headers.get("Last-Event-ID") or since


def _stream(changes: Changes) -> Response:
    answer = Response(mimetype="text/event-stream", headers={"X-Accel-Buffering": "no"})
    if request.method == "HEAD":  # its body is never closed, so it must hold no seat
        return answer
    who, lang = caller(), _language(caller())
    answer.response = _lines(changes if who.user_id is None else _told(changes, lang), lang, who)
    if not _seats.acquire(blocking=False):
        raise ServiceUnavailable(
            "All event streams are taken; ask for the status instead.", retry_after=FULL_RETRY_AFTER_S
        )
    answer.call_on_close(_seats.release)  # the last step: what failed before it would keep the seat for good
    return answer


def _told(changes: Changes, lang: str) -> Changes:
    """With the errors of tasks in the language of the desk."""
    return ((change[0], told.of_task(change[1], lang)) if change else None for change in changes)


def _language(who: Caller) -> str:
    """Of the desk where a person is signed in there, else what Accept-Language asks for."""
    if who.user_id is None:
        return language()
    session.load()
    return i18n.language()


def _lines(changes: Changes, lang: str, who: Caller) -> Iterator[str]:
    """The stream as text. It ends when the token or the session does, after an hour, and where a store fails: the
    client comes back by itself."""
    yield f"retry: {RECONNECT_MS}\n\n"
    checked = began = time.monotonic()
    try:
        for change in changes:
            if time.monotonic() - checked > HEARTBEAT_S:
                if holder(who.digest) is None or time.monotonic() - began > LONGEST_S:
                    return
                checked = time.monotonic()
            yield _event(*change, lang, who) if change else ": heartbeat\n\n"
            if change and (notice := notice_of(change[1], lang, who)):
                yield f"event: notice\ndata: {orjson.dumps(notice).decode()}\n\n"
    except SiraError as error:
        log.warning("event stream broken off", error=error.type)


def _event(event_id: str, task: tasks.Task, lang: str, who: Caller) -> str:
    data: dict[str, Any] = status_of(task, lang, traceback=who.is_operator)
    return f"id: {event_id}\nevent: status\ndata: {orjson.dumps(data).decode()}\n\n"


def notice_of(task: tasks.Task, lang: str, who: Caller) -> dict[str, Any] | None:
    """What a person at the desk is told when a task of the own company has ended, so that it may be shown as it is."""
    if who.user_id is None or task.scope is None or task.scope != str(who.company_id) or not ends.rings(task):
        return None
    notice = {"task_id": task.id, "kind": task.kind, "state": task.state, "ended_at": iso(task.ended_at)}
    return {**notice, "text": ends.sentence(task, lang), "detail": ends.detail(task), "url": f"/tasks/{task.id}"}
