"""The wire to a gateway: one pooled session, answers of bounded size, and what counts as surely not sent.

A request of which not one byte of the body was taken can't have been accepted: the name was not found, nobody
listened, the handshake failed. From the first byte on it may have been, whatever happened then.
"""

import json
import time
from collections.abc import Iterator, Mapping
from types import TracebackType
from typing import Any, NoReturn, Self
from urllib.parse import urlsplit

import requests
from urllib3.exceptions import HTTPError

from workers.errors import GatewayAway
from workers.services.sms_gateways.answers import Answer, refuse_if_busy, retry_after_s
from workers.services.sms_text import Billing

CONNECT_TIMEOUT_S = 10.0
FROZEN_S = 30.0
IDLE_S = 2.0  # many servers close a quiet connection after 5 s; a request sent into that gap would be unknown
LOOPBACK = ("127.0.0.1", "::1", "localhost")
MAX_ANSWER_BYTES = 8_000_000
FAULTS = (requests.RequestException, HTTPError, OSError)


class Wire:
    """Requests to one base URL. No redirects, no retries, no text of ours or theirs in an error."""

    def __init__(self, base_url: str, *, timeout_s: float, auth: tuple[str, str] | None = None) -> None:
        self._base_url, self._timeout_s = base_url.rstrip("/"), timeout_s
        self._session, self._used_at = requests.Session(), time.monotonic()
        self._session.auth = (auth[0].encode(), auth[1].encode()) if auth else None  # type: ignore[assignment]
        # A machine's proxy is for what lies outside of it, whether or not somebody wrote NO_PROXY, too.
        self._session.trust_env = urlsplit(base_url).hostname not in LOOPBACK
        self._session.headers.update({"User-Agent": "Sira", "Accept-Encoding": "identity"})

    def send(self, path: str, content: bytes, kind: str = "application/json; charset=utf-8") -> Answer | None:
        """The answer to messages that were posted; None if they may have been accepted all the same.

        Raises GatewayAway if they surely were not, GatewayBusy if the server says that it took nothing.
        """
        body = _Body(content)
        try:
            answer = self._request("POST", path, data=body, headers={"Content-Type": kind})
        except FAULTS as fault:
            if not body.begun:
                _away(fault)
            return None
        refuse_if_busy(answer)
        return answer

    def ask(self, path: str, query: Mapping[str, str] | None = None, *, post: Any = None) -> Answer:
        """The answer to a question that changes nothing; raises GatewayAway or GatewayBusy where there is none."""
        method, found = ("GET", {"params": query}) if post is None else ("POST", {"json": post})
        try:
            answer = self._request(method, path, **found)
        except FAULTS as fault:
            _away(fault)
        refuse_if_busy(answer)
        if answer.status >= 500:
            raise GatewayAway(reason=f"HTTP {answer.status}")
        return answer

    def close(self) -> None:
        self._session.close()

    def _request(self, method: str, path: str, **found: Any) -> Answer:
        if time.monotonic() - self._used_at > IDLE_S:
            self._session.close()  # empties the pool; the session goes on with new connections
        timeouts = (min(CONNECT_TIMEOUT_S, self._timeout_s), self._timeout_s)
        where: dict[str, Any] = {
            "url": self._base_url + path,
            "timeout": timeouts,
            "allow_redirects": False,
            "stream": True,
        }
        try:
            with self._session.request(method, **where, **found) as response:
                wait = retry_after_s(response.headers.get("Retry-After", ""))
                return Answer(response.status_code, _read(response, self._timeout_s), wait)
        finally:
            self._used_at = time.monotonic()


class Pooled:
    """What every gateway here has: its name, options and billing, and a wire that is closed with it."""

    def __init__(self, name: str, options: Mapping[str, str], billing: Billing, batch: int, timeout_s: float) -> None:
        self.name, self.options, self.billing, self.batch = name, options, billing, batch
        self.wire = Wire(options["base_url"], timeout_s=timeout_s, auth=self.login())

    def login(self) -> tuple[str, str] | None:
        """User and password for HTTP Basic, where the gateway wants that."""
        return None

    def close(self) -> None:
        self.wire.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class _Body:
    """Bytes that note when the first of them is taken to be sent. None is, where that is long after they were given:
    the process was frozen as it connected, and by now others may have found that the gateway never got them."""

    def __init__(self, content: bytes) -> None:
        self._content, self._given_at, self.begun = content, time.monotonic(), False

    def __len__(self) -> int:
        return len(self._content)

    def __iter__(self) -> Iterator[bytes]:
        if time.monotonic() - self._given_at > FROZEN_S:
            raise requests.exceptions.ConnectTimeout
        self.begun = True
        yield self._content


def as_json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode()


def _away(fault: Exception) -> NoReturn:
    """The text of a fault holds the URL, and that may hold a password, so only its kind is told."""
    raise GatewayAway(reason=type(fault).__name__) from None


def _read(response: requests.Response, timeout_s: float) -> str:
    """Piece by piece as they come, for a server that says a byte now and then would never be done."""
    content, deadline = bytearray(), time.monotonic() + timeout_s
    while chunk := response.raw.read1(65_536):
        content += chunk
        if len(content) > MAX_ANSWER_BYTES or time.monotonic() > deadline:
            raise requests.exceptions.ContentDecodingError
    return content.decode(errors="replace")
