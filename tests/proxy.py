"""A bad network between a worker and its Redis: it can refuse, stall, swallow replies and deliver late."""

import select
import socket
import threading
from contextlib import suppress
from urllib.parse import SplitResult, unquote, urlsplit

DIAL_S, LOOK_S = 5.0, 0.05


def dial(target: SplitResult) -> socket.socket:
    """A connection to the server of a URL: a path, where it is short enough for one, else a port."""
    if target.scheme == "unix":
        server = socket.socket(socket.AF_UNIX)
        server.settimeout(DIAL_S)
        server.connect(unquote(target.path))
        return server
    return socket.create_connection((target.hostname or "", target.port or 0), DIAL_S)


class Proxy:
    """Listens on a free port in front of the server of `url`; `proxy.url` is the way through it."""

    def __init__(self, url: str) -> None:
        self._target = urlsplit(url)
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=200)
        self.url = f"redis://:{self._target.password}@127.0.0.1:{self._listener.getsockname()[1]}/0"
        self.swallowed = self.delivered = 0
        self._refusing, self._closed = False, False
        self._flowing = threading.Event()
        self._parked = threading.Event()
        self._park_next, self._every, self._counted = b"", 0, 0
        self._lock = threading.Lock()
        self._flowing.set()
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> "Proxy":
        return self

    def __exit__(self, *_: object) -> None:
        self._closed = self._refusing = True
        self._flowing.set()
        self._parked.set()
        self._listener.close()

    def refuse(self) -> None:
        """Hang up on everybody, also on who comes anew."""
        self._refusing = True

    def stall(self) -> None:
        """Carry nothing more, and say nothing: who speaks gets no answer until `open`."""
        self._flowing.clear()

    def open(self) -> None:
        self._refusing = False
        self._flowing.set()

    def swallow(self, every: int) -> None:
        """Let the server run every n-th script, and hang up instead of bringing its reply. 0 ends it."""
        self._every = every

    def park(self, named: bytes) -> None:
        """Keep the next script that names this back, on its connection alone, until `deliver`; its sender may be gone
        by then."""
        self._parked.clear()
        self._park_next = named

    def deliver(self) -> None:
        self._parked.set()

    def _accept(self) -> None:
        while not self._closed:
            with suppress(OSError):
                client, _ = self._listener.accept()
                threading.Thread(target=self._carry, args=(client,), daemon=True).start()

    def _carry(self, client: socket.socket) -> None:
        with suppress(OSError), client, dial(self._target) as server:
            other, asked = {client: server, server: client}, False
            while not self._refusing:
                ready, _, _ = select.select([client, server], [], [], LOOK_S)
                self._flowing.wait()
                for source in ready:
                    data = source.recv(65536)
                    if not data or self._refusing:
                        return
                    asked = b"EVALSHA" in data if source is client else asked
                    held = self._holds(data if asked and source is client else b"")
                    if asked and source is server and self._swallows():
                        return
                    other[source].sendall(data)
                    self.delivered += held

    def _holds(self, script: bytes) -> bool:
        with self._lock:
            held = bool(self._park_next) and self._park_next in script
            self._park_next = b"" if held else self._park_next
        if held:
            self._parked.wait()
        return held

    def _swallows(self) -> bool:
        with self._lock:
            self._counted += 1
            gone = bool(self._every) and self._counted % self._every == 0
            self.swallowed += gone
            return gone
