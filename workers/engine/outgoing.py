"""Messages: how a job sends its items in requests, so that nobody gets one twice.

A request is declared before it goes out: one commit makes its items `sending` under its key. Nothing may interrupt it
until its outcome is written too. What surely was not sent stays pending and waits, with the whole task, for the
gateway; what may have been sent is `unknown`, is looked up where the gateway can tell, and never sent again by itself.

So that this costs next to nothing, a flight of requests is declared at once: one of a hundred SMS, or as many mails as
go out in a tenth of a second. While one flight is on its way, the commit that settles the flight before declares the
one behind; at most two are declared, one request at a time is under way. What of all this had begun when a sender was
killed stands in its journal (see there): so one kill leaves one request unknown, and all that was declared only where
Redis was lost as well.
"""

import time
from collections import deque
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from redis.exceptions import RedisError
from sqlalchemy.orm import Session

from workers import settings
from workers.db import now, writing
from workers.engine import declared, journal, ledger, leftovers, outcome, running, wire
from workers.engine.bulk import Items
from workers.engine.claim import alive
from workers.engine.flights import (
    NOT_SENT,
    Caller,
    Flight,
    LookUp,
    Send,
    crowded,
    requests_of,
    take_turn,
    worth_a_flight,
)
from workers.engine.ledger import Item, Note
from workers.engine.limits import Gate
from workers.engine.spoken import NotDone, Spoken
from workers.errors import DatabaseDown, GatewayAwaited, GatewayAway, GatewayBusy, GatewayRefused, QueueDown

RECORD_WITHIN_S = 60.0  # how long an outcome is said again to a database that is away
PAUSED_S = 600.0  # a company whose account is refused is asked for again so often, or when it is resumed
AWAY_S, ASK_AGAIN_S = 86_400, 300.0  # how long a bulk waits for a gateway that is away, and its longest pause
LOOK_AGAIN_S = 5.0  # and then as long as it is unknown by then: gateways answer few questions a minute
SURE_S = 60.0  # what a gateway does not know after so long it never got
ALWAYS = 1_000_000
_looked_at: dict[str, float] = {}  # by task; a bulk of many slices asks at the beginning of few


