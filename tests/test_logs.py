"""Errors reach Sentry without anything of a person; what a worker writes into its log, test_queues.py says."""

import gzip
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
import structlog

from tests.conftest import ROOT, wait_until
from workers import logs
from workers.db import now

SECRET = "ayse@a.example"


@pytest.fixture
def sentry() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """A DSN, and the events that were sent to it."""
    received: list[dict[str, Any]] = []

    class Takes(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            lines = (gzip.decompress(body) if self.headers.get("Content-Encoding") == "gzip" else body).splitlines()
            received.extend(found for line in lines if "message" in (found := json.loads(line)))
            self.send_response(200)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Takes)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    before = structlog.get_config()
    structlog.configure(cache_logger_on_first_use=False)
    yield f"http://public@127.0.0.1:{server.server_port}/1", received
    structlog.configure(**before)
    logs._client.cache_clear()
    server.shutdown()
    server.server_close()


def test_a_line_of_a_library_is_one_of_ours_with_its_time_in_utc_and_its_traceback() -> None:
    script = """
import logging
from workers import logs
logs.setup(production=True)
try:
    raise ValueError("as it was told")
except ValueError:
    logging.getLogger("a.library").exception("it %s", "failed")
"""
    said = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, env={**os.environ, "TZ": "Asia/Tokyo"}, capture_output=True, text=True
    )

    line = json.loads(said.stderr)
    assert (line["event"], line["level"]) == ("it failed", "error")
    assert line["exception"].endswith("ValueError: as it was told")
    assert line["timestamp"].endswith("Z")
    assert abs(datetime.fromisoformat(line["timestamp"]) - now()) < timedelta(hours=1)


def test_an_error_reaches_sentry_with_its_frames_and_nothing_of_a_person(
    sentry: tuple[str, list[dict[str, Any]]],
) -> None:
    dsn, received = sentry
    logs.report_errors(dsn)
    log = structlog.get_logger("test")

    def fails(address: str) -> None:
        raise ValueError(f"{address} is no address")

    log.info("all is well", address=SECRET)
    try:
        fails(SECRET)
    except ValueError:
        log.exception("duty failed", duty="promote")

    (event,) = wait_until(lambda: received)
    assert (event["message"], event["extra"]["duty"]) == ("duty failed", "promote")
    (error,) = event["exception"]["values"]
    assert (error["type"], error["stacktrace"]["frames"][-1]["function"]) == ("ValueError", "fails")
    assert SECRET not in json.dumps(event)
    assert not {"request", "user", "breadcrumbs"} & event.keys()


def test_an_execution_that_failed_is_an_error_whatever_the_line_is_called(
    sentry: tuple[str, list[dict[str, Any]]],
) -> None:
    dsn, received = sentry
    logs.report_errors(dsn)

    structlog.get_logger("test").info("execution ended", task_id="t", outcome="success")
    structlog.get_logger("test").info("execution ended", task_id="u", outcome="failed")

    (event,) = wait_until(lambda: received)
    assert event["extra"]["task_id"] == "u"


def test_a_sentry_that_is_away_stops_nobody(sentry: tuple[str, list[dict[str, Any]]]) -> None:
    for dsn in ("http://public@127.0.0.1:9/1", "https://no-key.example.com"):
        logs.report_errors(dsn)

        structlog.get_logger("test").error("duty failed")


def test_without_a_dsn_nothing_of_sentry_is_loaded() -> None:
    before = structlog.get_config()["processors"]

    logs.report_errors("")

    assert structlog.get_config()["processors"] is before
