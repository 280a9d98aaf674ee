"""What comes of one execution, decided here as a value and written by one script (lua/settle.lua)."""

import math
import random
import time
import traceback
import zlib
from base64 import b64encode
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from rq.job import Retry as RQRetry

from workers import retry_after
from workers.db import storable
from workers.engine.job import KEEP_S
from workers.engine.queues import RETRY_INTERVALS_S
from workers.engine.seal import Seal, encode, seal
from workers.errors import (
    DatabaseDown,
    NotHere,
    NotInCatalogue,
    NotSerializable,
    Poison,
    QueueDown,
    SealBroken,
    SiraError,
    SoftTimeLimitExceeded,
    TimeLimitExceeded,
    WorkerLost,
)

KEEP_HELPER_S = 60
LOSSES_AT_MOST = 3
PASS_MS = (500, 1500)
WAITS_AT_MOST = 15  # with pauses to a minute: a deploy may take ten minutes
DATABASE_WAITS_AT_MOST = 60
RETRY_AFTER_AT_MOST_S = 86_400
PAUSE_AT_MOST_S = 366 * 86_400
JITTER = 0.2
TOO_LONG = (SoftTimeLimitExceeded, TimeLimitExceeded)
NAMES_NOBODY = (SealBroken, NotInCatalogue, NotSerializable, NotHere, WorkerLost, Poison, *TOO_LONG)
SEALED = "sealed; `flask tasks show` opens it, where the job is a task"
TRACEBACK_CHARS, MESSAGE_CHARS, FRAMES = 20_000, 20_000, 2000


class Retry(RQRetry, Exception):
    """Return or raise it in a job: try again, at most `max` times, after `interval` seconds (a number or a list).

    Being asked to retry is not a failure, but it does count as an attempt.
    """

    def __init__(self, max: int = 3, interval: Any = 0, *, reason: str = "The job asked to be tried again.") -> None:
        pauses: Any = [interval] if isinstance(interval, float) else interval
        RQRetry.__init__(self, max=max, interval=pauses)
        for pause_s in self.intervals:
            pause_ms(pause_s)
        Exception.__init__(self, reason)


@dataclass(frozen=True)
class Outcome:
    """`name` is one of those at the top of lua/settle.lua; the rest are the script's arguments. `call`: the job that
    calls somebody after this end (callbacks.py)."""

    name: str
    delay_ms: int = 0
    ttl_s: int = KEEP_S
    result: bytes = b""
    error: bytes = b""
    payload: bytes = b""
    lost: str = ""
    call: tuple[Any, ...] = ()

    @property
    def arguments(self) -> tuple[Any, ...]:
        return (self.name, self.delay_ms, self.ttl_s, self.result, self.error, self.payload, self.lost, *self.call)


def finished(result: Any, *, helper: bool = False) -> Outcome:
    """Raises NotSerializable for what JSON can't hold."""
    if result is None:
        return Outcome("finished", ttl_s=KEEP_HELPER_S if helper else KEEP_S)
    sealed = seal(encode(result))
    return Outcome("finished", result=b64encode(sealed), payload=sealed)


def failed(
    error: BaseException, *, retries_left: int, retries: int, pauses_s: Sequence[float] = (), waits: int = 0
) -> Outcome:
    """A retry while any is left and trying again can help, else the end. `pauses_s` are those of RQ's own `Retry`, of
    which the last belong to the retries that are left. What may be tried again waits first for a database or a Redis
    that is away, for about an hour: that is not the job's failure. RQ's own tools are told what can name nobody."""
    described = description(error)
    sealed = Seal.dumps(described)
    if isinstance(error, DatabaseDown | QueueDown) and retries and waits < DATABASE_WAITS_AT_MOST:
        return Outcome("wait", delay_ms=_wait_ms(waits), error=sealed, payload=sealed)
    if retries_left > 0 and not _is_final(error):
        own_ms = back_off_ms(retries - retries_left)
        if pauses_s:
            own_ms = pause_ms(pauses_s[max(len(pauses_s) - retries_left, 0)])
        delay_ms = max(own_ms, asked_pause_ms(error))
        return Outcome("retry", delay_ms=delay_ms, error=sealed, payload=sealed)
    told = described["message"] if isinstance(error, NAMES_NOBODY) else f"{described['type']} ({SEALED})"
    return Outcome("failed", result=told_in_the_clear(told), error=sealed, payload=sealed)


def _is_final(error: BaseException) -> bool:
    """What it says itself, which may be an error, too."""
    try:
        return bool(getattr(error, "final", False))
    except Exception:
        return False


def missing_here(error: BaseException, *, waits: int, elsewhere: bool = False) -> Outcome:
    """This worker lacks the code of the job, as in the middle of a deploy: that is no attempt. `elsewhere`: another has
    it, and will come by it sooner or later."""
    if elsewhere:
        return Outcome("pass", delay_ms=random.randint(*PASS_MS))
    if waits >= WAITS_AT_MOST:
        return failed(error, retries_left=0, retries=0)
    sealed = Seal.dumps(description(error))
    return Outcome("wait", delay_ms=_wait_ms(waits), error=sealed, payload=sealed)


