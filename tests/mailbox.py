"""An SMTP server for tests: takes mails, refuses, defers, hangs up, wants TLS or a password, as it is told.

In a test: `with Mailbox() as box: … box.url … box.messages`. As a process of its own, with a JSON line in a file for
every mail, written before the mail is acknowledged: `python -m tests.mailbox --port 0 --file mails.jsonl` prints
`ready URL CERTIFICATE` and runs until SIGTERM.
"""

import argparse
import asyncio
import datetime
import email
import email.policy
import ipaddress
import json
import logging
import re
import signal
import ssl
import tempfile
import threading
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from email.message import EmailMessage
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, Self

from aiosmtpd.smtp import SMTP, AuthResult
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

HOST = "127.0.0.1"
START_S = 60

logging.getLogger("mail.log").setLevel(logging.CRITICAL)  # aiosmtpd deprecates what it uses itself, at each sign-in


@dataclass(frozen=True)
class Received:
    """A mail that was accepted, as it came over the wire, and its envelope."""

    wire: bytes
    sender: str
    recipients: list[str]

    @cached_property
    def message(self) -> EmailMessage:
        """The mail as its reader sees it."""
        return email.message_from_bytes(self.wire, policy=email.policy.default)  # type: ignore[return-value]

    @property
    def message_id(self) -> str:
        """Read without parsing it all, for benchmarks' sake."""
        found = re.search(rb"(?mi)^Message-ID:\s*(\S+)", self.wire)
        return found[1].decode() if found else ""


@dataclass
class Mailbox:
    """What it is told to be. Everything but the first lines can be changed while it runs.

    `answers`: the reply to RCPT of an address, such as "550 5.1.1 User unknown"; "421 …" also hangs up. `once`: the
    same, used up by the first RCPT; the answer "" hangs up. `at_mail`, `at_content`: the replies to MAIL and to the
    content of the next mails, one each, "" for a plain yes. `hang_up`: `{"MAIL": n}` or `{"content": n}` to hang up n
    times instead of answering; the content was taken then, and lies in `messages`. `slow_s`: seconds before the reply
    to each content.
    """

    tls: Literal["none", "starttls", "ssl"] = "none"
    user: str = ""
    password: str = ""
    pipelining: bool = False
    size_limit: int = 1 << 25
    port: int = 0

    answers: dict[str, str] = field(default_factory=dict)
    once: dict[str, str] = field(default_factory=dict)
    at_mail: list[str] = field(default_factory=list)
    at_content: list[str] = field(default_factory=list)
    hang_up: dict[str, int] = field(default_factory=dict)
    slow_s: float = 0

    messages: list[Received] = field(default_factory=list)
    commands: list[str] = field(default_factory=list)
    connections: int = 0
    sign_ins: int = 0
    on_mail: Callable[[Received], None] | None = None

    @property
    def url(self) -> str:
        login = f"{self.user}:{self.password}@" if self.user else ""
        return f"smtp://{login}{HOST}:{self.port}?tls={self.tls}"

    @property
    def certificate(self) -> Path:
        """What a client must trust, by SSL_CERT_FILE."""
        return Path(self._folder.name) / "certificate.pem"

    def __enter__(self) -> Self:
        self._folder = tempfile.TemporaryDirectory(prefix="mailbox-")
        started = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve(started)), daemon=True)
        self._thread.start()
        assert started.wait(START_S), "the mailbox did not start"
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stopped.set)
        self._thread.join(START_S)
        self._folder.cleanup()

    def disconnect_all(self) -> None:
        """Hang up on whoever is connected, as a server does with idle clients."""
        done = threading.Event()
        self._loop.call_soon_threadsafe(lambda: ([each.close() for each in self._open], done.set()))
        assert done.wait(START_S)

    async def _serve(self, started: threading.Event) -> None:
        self._loop, self._stopped, self._open = asyncio.get_running_loop(), asyncio.Event(), set[Any]()
        encrypting = _context(self.certificate) if self.tls != "none" else None
        server = await self._loop.create_server(
            lambda: self._protocol(encrypting), HOST, self.port, ssl=encrypting if self.tls == "ssl" else None
        )
        self.port = server.sockets[0].getsockname()[1]
        started.set()
        await self._stopped.wait()
        server.close()

    def _protocol(self, encrypting: ssl.SSLContext | None) -> SMTP:
        self.connections += 1
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a password without TLS is meant
            return SMTP(
                _Handler(self),
                hostname="mailbox.example.com",
                loop=self._loop,
                data_size_limit=self.size_limit,
                tls_context=encrypting if self.tls == "starttls" else None,
                require_starttls=self.tls == "starttls",
                auth_required=bool(self.user),
                auth_require_tls=self.tls == "starttls",
                authenticator=self._authenticate,
            )

    def _authenticate(self, server: Any, session: Any, envelope: Any, mechanism: str, login: Any) -> AuthResult:
        self.sign_ins += 1
        fine = (login.login, login.password) == (self.user.encode(), self.password.encode())
        return AuthResult(success=fine, handled=False)

    def accept(self, received: Received) -> None:
        if self.on_mail:
            self.on_mail(received)
        self.messages.append(received)


