"""`flask up`: the whole service in the foreground, until Ctrl-C or SIGTERM."""

import socket
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any

from app.ports import held_port
from app.supervisor import Program, Supervisor
from workers import logs
from workers.embedded import EmbeddedValkey
from workers.errors import BadSettings, NoServer
from workers.settings import Settings

PROJECT = Path(__file__).resolve().parent.parent
GRACE_S = 5  # what the web gives the requests that are under way at its end
GOING_S, SERVED_S = GRACE_S + 2, 1  # how long a port may be taken by what is going, and by what answers there


def run(
    settings: Settings,
    *,
    port: int | None,
    concurrency: int | None,
    extra: Sequence[Program] = (),
    addresses: Mapping[str, str] | None = None,
    before_ready: Callable[[], None] | None = None,
) -> int:
    """Run the service until a signal: 0 after it, 1 if the migrations failed, 2 if it can't start here, said on stderr.

    Without `port`: PORT; without `concurrency`: what `python -m workers` takes by itself. `extra`: programs that start
    after the migrations, before the workers, which find them by `addresses` in their environment (see `sandbox`).
    `before_ready` is called once all of them run, so that a start which fails has done nothing of it.
    """
    port = port or settings.port
    logs.setup(production=settings.app_env == "production")
    valkey = EmbeddedValkey(settings.data_dir)
    try:
        valkey.claim()
        held = _held_for_the_web(port)
        before = [_valkey_program(valkey)] if settings.embedded_redis else []
        service = _service(settings, port=port, concurrency=concurrency, addresses=addresses or {})
        supervisor = Supervisor([*before, *service[:1], *extra, *service[1:]], cwd=PROJECT)

        def on_ready() -> None:
            if before_ready:
                before_ready()
            print(f"ready http://127.0.0.1:{port}", flush=True)

        with held:
            return supervisor.run(on_ready)
    except (BadSettings, NoServer) as error:
        print(error.message, file=sys.stderr)
        return 2
    finally:
        valkey.stop()


@contextmanager
def sandbox(settings: Settings, *, wanted: bool = True) -> Iterator[tuple[list[Program], dict[str, str]]]:
    """The sandbox gateways as a program on two free ports, and the settings by which the others find it: those that are
    unset. Where none is, or it is not wanted, there is nothing to start."""
    with ExitStack() as held:
        smtp, http = (held.enter_context(held_port()) for _ in range(2))
        ports = [smtp.getsockname()[1], http.getsockname()[1]]
        addresses = {} if settings.smtp_url else {"SMTP_URL": f"smtp://127.0.0.1:{ports[0]}?tls=none"}
        if settings.sms_provider == "sandbox" and not settings.sandbox_url:
            addresses["SANDBOX_URL"] = f"http://127.0.0.1:{ports[1]}"
        argv = [sys.executable, "-m", "app.sandbox", "--smtp-port", str(ports[0]), "--http-port", str(ports[1])]
        env = {"DATA_DIR": str(settings.data_dir.resolve())}
        program = Program("sandbox", argv, env, stop_s=2, ready=lambda: _healthy(ports[1]))
        yield ([program], addresses) if wanted and addresses else ([], {})


def _valkey_program(valkey: EmbeddedValkey) -> Program:
    asked: dict[str, Any] = {"prepare": valkey.prepare, "ready": valkey.answers, "lost": valkey.is_lost}
    return Program("valkey", valkey.argv, stop_s=4, keep=(valkey.lock,), says_why=valkey.log, **asked)


def _service(settings: Settings, *, port: int, concurrency: int | None, addresses: Mapping[str, str]) -> list[Program]:
    """Migrations, workers, clock and web."""
    env = {"PORT": str(port), "DATA_DIR": str(settings.data_dir.resolve()), **addresses}
    web = f"gunicorn wsgi:app -k gthread --threads 32 --workers {settings.web_concurrency} -b 127.0.0.1:{port}"
    quiet = f"--graceful-timeout {GRACE_S} --log-level warning"
    python = [sys.executable, "-m"]
    children = ["--concurrency", str(concurrency)] if concurrency else []
    return [
        Program("migrations", [*python, "flask", "db", "upgrade"], env, once=True),
        Program("workers", [*python, "workers", *children], env, stop_s=21),
        Program("clock", [sys.executable, "scheduler.py"], env, stop_s=2),
        Program("web", [*python, *web.split(), *quiet.split()], env, stop_s=6, ready=lambda: _healthy(port)),
    ]


def _held_for_the_web(port: int) -> socket.socket:
    """The web of a killed `flask up` is waited for; one that serves is not going."""
    began = time.monotonic()
    while True:
        try:
            return held_port(port)
        except OSError as error:
            if time.monotonic() - began > (SERVED_S if _healthy(port) else GOING_S):
                reason = f"port {port} can't be used ({error.strerror}), choose another with --port"
                raise BadSettings(reason=reason) from error
        time.sleep(0.1)


def _healthy(port: int) -> bool:
    try:
        connection = HTTPConnection("127.0.0.1", port, timeout=1)
        connection.request("GET", "/healthz")
        return connection.getresponse().status == 200
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()
