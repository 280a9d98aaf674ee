"""A load generator, the same for both sides: keep-alive connections, each in a thread, as fast as answers come."""

import socket
import time
from concurrent.futures import ThreadPoolExecutor


def load(port: int, requests: list[bytes], *, connections: int) -> float:
    """Send all requests, shared out over so many connections; gives requests per second. Ends at any answer but 202."""
    shares = [requests[start::connections] for start in range(connections)]
    began = time.perf_counter()
    with ThreadPoolExecutor(connections) as pool:
        list(pool.map(lambda share: _send(port, share), shares))
    return len(requests) / (time.perf_counter() - began)


def post(path: str, body: bytes, token: str) -> bytes:
    """The bytes of one request."""
    head = f"POST {path} HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {token}\r\n"
    return f"{head}Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


def _send(port: int, requests: list[bytes]) -> None:
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection, connection.makefile("rb") as answers:
        for request in requests:
            connection.sendall(request)
            status, size = answers.readline(), 0
            while (line := answers.readline()) not in (b"\r\n", b""):
                if line.lower().startswith(b"content-length:"):
                    size = int(line.partition(b":")[2])
            body = answers.read(size)
            if b" 202 " not in status:
                raise SystemExit(f"the load was refused: {status!r} {body!r}")
