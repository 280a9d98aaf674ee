"""The HTTP of the fake SMS gateway: many keep-alive connections at once, and connections that are cut."""

import socket
import sys
from collections.abc import Callable
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from tests.gateway_protocols import Call, Reply


class FakeServer(ThreadingHTTPServer):
    """A thread a connection. `answer` gives the reply to a request, or None to cut the connection."""

    daemon_threads, request_queue_size = True, 1024

    def __init__(self, address: tuple[str, int], answer: Callable[[Call], Reply | None]) -> None:
        self.answer, self.connections = answer, 0
        super().__init__(address, _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        self.connections += 1
        super().process_request(request, client_address)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that are killed cut their connections; anything else is a fault of a test."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version, disable_nagle_algorithm, wbufsize = "HTTP/1.1", True, -1
    server: FakeServer

    def do_POST(self) -> None:
        parts = urlsplit(self.path)
        content = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        call = Call(parts.path, dict(parse_qsl(parts.query)), self.headers.get("Authorization", ""), content)
        reply = self.server.answer(call)
        if reply is None:
            self._cut()
        else:
            self._write(reply)

    do_GET = do_POST

    def _write(self, reply: Reply) -> None:
        content = reply.text.encode()
        self.send_response(reply.status)
        for name, value in {**reply.headers, "Content-Length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)
        self.wfile.flush()

    def _cut(self) -> None:
        self.close_connection = True
        with suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)

    def log_message(self, format: str, *args: Any) -> None:
        """Quiet: tests read `accepted`."""
