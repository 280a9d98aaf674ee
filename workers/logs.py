"""Logs: an event in past tense plus fields; people read lines, machines read JSON (production)."""

import io
import logging
import os
import resource
import sys
from collections.abc import MutableMapping
from contextlib import suppress
from functools import cache
from typing import Any

import structlog

FAILED = ("error", "exception", "critical")
FLUSH_S = 1.0

_SHARED: list[Any] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
]


def setup(*, production: bool = False, sentry_dsn: str = "") -> None:
    """Send every log line of this process to standard error in one form, and errors to Sentry if there is a DSN. Lines
    are all that it leaves: where it crashes, its memory goes into no file, for names and keys lie in it."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
    structlog.configure(
        processors=[
            *_SHARED,
            structlog.processors.format_exc_info,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        cache_logger_on_first_use=True,
    )
    handler = _Handler(sys.stderr)
    handler.setFormatter(formatter(production=production))
    logging.basicConfig(handlers=[handler], level=logging.INFO, force=True)
    for noisy in ("rq", "rq_scheduler", "alembic", "sqlalchemy.engine"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    report_errors(sentry_dsn)


def never_fail() -> None:
    """For processes that go on: what they and their jobs print where nothing can be written any more (a full disk, a
    reader that is gone, a stream that was closed from the start) is lost, and nothing else."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # or the next connection would stand there, and hear what is printed
    sys.stdout, sys.stderr = (
        io.TextIOWrapper(
            io.BufferedWriter(_Lossy(number, "wb", closefd=False)),
            encoding=getattr(before, "encoding", "utf-8"),
            errors="backslashreplace",
            line_buffering=number == 2 or os.isatty(number) or getattr(before, "write_through", False),
        )
        for number, before in ((1, sys.stdout), (2, sys.stderr))
    )


class _Lossy(io.FileIO):
    def write(self, data: Any) -> int:
        with suppress(OSError):
            return super().write(data) or len(data)
        return len(data)


def formatter(*, production: bool) -> logging.Formatter:
    """The one form, for lines of ours and of any library."""
    renderer = (
        structlog.processors.JSONRenderer(ensure_ascii=False)
        if production
        else structlog.dev.ConsoleRenderer(
            colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
        )
    )
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[*_SHARED, structlog.processors.format_exc_info],
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
    )


class _Handler(logging.StreamHandler[Any]):
    """What can't be said (a job has closed the stream) stops nobody, as Python's own would: it says that there, too."""

    def handleError(self, record: logging.LogRecord) -> None:
        with suppress(Exception):
            super().handleError(record)


def report_errors(dsn: str) -> None:
    """From now on what is logged as an error goes to Sentry as well, and so do executions that failed."""
    if not dsn:
        return

    def report(_: Any, method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        if method in FAILED or event.get("outcome") == "failed":
            with suppress(Exception):  # what watches the work must not break it
                _send(_client(dsn, os.getpid()), event)
        return event

    structlog.configure(processors=[report, *structlog.get_config()["processors"]])


@cache
def _client(dsn: str, pid: int) -> Any:
    """Sentry's, made at the first error of a process: it has a thread, which does not survive a fork. Without what it
    would find by itself: requests, arguments, variables."""
    import sentry_sdk

    quiet: dict[str, Any] = {"include_local_variables": False, "max_breadcrumbs": 0, "max_request_body_size": "never"}
    return sentry_sdk.Client(
        dsn=dsn, default_integrations=False, auto_enabling_integrations=False, before_send=_scrubbed, **quiet
    )


def _send(client: Any, event: MutableMapping[str, Any]) -> None:
    from sentry_sdk.utils import event_from_exception

    found = event.get("exc_info")
    error = sys.exc_info()[1] if found is True else found[1] if isinstance(found, tuple) else found
    made = event_from_exception(error, client.options)[0] if isinstance(error, BaseException) else {}
    fields = {name: str(value) for name, value in event.items() if name not in ("event", "exc_info")}
    client.capture_event({**made, "level": "error", "message": str(event.get("event")), "extra": fields})
    client.flush(FLUSH_S)


def _scrubbed(event: Any, _: Any) -> Any:
    """What an error says may name a person; its type and its frames don't."""
    for one in event.get("exception", {}).get("values", ()):
        one.pop("value", None)
    for name in ("request", "user", "breadcrumbs"):
        event.pop(name, None)
    return event


def get(name: str) -> structlog.stdlib.BoundLogger:
    """A logger: `log.info("task finished", task_id=…, took_s=…)`."""
    return structlog.get_logger(name)
