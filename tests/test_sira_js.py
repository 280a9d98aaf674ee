"""Other people's front ends: the polling example as it is, many streams at once, and what foreign pages may read."""

import os
import re
import resource
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from sqlalchemy import update
from werkzeug.serving import make_server

from app.api import streams
from tests import face as faces
from tests.conftest import Service
from tests.face import Face
from tests.web import answers, serving
from workers import db
from workers.models import Mutabakat
from workers.services import webhooks

face = faces.face
HERE = Path(__file__).parent
NODE = shutil.which("node")
MANY = 500


@contextmanager
def spoken_to(face: Face) -> Iterator[str]:
    """The application behind a real socket."""
    server = make_server("127.0.0.1", 0, face.app, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()


@pytest.mark.skipif(NODE is None, reason="NO NODE: install nodejs to run the front ends' polling example")
def test_the_polling_example_runs_in_node_as_it_is(face: Face, service: Service) -> None:
    """Only the token is set, once and outside of it, as an application sets it for all its requests."""
    letter_id = face.ayse.letter()
    with db.writing() as session:
        session.execute(update(Mutabakat).where(Mutabakat.id == letter_id).values(id=123))
    service.run_worker("pdf")
    with spoken_to(face) as url:
        code = (HERE / "axios.js").read_text() + (HERE / "polling.js").read_text()
        env = {**os.environ, "SIRA": url, "TOKEN": face.ayse.token}
        command = [str(NODE), "--input-type=module", "--eval", code]
        ended = subprocess.run(command, env=env, capture_output=True, text=True, timeout=60)

    assert ended.returncode == 0, ended.stderr
    said = ended.stdout.splitlines()
    assert "Progress: 100/100" in said
    assert "Status: Tamamlandı" in said
    assert any(line.startswith("Task completed!") for line in said)
    assert "download_url" in ended.stdout


def test_five_hundred_streams_are_served_or_refused_and_the_site_stays_quick(face: Face, service: Service) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 4096)), hard))
    ask = f"GET /api/events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {face.ayse.token}\r\n\r\n".encode()
    with serving(service) as url, ExitStack() as held:
        address = ("127.0.0.1", int(url.rsplit(":", 1)[1]))
        lines = [held.enter_context(socket.create_connection(address, timeout=30)) for _ in range(MANY)]
        for line in lines:
            line.sendall(ask)
        heads = [line.recv(2000).decode() for line in lines]
        statuses = [head.split(" ")[1] for head in heads]

        assert statuses.count("200") == streams.SEATS
        assert statuses.count("503") == MANY - streams.SEATS
        assert all("Retry-After: 5" in head for head in heads if " 503 " in head)
        assert answers(url), "while the streams are open"


def test_foreign_pages_may_load_the_script_and_read_a_status_by_token_and_nothing_else(face: Face) -> None:
    task_id = face.ayse.enqueue("add", a=1)
    elsewhere = {"Origin": "https://erp.example.com"}
    assert face.client.get("/static/sira.js", headers=elsewhere).headers["Access-Control-Allow-Origin"] == "*"

    status = f"/api/tasks/{task_id}/status"
    asked = {**elsewhere, "Access-Control-Request-Method": "GET", "Access-Control-Request-Headers": "authorization"}
    preflight = face.client.options(status, headers=asked)
    assert preflight.status_code == 204
    assert "Authorization" in preflight.headers["Access-Control-Allow-Headers"]
    answer = face.ayse.get(status, headers=elsewhere)
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert "Access-Control-Allow-Credentials" not in answer.headers
    assert face.client.get(status, headers=elsewhere).headers["Access-Control-Allow-Origin"] == "*", "401 can be read"

    for path in ("/api/tasks", "/api/events", f"/api/tasks/{task_id}/result", "/", "/static/live.js"):
        assert "Access-Control-Allow-Origin" not in face.ayse.call("HEAD", path, headers=elsewhere).headers
    assert face.client.options("/api/tasks", headers=asked).status_code == 401


def block(name: str) -> str:
    """A piece of code of docs/front-ends.md."""
    found = re.search(rf"```\w+ {name}\n(.*?)```", (HERE.parent / "docs/front-ends.md").read_text(), re.DOTALL)
    assert found is not None
    return found[1]


def test_the_document_shows_the_very_polling_example_that_is_run() -> None:
    assert block("polling") == (HERE / "polling.js").read_text()


def test_the_documents_way_to_check_a_signature_tells_ours_from_others() -> None:
    body, secret, known = b'{"state":"SUCCESS"}', webhooks.new_secret(), {}
    exec(block("signature"), known)
    headers = webhooks.signed(secret, "msg_1", int(time.time()), body)

    assert known["is_genuine"](secret, headers, body)
    assert not known["is_genuine"](secret, headers, body + b" ")
    assert not known["is_genuine"](webhooks.new_secret(), headers, body)
    assert not known["is_genuine"](secret, webhooks.signed(secret, "msg_1", int(time.time()) - 400, body), body)


def test_the_script_is_small_enough_to_be_read_before_it_is_trusted() -> None:
    script = (HERE.parent / "app/static/sira.js").read_text()
    assert len(script.splitlines()) <= 63
    assert not any(word in script for word in ("innerHTML", "eval(", "Function(", "document.write", "import("))
