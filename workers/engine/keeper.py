"""The keeper: one process per fleet that renews leases, ends what runs too long, rescues, records and reconciles.

It shares nothing with the children but the machine: the fleet tells it through a pipe who was born and who died. All
its duties are safe to do twice; those that need doing once per service (recorder, reconciler) are held by a lease.
"""

import contextlib
import json
import math
import os
import select
import signal
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from threading import Event, Thread
from typing import Any

from redis.exceptions import RedisError, ResponseError

from workers import logs
from workers.engine import clock, commands, control, events, forks, outcome, reconcile, registry, rescue, rollback, wire
from workers.engine.claim import renew
from workers.engine.duties import Duties
from workers.engine.job import KEEP_S
from workers.errors import Conflict, DatabaseDown, NotHere, QueueDown, SiraError, TimeLimitExceeded, UnknownTask

log = logs.get("keeper")
PAUSE_S, STOPPING_S, RETRY_S, RECORD_FOR_S, LEAVE_S = 1.0, 0.1, 0.5, 0.5, 2.0
ELSEWHERE_S, JUMP_S = 15.0, 10.0


@dataclass(frozen=True)
class Periods:
    """How often each duty is done, in seconds; tests run them faster."""

    renew_s: float = 2.0
    rescue_s: float = 5.0
    promote_s: float = 0.5
    record_s: float = 0.5
    reconcile_s: float = 10.0
    cancel_grace_s: float = 8.0
    duty_lease_s: float = 30.0


Duty = tuple[Callable[[], Any], float]


