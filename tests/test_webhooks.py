"""Webhooks: signed as the standard says, and posted to nobody's inside."""

import base64
import socket
import time
from collections.abc import Iterator
from email.utils import formatdate
from functools import partial
from http.server import BaseHTTPRequestHandler
from ipaddress import ip_address

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.ports import held_port
from tests.receiver import SECRET, Receiver, receiving, say
from workers.errors import BadWebhook, GatewayAway
from workers.services import webhooks

INSIDE = [
    *("127.0.0.1", "10.0.0.8", "172.16.4.4", "192.168.1.1", "100.64.0.1", "169.254.169.254", "100.100.100.200"),
    *("0.0.0.0", "224.0.0.1", "255.255.255.255", "168.63.129.16", "192.0.0.192", "198.18.0.1", "240.0.0.1"),
    *("::1", "::", "fe80::1", "fc00::1", "fd00:ec2::254", "fec0::1", "ff02::1", "::7f00:1"),
    *("::ffff:127.0.0.1", "::ffff:10.0.0.8", "::ffff:169.254.169.254", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe"),
    *("2002:7f00:1::", "2002:a9fe:a9fe::1", "2001:0:0:0:0:0:f5ff:fff7"),
]
OUTSIDE = ["93.184.216.34", "2606:2800:220:1:248:1893:25c8:1946", "::ffff:93.184.216.34", "64:ff9b::5db8:d822"]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as one:
        yield one


def post(url: str, body: bytes = b'{"state":"SUCCESS"}', **more: bool) -> webhooks.Answer:
    return webhooks.post(url, body, secret=SECRET, message_id="msg_1", **{"loopback": True, **more})


def names(monkeypatch: pytest.MonkeyPatch, *answers: list[str]) -> list[list[str]]:
    """Let the name server give these answers, one after the other; those that are left."""
    left = list(answers)
    monkeypatch.setattr(webhooks, "resolve", lambda host, port: left.pop(0))
    return left


def test_the_signature_is_that_of_the_standards_own_example() -> None:
    """The example of standardwebhooks.com, checked in the libraries of all languages."""
    secret, payload = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", b'{"test": 2432232314}'

    headers = webhooks.signed(secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, payload)

    assert headers == {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }


def test_a_receiver_can_check_what_it_got(receiver: Receiver) -> None:
    assert post(receiver.url).taken

    [got] = receiver.got
    assert (got.path, got.body, got.id) == ("/hook?of=sira", b'{"state":"SUCCESS"}', "msg_1")
    assert got.is_signed()
    assert abs(int(got.headers["webhook-timestamp"]) - time.time()) < 60
    assert not got.is_signed(webhooks.new_secret())


@pytest.mark.parametrize("address", INSIDE)
def test_nothing_is_posted_to_an_address_inside(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither where it stands in the URL nor where a name leads to it, alone or beside an innocent one."""
    host = f"[{address}]" if ":" in address else address
    with pytest.raises(BadWebhook):
        webhooks.check(f"https://{host}/")
    for answer in ([address], [OUTSIDE[0], address]):
        names(monkeypatch, answer)
        with pytest.raises(BadWebhook):
            post("https://innocent.example/", loopback=False)


@pytest.mark.parametrize("address", OUTSIDE)
def test_an_address_of_the_open_internet_passes(address: str) -> None:
    assert webhooks.is_public(ip_address(address))


@given(st.ip_addresses(v=4))
@settings(max_examples=50)
def test_what_carries_an_ipv4_address_is_as_public_as_that(inner: object) -> None:
    public = webhooks.is_public(ip_address(str(inner)))
    assert webhooks.is_public(ip_address(f"::ffff:{inner}")) == public
    assert webhooks.is_public(ip_address("64:ff9b::") + int(inner)) == public  # type: ignore[call-overload]


@pytest.mark.parametrize(
    "host", ["0x7f000001", "2130706433", "127.1", "0177.0.0.1", "localhost", "LOCALHOST.", "127.0.0.1.", "[::1%25lo]"]
)
def test_other_spellings_of_this_machine_are_seen_through(host: str) -> None:
    """They are no literals for us; what the resolver makes of them is judged, or they are no names at all."""
    with pytest.raises((BadWebhook, GatewayAway)):
        post(f"https://{host}/", loopback=False)


def test_the_name_is_resolved_once_and_that_very_address_is_called(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever owns the name may answer otherwise the second time (DNS rebinding): there is none."""
    left = names(monkeypatch, ["127.0.0.1"], ["10.0.0.8"])
    called: list[object] = []
    real = socket.create_connection
    monkeypatch.setattr(socket, "create_connection", lambda to, **more: called.append(to) or real(to, **more))
    port = receiver.url.split(":")[2].split("/")[0]

    assert post(f"http://localhost:{port}/hook").taken

    assert called == [("127.0.0.1", int(port))]
    assert left == [["10.0.0.8"]]
    assert receiver.got[0].headers["host"] == f"localhost:{port}"


def test_a_redirect_is_an_answer_like_any_other(receiver: Receiver) -> None:
    receiver.answer = lambda handler: say(handler, 302, Location="http://169.254.169.254/latest/meta-data/")
    answer = post(receiver.url)
    assert (answer.status, answer.taken, len(receiver.got)) == (302, False, 1)


def test_a_proxy_of_the_environment_is_not_asked(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert post(receiver.url).taken


def test_of_an_endless_answer_only_the_beginning_is_read(receiver: Receiver) -> None:
    receiver.answer = lambda handler: say(handler, 500, b"\x00fault\n" * 1_000_000)
    answer = post(receiver.url)
    assert (answer.status, len(answer.text) <= webhooks.ANSWER_CHARS, answer.text[:5]) == (500, True, "fault")


@pytest.mark.parametrize("status", [200, 410])
@pytest.mark.parametrize("body", [b"5\r\nta", b"no length\r\ntaken"], ids=["cut off", "garbled"])
def test_a_body_that_breaks_off_takes_nothing_back_of_the_answer(receiver: Receiver, status: int, body: bytes) -> None:
    """Who said that it was taken would get it again, and who said `410` would get it for three days."""

    def break_off(handler: BaseHTTPRequestHandler) -> None:
        handler.wfile.write(b"HTTP/1.1 %d Said\r\nTransfer-Encoding: chunked\r\n\r\n%b" % (status, body))

    receiver.answer = break_off
    assert (post(receiver.url).status, len(receiver.got)) == (status, 1)


def test_a_receiver_that_drips_is_hung_up_on(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each wait is short, so no time-out of a single wait ever comes."""
    monkeypatch.setattr(webhooks, "TOTAL_S", 0.3)

    def drip(handler: object) -> None:
        for _ in range(3_000):
            handler.wfile.write(b"H")  # type: ignore[attr-defined]
            time.sleep(0.02)

    receiver.answer = drip
    began = time.monotonic()
    with pytest.raises(GatewayAway):
        post(receiver.url)
    assert time.monotonic() - began < 30, "it drips for a minute"


def test_a_receiver_that_is_not_there_or_speaks_no_tls_is_away(receiver: Receiver) -> None:
    with held_port() as nobody:
        port = nobody.getsockname()[1]
        for url in (f"http://127.0.0.1:{port}/", receiver.url.replace("http:", "https:")):
            with pytest.raises(GatewayAway):
                post(url)
    assert receiver.got == []


def test_a_pause_that_is_asked_for_is_told_whether_as_a_number_or_as_a_date(receiver: Receiver) -> None:
    for asked, told in (("120", 120), (formatdate(time.time() + 9000, usegmt=True), 9000), ("soon", 0), ("9" * 9, 0)):
        receiver.answer = partial(say, status=503, Retry_After=asked)
        assert post(receiver.url).retry_after_s == pytest.approx(told, rel=0.1)


@pytest.mark.parametrize(
    "url",
    [
        *("http://example.com/", "ftp://example.com/", "https://", "example.com", "https://user:pw@example.com/"),
        *(
            "https://example.com/#x",
            "https://exa mple.com/",
            "https://example.com:99999/",
            "https://example.com:0/",
            "https://[::1",
            "https://a\nb/",
        ),
        *("http://localhost.example.com/", "https://example.com/" + "x" * 500, "javascript:alert(1)", "//example.com"),
    ],
)
def test_what_is_no_https_url_of_a_host_is_refused(url: str) -> None:
    with pytest.raises(BadWebhook):
        webhooks.check(url, loopback=True)


def test_this_machine_is_spoken_to_only_where_it_is_allowed(receiver: Receiver) -> None:
    with pytest.raises(BadWebhook):
        post(receiver.url, loopback=False)
    assert receiver.got == []


@pytest.mark.parametrize("secret", ["", "whsec_", "whsec_short", "whsec_!!!", SECRET[6:], "whsec_" + "A" * 100])
def test_what_is_no_secret_is_refused(secret: str) -> None:
    with pytest.raises(BadWebhook):
        webhooks.check_secret(secret)


def test_a_new_secret_is_32_random_bytes() -> None:
    first, second = webhooks.new_secret(), webhooks.new_secret()
    assert first != second
    assert webhooks.check_secret(first) == first
    assert len(base64.b64decode(first.removeprefix("whsec_"))) == 32
