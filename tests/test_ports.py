"""The ports of programs that we start: nobody else gets them meanwhile, and what is taken is told."""

import socket
import subprocess
from collections.abc import Callable
from http.server import HTTPServer
from pathlib import Path
from threading import Thread

import pytest

from app.ports import held_port
from tests import test_up as ups

project, data_dir, held, port, flask_up = ups.project, ups.data_dir, ups.held, ups.port, ups.flask_up


def test_a_held_port_is_given_to_who_asks_for_it_and_to_nobody_who_looks_for_one() -> None:
    with held_port() as held, socket.socket() as looking:
        port = held.getsockname()[1]
        with pytest.raises(OSError, match="in use"):
            looking.bind(("127.0.0.1", port))

        with socket.create_server(("127.0.0.1", port)) as listener, socket.create_connection(("127.0.0.1", port)):
            listener.accept()[0].close()
            with pytest.raises(OSError, match="in use"):
                held_port(port)


UPGRADE_THAT_WANTS_THE_PORT = """
    import socket
    try:
        socket.socket().bind(("127.0.0.1", int(os.environ["PORT"])))  # as who looks for any free port
        print("got it", flush=True)
    except OSError as error:
        print(f"refused: {error.strerror}", flush=True)
"""


def test_nobody_gets_the_port_while_the_programs_before_the_web_start(
    flask_up: Callable[..., "subprocess.Popen[str]"], project: Path, held: socket.socket
) -> None:
    (project / "wsgi.py").write_text(
        ups.STAND_INS["wsgi.py"].replace("def upgrade():", "def upgrade():" + UPGRADE_THAT_WANTS_THE_PORT)
    )
    port = held.getsockname()[1]
    held.close()

    up = flask_up()

    assert up.stdout is not None
    assert up.stdout.readline() == f"ready http://127.0.0.1:{port}\n"
    up.terminate()
    assert "got it" not in (told := up.communicate(timeout=120)[1])
    assert "refused: Address already in use" in told


def test_up_refuses_a_port_where_another_serves(flask_up: Callable[..., "subprocess.Popen[str]"], port: int) -> None:
    with HTTPServer(("127.0.0.1", port), ups.Healthy) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        up = flask_up()
        out, log = up.communicate(timeout=120)
        server.shutdown()
    assert (up.returncode, out, "Traceback" in log) == (2, "", False)
    assert f"port {port} can't be used (Address already in use), choose another with --port" in log


def test_up_waits_for_a_port_that_a_killed_one_still_holds(
    flask_up: Callable[..., "subprocess.Popen[str]"], port: int
) -> None:
    with socket.create_server(("127.0.0.1", port)) as killed:
        killed.settimeout(60)
        up = flask_up()
        killed.accept()[0].close()  # it found the port taken, and asks who serves there
    assert up.stdout is not None
    assert up.stdout.readline() == f"ready http://127.0.0.1:{port}\n"
