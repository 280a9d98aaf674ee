"""Requests on their way: one thread makes the calls, in the order they were declared, while the job prepares the next.

One request is under way at a time, each flight when its turn at the gateway has come. What a call raises ends the line:
what was declared behind it has not begun, and goes back to pending.
"""

import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from threading import Event
from uuid import uuid4

from redis.exceptions import RedisError

from workers.engine.journal import Journal, began, ended
from workers.engine.ledger import Item, Note
from workers.engine.limits import Gate
from workers.engine.outcome import asked_pause_ms
from workers.errors import GatewayAway, GatewayBusy, GatewayRefused, QueueDown

FROZEN_S = 30.0  # half of what others wait before they believe a gateway that it never got something
FLIGHT_S, FLIGHT_AT_MOST = 0.1, 50  # how long a flight of single requests takes, and how many it holds
NOT_SENT = (GatewayBusy, GatewayAway, GatewayRefused)
NO_ANSWER = "Ağ geçidinin yanıtı bu mesajı içermiyor; gönderilmiş olabilir."

# Says of each item what became of it, or raises one of NOT_SENT. One that offers its messages before it sends them is
# also given a Beginning, and says itself when it begins.
Send = Callable[..., None]
# Ends the items that the gateway knows, and sets back (`later`) those that it says it never got; False: it can't tell.
LookUp = Callable[[list[Item], str], bool]


class NotBegun(BaseException):
    """The journal did not take the line that a request begins: nothing of it may go out. No failure of the request."""


class Beginning:
    """The beginning of a request, as its journal hears of it. What was left unsaid of the one before goes with it."""

    def __init__(self, journal: Journal | None, lines: list[bytes]) -> None:
        self._journal, self._lines, self.said = journal, lines, False

    def say(self) -> None:
        """Tell it, without waiting for the answer: something that can't be the request yet may be done meanwhile."""
        if self._journal and not self.said:
            self._journal.say(*self._lines)
        self.said = True

    def sure(self) -> None:
        """Wait until it is known; from here on the request may go out. Raises NotBegun."""
        self.say()
        if self._journal and not self._journal.taken():
            raise NotBegun


@dataclass
class Flight:
    """Requests, `{key: its items}`, that were declared in one commit, and what came of them. `offers`: the call says
    itself when it begins, where there is a journal to tell."""

    requests: dict[str, list[Item]]
    call: Send
    note: Note
    gate: Gate | None = None
    offers: bool = False
    declared_at: float = field(default_factory=time.monotonic)
    error: Exception | None = None
    took_s: float = 0.0
    landed: "Future[None]" = field(default_factory=Future)

    @property
    def batch(self) -> list[Item]:
        """All its items; once it has landed, those that are still `sending` have not begun."""
        return [item for batch in self.requests.values() for item in batch]


class Caller:
    """The thread that makes the calls. Without a journal, what is declared is all that can be known: then its turn was
    awaited before."""

    def __init__(self, journal: Journal | None) -> None:
        self._journal, self._thread, self._closed = journal, ThreadPoolExecutor(1, "caller"), Event()

    @property
    def closed(self) -> bool:
        """Whether nothing more begins."""
        return self._closed.is_set()

    def start(self, flight: Flight) -> None:
        flight.landed = self._thread.submit(self._fly, flight)

    def stop(self) -> None:
        """Begin nothing more; what is under way ends."""
        self._closed.set()

    def go_on(self) -> None:
        self._closed.clear()

    def end(self, *, settled: bool) -> None:
        self._thread.shutdown()
        if self._journal:
            self._journal.close(settled=settled)

    def _fly(self, flight: Flight) -> None:
        if self.closed or not self._has_its_turn(flight):
            self.stop()
            return
        began_at, unsaid = time.monotonic(), list[bytes]()
        for key, batch in flight.requests.items():
            beginning = Beginning(self._journal, [*unsaid, began(key)])
            try:
                self._call(flight, batch, key, beginning)
            except NotBegun:
                self.stop()
                break
            unsaid = [] if beginning.said else unsaid
            unsaid += [ended(batch)] if self._journal else []
            if flight.error:
                self.stop()
        if unsaid and self._journal:
            self._journal.write(*unsaid)
        flight.took_s = time.monotonic() - began_at

    def _has_its_turn(self, flight: Flight) -> bool:
        """Wait for the flight's turn at the gateway. False: nothing begins any more, or it is too far away."""
        try:
            place = flight.gate.place(len(flight.batch)) if flight.gate and self._journal else None
        except (RedisError, QueueDown):
            return False
        if place and not place.ends:
            flight.error = crowded(place.wait_s)
            return False
        if place and flight.gate and self._closed.wait(place.wait_s):
            flight.gate.leave(place)
        return not self.closed

    def _call(self, flight: Flight, batch: list[Item], key: str, beginning: Beginning) -> None:
        if self.closed:
            raise NotBegun
        call: Send
        if flight.offers and self._journal:
            call = partial(flight.call, beginning=beginning)
        else:
            since = time.monotonic() if self._journal else flight.declared_at
            beginning.sure()
            call = _frozen if time.monotonic() - since > FROZEN_S else flight.call
        flight.error = called(call, batch, key, flight.gate)


def requests_of(batch: list[Item], singly: bool) -> dict[str, list[Item]]:
    """The pending ones by the key of their request: a repetition has that of the first try, whose answer may have been
    lost."""
    ready = [item for item in batch if item.state == "pending"]
    if singly:
        return {item.request_key or uuid4().hex: [item] for item in ready}
    key = next((item.request_key for item in ready if item.request_key), None) or uuid4().hex
    return {key: ready} if ready else {}


def worth_a_flight(requests: int, took_s: float) -> int:
    """How many single requests to declare at once, by what the last flight took: with a slow server, one.

    >>> worth_a_flight(20, 0.02), worth_a_flight(2, 0.1), worth_a_flight(1, 3.0), worth_a_flight(1, 0.0)
    (50, 2, 1, 50)
    """
    return max(1, int(min(FLIGHT_AT_MOST, FLIGHT_S * requests / max(took_s, 1e-6))))


def crowded(wait_s: float) -> GatewayBusy:
    return GatewayBusy(retry_after_s=round(wait_s + 0.05, 1), reason="its rate, or a rest that it asked for")


def take_turn(gate: Gate | None, count: int, rest: Callable[[float], None]) -> None:
    """Wait for the turn of so many messages; `rest` is for the seconds that are too many to wait in place."""
    while gate and not (place := gate.place(count)).ends:
        rest(place.wait_s)
    if gate:
        time.sleep(place.wait_s)


def called(call: Send, batch: list[Item], key: str, gate: Gate | None = None) -> Exception | None:
    """Make the call; what it leaves open is unknown, unless it surely sent nothing of it: that was no attempt. Gives
    what it raised. A gateway that asks for a rest gets it from everybody, unless this task alone is to rest."""
    raised: Exception | None = None
    try:
        call(batch, key)
    except Exception as error:
        raised = error
    if gate and isinstance(raised, GatewayBusy) and not raised.fields.get("task_only"):
        gate.rest(asked_pause_ms(raised) / 1000)
    for item in batch:
        if item.state == "sending" and isinstance(raised, NOT_SENT):
            item.later(raised.message)
            item.attempts -= 1
        elif item.state == "sending":
            item.unsure(f"{NO_ANSWER} ({type(raised).__name__})" if raised else NO_ANSWER)
    return raised


def _frozen(batch: list[Item], key: str) -> None:
    """This process slept since it said that the request begins; by now others may have found that it never did."""
    raise GatewayAway(reason="the worker was frozen")