class Outgoing(Items):
    """The messages of the running task. `requests(n)` gives them, `send` sends them, `under_way` is around it all.
    `at_once`: how many requests of one message are worth a flight."""

    def __init__(self, run: running.Run, total: int, values: list[Any] | None = None) -> None:
        super().__init__(run, total)
        self.values, self.at_once, self._started = values, 1, 0
        self._flights: deque[Flight] = deque()
        self._caller: Caller | None = None
        self._masked = ExitStack()

    def requests(
        self, size: int, look_up: LookUp | None = None, note: Note | None = None, *, singly: bool = False
    ) -> Iterator[list[Item]]:
        """Lists of up to `size` pending messages, only read: the body gives each to `send`, refused ones too.

        What dead executions left unknown is looked up first, and again at the end.
        """
        with suppress(RedisError, QueueDown):  # then nobody can say who lives
            living = alive(self.run.task_id)
            leftovers.take_up(self.run.task_id, living, note)
            leftovers.give_back(self.run.task_id, living)
        if time.monotonic() - _looked_at.get(self.run.task_id, -ALWAYS) > LOOK_AGAIN_S:
            self._look_up(look_up, note)
        while True:
            running.check()
            batch, started = self._waiting(size, singly), self._started
            if batch:
                yield batch
                self._tell()
            elif not self._flights and not self._rests(look_up, note):
                break
            if self.over and self._caller and self._flights and len(self._flights[-1].requests) == 1:
                self._caller.stop()  # it may take long: if it has not begun, the next slice goes on with it
            if self.over or started == self._started:  # nothing more goes out just now: write what has landed
                self.land(at_once=running.asked())
            if self.over:
                running.check()
                raise running.Yielded()
        self._refuse_nothing_done()

    def not_begun(self, batch: list[Item], *_: Any) -> list[Item]:
        return batch  # the ledger knows it

    def send(
        self, batch: list[Item], call: Send, note: Note, *, singly: bool = False, gate: Gate | None = None
    ) -> None:
        """Declare the pending ones of a batch as one request, or each as one that is offered first, in the commit that
        settles what has landed; they go out in their turn at `gate`, when those before them have ended. `note` writes
        beside them."""
        if self._caller is None:
            self._caller = Caller(journal.Journal(self.run.tag) if self.total > 1 else None)
        if self.total == 1:  # without a journal what is declared counts as begun
            take_turn(gate, len(batch), lambda wait_s: self.wait(wait_s, crowded(wait_s).message))
        landed = self._landed(1)
        if self._caller.closed:
            self._flights.extendleft(reversed(landed))
            landed = []
            self.land()
        if not landed and not self._flights:
            self._masked.enter_context(running.undisturbed())
        try:
            with writing() as session:
                self._settle(session, landed)
                declared.refuse(session, [item for item in batch if item.state != "pending"], note)
                requests = declared.declare(session, self.run.tag, requests_of(batch, singly), note)
        except BaseException:
            self._flights.extendleft(reversed(landed))
            self.land(at_once=True)
            raise
        if requests:
            self._started += 1
            self._flights.append(Flight(requests, call, note, gate, offers=singly))
            self._caller.start(self._flights[-1])
        elif not self._flights:
            self._masked.close()

    @contextmanager
    def under_way(self) -> Iterator[None]:
        """Around all sending: behind it nothing is under way any more, and what became of everything is written."""
        try:
            yield
        finally:
            try:
                self.land(at_once=True)
            finally:
                if self._caller:
                    self._caller.end(settled=not self._flights)
                    self._caller = None

    def land(self, *, at_once: bool = False) -> None:
        """Wait for what is under way, write what became of it, and wait as the gateway asks. `at_once`: what has not
        begun by now does not begin any more, and nobody waits."""
        if at_once and self._caller:
            self._caller.stop()
        landed = self._landed(0)
        try:
            self._record(landed)
        except BaseException:
            self._flights.extend(landed)
            raise
        finally:
            self._masked.close()
        if not at_once and self._caller and self._caller.closed:
            self._reopen(landed)

    def wait(self, pause_s: float, reason: str) -> None:
        """Let the whole task rest, shown as RETRY with the reason; that uses no attempt."""
        if not self.run.leased:
            time.sleep(pause_s)
            return
        wire.run(wire.connect(), "anew", self.run.job_id, self.run.execution, "")
        raise outcome.Retry(max=ALWAYS, interval=float(max(pause_s, 0.1)), reason=reason)

    @property
    def over(self) -> bool:
        """Whether the slice has ended or is to end, so that what is left of a batch waits for the next."""
        return running.asked() or time.monotonic() > self.run.slice_ends

    def tally(self) -> dict[str, int]:
        """How many messages ended in which state."""
        return ledger.counts(self.run.task_id)

    def _waiting(self, size: int, singly: bool) -> list[Item]:
        return self._valued(declared.waiting(self.run.task_id, size, singly=singly))

    def _valued(self, batch: list[Item]) -> list[Item]:
        """Of a single send the row has no value: it stands in the parameters."""
        for item in batch if self.values else ():
            item.value = self.values[item.position - 1]  # type: ignore[index]
        return batch

    def _landed(self, still_out: int) -> list[Flight]:
        """The flights that have landed; waits until at most so many are out."""
        landed: list[Flight] = []
        while len(self._flights) > still_out or (self._flights and self._flights[0].landed.done()):
            flight = self._flights[0]
            flight.landed.result()
            landed.append(self._flights.popleft())
            for item in flight.batch:
                if item.state == "sending":
                    item.not_begun()
            if flight.took_s:
                self.at_once = worth_a_flight(len(flight.requests), flight.took_s)
        return landed

    def _settle(self, session: Session, landed: list[Flight]) -> None:
        for flight in landed:
            ledger.settle_in(session, self.run.tag, flight.batch, flight.note)

    def _record(self, landed: list[Flight]) -> None:
        """It is sent and must be written: a database that is away is asked again and again."""
        deadline = time.monotonic() + RECORD_WITHIN_S
        while landed:
            try:
                with writing() as session:
                    return self._settle(session, landed)
            except DatabaseDown:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.2)

    def _reopen(self, landed: list[Flight]) -> None:
        """A call failed: wait as the gateway asks. Or the journal is lost: the next slice begins another."""
        errors = [flight.error for flight in landed if flight.error]
        if errors:
            self._wait_out(errors[0])
            self._caller.go_on()  # type: ignore[union-attr]
        elif self.run.leased:
            raise running.Yielded()
        else:
            raise QueueDown()

    def _wait_out(self, error: Exception) -> None:
        """Wait as the gateway asks, or for one that is away."""
        if isinstance(error, GatewayBusy):
            self.wait(outcome.asked_pause_ms(error) / 1000, error.message)
        elif isinstance(error, GatewayRefused):
            self.wait(PAUSED_S, error.message)
        elif isinstance(error, GatewayAway) and self.run.leased and not self.run.single:
            self._wait_for_gateway(error)
            raise error
        else:
            raise error

    def _wait_for_gateway(self, away: GatewayAway) -> None:
        """A bulk outlasts an outage of a day, asking less and less often, without an attempt: its letters are as good
        tomorrow. Behind that it uses its attempts, as a single message does at once, which may be a code."""
        settled = ledger.settled(self.run.task_id)
        told = wire.run(wire.connect(), "away", self.run.job_id, self.run.execution, settled)
        if told and told[0] < AWAY_S * 1000:
            pause_s = min(max(outcome.back_off_ms(0), told[0] / 2) / 1000, ASK_AGAIN_S)
            self.wait(pause_s, GatewayAwaited(since=_here(told[1]), reason=away.fields["reason"]).message)

    def _rests(self, look_up: LookUp | None, note: Note | None) -> bool:
        """With nothing to send now: wait for messages that are due later and for what can still be looked up."""
        due = declared.next_due(self.run.task_id)
        if due is not None:
            self.wait((due - now()).total_seconds(), ledger.first_error(self.run.task_id, "pending") or "")
            return True
        if again_s := self._look_up(look_up, note):
            self.wait(again_s, leftovers.UNTOLD)
            return True
        return ledger.counts(self.run.task_id).get("pending", 0) > 0

    def _look_up(self, look_up: LookUp | None, note: Note | None) -> float:
        """Ask the gateway about what dead executions left; while it may still come to know of some, the seconds after
        which to ask again, else 0."""
        open_since_s: list[float] = []
        _looked_at[self.run.task_id] = time.monotonic()
        for since, batch in declared.left(self.run.task_id) if look_up else ():
            age_s = (now() - since).total_seconds()
            try:
                can_tell = look_up(self._valued(batch), str(batch[0].request_key))  # type: ignore[misc]
            except NOT_SENT:
                open_since_s += [age_s] * (age_s < 2 * SURE_S)
                continue
            sure = can_tell and age_s > SURE_S
            for item in batch if not sure else ():
                if item.state == "pending":  # the request may still be under way
                    item.unsure(leftovers.UNTOLD)
                open_since_s += [age_s] * (can_tell and item.state == "unknown")
            declared.resolve([item for item in batch if sure or item.state != "unknown"], note)
        return max(LOOK_AGAIN_S, min(SURE_S, *open_since_s)) if open_since_s else 0.0

    def _refuse_nothing_done(self) -> None:
        if not self.values:
            super()._refuse_nothing_done()
        elif not ledger.counts(self.run.task_id).get("done"):
            raise NotDone(reason=ledger.first_error(self.run.task_id) or "cancelled")


def _here(ms: int) -> str:
    """An instant of Redis' clock on that of the people here (TIMEZONE)."""
    zone = ZoneInfo(settings.current().timezone)
    return datetime.fromtimestamp(ms / 1000, zone).strftime("%d.%m.%Y %H:%M")


def of(values: Any, named: Any = None) -> Outgoing | Spoken:
    """What a job of messages works through: in a worker the ledger, also for a kind that is `single`. `named`: see
    Spoken."""
    if isinstance(values, Items):
        return Outgoing(values.run, values.total)
    run = running.present.get()
    return Outgoing(run, 1, list(values)) if run and run.single else Spoken(list(values), named)
