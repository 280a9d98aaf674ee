"""Messages of a job that is simply called: no ledger and no slices, but the evidence is written, the pace kept.

What is to be sent at a later time stays pending: there is nobody who would come back for it.
"""

import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from workers.db import writing
from workers.engine import running
from workers.engine.bulk import Listed
from workers.engine.flights import NO_ANSWER, LookUp, Send, called, requests_of, take_turn
from workers.engine.ledger import Item, Note
from workers.engine.limits import Gate
from workers.errors import SiraError


class NotDone(SiraError):
    """It could not be done: {reason}"""

    final = True


class Spoken(Listed):
    """The messages of a job without a task; see `Outgoing`. `named`: what is in the one that is said in a task, so that
    its request has the same key when the task is tried again: by that its evidence is found."""

    over, at_once = False, 1

    def __init__(self, values: list[Any], named: Any = None) -> None:
        super().__init__(values)
        run = running.present.get()
        if run and named is not None:
            self._items[0].request_key = run.name(named)

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

    def not_begun(self, batch: list[Item], evidence: Any, look_up: LookUp | None = None) -> list[Item]:
        """Those that are to be sent. What an earlier try of the task has begun is never sent again: `evidence` says
        what became of it (`stands`), or the gateway does."""
        for item in batch:
            known = evidence.stands(item.request_key) if item.request_key else None
            if known and known.state == "done":
                item.done(provider_id=known.provider_id)
            elif known and known.state in ("sending", "unknown"):
                if not (look_up and look_up([item], str(item.request_key))):
                    item.unsure(NO_ANSWER)
                with writing() as session:
                    evidence.told(session, [item])
        return [item for item in batch if item.state == "pending"]

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
