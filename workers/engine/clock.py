"""The clock: moves what has become due into its queue, and makes tasks of schedules. Any number may run.

rq-scheduler keeps due times in Redis alone, and loses or doubles them when it dies at the wrong moment. Here a schedule
is a row, each of its occurrences another (occurrences.py), and they alone decide; so a clock may be killed or frozen
between any two lines, and two that both believe to lead do no harm. The lease only keeps the others quiet, for ten
seconds: what is still due then, any of them enqueues. What stays of rq-scheduler is its face: its class, its instance
keys, and its sorted set as a mirror (mirror.py).
"""

import inspect
import os
import select
import signal
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

from redis.exceptions import LockError, RedisError, ResponseError
from redis.lock import Lock
from rq_scheduler import Scheduler

from workers import logs
from workers.engine import control, mirror, occurrences, registry, schedules, steering, wire
from workers.engine.job import Job
from workers.engine.occurrences import time_of_redis
from workers.engine.queues import enqueue
from workers.engine.tasks import Task
from workers.errors import BadSettings, DatabaseDown, QueueDown

EVERY_S = 0.5
MISSING_EVERY_S = 300.0
LEASE_S = 5
LEFT_FOR = timedelta(seconds=10)
LEASE = "sira:duty:clock"
AT_ONCE = 500
log = logs.get("clock")


def tick(queues: Iterable[str] = registry.QUEUES) -> int:
    """Move due retries and delayed tasks, how many; and pause what has drained. Every keeper does the same."""
    connection = wire.connect()
    moved = int(wire.run(connection, "promote", AT_ONCE, *queues))
    steering.settle(connection)
    return moved


def _refusal(step: Callable[[], Any]) -> str:
    """What Redis, which is there, has against this step; nothing if it was done."""
    try:
        step()
    except ResponseError as error:
        return f"redis refuses: {error}"
    return ""


def run() -> int:
    """Run a clock until SIGTERM; the exit code."""
    registry.kinds()  # a faulty declaration is told before anything begins
    return Clock().run()


