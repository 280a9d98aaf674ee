"""How a job works through its items: in batches, in slices, beside helpers; the ledger decides, not memory."""

import math
import os
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

from redis.exceptions import RedisError

from workers.engine import ledger, leftovers, progress, running, wire
from workers.engine.claim import alive, is_held
from workers.engine.helpers import task_of
from workers.engine.ledger import Item
from workers.engine.progress import report
from workers.engine.registry import Kind
from workers.errors import QueueDown, SiraError, SoftTimeLimitExceeded

SIDE_BY_SIDE_AT_MOST = 8
LEFT_OUT = "Görev bu kaleme gelmeden bitti"
POLL_S = 0.005
TELL_EVERY_S = 0.2  # counting the items of a large bulk takes as long as working on some of them


class NothingDone(SiraError):
    """No item could be done, of {total}. The first reason: {reason}"""

    final = True


class GoneThrough(SiraError):
    """The items of a bulk can be gone through only once, for each counts as done when the next one is asked for. Do the
    whole work of an item inside that one loop."""

    final = True


class Items:
    """The items of the running task. `for value in items` does them one by one; `batches(n)` gives Items to settle;
    `requests(n)` gives messages, for `send`."""

    def __init__(
        self, run: running.Run, total: int, *, parallel: bool = False, read: Callable[[Any], Any] | None = None
    ) -> None:
        self.run, self.total, self.parallel, self._read = run, total, parallel, read
        self._told_at, self._in_hand, self._is_through = 0.0, list[Item](), False

    def __len__(self) -> int:
        return self.total

    def __iter__(self) -> Iterator[Any]:
        for batch in self.batches(1):
            yield batch[0].value

    def batches(self, size: int) -> Iterator[list[Item]]:
        """Lists of up to `size` items, taken before they are given. An item that the body leaves alone is done as soon
        as the next list is asked for. Raises GoneThrough where all have been given."""
        if self._is_through:
            raise GoneThrough()
        self._give_back()
        self._tell()
        if self.parallel and not self.run.helps:
            self._call_helpers(size)
        while batch := self._next(size):
            self._in_hand, self.run.item = batch, batch[0].position
            yield batch
            for item in batch:
                if item.state == "sending":
                    item.done()
            self._in_hand = []
            ledger.settle(self.run.tag, batch)
            self._tell()
            if time.monotonic() > self.run.slice_ends:
                raise running.Yielded()
        if self.run.helps:
            raise running.Helped()
        self._is_through = True
        self._refuse_nothing_done()

    def finished(self) -> Iterator[Item]:
        """The items that are done, in posted order, with their outputs."""
        for item in ledger.finished(self.run.task_id):
            yield from self._as_declared([item])

    def _as_declared(self, batch: list[Item]) -> list[Item]:
        if self._read:
            for item in batch:
                item.value = self._read(item.value)
        return batch

    def _next(self, size: int) -> list[Item]:
        """The next batch; waits while others still have items in work, for these may come back."""
        while True:
            running.check()
            if self.run.owed:
                raise self.run.owed  # an `except:` around the work on one item has caught it
            batch = self._as_declared(ledger.take(self.run.task_id, self.run.tag, size))
            if batch or self.run.helps or not ledger.counts(self.run.task_id).get("sending"):
                return batch
            if time.monotonic() > self.run.slice_ends:
                raise running.Yielded()
            time.sleep(POLL_S)
            self._tell()
            self._give_back()

    def _tell(self, every_s: float = TELL_EVERY_S) -> None:
        """How many are settled, under what the body said last."""
        running.check()
        if not self.run.helps and time.monotonic() - self._told_at >= every_s:
            self._told_at = time.monotonic()
            counts = ledger.counts(self.run.task_id)
            settled = self.total - counts.get("pending", 0) - counts.get("sending", 0)
            report(settled, self.total, self.run.meta.get("status"))

    def _give_back(self) -> None:
        """Items of dead executions return; those of living ones (their lease is in Redis) are left alone. Redis being
        away is no reason to stop working."""
        if not self.run.helps:
            with suppress(RedisError, QueueDown):
                leftovers.give_back(self.run.task_id, alive(self.run.task_id))

    def _call_helpers(self, size: int) -> None:
        from workers.engine.helpers import call

        waiting = ledger.counts(self.run.task_id).get("pending", 0)
        with suppress(RedisError, QueueDown):
            slots = int(wire.connect().scard("rq:workers"))
            call(self.run.task_id, min(slots - 1, SIDE_BY_SIDE_AT_MOST, math.ceil(waiting / size) - 1))

    def _refuse_nothing_done(self) -> None:
        _refuse_nothing_done(self.run.task_id, self.total, "no item was left")

    def tell_at_last(self) -> None:
        """The body is left by an error, or for the next slice: what is shown meanwhile is how far it came."""
        with suppress(Exception):  # the body's is the one to be told
            self._tell(0.0)
            progress.last_word(self.run)

    def left(self) -> None:
        """The job has ended, perhaps before all were taken: none stays open."""
        if self.run.helps:
            return
        self._skip(self._in_hand)
        if self.parallel:
            self._wait_for_helpers()
        _refuse_nothing_done(self.run.task_id, self.total, "the job took none of them", "failed")
        counts, run = ledger.counts(self.run.task_id), self.run
        is_any_open = counts.get("pending") or counts.get("sending")
        if is_any_open and (not run.leased or is_held(wire.connect(), run.job_id, run.execution)):
            leftovers.close(run.task_id, LEFT_OUT)

    def _skip(self, batch: list[Item]) -> None:
        """Those of which the body has said nothing."""
        for item in batch:
            if item.state == "sending":
                item.skip(LEFT_OUT)
        ledger.settle(self.run.tag, batch)

    def _wait_for_helpers(self) -> None:
        """There is no more for them to take, and what they work on comes to its end."""
        while True:
            running.check()
            batch = ledger.take(self.run.task_id, self.run.tag, ledger.CHUNK_ROWS)
            for item in batch:
                item.attempts -= 1
            self._skip(batch)
            if not batch:
                if not ledger.counts(self.run.task_id).get("sending"):
                    return
                time.sleep(POLL_S)
                self._give_back()


