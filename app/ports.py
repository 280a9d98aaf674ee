"""Ports for programs that we start."""

import socket


def held_port(port: int = 0) -> socket.socket:
    """A free port (or this one) of 127.0.0.1 that nobody gets but who asks for this very one, as long as it is open:
    programs take seconds to start, and others look for free ports and connect from them meanwhile. Who connects to it
    before is refused. Raises OSError where it can't be had."""
    holder = socket.socket()
    holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        holder.bind(("127.0.0.1", port))
    except OSError:
        holder.close()
        raise
    return holder
