"""The worker: claims a job, runs it, and says what came of it.

The life of a job across a crash. A job waits in its queue's list. One script pops it, writes `started`, the execution
and a lease of 30 s: there is no moment in which it is nowhere. While it runs, the keeper of this machine renews the
lease, never the busy child itself. When it ends, one script checks that this execution still holds the job, writes the
end, and claims the next job in the same round trip. If the child dies, the fleet sees it at once and the keeper gives
the job back (which counts as lost if it had begun); if the whole machine dies, the lease runs out and any other keeper
does. If the child was only frozen and wakes up late, its execution no longer holds the job and what it says is dropped.
If Redis is away at the end of a job, the outcome is kept and said again: not being able to save is not a failure. And
if it comes back with what it had a while ago, what SQL knows to have ended is not done again.
"""

import os
import signal
import sys
import time
from contextlib import suppress
from functools import partial
from mmap import mmap
from typing import Any

from redis.exceptions import RedisError, ResponseError
from rq import Worker as RQWorker
from rq.job import Retry as RQRetry

from workers import db, logs
from workers.engine import bulk, callbacks, ending, foreign, outcome, registry, rescue, rollback, running, signals, wire
from workers.engine.claim import KINDS, Claim, executions, orders, renew
from workers.engine.fleet import EXECUTION_CHARS, Fleet, Orders
from workers.engine.forks import stops
from workers.engine.helpers import calls_back, task_of
from workers.engine.job import Job, kind_of, opened
from workers.engine.outcome import Outcome
from workers.engine.progress import kept
from workers.engine.requeued import refused
from workers.engine.seal import Seal
from workers.engine.surroundings import Surroundings
from workers.engine.waiting import Turn, Waiter
from workers.errors import KeyMissing, NotHere, QueueDown, SoftTimeLimitExceeded

SWITCH_S = 0.0001  # how long a job's other thread, with an answer or a written block in hand, waits for it; else 5 ms
IDLE_FROM_S, IDLE_TO_S, AT_ONCE_S, WAIT_S, AWAY_FROM_S, AWAY_TO_S = 0.002, 0.2, 0.02, 5.0, 0.1, 2.0
ROUTINE = ("finished", "yield")  # these stand in the history; a line for each would cost as much as a small job
log = logs.get("worker")