def _wait_ms(waits: int) -> int:
    return 1000 * min(2**waits, 60)


def asked_again(retry: RQRetry, *, tries: int) -> Outcome:
    """The job asked for it: its own count and intervals hold. `tries` counts the attempts made, this one included.
    Raises ValueError for a pause that makes no sense."""
    reason = storable(str(retry)) if isinstance(retry, Exception) else "The job asked to be tried again."
    sealed = Seal.dumps({"type": "Retry", "message": reason})
    if tries > retry.max:
        return Outcome("failed", error=sealed, payload=sealed)
    intervals: list[float] = list(retry.intervals or [0])
    delay_s = intervals[min(tries, len(intervals)) - 1]
    return Outcome("retry", delay_ms=pause_ms(delay_s), error=sealed, payload=sealed)


def lost(
    *,
    losses: int,
    cancelled: bool,
    moved: bool,
    child_died: bool,
    retries_left: int,
    retries: int,
    error: SiraError,
    pauses_s: Sequence[float] = (),
) -> Outcome:
    """The worker of a job is gone; `losses` were counted before. A dead host uses no attempt, a dead child does; a job
    whose ledger has `moved` on since it was last lost begins anew. A retry waits for as long as a crash needs,
    and as its own pause says."""
    if cancelled:
        return Outcome("revoked")
    if moved:
        return Outcome("back")
    if losses >= LOSSES_AT_MOST:
        error, retries_left, child_died = Poison(losses=losses + 1), 0, True
    if not child_died:
        return Outcome("back", lost="1")
    decided = failed(error, retries_left=retries_left, retries=retries)
    if decided.name == "retry" and pauses_s:
        with suppress(ValueError):  # anybody may have written one that makes no sense
            asked_ms = pause_ms(pauses_s[max(len(pauses_s) - retries_left, 0)])
            decided = replace(decided, delay_ms=max(decided.delay_ms, asked_ms))
    return replace(decided, lost="1")


def told_in_the_clear(reason: str) -> bytes:
    """As RQ keeps why a job failed (`exc_info`)."""
    return b64encode(zlib.compress(reason.encode()))


def pause_ms(seconds: float) -> int:
    """Milliseconds of a pause that a job asks for. Raises ValueError for one that makes no sense, as an endless one."""
    if not 0 <= seconds <= PAUSE_AT_MOST_S:
        raise ValueError(f"interval: a pause of {seconds} s makes no sense")
    return int(seconds * 1000)


def asked_pause_ms(error: BaseException) -> int:
    """How long a called service asked us to wait: `retry_after_s` of our errors, Retry-After of an HTTP answer. It may
    have written anything there: 0 for what says no time."""
    try:
        asked = error.fields.get("retry_after_s") if isinstance(error, SiraError) else None
        answer: Any = getattr(error, "response", error)  # urllib's error is its answer
        seconds = float(asked or retry_after.seconds(answer.headers.get("Retry-After")))
    except Exception:  # it has no such answer, or one that nobody understands
        return 0
    return pause_ms(min(seconds, RETRY_AFTER_AT_MOST_S)) if 0 < seconds < math.inf else 0


def child_lost(reason: str) -> SiraError:
    return WorkerLost(reason=reason)


def back_off_ms(retries_used: int) -> int:
    """About 2, 8, 30, 120 s, ±20 % so that what failed together does not come back together."""
    seconds = RETRY_INTERVALS_S[min(max(retries_used, 0), len(RETRY_INTERVALS_S) - 1)]
    return int(seconds * 1000 * random.uniform(1 - JITTER, 1 + JITTER))


def description(error: BaseException) -> dict[str, Any]:
    """Type, sentence and traceback of an error, as they are sealed for people. Its class is anybody's, and may be
    unable to tell one of them."""
    own = isinstance(error, SiraError | SoftTimeLimitExceeded)
    name = _told(lambda: error.type if own else type(error).__name__) or "Exception"  # type: ignore[attr-defined]
    message = _told(lambda: error.message if own else str(error))[:MESSAGE_CHARS]  # type: ignore[attr-defined]
    described: dict[str, Any] = {"type": name, "message": message or name}
    if error.__traceback__ is not None:
        described["traceback"] = _trace(error)[-TRACEBACK_CHARS:]
    described["at"] = int(time.time())
    return described


def _trace(error: BaseException) -> str:
    whole = _told(lambda: "".join(traceback.format_exception(error, limit=-FRAMES)))
    return whole or _told(lambda: "".join(traceback.format_tb(error.__traceback__, limit=-FRAMES)))


def _told(tell: Callable[[], str]) -> str:
    """Nothing where that is an error, too."""
    try:
        return storable(tell())
    except Exception:
        return ""
