"""Messages: how a job sends its items in requests, so that nobody gets one twice.

A request is written down before it goes out: one commit makes its items `sending` under its key. Nothing may interrupt
it until the outcome is written too. What surely was not sent stays pending and waits, with the whole task, for the
gateway; what may have been sent is `unknown`, is looked up where the gateway can tell, and never sent again by itself.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any
from uuid import uuid4

from sqlalchemy import bindparam, func, or_, select, update

from workers.db import now, reading, writing
from workers.engine import ledger, outcome, running, wire
from workers.engine.bulk import Items, Listed
from workers.engine.ledger import VALUES, Item, Note, item_of, taking, write
from workers.engine.tables import items
from workers.errors import DatabaseDown, GatewayAway, GatewayBusy, GatewayRefused, SiraError

RECORD_WITHIN_S = 60.0  # how long an outcome is said again to a database that is away
PAUSED_S = 600.0  # a company whose account is refused is asked for again so often, or when it is resumed
LOOK_AGAIN_S = 5.0
SURE_S = 60.0  # what a gateway does not know after so long it never got
ALWAYS = 1_000_000
NOT_SENT = (GatewayBusy, GatewayAway, GatewayRefused)
NO_ANSWER = "Ağ geçidinin yanıtı bu mesajı içermiyor; gönderilmiş olabilir."

Send = Callable[[list[Item], str], None]  # says of each item what became of it, or raises one of NOT_SENT
LookUp = Callable[[list[Item], str], bool]  # ends the items that the gateway knows; False: it can't tell


REFUSE = update(items).where(items.c.id == bindparam("item_id"), items.c.state == "pending").values(VALUES)
RESOLVE = (
    update(items)
    .where(items.c.id == bindparam("item_id"), items.c.state == "unknown")
    .values(VALUES | {"taken_by": None})
)


class NotDone(SiraError):
    """It could not be done: {reason}"""

    final = True


def waiting(task_id: str, count: int) -> list[Item]:
    """Up to `count` pending items that are due, only read; what was once in one request comes together again."""
    query = select(items).where(items.c.task_id == task_id, items.c.state == "pending")
    query = query.where(or_(items.c.due_at.is_(None), items.c.due_at <= now()))
    with reading() as session:
        rows = session.execute(query.order_by(items.c.position).limit(count)).all()
    return [item_of(row) for row in rows if row.request_key == rows[0].request_key]


def next_due(task_id: str) -> datetime | None:
    """When the first of the pending items is due; None without any."""
    query = select(func.min(items.c.due_at)).where(items.c.task_id == task_id, items.c.state == "pending")
    with reading() as session:
        return session.scalar(query)


def mark(taken_by: str, batch: list[Item], key: str, note: Note) -> list[Item]:
    """Write down, in one commit and before the request goes out, which items it carries and which were refused.

    Gives those that are now `sending` and ours; one that was meanwhile cancelled or sent by another is left out.
    """
    ready = {item.id: item for item in batch if item.state == "pending"}
    refused = [item for item in batch if item.state != "pending"]
    with writing() as session:
        if refused:
            session.connection().execute(REFUSE, [item.settled() for item in refused])
        query = taking(list(ready), taken_by, request_key=key, due_at=None).returning(items.c.id)
        mine = [ready[item_id] for item_id in session.scalars(query)] if ready else []
        for item in mine:
            item.state, item.request_key, item.attempts = "sending", key, item.attempts + 1
        note(session, mine)
    return sorted(mine, key=lambda item: item.position)


def resolve(batch: list[Item], note: Note | None = None) -> None:
    """Write what was found out about unknown items."""
    write(RESOLVE, [item.settled() for item in batch], batch, note)


def left(task_id: str, count: int = 5000) -> list[tuple[datetime, list[Item]]]:
    """The unknown items of dead executions, a list for each request and since when they are unknown."""
    query = select(items).where(items.c.task_id == task_id, items.c.state == "unknown", items.c.taken_by.is_not(None))
    with reading() as session:
        rows = session.execute(query.order_by(items.c.position).limit(count)).all()
    requests: dict[str, tuple[datetime, list[Item]]] = {}
    for row in rows:
        requests.setdefault(row.request_key, (row.updated_at, []))[1].append(item_of(row))
    return list(requests.values())


class Outgoing(Items):
    """The messages of the running task. `requests(n)` gives them, `send` sends them."""

    def __init__(self, run: running.Run, total: int, values: list[Any] | None = None) -> None:
        super().__init__(run, total, parallel=False)
        self.values = values

    def requests(self, size: int, look_up: LookUp | None = None, note: Note | None = None) -> Iterator[list[Item]]:
        """Lists of up to `size` pending messages, only read: the body gives each to `send`, refused ones too.

        What dead executions left unknown is looked up first, and again at the end.
        """
        self._give_back()
        self._look_up(look_up, note)
        while True:
            running.check()
            batch = waiting(self.run.task_id, size)
            for item in batch if self.values else ():
                item.value = self.values[item.position - 1]  # type: ignore[index]
            if batch:
                yield batch
                self._tell()
            elif not self._rests(look_up, note):
                break
            if self.over:
                raise running.Yielded()
        self._refuse_nothing_done()

    def send(self, batch: list[Item], call: Send, note: Note) -> None:
        """Send the pending ones of a batch with one request. Its key and `sending` are committed before `call`, what
        became of each after it; `note` writes beside them. What surely was not sent stays pending."""
        error: Exception | None = None
        with running.undisturbed():
            key, began = _key_of(batch), time.monotonic()
            ready = mark(self.run.tag, batch, key, note)
            if ready:
                late = time.monotonic() - began > SURE_S / 2
                error = _called(_frozen if late else call, ready, key)
                self._record(ready, note)
        if error is not None:
            self._wait_out(error)

    def wait(self, pause_s: float, reason: str) -> None:
        """Let the whole task rest, shown as RETRY with the reason; that uses no attempt."""
        if not self.run.leased:
            time.sleep(pause_s)
            return
        wire.run(wire.connect(), "anew", self.run.job_id, self.run.execution, "")
        raise outcome.Retry(max=ALWAYS, interval=float(max(pause_s, 0.1)), reason=reason)

    @property
    def over(self) -> bool:
        """Whether the slice has ended, so that what is left of a batch waits for the next."""
        return time.monotonic() > self.run.slice_ends

    def tally(self) -> dict[str, int]:
        """How many messages ended in which state."""
        return ledger.counts(self.run.task_id)

    def _record(self, ready: list[Item], note: Note) -> None:
        """It is sent and must be written: a database that is away is asked again and again."""
        deadline = time.monotonic() + RECORD_WITHIN_S
        while True:
            try:
                return ledger.settle(self.run.tag, ready, note)
            except DatabaseDown:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.2)

    def _wait_out(self, error: Exception) -> None:
        """Wait as the gateway asks. One that is away uses attempts only while nothing at all gets through."""
        if isinstance(error, GatewayBusy):
            self.wait(outcome.asked_pause_ms(error) / 1000, error.message)
        elif isinstance(error, GatewayRefused):
            self.wait(PAUSED_S, error.message)
        elif isinstance(error, GatewayAway) and self.run.leased:
            if ledger.began_anew(self.run.job_id, self.run.task_id, self.run.execution):
                self.wait(outcome.back_off_ms(0) / 1000, error.message)
            raise error
        else:
            raise error

    def _rests(self, look_up: LookUp | None, note: Note | None) -> bool:
        """With nothing to send now: wait for messages that are due later and for what can still be looked up."""
        due = next_due(self.run.task_id)
        if due is not None:
            self.wait((due - now()).total_seconds(), ledger.first_error(self.run.task_id) or "")
            return True
        if self._look_up(look_up, note):
            self.wait(LOOK_AGAIN_S, ledger.UNTOLD)
            return True
        return ledger.counts(self.run.task_id).get("pending", 0) > 0

    def _look_up(self, look_up: LookUp | None, note: Note | None) -> bool:
        """Ask the gateway about what dead executions left; True while it may still come to know of some."""
        open_still = False
        for since, batch in left(self.run.task_id) if look_up else ():
            age_s = (now() - since).total_seconds()
            try:
                can_tell = look_up(batch, str(batch[0].request_key))  # type: ignore[misc]
            except NOT_SENT:
                open_still = open_still or age_s < 2 * SURE_S
                continue
            lost = [item for item in batch if item.state == "unknown"] if can_tell else []
            for item in lost if age_s > SURE_S else ():
                item.later()
            open_still = open_still or any(item.state == "unknown" for item in lost)
            resolve([item for item in batch if item.state != "unknown"], note)
        return open_still

    def _refuse_nothing_done(self) -> None:
        if not self.values:
            super()._refuse_nothing_done()
        elif not ledger.counts(self.run.task_id).get("done"):
            raise NotDone(reason=ledger.first_error(self.run.task_id) or "cancelled")


class Spoken(Listed):
    """The same for a job that is simply called: no ledger, but the evidence is written."""

    over = False

    def requests(self, size: int, look_up: LookUp | None = None, note: Note | None = None) -> Iterator[list[Item]]:
        for start in range(0, len(self._items), size):
            batch = self._items[start : start + size]
            for item in batch:
                item.state = "pending"
            while any(item.state == "pending" for item in batch):
                yield [item for item in batch if item.state == "pending"]
        if not any(item.state == "done" for item in self._items):
            raise NotDone(reason=self._items[0].error)

    def send(self, batch: list[Item], call: Send, note: Note) -> None:
        ready = [item for item in batch if item.state == "pending"]
        key, raised = _key_of(batch), None
        for item in ready:
            item.state, item.request_key = "sending", key
        with writing() as session:
            note(session, ready)
        if ready:
            raised = _called(call, ready, key)
            with writing() as session:
                note(session, ready)
        if raised:
            raise raised

    def wait(self, pause_s: float, reason: str) -> None:
        raise NotDone(reason=reason)

    def tally(self) -> dict[str, int]:
        return dict(Counter(item.state for item in self._items))


def _called(call: Send, ready: list[Item], key: str) -> Exception | None:
    """Make the call; what it leaves open is unknown, unless it surely sent nothing of it. Gives what it raised."""
    raised: Exception | None = None
    try:
        call(ready, key)
    except NOT_SENT as error:
        raised = error
    except Exception as error:
        raised = error
    for item in ready:
        if item.state == "sending" and isinstance(raised, NOT_SENT):
            item.later(raised.message)
        elif item.state == "sending":
            item.unsure(f"{NO_ANSWER} ({type(raised).__name__})" if raised else NO_ANSWER)
    return raised


def _frozen(ready: list[Item], key: str) -> None:
    """This process slept since it marked the items; by now others may have found that they were never sent."""
    raise GatewayAway(reason="the worker was frozen")


def _key_of(batch: list[Item]) -> str:
    """The name of the request: a repetition has that of the first try, whose answer may have been lost."""
    return (
        next((item.request_key for item in batch if item.state == "pending" and item.request_key), None) or uuid4().hex
    )


def of(values: Any) -> Outgoing | Spoken:
    """What a job of messages works through: in a worker the ledger, also for a kind that is `single`."""
    if isinstance(values, Items):
        return Outgoing(values.run, values.total)
    run = running.present.get()
    return Outgoing(run, 1, list(values)) if run and run.single else Spoken(list(values))