class Keeper:
    """`pipe` is where the fleet writes lines of JSON: `["born", name, pid]`, `["dead", name, pid, reason, begun]` with
    the execution that it began last, and `["stopped", …]` of a child that went while its fleet stops: a deploy uses no
    attempt, also one that used force."""

    def __init__(self, pipe: int, periods: Periods | None = None, queues: Iterable[str] = ()) -> None:
        self.pipe, self.periods = pipe, periods or Periods()
        self.queues = tuple(dict.fromkeys((*registry.QUEUES, *queues)))  # a worker may serve some of other names
        self.me = f"{os.uname().nodename}-{os.getpid()}-{os.urandom(2).hex()}"
        self._duties = Duties(self.me, self.periods.duty_lease_s)
        self._alive: dict[str, int] = {}
        self._ended_by: dict[str, rescue.EndedByUs] = {}
        self._asked_at, self._began = dict[str, float](), dict[bytes, float]()
        self._ear = commands.Ear()
        self._busy: set[str] = set()
        self._to_stop: list[str] = []
        self._unsettled: list[tuple[str, SiraError | None, rescue.EndedByUs | None, str]] = []
        self._rest = ""
        self._stop = self._behind = False
        self._rescue_from, self._away_until, self._reconcile_from, self._ahead_s = 0.0, 0.0, 0.0, math.inf
        self._due, self._told = dict[Callable[[], Any], float](), dict[Callable[[], Any], str]()
        self._wake = Event()

    def run(self) -> None:
        """Until the fleet closes the pipe; then a last round of recording.

        What may wait for SQL has a thread of its own, so that nothing keeps a lease from being renewed.
        """
        for number in forks.STOPS:  # said to the whole group; the fleet needs us to the end
            signal.signal(number, signal.SIG_IGN)
        slow = Thread(target=self._work_slowly, daemon=True)
        slow.start()
        while not self._stop:
            self._listen(STOPPING_S if self._to_stop else self._rest_s([self._renew]))
            self._round([(self._obey, 0.0), (self._renew, self.periods.renew_s)])
        self._wake.set()
        slow.join(LEAVE_S)
        with contextlib.suppress(Exception):
            self._record()
            self._duties.hand_over("recorder", "reconciler")

    def _work_slowly(self) -> None:
        periods = self.periods
        asked: list[Duty] = [(self._bury, 0.0), (self._stop_jobs, 0.0), (control.hurry_what_is_known_now, math.inf)]
        timed: list[Duty] = [
            (self._promote, periods.promote_s),
            (self._rescue, periods.rescue_s),
            (self._record, periods.record_s),
            (self._forget_expired, periods.reconcile_s),
            (self._reconcile, periods.reconcile_s),
        ]
        while not self._stop:
            self._wake.clear()
            self._round(asked + timed)
            if self._behind:
                self._due.pop(self._record)
            else:
                self._wake.wait(self._rest_s([duty for duty, _ in timed]))
        with contextlib.suppress(Exception):
            self._bury()

    def _rest_s(self, duties: Iterable[Callable[[], None]]) -> float:
        """Until the first of them is due."""
        return max(0.0, min(PAUSE_S, *(self._due.get(duty, 0.0) - time.monotonic() for duty in duties)))

    def _round(self, duties: list[Duty]) -> None:
        """Each duty that is due; one that fails keeps no other from being done."""
        for duty, period_s in duties:
            if time.monotonic() < self._due.get(duty, 0.0):
                continue
            try:
                if duty() is not False:  # left to another, or to a later time
                    self._tell(duty, None)
                self._due[duty] = time.monotonic() + period_s
            except (RedisError, QueueDown) as error:
                self._due[duty] = time.monotonic() + RETRY_S
                if duty == self._renew or not isinstance(error, ResponseError):
                    self._redis_is_away(error)
                else:
                    self._tell(duty, error)
            except Exception as error:
                self._tell(duty, error)
                self._due[duty] = time.monotonic() + max(period_s, 1.0)

    def _tell(self, duty: Callable[[], Any], error: Exception | None) -> None:
        """What became of a duty, once: a database may be away or a disk full for hours. So the next word is of another
        error, or that the duty is done again. Of what is away the trace says nothing more."""
        name = getattr(duty, "__name__", "")
        told = f"{type(error).__name__}: {wire.without_place(str(error))}" if error else ""
        if told == self._told.get(duty, ""):
            return
        self._told[duty] = told
        if error is None:
            log.info("duty done again", duty=name)
        elif isinstance(error, ResponseError):
            log.warning("redis refuses", duty=name, error=str(error))
        else:
            tell = log.warning if isinstance(error, DatabaseDown | NotHere) else log.exception
            tell("duty failed", duty=name, error=str(error))

    def _redis_is_away(self, error: Exception) -> None:
        """Leases could not be renewed meanwhile, ours and others'; so nobody is rescued before one lease has passed."""
        if time.monotonic() >= self._away_until:  # told once: it may stay away for hours
            log.warning("redis is away", error=type(error).__name__)
        self._away_until = self._rescue_from = time.monotonic() + wire.LEASE_MS / 1000
        time.sleep(RETRY_S)

    def _listen(self, timeout_s: float) -> None:
        """Sleep until the fleet says something, or RQ's commands come."""
        ready, _, _ = select.select([self.pipe, *self._ear.sources], [], [], timeout_s)
        if self.pipe not in ready:
            return
        heard = os.read(self.pipe, 65536)
        if not heard:
            self._stop = True
        *lines, self._rest = (self._rest + heard.decode()).split("\n")
        for line in lines:
            what, name, pid, *death = json.loads(line)
            if what == "born":
                self._alive[name] = pid
            else:
                reason, begun = death
                self._alive.pop(name, None)
                lost = outcome.child_lost(reason) if what == "dead" else None
                self._unsettled.append((name, lost, self._ended_by.pop(name, None), begun))
                self._wake.set()

    def _bury(self) -> None:
        """What a dead child held is given back at once; a name leaves the list only when that is done."""
        while self._unsettled:
            rescue.dead_child(*self._unsettled[0])
            self._unsettled.pop(0)

    def _renew(self) -> None:
        unsettled = [name for name, *_ in self._unsettled]  # what they held is still ours to settle
        if not (self._alive or unsettled):
            return
        busy = renew(wire.connect(), *self._alive, *unsettled)
        self._busy = {name.decode() for name, *_ in busy}
        asked = {wire.text(job_id) for _, job_id, cancelled, *_ in busy if cancelled}
        self._asked_at = {job_id: at for job_id, at in self._asked_at.items() if job_id in asked}
        # Of the server's clock only the first look: it may jump, or go on while this machine and its jobs have slept.
        at, known = time.monotonic(), self._began
        self._began = {execution: known.get(execution, at - ms / 1000) for *_, ms, _, execution in busy}
        for name, job_id, cancelled, _, limit_s, execution in busy:
            worker = name.decode()
            if limit_s and at - self._began[execution] > limit_s:
                self._end(worker, wire.text(job_id), TimeLimitExceeded(limit_s=limit_s))
            elif cancelled:
                self._ask_to_cancel(worker, wire.text(job_id))

    def _ask_to_cancel(self, worker: str, job_id: str) -> None:
        """First by a signal that raises in the job, a grace later by force."""
        asked_at = self._asked_at.setdefault(job_id, time.monotonic())
        if time.monotonic() - asked_at > self.periods.cancel_grace_s:
            self._end(worker, job_id, None)
        else:
            self._signal(worker, signal.SIGUSR1)

    def _end(self, worker: str, job_id: str, error: SiraError | None) -> None:
        """By force, for the sake of this job; it may have gone on to another in this moment."""
        self._ended_by[worker] = (job_id, error)
        self._kill(worker)

    def _kill(self, worker: str) -> None:
        with contextlib.suppress(ProcessLookupError, KeyError):
            forks.end(self._alive[worker])

    def _obey(self) -> None:
        """RQ's commands. To a worker without a job `kill-horse` says nothing, as in RQ."""
        for worker, command, job_id in self._ear.heard(set(self._alive)):
            if command == "shutdown":
                self._signal(worker, signal.SIGTERM)
            elif command == "kill-horse":
                self._renew()
                if worker in self._busy:
                    self._kill(worker)
            else:
                self._to_stop.append(job_id)
                self._wake.set()

    def _stop_jobs(self) -> None:
        """Cancel them; the next renewal, at once, brings the signal. A job of RQ's own class has no row."""
        while self._to_stop:
            job_id = self._to_stop[0]
            with contextlib.suppress(Conflict):
                try:
                    control.cancel(job_id)
                except UnknownTask:
                    queue = wire.connect().hget(f"rq:job:{job_id}", "origin") or b""
                    wire.run(wire.connect(), "cancel", job_id, queue, KEEP_S)
            self._due.pop(self._renew, None)
            self._to_stop.pop(0)

    def _signal(self, worker: str, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError, KeyError):
            os.kill(self._alive[worker], number)

    def _promote(self) -> None:
        clock.tick(self.queues)

    def _forget_expired(self) -> None:
        reconcile.forget_expired(self.queues)

    def _rescue(self) -> None:
        """Not for one lease where Redis' clock has jumped: all have run out at once, also those that others renew."""
        ahead_s = clock.time_of_redis().timestamp() - time.monotonic()
        if ahead_s > self._ahead_s + JUMP_S:
            self._rescue_from = time.monotonic() + wire.LEASE_MS / 1000
        self._ahead_s = ahead_s
        if time.monotonic() >= self._rescue_from:
            rescue.expired(spared=set(self._alive))
            rescue.left_by_stock_workers(self.queues)

    def _record(self) -> bool:
        """A long backlog piece by piece: what else this thread has to do must not wait for its end. Whether it was ours
        to do."""
        self._behind, until = False, time.monotonic() + RECORD_FOR_S
        with self._duties.on("recorder") as ours:
            if ours:
                rollback.note()
            while ours and events.record() == events.BATCH:
                if time.monotonic() >= until:
                    self._behind = True
                    break
        return ours

    def _reconcile(self) -> bool:
        """A walk over a long backlog takes seconds; it is made so seldom that it costs a twentieth at most. Whether one
        was made."""
        if time.monotonic() < self._reconcile_from:
            return False
        with self._duties.on("reconciler") as ours:
            if ours:
                began = time.monotonic()
                try:
                    reconcile.reconcile()
                except NotHere:  # who knows the kind gets its turn first
                    self._reconcile_from = began + ELSEWHERE_S
                    raise
                self._reconcile_from = time.monotonic() + 20 * (time.monotonic() - began)
        return ours
