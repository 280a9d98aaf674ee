"""The front door: POST /api/mutabakat/generate-pdf-async beside a bare Flask route that does one `Queue.enqueue`."""

import itertools
import json
import secrets
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from flask import Flask

from app.auth import digest_of
from app.ports import held_port
from bench.load import load, post
from bench.service import Service, children, cpu_ms, service
from bench.table import Measured, Row, alternate, cost, gain
from workers import db
from workers.models import Token

REQUESTS, WARM, CONNECTIONS, ROUNDS = 1_000, 200, 8, 7
LETTERS = 240
OURS, PEER = "/api/mutabakat/generate-pdf-async", "/enqueue"


@dataclass(frozen=True)
class Served:
    """One side under load: its port, the web process, and what is asked of it."""

    port: int
    pid: int
    requests: list[bytes]

    def round(self) -> Measured:
        """Requests per second, and milliseconds of CPU of the web process for each."""
        before = cpu_ms(self.pid)
        rate = load(self.port, self.requests, connections=CONNECTIONS)
        return {"rate": rate, "cpu": (cpu_ms(self.pid) - before) / len(self.requests)}


def http() -> list[Row]:
    """Both in gunicorn (one process, gthread), with the same threads, load and Valkey; no workers run."""
    with service(LETTERS) as own:
        token = _token(own)
        with _served(own, "wsgi:app", OURS, token) as ours, _served(own, "bench.peer:app", PEER, token) as peer:
            pairs = alternate(ours.round, peer.round, rounds=ROUNDS)
        inside = _inside(own, token)
    what = "POST generate-pdf-async to a bare rq route:"
    return [
        gain(f"{what} requests", pairs["rate"], "/s", at_least=0.5, more_is_better=True),
        cost(f"{what} CPU of the web process", pairs["cpu"], "ms"),
        cost(f"{what} CPU in a test client", inside["cpu"], "ms"),
    ]


@contextmanager
def _served(own: Service, app: str, path: str, token: str) -> Iterator[Served]:
    with ExitStack() as held:
        port = held.enter_context(held_port()).getsockname()[1]
        options = f"gunicorn {app} -k gthread --threads {CONNECTIONS} --workers 1 -b 127.0.0.1:{port}"
        quiet = "--log-level warning --no-control-socket"
        run = own.run("-m", *options.split(), *quiet.split(), ready=lambda: _listens(port))
        master = held.enter_context(run)
        requests = [post(path, body, token) for body in itertools.islice(_bodies(own), REQUESTS)]
        load(port, requests[:WARM], connections=CONNECTIONS)
        yield Served(port, children(master)[0], requests)


def _inside(own: Service, token: str) -> dict[str, list[float]]:
    """The same without sockets."""
    from app import create_app
    from bench.peer import app as bare

    return alternate(
        lambda: _calls(create_app(), OURS, own, token), lambda: _calls(bare, PEER, own, token), rounds=ROUNDS
    )


def _calls(app: Flask, path: str, own: Service, token: str) -> Measured:
    client, began = app.test_client(), 0.0
    for number, body in enumerate(itertools.islice(_bodies(own), WARM + WARM)):
        if number == WARM:
            began = time.process_time()
        signed = {"Authorization": f"Bearer {token}"}
        answer = client.post(path, data=body, content_type="application/json", headers=signed)
        assert answer.status_code == 202, answer.text
    return {"cpu": (time.process_time() - began) * 1000 / WARM}


def _bodies(own: Service) -> Iterator[bytes]:
    return (json.dumps({"mutabakat_id": number}).encode() for number in itertools.cycle(own.letter_ids))


def _token(own: Service) -> str:
    token = secrets.token_urlsafe(32)
    with db.writing() as session:
        session.add(Token(company_id=own.company_id, role="member", digest=digest_of(token)))
    return token


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