def _refuse_nothing_done(task_id: str, total: int, otherwise: str, state: str | None = None) -> None:
    """Why the items of that state were not done stands for all."""
    if not ledger.counts(task_id).get("done"):
        raise NothingDone(total=total, reason=ledger.first_error(task_id, state) or otherwise)


class Listed:
    """The same for a job that is simply called: the items are a plain list in memory."""

    def __init__(self, values: list[Any]) -> None:
        self._items = [Item(0, position, value) for position, value in enumerate(values, 1)]

    def __len__(self) -> int:
        return len(self._items)

    def __iter__(self) -> Iterator[Any]:
        for batch in self.batches(1):
            yield batch[0].value

    def batches(self, size: int) -> Iterator[list[Item]]:
        for start in range(0, len(self._items), size):
            batch = self._items[start : start + size]
            yield batch
            for item in batch:
                if item.state == "sending":
                    item.done()

    def finished(self) -> Iterator[Item]:
        return (item for item in self._items if item.state == "done")


def items(values: Any) -> Items | Listed:
    """What a bulk job works through: the ledger in a worker, the given list where the function is simply called."""
    return values if isinstance(values, Items | Listed) else Listed(list(values))


def arguments(kind: Kind, params: dict[str, Any], run: running.Run) -> dict[str, Any]:
    """What the kind's function is called with: its parameters, and the ledger in the place of the items."""
    called_with = kind.arguments(params)
    run.single = kind.single
    if kind.items:
        total = sum(ledger.counts(run.task_id).values())
        called_with[kind.items] = Items(run, total, parallel=kind.parallel and run.leased, read=kind.item_of)
    return called_with


def called(kind: Kind, params: dict[str, Any], run: running.Run) -> Any:
    """Call the kind's function; gives its result."""
    called_with = arguments(kind, params, run)
    bulk: Items | None = called_with[kind.items] if kind.items else None
    try:
        result = kind.function(**called_with)
    except (Exception, running.Yielded):
        progress.last_word(run) if bulk is None else bulk.tell_at_last()
        raise
    except SoftTimeLimitExceeded:
        progress.last_word(run)  # nothing of SQL, which it may have interrupted
        raise
    if run.owed and (bulk is not None or isinstance(run.owed, running.Yielded)):
        raise run.owed
    if bulk is not None:
        bulk.left()
    return result


def run_whole(kind: Kind, job_id: str, params: dict[str, Any]) -> Any:
    """Run a job in one piece, as a stock worker does: it does the same work less well."""
    run = running.Run(job_id, task_of(job_id), f"stock-{os.getpid()}", slice_ends=math.inf, leased=False)
    token = running.present.set(run)
    try:
        return called(kind, params, run)
    finally:
        running.present.reset(token)
