"""Ports for programs that tests start."""

import socket


def held_port(port: int = 0) -> socket.socket:
    """A free port (or this one) that nobody gets but who asks for this very one, as long as it is open: programs take
    a second to start, and other tests look for free ports meanwhile. Who connects to it before is refused."""
    holder = socket.socket()
    holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    holder.bind(("127.0.0.1", port))
    return holder