class _Handler:
    """aiosmtpd's hooks; each gives the reply."""

    def __init__(self, box: Mailbox) -> None:
        self._box = box

    async def handle_EHLO(self, server: Any, session: Any, envelope: Any, name: str, replies: list[str]) -> list[str]:
        self._box._open.add(server.transport)
        session.host_name = name
        return [*replies[:-1], *(["250-PIPELINING"] if self._box.pipelining else []), replies[-1]]

    async def handle_MAIL(self, server: Any, session: Any, envelope: Any, address: str, options: list[str]) -> str:
        self._box.commands.append(f"MAIL {address}")
        await self._perhaps_hang_up(server, "MAIL")
        reply = await self._told(server, self._box.at_mail.pop(0) if self._box.at_mail else "")
        if reply.startswith("250"):
            envelope.mail_from = address
        return reply

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: list[str]) -> str:
        self._box.commands.append(f"RCPT {address}")
        if self._box.answers.get(address) == "":
            await self._hang_up(server)
        reply = await self._told(server, self._box.once.pop(address, "") or self._box.answers.get(address, ""))
        if reply.startswith("250"):
            envelope.rcpt_tos.append(address)
        return reply

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        self._box.commands.append("DATA")
        await asyncio.sleep(self._box.slow_s)
        reply = self._box.at_content.pop(0) if self._box.at_content else ""
        if not reply:
            self._box.accept(Received(envelope.content, envelope.mail_from, [*envelope.rcpt_tos]))
        await self._perhaps_hang_up(server, "content")
        return await self._told(server, reply)

    async def _told(self, server: Any, reply: str) -> str:
        if reply.startswith("421"):
            await server.push(reply)
            server.transport.close()
            await asyncio.Event().wait()  # cancelled when the connection is gone
        return reply or "250 2.0.0 OK"

    async def _perhaps_hang_up(self, server: Any, where: str) -> None:
        if self._box.hang_up.get(where, 0) > 0:
            self._box.hang_up[where] -= 1
            await self._hang_up(server)

    async def _hang_up(self, server: Any) -> None:
        server.transport.abort()
        await asyncio.Event().wait()


def _context(path: Path) -> ssl.SSLContext:
    """A certificate of its own for this host, in a file together with its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "mailbox")])
    now = datetime.datetime.now(datetime.UTC)
    names = [x509.IPAddress(ipaddress.ip_address(HOST)), x509.DNSName("localhost")]
    made = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    made = made.serial_number(x509.random_serial_number()).add_extension(x509.SubjectAlternativeName(names), False)
    made = made.not_valid_before(now - datetime.timedelta(hours=1)).not_valid_after(now + datetime.timedelta(days=1))
    certificate = made.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    pem, plain = serialization.Encoding.PEM, serialization.NoEncryption()
    path.write_bytes(key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain) + certificate)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    return context


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--file", type=Path, required=True, help="gets a JSON line for every accepted mail")
    parser.add_argument("--slow-s", type=float, default=0, help="before each mail is acknowledged")
    parser.add_argument("--pipelining", action="store_true")
    parser.add_argument("--tls", default="none", choices=["none", "starttls", "ssl"])
    parser.add_argument("--user", default="", help="whose sign-in is required; the password is the same word")
    given = parser.parse_args()
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT})
    options = {"port": given.port, "pipelining": given.pipelining, "slow_s": given.slow_s, "tls": given.tls}
    options |= {"user": given.user, "password": given.user}
    with given.file.open("a", buffering=1) as file:

        def note(mail: Received) -> None:
            line = {"message_id": mail.message_id, "sender": mail.sender, "to": mail.recipients, "at": time.time()}
            file.write(json.dumps(line) + "\n")

        with Mailbox(**options, on_mail=note) as box:
            print(f"ready {box.url} {box.certificate}", flush=True)
            signal.sigwait({signal.SIGTERM, signal.SIGINT})


if __name__ == "__main__":
    main()
