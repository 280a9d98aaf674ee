"""A server that says what stands in its script, for what no real SMTP server can be brought to do."""

import socket
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import BinaryIO

HELLO = ["220 hello", "250 hello"]  # the greeting, and the answer to EHLO
HANG_UP, SILENCE = "", "…"
DRIP, FLOOD = "250-drop by drop", "250-" + "x" * 400  # line after line, without end


@dataclass
class Script:
    """Where it listens, and every line that it was told (a content counts as none)."""

    port: int
    heard: list[str] = field(default_factory=list)
    connections: int = 0

    @property
    def url(self) -> str:
        return f"smtp://127.0.0.1:{self.port}?tls=none"


@contextmanager
def scripted(*connections: Sequence[str]) -> Iterator[Script]:
    """For each connection in turn its replies: the first at once, each other after a line or a content.

    HANG_UP closes it, SILENCE leaves it open and says nothing, DRIP and FLOOD never end; after the last
    reply it is closed.
    """
    with socket.create_server(("127.0.0.1", 0)) as server:
        script = Script(server.getsockname()[1])
        threading.Thread(target=_play, args=(server, script, connections), daemon=True).start()
        yield script
        server.shutdown(socket.SHUT_RDWR)


def _play(server: socket.socket, script: Script, connections: Sequence[Sequence[str]]) -> None:
    for replies in connections:
        try:
            client, _ = server.accept()
        except OSError:  # the test is over
            return
        script.connections += 1
        with client, client.makefile("rb") as lines:
            _talk(client, lines, script, replies)


def _talk(client: socket.socket, lines: BinaryIO, script: Script, replies: Sequence[str]) -> None:
    for n, reply in enumerate(replies):
        if n and not _listened(lines, script, after=replies[n - 1]):
            return
        if reply == SILENCE:
            lines.read()
        if reply in (SILENCE, HANG_UP):
            return
        with suppress(OSError):  # who has heard enough hangs up
            client.sendall(f"{reply}\r\n".encode())
            while reply in (DRIP, FLOOD):
                time.sleep(0.01 if reply == DRIP else 0)
                client.sendall(f"{reply}\r\n".encode())
    with suppress(OSError):
        lines.readline()


def _listened(lines: BinaryIO, script: Script, *, after: str) -> bool:
    """Hear a line, or a content after the reply that asks for one; False if the client has gone."""
    if after.startswith("354"):
        while (line := lines.readline()) not in (b".\r\n", b""):
            pass
        return line != b""
    line = lines.readline()
    script.heard.append(line.decode().strip())
    return line != b""
