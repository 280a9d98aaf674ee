"""A web process as it stands in production: gunicorn with 32 threads, on the service of a test."""

import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from socket import create_server

from tests.conftest import ROOT, Service, wait_until


@contextmanager
def serving(service: Service) -> Iterator[str]:
    """Its URL, once it answers."""
    listener = create_server(("127.0.0.1", 0))  # handed over: nobody else can take its port meanwhile
    port = listener.getsockname()[1]
    command = [
        sys.executable,
        "-m",
        "gunicorn",
        "wsgi:app",
        "-k",
        "gthread",
        "--threads",
        "32",
        "-b",
        f"fd://{listener.fileno()}",
    ]
    quiet = ["--log-level", "warning", "--graceful-timeout", "1"]
    web = subprocess.Popen([*command, *quiet], cwd=ROOT, env=service.env, pass_fds=[listener.fileno()])
    listener.close()
    try:
        wait_until(lambda: answers(f"http://127.0.0.1:{port}"), timeout_s=180, what="a web process")
        yield f"http://127.0.0.1:{port}"
    finally:
        web.terminate()
        web.wait(60)


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/healthz", timeout=5) as answer:
            return bool(answer.status == 200)
    except (OSError, urllib.error.URLError):
        return False