class Clock(Scheduler):
    """rq-scheduler's Scheduler, whose jobs are kinds of the catalogue and whose lock has an owner."""

    def __init__(self, *, lease_s: float = LEASE_S) -> None:
        me = f"{os.uname().nodename}-{os.getpid()}"
        super().__init__(connection=wire.connect(), interval=EVERY_S, job_class=Job, name=me)
        self._lease_s, self._stop = lease_s, False
        self._lease = Lock(self.connection, LEASE, timeout=lease_s, thread_local=False)
        self._seen_at: datetime | None = None
        self._look_from = 0.0
        self._settled_to, self._told = "", ""

    def run(self, burst: bool = False) -> int:
        """Pass after pass until SIGTERM; with `burst` one pass."""
        self._install_signal_handlers()
        self._pass()
        while not burst and not self._stops_within(self._interval):
            self._pass()
        with suppress(RedisError, QueueDown):
            self.remove_lock()
            self.register_death()
        return 0

    def _install_signal_handlers(self) -> None:
        """A handler may come between any two steps of this thread, also where it holds a lock: it takes none."""
        self._wake_r, wake_w = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(wake_w, warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_stop)

    def _on_stop(self, *_: Any) -> None:
        self._stop = True

    def _stops_within(self, seconds: float) -> bool:
        select.select([self._wake_r], [], [], seconds)
        return self._stop

    def _pass(self) -> None:
        """Whatever goes wrong is told once and tried again at the next pass: a clock does not stop. What Redis refuses,
        for instance since something else lies under a key, keeps it from nothing else."""
        told, steps = "", list[Callable[[], Any]]([tick, self.heartbeat, self._schedule])
        try:
            self._connect()
            told = "; ".join(filter(None, map(_refusal, steps)))
        except (RedisError, QueueDown) as error:
            told = f"redis is away: {type(error).__name__}"
        except DatabaseDown as error:
            told = error.message
        except Exception as error:
            told = f"{type(error).__name__}: {error}"
            if told != self._told:
                log.exception("pass failed")
        if told != self._told:
            log.warning("clock waits", reason=told) if told else log.info("clock goes on")
        self._told = told

    def _schedule(self) -> None:
        self._register(time_of_redis())
        if self.acquire_lock():
            self.enqueue_jobs()
        else:
            self._make_good()

    def _register(self, at: datetime) -> None:
        """Once; and again where Redis' clock was put back, for what was reckoned from it may lie years ahead. What
        somebody has deleted comes back; not at once, for in a deploy it may be the later release that took it away."""
        if self._seen_at is None or at < self._seen_at:
            for what, name in schedules.register(at):
                log.info("schedule registered", schedule=name, what=what)
            self._look_from = time.monotonic() + MISSING_EVERY_S
        elif time.monotonic() >= self._look_from:
            for name in schedules.register_missing():
                log.warning("schedule was missing", schedule=name, then="it comes anew")
            self._look_from = time.monotonic() + MISSING_EVERY_S
        self._seen_at = at

    def _connect(self) -> None:
        """The server may have come back elsewhere; a lease that was held there ends by itself."""
        self.connection = wire.connect()
        if self._lease.redis is not self.connection:
            self._lease = Lock(self.connection, LEASE, timeout=self._lease_s, thread_local=False)
            self._lock_acquired = False

    def heartbeat(self) -> None:
        """Keep the key by which rq-scheduler's tools know that this clock lives."""
        if not self.connection.expire(self.key, int(self._interval) + 10):
            self.register_birth()

    def acquire_lock(self) -> bool:
        """Take the lease or renew it; whether it is ours. One that was lost meanwhile is not taken from its holder."""
        if self._lock_acquired:
            with suppress(LockError):
                return bool(self._lease.reacquire())
            log.warning("lease lost")
            self._lock_acquired = False
        self._lock_acquired = self._lease.acquire(blocking=False, token=self.name)
        return bool(self._lock_acquired)

    def remove_lock(self) -> None:
        """Give the lease back, if it is ours."""
        if self._lock_acquired:
            self._lock_acquired = False
            with suppress(LockError):
                self._lease.release()

    def enqueue_jobs(self) -> list[dict[str, Any]]:
        """Enqueue what is due; the tasks. First the ends of earlier runs, because a run may wait for them."""
        at = time_of_redis()
        self._settled_to = occurrences.settle(at, self._settled_to)
        made = occurrences.fire(at) + occurrences.release(at)
        mirror.show(self.connection)
        return made

    def _make_good(self) -> None:
        """Enqueue what whoever leads has left lying: it may run an older release, which does not know the kind."""
        at = time_of_redis()
        occurrences.fire(at, left_for=LEFT_FOR)
        occurrences.release(at)

    def enqueue_at(self, scheduled_time: datetime, func: Callable[..., Any], *args: Any, **kwargs: Any) -> Task:
        """Enqueue a kind for later, by the same door as everybody: a task, kept in SQL. Naive times are UTC."""
        due_at = scheduled_time if scheduled_time.tzinfo else scheduled_time.replace(tzinfo=UTC)
        params = inspect.signature(func).bind_partial(*args, **kwargs).arguments
        return enqueue(func.__name__, params, due_at=due_at)

    def enqueue_in(self, time_delta: timedelta, func: Callable[..., Any], *args: Any, **kwargs: Any) -> Task:
        return self.enqueue_at(time_of_redis() + time_delta, func, *args, **kwargs)

    def cancel(self, job: Task | str) -> None:
        """End a task that waits for its time, by the same door as everybody; what only the sorted set names goes from
        there. Raises UnknownTask, Conflict, QueueDown."""
        task_id = job if isinstance(job, str) else job.id
        if not self.connection.zrem(mirror.KEY, task_id):
            control.cancel(task_id)

    def schedule(self, *_: Any, **__: Any) -> None:
        """Refused, as `cron` and `enqueue_job`: what only Redis knows of is lost with it."""
        raise BadSettings(reason="schedules are declared on their kinds: @job(queue=…, cron=…)")

    cron = enqueue_job = schedule
