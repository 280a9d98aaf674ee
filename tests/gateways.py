"""A local SMS gateway that speaks the protocols of all five real ones, counts what it accepts, and can misbehave.

In a test's own process, or a bench's:

    with FakeGateway() as fake:
        gateway = open_gateway("netgsm", fake.options("netgsm"))   # or NETGSM_BASE_URL=fake.url and so on
        fake.trouble, fake.share = "time_out", 0.3                 # three requests in ten are accepted, unanswered
        ...
        assert set(fake.per_phone().values()) == {1}

`trouble` is what happens to requests to send:

    ""         they are accepted and answered
    "refuse"   not accepted: the gateway's own refusal with `code` (default: about the account)
    "throttle" not accepted: HTTP 429 with Retry-After `retry_after_s`; with a `code`, as that code
    "closed"   not accepted: HTTP 503 with Retry-After
    "time_out" accepted, then silence until the client gives up
    "drop"     accepted, then the connection is cut
    "error"    accepted, then HTTP 500
    "garbage"  accepted, then HTTP 200 with an answer that means nothing

`share` (0–1) of the requests meet it, chosen by a seeded random generator, and at most `times` of them. `delay_s` goes
before every answer, `each_s` besides for each message. A number in `reject` (E.164) is refused: alone by the sandbox,
with its whole request by the others. `deliveries` says for a number what its report becomes: waiting, delivered
(default) or undelivered.
`accepted` lists the messages as dicts: gateway, key, order, id, ref, phone, text, at, state.

As a process of its own, which outlives the workers that a fault test kills, `python -m tests.gateways --port N` prints
`ready URL`; GET /_accepted gives `accepted`, POST /_behave takes the knobs as JSON (`{"reset": true}` forgets all).
`apart()` starts and ends one: `.url`, `.options(name)`, `.accepted`, `.behave(trouble="drop", share=0.3)`.
"""

import argparse
import json
import random
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

from tests.gateway_http import FakeServer
from tests.gateway_protocols import PROTOCOLS, REPEAT_WINDOW, SECRETS, Call, Protocol, Reply, Row

ROOT = Path(__file__).parent.parent
KNOBS = ("trouble", "code", "retry_after_s", "share", "times", "delay_s", "each_s", "reject", "deliveries")
NOT_ACCEPTED = ("refuse", "throttle", "closed")
SILENCE_S = 600


def options(url: str, name: str) -> dict[str, str]:
    """What `open_gateway(name, …)` needs to reach the fake at `url`."""
    return {"base_url": url, **SECRETS[name]}


