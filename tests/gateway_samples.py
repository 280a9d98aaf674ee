"""What the tests of the SMS gateways share: messages, gateways that are opened, and a server that says anything."""

import re
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest

from tests.gateways import FakeGateway
from workers.services.sms_gateways import KINDS, Gateway, Sms, open_gateway

KEY = "sms-0197b2c4-slice-3"
GATEWAYS = sorted(KINDS)
MANY = ["iletimerkezi", "netgsm", "sandbox", "verimor"]  # one request carries many
CAN_TELL = ["netgsm", "sandbox", "verimor"]  # what became of a request, by its key
TEXT = "Sayın Şükrü Çağlı, 1.250,00 TL borcunuz için: https://example.com/m?a=1&b=2 👍"
MESSAGES = [
    Sms("item-1", "+905551234567", TEXT),
    Sms("item-2", "+905321234567", "Borcunuz 10 TL"),
    Sms("item-3", "+905551110000", "Mutabakatınız 'hazır' <b>&amp;</b> {\"a\": [1]}"),
]


def some(gateway: Gateway) -> list[Sms]:
    """As many messages as one request of this gateway carries."""
    return MESSAGES[: gateway.batch]


def opened(name: str, fake: FakeGateway, *, timeout_s: float = 5) -> Gateway:
    return open_gateway(name, fake.options(name), timeout_s=timeout_s)


@pytest.fixture
def fake() -> Iterator[FakeGateway]:
    """A gateway that speaks the protocols of all of them."""
    with FakeGateway() as server:
        yield server


@pytest.fixture(params=GATEWAYS)
def gateway(request: pytest.FixtureRequest, fake: FakeGateway) -> Iterator[Gateway]:
    """Each of ours, opened on the fake."""
    with opened(request.param, fake) as found:
        yield found


def _read_request(connection: socket.socket) -> None:
    """Head and body: what is left unread when a socket is closed makes the kernel drop what was answered."""
    heard = b""
    while b"\r\n\r\n" not in heard:
        heard += connection.recv(65_536) or b"\r\n\r\n"
    head, _, body = heard.partition(b"\r\n\r\n")
    length = re.search(rb"content-length: *(\d+)", head.lower())
    missing = int(length[1]) - len(body) if length else 0
    while missing > 0 and (more := connection.recv(65_536)):
        missing -= len(more)


@contextmanager
def saying(*pieces: bytes, each_s: float = 0) -> Iterator[str]:
    """The URL of a server that reads a request, says these bytes, one piece after the other, and hangs up."""

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                connection.settimeout(5)
                with suppress(OSError):
                    _read_request(connection)
                with suppress(OSError):  # a client may hang up before the end
                    for piece in pieces:
                        connection.sendall(piece)
                        time.sleep(each_s)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(5)
