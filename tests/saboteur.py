"""What a worker of the fault tests does to itself, as its environment says (`TESTS_SABOTAGE`, JSON); else nothing.

`fuses` is a folder. A file in it, named after a point in the life of a job, is a lit fuse: the first process that
reaches the point takes the file away and is killed there, by itself, as by `kill -9`.
"""

import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import wraps
from pathlib import Path
from typing import Any

ORDERS: dict[str, Any] = json.loads(os.environ.get("TESTS_SABOTAGE", "{}"))
POINTS = ("claimed", "before", "inside", "after", "saved", "rescuing", "recording", "recorded")


def burn(point: str) -> None:
    """Die here, if the fuse of this point is lit; with the whole fleet where the file says `host`."""
    if "fuses" not in ORDERS:
        return
    fuse = Path(ORDERS["fuses"], point)
    try:
        victim = fuse.read_text()
        fuse.unlink()
    except FileNotFoundError:
        return
    if victim == "host":
        os.kill(os.getppid(), signal.SIGKILL)
    os.kill(os.getpid(), signal.SIGKILL)


def shift_clock() -> None:
    """This process's clock goes wrong by `clock_s` seconds; called before anything asks for the time."""
    if by_s := ORDERS.get("clock_s"):
        from workers import db

        right_time, right_now = time.time, db.now
        time.time = lambda: right_time() + by_s
        db.now = lambda: right_now() + timedelta(seconds=by_s)


def arm() -> None:
    """Change this worker as its orders say."""
    _hurry()
    _forget_kinds()
    if "fuses" in ORDERS:
        _lay_fuses()


def _hurry() -> None:
    """Shorter leases, periods and pauses (seconds), so that a test need not wait for the real ones."""
    from workers.engine import fleet, flights, keeper, outcome, outgoing, reconcile, wire

    if "lease_s" in ORDERS:
        wire.LEASE_MS = int(ORDERS["lease_s"] * 1000)
    if "socket_timeout_s" in ORDERS:
        wire.connect.__defaults__ = (ORDERS["socket_timeout_s"],)
    if "stop_s" in ORDERS:
        fleet.ASK_AFTER_S, fleet.KILL_AFTER_S = ORDERS["stop_s"]
    if "sure_s" in ORDERS:
        outgoing.SURE_S, outgoing.LOOK_AGAIN_S = ORDERS["sure_s"], ORDERS["sure_s"] / 4
        flights.FROZEN_S = ORDERS["sure_s"] / 2
    if "back_off_s" in ORDERS:
        outcome.RETRY_INTERVALS_S = (ORDERS["back_off_s"],)
    if "missing_for_s" in ORDERS:
        missing_for = timedelta(seconds=ORDERS["missing_for_s"])
        keeper.reconcile.reconcile = _with(reconcile.reconcile, missing_for=missing_for)
    if "periods" in ORDERS:
        fleet.Orders = _with(fleet.Orders, periods=keeper.Periods(**ORDERS["periods"]))


def _forget_kinds() -> None:
    """An older release: it does not know these kinds."""
    from workers.engine import registry

    for name in ORDERS.get("lacks", ()):
        registry.kinds().pop(name)


def _lay_fuses() -> None:
    from workers.engine import events, wire, worker

    worker.Worker._perform = _dying(worker.Worker._perform, before="claimed")
    worker.bulk.arguments = _dying(worker.bulk.arguments, after="before")
    worker.outcome.finished = _dying(worker.outcome.finished, before="after")
    worker.Worker._exchanged = _dying(
        worker.Worker._exchanged, after="saved", only=lambda _, given: given[2] is not None
    )
    wire.run = _dying(wire.run, after="rescuing", only=lambda answer, given: given[1] == "lost" and answer)
    events.apply = _dying(events.apply, after="recording")
    events.writing = _dying_behind(events.writing, "recorded")


def _with(function: Callable[..., Any], **more: Any) -> Callable[..., Any]:
    return lambda *args, **given: function(*args, **given, **more)


def _dying_behind(writing: Callable[..., Any], point: str) -> Callable[..., Any]:
    """A transaction with a fuse right behind its commit."""

    @contextmanager
    def dying() -> Iterator[Any]:
        with writing() as session:
            yield session
        burn(point)

    return dying


def _dying(
    function: Callable[..., Any], *, before: str = "", after: str = "", only: Callable[..., Any] = lambda *_: True
) -> Callable[..., Any]:
    """The function with a fuse at its beginning or its end; `only` says of answer and arguments whether there."""

    @wraps(function)
    def dying(*args: Any, **given: Any) -> Any:
        if before:
            burn(before)
        answer = function(*args, **given)
        if after and only(answer, args):
            burn(after)
        return answer

    return dying