class FakeGateway:
    """All five gateways on one free port of loopback; the module's docstring says how it is told what to do."""

    def __init__(self, port: int = 0) -> None:
        self.protocols: dict[str, Protocol] = {name: make() for name, make in PROTOCOLS.items()}
        self.reset()
        self.closing = threading.Event()
        self._server = FakeServer(("127.0.0.1", port), self.answer)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def reset(self) -> None:
        """No trouble, and nothing accepted."""
        self.trouble, self.code, self.retry_after_s = "", "", 7
        self.share, self.times, self.delay_s, self.each_s = 1.0, None, 0.0, 0.0
        self.reject: set[str] = set()
        self.deliveries: dict[str, str] = {}
        self.accepted: list[Row] = []
        self.requests = 0
        self._lock, self._random = threading.Lock(), random.Random(4)
        self._first: dict[str, Reply] = {}  # the sandbox's answers by key
        self._had: dict[tuple[str, str], datetime] = {}  # İleti Merkezi's numbers and texts

    def options(self, name: str) -> dict[str, str]:
        return options(self.url, name)

    def per_phone(self) -> Counter[str]:
        """How many messages were accepted for each number."""
        return Counter(row["phone"] for row in self.accepted)

    @property
    def connections(self) -> int:
        return self._server.connections

    def per_key(self) -> Counter[str]:
        return Counter(row["key"] for row in self.accepted)

    def start(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def close(self) -> None:
        self.closing.set()
        self._server.shutdown()
        self._server.server_close()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.close()

    def answer(self, call: Call) -> Reply | None:
        """The reply to a request; None if the connection ends without one."""
        if call.path == "/_accepted":
            return Reply(200, json.dumps(self.accepted, default=datetime.isoformat))
        if call.path == "/_behave":
            return self._behave(call.data)
        for name, protocol in self.protocols.items():
            if call.path == protocol.send:
                return self._send(name, call)
            if call.path == protocol.asked or (not protocol.asked and call.path.startswith("/2010-04-01/")):
                return self._report(name, call)
        return Reply(404, "no such address")

    def _send(self, name: str, call: Call) -> Reply | None:
        protocol, trouble = self.protocols[name], self._next_trouble()
        time.sleep(self.delay_s)
        if not protocol.allows(call):
            return protocol.refused(protocol.login)
        key, messages = protocol.order(call)
        time.sleep(self.each_s * len(messages))
        if trouble in NOT_ACCEPTED:
            return self._refuse(protocol, trouble)
        if name != "sandbox" and any(phone in self.reject for _, phone, _ in messages):
            return protocol.refused(protocol.message)
        reply = self._accept(name, key, messages)
        if trouble in ("time_out", "drop"):
            self.closing.wait(SILENCE_S if trouble == "time_out" else 0)
            return None
        return {"error": Reply(500, "oops"), "garbage": Reply(200, "<html>oops</html>")}.get(trouble, reply)

    def _refuse(self, protocol: Protocol, trouble: str) -> Reply:
        wait = {"Retry-After": str(self.retry_after_s)}
        if trouble == "closed":
            return Reply(503, "later", wait)
        if trouble == "throttle" and not self.code:
            return Reply(429, "slower", wait)
        reply = protocol.refused(self.code or protocol.account)
        return Reply(reply.status, reply.text, {**reply.headers, **(wait if trouble == "throttle" else {})})

    def _accept(self, name: str, key: str, messages: list[tuple[str, str, str]]) -> Reply:
        with self._lock:
            if again := self._repeated(name, key, messages):
                return again
            order, at = str(1_000_000 + self.requests), datetime.now(UTC)
            shared = {"gateway": name, "key": key, "order": order, "at": at}
            rows = [
                {**shared, "id": f"{order}{place:03}", "ref": ref, "phone": phone, "text": text}
                | {"state": self.deliveries.get(phone, "delivered")}
                for place, (ref, phone, text) in enumerate(messages)
            ]
            taken = [row for row in rows if row["phone"] not in self.reject]
            self.accepted += taken
            reply = self.protocols[name].taken(order, taken)
            if name == "sandbox":
                refused = [{"ref": row["ref"], "code": "REFUSED"} for row in rows if row not in taken]
                reply.text = json.dumps({**json.loads(reply.text), "refused": refused})
                self._first[key] = reply
            if name == "iletimerkezi":
                self._had |= {(phone, text): at for _, phone, text in messages}
            return reply

    def _repeated(self, name: str, key: str, messages: list[tuple[str, str, str]]) -> Reply | None:
        """What the sandbox says to a key, and İleti Merkezi to texts and numbers, that it had before."""
        if name == "iletimerkezi":
            since = datetime.now(UTC) - REPEAT_WINDOW
            had = all(message[1:] in self._had and self._had[message[1:]] > since for message in messages)
            return self.protocols[name].refused("451") if had else None
        return self._first.get(key) if name == "sandbox" else None

    def _report(self, name: str, call: Call) -> Reply:
        protocol = self.protocols[name]
        with self._lock:
            mine = [row for row in self.accepted if row["gateway"] == name]
            for row in mine:
                row["state"] = self.deliveries.get(row["phone"], row["state"])
        return protocol.report(call, mine) if protocol.allows(call) else protocol.refused(protocol.login)

    def _next_trouble(self) -> str:
        with self._lock:
            self.requests += 1
            spent = self.times is not None and self.times <= 0
            if not self.trouble or spent or self._random.random() >= self.share:
                return ""
            self.times = None if self.times is None else self.times - 1
            return self.trouble

    def _behave(self, knobs: dict[str, Any]) -> Reply:
        if knobs.pop("reset", False):
            self.reset()
        for name, value in knobs.items():
            assert name in KNOBS, f"no knob {name}"
            setattr(self, name, set(value) if name == "reject" else value)
        return Reply(200, "{}")


class Apart:
    """A fake in a process of its own, with the same words."""

    def __init__(self, url: str) -> None:
        self.url = url

    def options(self, name: str) -> dict[str, str]:
        return options(self.url, name)

    @property
    def accepted(self) -> list[Row]:
        with urllib.request.urlopen(f"{self.url}/_accepted", timeout=60) as answer:
            return json.load(answer)

    def behave(self, **knobs: Any) -> None:
        listed = {name: sorted(value) if isinstance(value, set) else value for name, value in knobs.items()}
        with urllib.request.urlopen(f"{self.url}/_behave", json.dumps(listed).encode(), timeout=60) as answer:
            answer.read()


@contextmanager
def apart() -> Iterator[Apart]:
    """Start `python -m tests.gateways` on a free port, and end it."""
    command = [sys.executable, "-m", "tests.gateways", "--port", "0"]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        yield Apart(process.stdout.readline().split()[1])
    finally:
        process.terminate()
        process.wait(60)
        process.stdout.close()


def main(arguments: Iterable[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, default=0)
    with FakeGateway(parser.parse_args(arguments).port) as fake:
        stop = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
        print(f"ready {fake.url}", flush=True)
        stop.wait()


if __name__ == "__main__":
    main()
