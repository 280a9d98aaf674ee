"""Webhooks as standardwebhooks.com has them: signed, and sent over TLS to public addresses alone.

Whoever may name a URL could otherwise let this machine talk to its own neighbours. So the name is resolved once, every
address that it has is judged, and the connection goes to one of these very addresses: a second answer of the name
server ("DNS rebinding") is never asked for. Redirects are not followed, proxies of the environment not used, and of the
answer no more than a few kB is read.
"""

import base64
import hashlib
import hmac
import math
import secrets
import socket
import ssl
import time
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPResponse
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from threading import Timer
from typing import Any
from urllib.parse import SplitResult, urlsplit

import idna

from workers import retry_after
from workers.errors import BadWebhook, GatewayAway

CONNECT_S, TOTAL_S = 3.0, 10.0
ANSWER_BYTES, ANSWER_CHARS, URL_CHARS = 2048, 300, 500
SECRET_PREFIX = "whsec_"
SECRET_BYTES = (24, 64)
ADDRESSES_TRIED = 2
NAT64 = ip_network("64:ff9b::/96")
# What clouds tell their own machines, at addresses that look public: Azure, and Oracle (192.0.0.192; all of its network
# is nobody's, which Python says since 3.12.4).
OF_THE_CLOUD = (ip_network("168.63.129.16"), ip_network("192.0.0.0/24"))
Address = IPv4Address | IPv6Address


@dataclass(frozen=True)
class Answer:
    """What the receiver said; `text` is the beginning of its body, `retry_after_s` what it asked for (0: nothing)."""

    status: int
    text: str
    retry_after_s: int = 0

    @property
    def taken(self) -> bool:
        return 200 <= self.status < 300


def new_secret() -> str:
    return SECRET_PREFIX + base64.b64encode(secrets.token_bytes(32)).decode()


def check_secret(secret: str) -> str:
    """The secret, if it is one: `whsec_` and 24 to 64 bytes as base64. Raises BadWebhook."""
    try:
        size = len(_key(secret))
    except ValueError:
        size = 0
    if not secret.startswith(SECRET_PREFIX) or not SECRET_BYTES[0] <= size <= SECRET_BYTES[1]:
        raise BadWebhook(reason="a secret begins with whsec_ and holds 24 to 64 bytes as base64")
    return secret


def _key(secret: str) -> bytes:
    return base64.b64decode(secret.removeprefix(SECRET_PREFIX), validate=True)


def signed(secret: str, message_id: str, at_s: int, body: bytes) -> dict[str, str]:
    """The three headers. The signature is HMAC-SHA256 over `id.timestamp.body`, in base64, behind `v1,`."""
    digest = hmac.new(_key(secret), f"{message_id}.{at_s}.".encode() + body, hashlib.sha256).digest()
    signature = f"v1,{base64.b64encode(digest).decode()}"
    return {"webhook-id": message_id, "webhook-timestamp": str(at_s), "webhook-signature": signature}


