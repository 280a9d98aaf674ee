"""Mail servers: which one an SMTP_URL means, and a connection to it that is encrypted and signed in."""

import re
import smtplib
import socket
import ssl
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from workers.errors import BadSettings, GatewayAway, GatewayBusy, GatewayRefused
from workers.services.mail_answers import BUSY_S, DEFERRAL_S, Answer
from workers.services.mail_replies import Smtp, SmtpSsl

LOOPBACK = ("localhost", "127.0.0.1", "::1")
MECHANISMS = ("PLAIN", "LOGIN", "CRAM-MD5")
SIGNED_IN = (235, 503)  # 503: it was already
USUAL_PORT = {"ssl": 465, "starttls": 587, "none": 25}


@dataclass(frozen=True)
class Server:
    """What an SMTP_URL says; `tls` is starttls, ssl or none."""

    host: str
    port: int
    tls: str
    user: str = ""
    password: str = field(default="", repr=False)


def read_url(url: str) -> Server:
    """`smtp://user:pw@host:587?tls=starttls|ssl|none`; raises BadSettings. Without tls: ssl on port 465, none on
    loopback but for port 587, else starttls. Without port: 465 for ssl, 25 for none, else 587."""
    try:
        parts, options = urlsplit(url), dict(parse_qsl(urlsplit(url).query, keep_blank_values=True))
        host, port = parts.hostname or "", parts.port
    except ValueError:
        host, port = "", 0
    if not host or port == 0 or parts.scheme != "smtp" or not options.keys() <= {"tls"}:
        raise BadSettings(reason="SMTP_URL is no address such as smtp://user:password@host:587?tls=starttls")
    guessed = "ssl" if port == 465 else "none" if host in LOOPBACK and port != 587 else "starttls"
    tls = options.get("tls", guessed)
    if tls not in USUAL_PORT:
        raise BadSettings(reason="SMTP_URL: tls is starttls, ssl or none")
    user, password = (unquote(text or "") for text in (parts.username, parts.password))
    if "\0" in user + password:
        raise BadSettings(reason="SMTP_URL: user and password can't hold NUL (%00)")
    return Server(host, port or USUAL_PORT[tls], tls, user, password)


def without_login(url: str) -> str:
    """The address without user and password, also of what is no right address.

    >>> without_login("smtp://user:p@ss@host:587?tls=ssl")
    'smtp://host:587?tls=ssl'
    """
    return re.sub(r"^(\w+://)?.*@", r"\1", url, flags=re.DOTALL)


def with_login(url: str, user: str, password: str) -> str:
    """
    >>> with_login("smtp://host:587", "ad@ornek.com", "p:w")
    'smtp://ad%40ornek.com:p%3Aw@host:587'
    """
    scheme, _, rest = without_login(url).rpartition("://")
    return f"{scheme or 'smtp'}://{quote(user, safe='')}:{quote(password, safe='')}@{rest}"


def trust(server: Server) -> ssl.SSLContext | None:
    """Certificates are always checked; a server with one of its own is trusted through `SSL_CERT_FILE`. Reading them
    takes 20 ms, so keep it. None where nothing is encrypted."""
    return ssl.create_default_context() if server.tls != "none" else None


def connect(server: Server, trusted: ssl.SSLContext | None, timeout_s: float) -> smtplib.SMTP:
    """Raises GatewayAway (no connection, no TLS, no greeting), GatewayBusy (4xx), GatewayRefused (user, password)."""
    options: dict[str, Any] = {"local_hostname": _own_name(), "timeout": timeout_s}
    with _plainly(server):
        if server.tls == "ssl":
            smtp: smtplib.SMTP = SmtpSsl(server.host, server.port, context=trusted, **options)
        else:
            smtp = Smtp(server.host, server.port, **options)
        try:
            _introduce(smtp, server, trusted)
            return smtp
        except BaseException:
            smtp.close()
            raise


def away(server: Server, error: BaseException) -> GatewayAway:
    """The error for a connection that fails, in the library's words."""
    return GatewayAway(reason=f"{server.host}:{server.port}: {' '.join(str(error).split())[:200]}")


def _introduce(smtp: smtplib.SMTP, server: Server, trusted: ssl.SSLContext | None) -> None:
    if smtp.sock:
        smtp.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # else a mail's end waits 40 ms for an ACK
    smtp.ehlo_or_helo_if_needed()
    if server.tls == "starttls":
        smtp.starttls(context=trusted)
        smtp.ehlo_or_helo_if_needed()
    if server.user:
        _sign_in(smtp, server)


def _sign_in(smtp: smtplib.SMTP, server: Server) -> None:
    """With one mechanism: smtplib's own `login` tries a wrong password with each, which locks accounts."""
    offered = smtp.esmtp_features.get("auth", "").upper().split()
    mechanism = next((each for each in MECHANISMS if each in offered), None)
    if mechanism is None:
        raise GatewayRefused(reason=f"{server.host} offers no way to sign in with a password over tls={server.tls}")
    if mechanism == "PLAIN":
        _plain(smtp, server)
        return
    smtp.user, smtp.password = server.user, server.password
    try:
        smtp.auth(mechanism, getattr(smtp, f"auth_{mechanism.lower().replace('-', '_')}"))
    except UnicodeError as error:
        reason = f"{server.host} takes user and password in plain ASCII only; choose others and change SMTP_URL"
        raise GatewayRefused(reason=reason) from error


def _plain(smtp: smtplib.SMTP, server: Server) -> None:
    """AUTH PLAIN as in RFC 4616, in UTF-8; smtplib's own knows ASCII only."""
    told = b64encode("\0".join(("", server.user, server.password)).encode()).decode()
    code, words = smtp.docmd("AUTH", f"PLAIN {told}")
    if code not in SIGNED_IN:
        raise smtplib.SMTPAuthenticationError(code, words)


@contextmanager
def _plainly(server: Server) -> Iterator[None]:
    """Say what smtplib says in our errors."""
    try:
        yield
    except smtplib.SMTPResponseException as error:
        answer = Answer.read(error.smtp_code, error.smtp_error)
        if 400 <= answer.code < 500:
            wait_s = BUSY_S if answer.code == 421 else DEFERRAL_S
            raise GatewayBusy(retry_after_s=wait_s, reason=answer.about(server.user)) from error
        if isinstance(error, smtplib.SMTPAuthenticationError) or answer.code in (530, 535):
            raise GatewayRefused(reason=answer.about(server.user)) from error
        raise GatewayAway(reason=f"{server.host}:{server.port}: {answer.about(server.user)}") from error
    except (smtplib.SMTPException, OSError, UnicodeError) as error:
        raise away(server, error) from error


@cache
def _own_name() -> str:
    """For EHLO. Asked of DNS once in the life of a process: that can take seconds."""
    name = socket.getfqdn()
    return name if "." in name and name.isascii() else "[127.0.0.1]"
