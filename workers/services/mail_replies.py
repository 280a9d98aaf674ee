"""Replies of a mail server that end: smtplib would listen to `250-…`, line after line, as long as somebody talks."""

import io
import smtplib
import socket
import time

MAX_BYTES = 1 << 16  # RFC 5321 4.5.3.1.5 wants 512 a line; the longest reply, to EHLO, has some twenty
TIMES = 2  # the patience with a reply, in those with one silence


class _Heard(io.RawIOBase):
    """What a socket hears, up to a moment and an amount."""

    def __init__(self, sock: socket.socket) -> None:
        self._raw, self.until, self.left = sock.makefile("rb", buffering=0), 0.0, 0

    def readable(self) -> bool:
        return True

    def readinto(self, into: memoryview) -> int | None:  # type: ignore[override]
        if self.left <= 0 or time.monotonic() > self.until:
            raise TimeoutError("a reply without end")
        size = self._raw.readinto(into)
        self.left -= size or 0
        return size

    def close(self) -> None:
        self._raw.close()
        super().close()


class Smtp(smtplib.SMTP):
    """A reply that takes over twice the timeout, or is of over 64 kB, is a lost connection."""

    def getreply(self) -> tuple[int, bytes]:
        if self.sock:
            if self.file is None:
                self._heard = _Heard(self.sock)
                self.file = io.BufferedReader(self._heard)
            self._heard.until = time.monotonic() + TIMES * (self.sock.gettimeout() or 0.0)
            self._heard.left = MAX_BYTES
        return super().getreply()


class SmtpSsl(Smtp, smtplib.SMTP_SSL):
    """The same, encrypted from the first byte."""
