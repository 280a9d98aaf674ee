"""A line: what was asked is answered in order and whole, and whatever goes wrong is an error of Redis'."""

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from redis.exceptions import ConnectionError, NoScriptError, ResponseError, TimeoutError

from tests.conftest import Service, wait_until
from tests.proxy import Proxy, dial
from workers import settings
from workers.engine import enqueue, find, wire
from workers.engine.line import READ_BYTES, Line


@pytest.fixture
def line(service: Service) -> Iterator[Line]:
    one = Line(service.redis)
    yield one
    one.close()


def test_commands_that_were_sent_together_are_answered_in_their_order(line: Line) -> None:
    line.send(("SET", "ad", "Şükrü"), ("GET", "ad"), ("INCRBY", "sayı", 7), ("GET", "none"))

    assert [line.read() for _ in range(4)] == [b"OK", "Şükrü".encode(), 7, None]


def test_an_answer_that_comes_in_many_pieces_is_whole(line: Line) -> None:
    long = b"x" * (READ_BYTES * 40)
    line.send(("SET", "long", long), ("LRANGE", "none", 0, -1), ("GET", "long"))

    assert [line.read() for _ in range(3)] == [b"OK", [], long]


def test_a_refusal_is_raised_and_the_line_goes_on(line: Line) -> None:
    line.send(("SET", "ad", "Ayşe"), ("LPOP", "ad"), ("EVALSHA", "0" * 40, 0), ("GET", "ad"))

    assert line.read() == b"OK"
    with pytest.raises(ResponseError, match="WRONGTYPE"):
        line.read()
    with pytest.raises(NoScriptError):
        line.read()
    assert line.read() == "Ayşe".encode()


def test_a_line_that_the_server_closes_says_so_and_can_be_opened_again(service: Service, line: Line) -> None:
    line.send(("CLIENT", "ID"))
    service.redis.client_kill_filter(_id=line.read())

    with pytest.raises(ConnectionError):
        _ping(line)
    line.close()

    assert _ping(line) == b"PONG"


def _ping(line: Line) -> bytes:
    line.send(("PING",))
    return bytes(line.read())


def test_a_server_that_is_silent_is_a_timeout(service: Service) -> None:
    with Proxy(service.settings.redis_url) as proxy:
        settings.use(settings.load(**{**service.settings.model_dump(), "redis_url": proxy.url}))
        slow = Line(wire.connect())
        assert _ping(slow) == b"PONG"

        slow._socket.settimeout(0.3)
        proxy.stall()

        with pytest.raises(TimeoutError):
            _ping(slow)
        slow.close()


def test_a_broken_line_that_was_kept_is_said_again_on_a_new_one(service: Service) -> None:
    task = enqueue("nothing")
    killed = service.redis.client_kill_filter(skipme=True, _type="normal")

    again = enqueue("nothing")

    assert killed > 0
    assert service.redis.lrange("rq:queue:maintenance", 0, -1) == [task.id.encode(), again.id.encode()]


@pytest.fixture
def over_tls(service: Service, tmp_path: Path) -> Iterator[str]:
    """The address of a front that speaks TLS, under a certificate that nobody knows, before the service's server."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(_certificate(tmp_path))
    target = urlsplit(service.settings.redis_url)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=_serve, args=(listener, context, target), daemon=True).start()
        yield f"rediss://:{target.password}@127.0.0.1:{listener.getsockname()[1]}/0"


def _certificate(folder: Path) -> Path:
    key, name, today = ec.generate_private_key(ec.SECP256R1()), x509.Name([]), datetime.now(UTC)
    made = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    lasting = (
        made.serial_number(1).not_valid_before(today - timedelta(days=1)).not_valid_after(today + timedelta(days=1))
    )
    signed = lasting.sign(key, hashes.SHA256())
    plain, form = serialization.NoEncryption(), serialization.PrivateFormat.PKCS8
    path = folder / "front.pem"
    path.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, form, plain) + signed.public_bytes(serialization.Encoding.PEM)
    )
    return path


def _serve(listener: socket.socket, context: ssl.SSLContext, target: SplitResult) -> None:
    with suppress(OSError):
        while True:
            client, _ = listener.accept()
            with suppress(OSError):
                wrapped, server = context.wrap_socket(client, server_side=True), dial(target)
                server.settimeout(None)
                for ends in ((wrapped, server), (server, wrapped)):
                    threading.Thread(target=_carry, args=ends, daemon=True).start()


def _carry(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
    with suppress(OSError):
        target.shutdown(socket.SHUT_RDWR)


def test_a_worker_and_who_enqueues_speak_tls(service: Service, over_tls: str) -> None:
    service.env |= {"REDIS_URL": over_tls, "REDIS_TLS_VERIFY": "false"}
    service.run_worker()
    settings.use(settings.load(**{**service.settings.model_dump(), "redis_url": over_tls, "redis_tls_verify": False}))

    tasks = [enqueue("add", {"a": number}) for number in range(20)]

    wait_until(lambda: all(find(task.id).state == "SUCCESS" for task in tasks), timeout_s=60)
    assert [find(task.id).result for task in tasks] == [{"sum": number + 2} for number in range(20)]
