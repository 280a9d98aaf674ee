"""The wire to SMS gateways: who is reached, whose word is taken, how connections are shared and given up."""

import json
import socket
import ssl
import threading
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st

from tests import gateway_samples
from tests.gateway_http import FakeServer
from tests.gateway_samples import GATEWAYS, KEY, MESSAGES, saying, some
from workers.errors import GatewayAway
from workers.services.sms_gateways import Sms, open_gateway, wire
from workers.services.sms_gateways.answers import retry_after_s

fake, gateway = gateway_samples.fake, gateway_samples.gateway


def test_requests_share_one_connection_and_a_quiet_one_is_not_trusted(gateway, fake, monkeypatch):
    monkeypatch.setattr(wire, "IDLE_S", 3600.0)
    for n in range(5):
        gateway.send([Sms(f"item-{n}", f"+90555000000{n}", "Merhaba")], f"{KEY}-{n}")
    assert fake.connections == 1

    monkeypatch.setattr(wire, "IDLE_S", -1.0)
    gateway.send([Sms("item-9", "+905550000009", "Merhaba")], f"{KEY}-9")
    assert fake.connections == 2


def test_nothing_is_sent_by_who_was_frozen_as_it_connected(gateway, fake, monkeypatch):
    """By now others may have heard from the gateway that it never got this request, and have sent it."""
    monkeypatch.setattr(wire, "FROZEN_S", -1.0)

    with pytest.raises(GatewayAway):
        gateway.send(some(gateway), KEY)

    monkeypatch.setattr(wire, "FROZEN_S", 30.0)
    assert {verdict.state for verdict in gateway.send(some(gateway), KEY)} == {"done"}


def test_a_proxy_of_the_machine_is_not_asked_for_a_gateway_on_it(gateway, fake, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.delenv("NO_PROXY", raising=False)

    assert {verdict.state for verdict in gateway.send(some(gateway), KEY)} == {"done"}


@pytest.mark.parametrize("name", GATEWAYS)
@pytest.mark.parametrize(
    "base_url", ["http://127.0.0.1:1", "http://nowhere.invalid", "https://{plain}", "http://[::1]:1"]
)
def test_what_can_not_be_reached_is_away_and_tried_again(name, base_url, fake):
    reached = base_url.format(plain=fake.url.removeprefix("http://"))
    with open_gateway(name, {**fake.options(name), "base_url": reached}, timeout_s=5) as gateway:
        with pytest.raises(GatewayAway):
            gateway.send(some(gateway), KEY)

    assert fake.requests == 0


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for 127.0.0.1 that nobody vouches for, with its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now, address = datetime.now(UTC), x509.IPAddress(ip_address("127.0.0.1"))
    made = x509.CertificateBuilder(name, name, key.public_key(), 1, now - timedelta(days=1), now + timedelta(days=1))
    signed = made.add_extension(x509.SubjectAlternativeName([address]), critical=False).sign(key, SHA256())
    path = tmp_path_factory.mktemp("tls") / "own.pem"
    plain = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    path.write_bytes(plain + signed.public_bytes(Encoding.PEM))
    return path


@pytest.mark.parametrize("name", GATEWAYS)
def test_a_server_that_nobody_vouches_for_gets_no_message(name, fake, certificate):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with FakeServer(("127.0.0.1", 0), fake.answer) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        options = {**fake.options(name), "base_url": f"https://127.0.0.1:{server.server_port}"}
        with open_gateway(name, options, timeout_s=5) as gateway, pytest.raises(GatewayAway) as away:
            gateway.send(some(gateway), KEY)
        server.shutdown()

    assert (away.value.fields["reason"], fake.requests) == ("SSLError", 0)


def test_a_connection_that_is_never_made_is_away(fake, monkeypatch):
    monkeypatch.setattr(wire, "CONNECT_TIMEOUT_S", 0.3)
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
        fillers = [socket.socket() for _ in range(8)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(full.getsockname())
        with open_gateway("sandbox", {"base_url": f"http://127.0.0.1:{full.getsockname()[1]}"}) as gateway:
            with pytest.raises(GatewayAway):
                gateway.send(MESSAGES, KEY)
        for filler in fillers:
            filler.close()


@pytest.mark.parametrize(("room", "state"), [(300_000, "done"), (100_000, "unknown")])
def test_an_answer_that_is_too_long_is_given_up(room, state, monkeypatch):
    monkeypatch.setattr(wire, "MAX_ANSWER_BYTES", room)
    taken = json.dumps({"accepted": [{"ref": each.ref, "id": "1"} for each in MESSAGES]}).encode()
    head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(taken) + 200_000}\r\n\r\n".encode()
    with saying(head, taken, b" " * 200_000) as base_url, open_gateway("sandbox", {"base_url": base_url}) as gateway:
        assert {verdict.state for verdict in gateway.send(MESSAGES, KEY)} == {state}


@given(st.integers(0, 10**9), st.integers(-100, 10**6))
def test_retry_after_is_read_as_seconds_and_as_a_date(seconds, ahead):
    began = datetime.now(UTC)
    moment = began + timedelta(seconds=ahead)

    assert retry_after_s(str(seconds)) == max(1, min(seconds, 86_400))
    found = retry_after_s(format_datetime(moment, usegmt=True))
    assert found is not None
    took_s = (datetime.now(UTC) - began).total_seconds()
    assert max(1, min(ahead - took_s, 86_400)) - 2 <= found <= max(1, min(ahead, 86_400)) + 2


@given(st.text())
def test_a_retry_after_that_is_none_is_none(written):
    found = retry_after_s(written)

    assert found is None or 1 <= found <= 86_400