class Worker(RQWorker):
    """One slot: runs one job at a time in its own process. Takes `rq.Worker`'s arguments."""

    job_class = Job

    def __init__(
        self,
        queues: Any = registry.QUEUES,
        name: str | None = None,
        *rest: Any,
        max_memory_mb: int = 0,
        turn: Turn | None = None,
        begun: mmap | None = None,
        **options: Any,
    ) -> None:
        options["serializer"] = options.get("serializer") or Seal
        bound = any(not isinstance(queue, str) for queue in ([queues] if isinstance(queues, str) else queues))
        if not (bound or rest or options.get("connection")):
            options["connection"] = wire.connect()
        super().__init__(queues, name, *rest, **options)
        self.max_memory_mb, self._shared_turn, self._begun = max_memory_mb, turn, begun or bytearray(EXECUTION_CHARS)

    def _set_connection(self, connection: Any) -> Any:
        """RQ would have this whole process wait 415 s for a server that has gone silent."""
        return connection

    def serialize(self) -> dict[str, Any]:
        """What stands of it in Redis from its birth on: what it can do, and until when (ms) its claims ahead count."""
        return {**super().serialize(), "state": "idle", KINDS: ",".join(registry.kinds()), "sira_ahead": 0}

    def work(self, burst: bool = False, max_jobs: int | None = None, **options: Any) -> bool:  # type: ignore[override]
        """Work as `rq.Worker` does, the jobs in a child, beside a keeper: a fleet of one. True if any job was run.

        `burst`: until nothing waits. `max_idle_time`: until nothing came for so many seconds.
        """
        done = mmap(-1, 8)

        def work(name: str, begun: mmap) -> None:
            self.name, self._begun, before = name, begun, int.from_bytes(done[:])
            jobs = self.work_kept(burst, max_jobs and max_jobs - before, max_idle_s=options.get("max_idle_time"))
            done[:] = (before + jobs).to_bytes(8)

        Fleet(Orders(work, once=True, name=self.name, queues=tuple(self.queue_names()))).run()
        return any(done[:])

    def work_kept(self, burst: bool = False, max_jobs: int | None = None, *, max_idle_s: float | None = None) -> int:
        """Work while a keeper elsewhere renews the lease: what a slot of a fleet does. How many jobs were run."""
        sys.setswitchinterval(SWITCH_S)
        self.pid, self._stop_asked, self._not_meant = os.getpid(), False, ""
        self._wake_r, self._wake_w = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._found = Surroundings.found(self._wake_r, self.max_memory_mb)
        self._sayer = wire.Sayer(self.connection, "exchange")
        self._waiter = Waiter(self.connection, self.queue_names(), self._wake_r, self._ahead, self._shared_turn)
        self._orders, self._turn, self._ids = orders(self.queue_names()), 0, executions()
        self.register_birth()
        renew(self.connection, self.name)  # claims ahead count from the first, not from when the keeper comes round
        rollback.watch(self._sayer)
        self._listen()
        try:
            done = self._loop(burst, max_jobs, max_idle_s)
        except BaseException:
            self._leave(in_order=False)
            raise
        self._leave()
        return done

    def _loop(self, burst: bool, max_jobs: int | None, max_idle_s: float | None) -> int:
        done, ended, claim, ahead, idle_s = 0, None, None, None, 0.0
        most, worked_at = sys.maxsize if max_jobs is None else max_jobs, time.monotonic()
        while True:
            if ahead is None:  # else it came while we waited, and this was looked after behind the last job
                ends, spoilt = self._stop_asked or done >= most, done > 0 and self._found.spoilt
                ahead = self._exchange(claim, ended, claim_next=not (ends or spoilt))
            claim, ahead = ahead, None
            if claim is not None:
                self._waiter.hand_on()
                ended, idle_s = self._perform(claim), 0.0
                done, worked_at = done + 1, time.monotonic()
            elif ends or spoilt or burst or (max_idle_s is not None and time.monotonic() - worked_at >= max_idle_s):
                if ends or not spoilt:  # else a fresh child goes on with what waits
                    self._begun[:] = bytes(EXECUTION_CHARS)
                return done
            else:
                ended, (idle_s, ahead) = None, self._idle(idle_s, max_idle_s)

    def _idle(self, idle_s: float, max_idle_s: float | None) -> tuple[float, Claim | None]:
        """Wait for work. After wakes for nothing, one upon the other (a paused queue), pause, longer each time."""
        time.sleep(idle_s)
        began = time.monotonic()
        woken, claimed = self._waiter.wait(min(WAIT_S, max_idle_s or WAIT_S))
        in_vain = woken and not claimed and time.monotonic() - began < AT_ONCE_S
        return min(idle_s * 2 or IDLE_FROM_S, IDLE_TO_S) if in_vain else 0.0, Claim(claimed) if claimed else None

    def _ahead(self, queue: str) -> tuple[Any, ...]:
        """The claim that waits in the server for the next job of a queue."""
        return self._sayer.elsewhere(self.name, wire.LEASE_MS, next(self._ids), "1", 1, queue)

    def _listen(self) -> None:
        handlers: dict[int, Any] = dict.fromkeys(stops(), self._on_stop)
        handlers |= {signal.SIGUSR1: self._on_cancel, signal.SIGUSR2: self._on_put_back}
        signals.take({**handlers, signal.SIGALRM: lambda *_: running.ask(SoftTimeLimitExceeded)}, self._wake_w)

    def _on_stop(self, *_: Any) -> None:
        """Claim nothing more; a running bulk ends its slice at the next item."""
        self._stop_asked = True
        if run := running.present.get():
            run.slice_ends = 0.0

    def _on_cancel(self, *_: Any) -> None:
        """To a job that nobody meant the last time it comes from its own code, and would do so for ever."""
        if (run := running.present.get()) and run.job_id != self._not_meant:
            running.ask(running.Cancelled)

    def _on_put_back(self, *_: Any) -> None:
        """The time for a stop in order is nearly over: the running job goes back to the front of its queue."""
        if self._stop_asked:
            running.ask(running.Stopping)

    def _leave(self, *, in_order: bool = True) -> None:
        """In disorder the job is left to who rescues it, as that of a child that was killed: it may be to blame."""
        signals.let_go()
        self._sayer.close()
        with suppress(OSError):  # a job may have closed them
            self._waiter.hand_on()
            os.close(self._wake_r)
            os.close(self._wake_w)
        try:
            self.connection.hdel(self.key, "sira_ahead")
            if in_order:
                self._give_back_strays(None)
                self.register_death()
        except (RedisError, QueueDown):
            log.warning("worker left without saying so", worker=self.name)

    def _exchange(self, claim: Claim | None, ended: Outcome | None, *, claim_next: bool) -> Claim | None:
        """Settle and claim in one round trip; while Redis is away, keep what is to be said and say it again."""
        away_s, told = 0.0, ("", "")
        while True:
            try:
                if away_s:
                    self._give_back_strays(claim)
                return self._exchanged(claim, ended, claim_next)
            except (RedisError, QueueDown) as error:
                if self._stop_asked and claim is None:
                    return None
                what, said = ("refuses", str(error)) if isinstance(error, ResponseError) else ("is away", "")
                if told != (told := (what, said)):  # once: it may stay so for hours
                    log.warning(f"redis {what}", worker=self.name, error=said or type(error).__name__)
                time.sleep(away_s := min(away_s * 2 or AWAY_FROM_S, AWAY_TO_S))

    def _exchanged(self, claim: Claim | None, ended: Outcome | None, claim_next: bool) -> Claim | None:
        order = self._order(claim.queue if claim and ended and ended.name == "yield" else None)
        arguments = [self.name, wire.LEASE_MS, next(self._ids) if claim_next else "", "", len(order), *order]
        if claim and ended:
            arguments += [*claim.ended_as, *ended.arguments]
        settled, packed, known, strays = self._sayer.run(*arguments, meanwhile=self._found.put_back)
        if claim and settled == ending.CANCEL:
            return self._exchanged(claim, ending.of(claim, Outcome("revoked")), claim_next)
        if claim and ended:
            ending.said(claim, ended, bool(settled))
        if not (known or self._stop_asked):
            self.register_birth()  # Redis was flushed, or this machine was frozen for longer than its key lives
            return self._exchanged(None, None, claim_next)
        if strays:
            self._give_back_strays(None)
        return Claim(packed) if packed else None

    def _order(self, yielded: str | None) -> list[str]:
        """Our queues in the order of this claim: equals take turns, a queue that just had its slice comes last."""
        self._turn = (self._turn + 1) % len(self._orders)
        order = self._orders[self._turn]
        return sorted(order, key=lambda name: name == yielded) if yielded else order

    def _give_back_strays(self, kept: Claim | None) -> None:
        """A claim whose answer never reached us, that reached Redis late, or was made ahead and is not read yet is ours
        without our knowing: back to the front of its queue. While there is one, the script gives us no other."""
        self._waiter.close()
        for claim in wire.run(self.connection, "lost", self.name, 10):
            if kept is None or kept.execution != claim[1].decode():
                rescue.give_back(claim)

    def _perform(self, claim: Claim) -> Outcome:
        """Run the job; whatever happens in there becomes an Outcome."""
        self._begun[:] = claim.execution.encode()
        started = time.monotonic()
        run = running.Run(claim.job_id, task_of(claim.job_id), claim.execution, claim.scope)
        if known := refused(claim) or rollback.known(claim, self._sayer.broke_at):
            return known
        try:
            decided = self._decide(claim, run)
        except BaseException as error:  # of the deciding itself
            decided = outcome.failed(error, retries_left=claim.left(run), retries=claim.retries)
        if os.getpid() != self.pid:
            os._exit(1)  # the job's code has forked, and this copy came out of it: it has no say
        decided = ending.of(claim, decided)
        if decided.name not in ROUTINE:
            took_s = round(time.monotonic() - started, 4)
            log.info("execution ended", task_id=claim.job_id, queue=claim.queue, outcome=decided.name, took_s=took_s)
        return decided

    def _decide(self, claim: Claim, run: running.Run) -> Outcome:
        try:
            if not issubclass(self.job_class, Job):
                return foreign.perform(self, claim, run)
            result = self._call(claim, run)
            if isinstance(result, RQRetry):
                return outcome.asked_again(result, tries=claim.attempts)
            return outcome.finished(result)
        except outcome.Retry as retry:
            return outcome.asked_again(retry, tries=claim.attempts)
        except running.Yielded:
            return Outcome("yield", payload=Seal.dumps(run.meta))
        except running.Cancelled:
            return self._cancelled(claim)
        except (running.Stopping, running.Lost):
            return Outcome("back")
        except running.Helped:
            return outcome.finished(None, helper=True)
        except (ImportError, NotHere, KeyMissing) as error:  # as in the middle of a deploy
            elsewhere = isinstance(error, NotHere) and claim.is_known_elsewhere(self.connection, error.fields["name"])
            return outcome.missing_here(error, waits=claim.waits, elsewhere=elsewhere)
        except BaseException as error:  # sys.exit() in a job is its failure, not the worker's end
            if isinstance(error, SoftTimeLimitExceeded):
                db.close()
            left, waits, pauses_s = claim.left(run), claim.waits, claim.pauses_s(self.connection)
            return outcome.failed(error, retries_left=left, retries=claim.retries, pauses_s=pauses_s, waits=waits)

    def _cancelled(self, claim: Claim) -> Outcome:
        """Unless the signal was meant for the job before. The script that writes `back` looks once more."""
        meant = claim.is_cancelled(self.connection)
        if meant and claim.foreign is not None:
            foreign.stopped(self, claim.foreign)
        self._not_meant = "" if meant else claim.job_id
        return Outcome("revoked" if meant else "back")

    def _call(self, claim: Claim, run: running.Run) -> Any:
        name, params, limit_s = opened(claim.job_id, claim.data, claim.scope)
        kind = claim.kind = kind_of(name)
        if calls_back(claim.job_id):
            soft_s, call = callbacks.SOFT_LIMIT_S, partial(callbacks.make, kind, params)
        else:
            soft_s, call = kind.soft_s, partial(bulk.called, kind, params, run)
        run.meta = kept(claim.meta) if claim.meta else run.meta
        token = running.present.set(run)
        try:
            signal.setitimer(signal.ITIMER_REAL, min(soft_s, limit_s))
            return call()
        finally:
            run.left = True  # what a signal asks from here on comes too late for this job
            signal.setitimer(signal.ITIMER_REAL, 0)
            running.present.reset(token)
            running.clear()
