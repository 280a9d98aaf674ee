"""Messages of a job that is simply called: no ledger and no slices, but the evidence is written, the pace kept.

What is to be sent at a later time stays pending: there is nobody who would come back for it.
"""

import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from workers.db import writing
from workers.engine.bulk import Listed
from workers.engine.flights import LookUp, Send, called, requests_of, take_turn
from workers.engine.ledger import Item, Note
from workers.engine.limits import Gate
from workers.errors import SiraError


class NotDone(SiraError):
    """It could not be done: {reason}"""

    final = True


class Spoken(Listed):
    """The messages of a job without a task; see `Outgoing`."""

    over, at_once = False, 1

    def requests(
        self, size: int, look_up: LookUp | None = None, note: Note | None = None, *, singly: bool = False
    ) -> Iterator[list[Item]]:
        for start in range(0, len(self._items), size):
            batch = self._items[start : start + size]
            for item in batch:
                item.state = "pending"
            while ready := [item for item in batch if item.state == "pending" and not item.due_at]:
                yield ready
        if not any(item.state == "done" for item in self._items):
            raise NotDone(reason=self._items[0].error)

    def send(
        self, batch: list[Item], call: Send, note: Note, *, singly: bool = False, gate: Gate | None = None
    ) -> None:
        take_turn(gate, len(batch), time.sleep)
        for key, ready in requests_of(batch, singly).items():
            for item in ready:
                item.state, item.request_key = "sending", key
            with writing() as session:
                note(session, ready)
            raised = called(call, ready, key, gate)
            with writing() as session:
                note(session, ready)
            if raised:
                raise raised

    @contextmanager
    def under_way(self) -> Iterator[None]:
        yield

    def land(self) -> None:
        """Nothing is ever under way."""

    def wait(self, pause_s: float, reason: str) -> None:
        raise NotDone(reason=reason)

    def tally(self) -> dict[str, int]:
        return dict(Counter(item.state for item in self._items))