def check(url: str, *, loopback: bool = False) -> SplitResult:
    """The parts of a URL that may be posted to; `loopback` also lets http to this machine pass. Raises BadWebhook."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise BadWebhook(reason="the address can't be read") from None
    faults = [
        (
            len(url) > URL_CHARS or not (url.isascii() and url.isprintable() and " " not in url) or port == 0,
            "the address can't be read",
        ),
        (not host, "the address names no host"),
        (parts.username is not None or bool(parts.fragment), "the address must hold no user name and no #"),
        (parts.scheme != "https" and not (loopback and parts.scheme == "http" and _is_here(host)), "https is needed"),
        (_is_literal(host) and not _allowed(ip_address(host), loopback), "nothing is sent to such a network address"),
    ]
    for wrong, reason in faults:
        if wrong:
            raise BadWebhook(reason=reason)
    return parts


def _is_literal(host: str) -> bool:
    try:
        return bool(ip_address(host))
    except ValueError:
        return False


def _is_here(host: str) -> bool:
    return host == "localhost" or (_is_literal(host) and ip_address(host).is_loopback)


def is_public(address: Address) -> bool:
    """Whether it is an address of the open internet; what carries an IPv4 address inside is as public as that one."""
    inner = _inside(address)
    if inner is not None:
        return is_public(inner)
    odd = (
        address.is_multicast
        or address.is_reserved
        or address.is_unspecified
        or getattr(address, "is_site_local", False)
    )
    return address.is_global and not odd and not any(address in network for network in OF_THE_CLOUD)


def _inside(address: Address) -> IPv4Address | None:
    if isinstance(address, IPv4Address):
        return None
    if address in NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or (address.teredo[1] if address.teredo else None)


def _allowed(address: Address, loopback: bool) -> bool:
    return is_public(address) or (loopback and address.is_loopback)


def resolve(host: str, port: int) -> list[str]:
    """Every address of that name; raises GatewayAway where there is none."""
    try:
        name = host if _is_literal(host) else idna.encode(host, uts46=True).decode()
        return list(
            dict.fromkeys(str(found[4][0]) for found in socket.getaddrinfo(name, port, type=socket.SOCK_STREAM))
        )
    except (OSError, UnicodeError):
        raise GatewayAway(reason="the host's name can't be resolved") from None


def post(url: str, body: bytes, *, secret: str, message_id: str, loopback: bool = False) -> Answer:
    """Send one message; what the receiver answered, whatever it was.

    Raises BadWebhook for what must not be posted to, GatewayAway where there is no answer within 10 s.
    """
    parts = check(url, loopback=loopback)
    tls, host = parts.scheme == "https", str(parts.hostname)
    port = parts.port or (443 if tls else 80)
    found = resolve(host, port)
    if not all(_allowed(ip_address(address.partition("%")[0]), loopback) for address in found):
        raise BadWebhook(reason="the host's name leads to a network address that nothing is sent to")
    headers = {**signed(secret, message_id, int(time.time()), body), "Host": parts.netloc, "User-Agent": "Sira"}
    headers |= {"Content-Type": "application/json; charset=utf-8", "Accept-Encoding": "identity", "Connection": "close"}
    connection = _connected(found, port, host if tls else None)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return _said(connection, path, body, headers)


def _connected(addresses: list[str], port: int, tls_name: str | None) -> HTTPConnection:
    """A connection to one of these very addresses; its certificate must be that of the name."""
    reason = "no connection"
    for address in addresses[:ADDRESSES_TRIED]:
        try:
            line = socket.create_connection((address, port), timeout=CONNECT_S)
            connection = HTTPConnection(address, port)
            connection.sock = _wrapped(line, tls_name) if tls_name else line
            return connection
        except (OSError, ValueError) as error:
            reason = "its certificate is not accepted" if isinstance(error, ssl.SSLError) else reason
    raise GatewayAway(reason=reason)


def _wrapped(line: socket.socket, name: str) -> ssl.SSLSocket:
    try:
        return ssl.create_default_context().wrap_socket(line, server_hostname=name)
    except BaseException:
        line.close()
        raise


def _said(connection: HTTPConnection, path: str, body: bytes, headers: dict[str, str]) -> Answer:
    """The timer hangs up on a receiver that keeps each single wait short and never comes to an end."""
    line: Any = connection.sock
    line.settimeout(TOTAL_S)
    hang_up = Timer(TOTAL_S, _hang_up, [line])
    hang_up.start()
    try:
        connection.request("POST", path, body, headers)
        response = connection.getresponse()
        return Answer(response.status, _beginning(response), _retry_after_s(response))
    except (OSError, HTTPException, ValueError):
        raise GatewayAway(reason="no answer") from None
    finally:
        hang_up.cancel()
        connection.close()


def _hang_up(line: socket.socket) -> None:
    try:
        line.shutdown(socket.SHUT_RDWR)
    except OSError:
        return  # it is closed already


def _beginning(response: HTTPResponse) -> str:
    """Nothing of a body that breaks off: what counts is the status, which was said before it."""
    try:
        text = response.read(ANSWER_BYTES).decode(errors="replace")
    except (OSError, HTTPException, ValueError):
        return ""
    return "".join(letter if letter.isprintable() else " " for letter in text)[:ANSWER_CHARS].strip()


def _retry_after_s(response: HTTPResponse) -> int:
    try:
        wait = math.ceil(retry_after.seconds(response.getheader("Retry-After", "")))
    except (ValueError, OverflowError):
        return 0
    return wait if 0 < wait < 10**6 else 0
