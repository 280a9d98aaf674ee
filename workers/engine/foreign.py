"""Jobs of another Job class, run as RQ runs them: their own function, callbacks, handlers and webhooks.

Claim, lease and end are ours, so such a job is lost as little as ours are; it has no row, no slices and no reports.
"""

import sys
from base64 import b64encode
from contextlib import suppress
from typing import Any

from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError
from rq.callbacks import execute_failure_callback, execute_stopped_callback, execute_success_callback
from rq.job import JobStatus
from rq.job import Retry as RQRetry
from rq.job_lifecycle import format_exc_info
from rq.timeouts import JobTimeoutException

from workers.engine import outcome
from workers.engine.claim import Claim
from workers.engine.outcome import Outcome
from workers.engine.running import Leave, Run, clear, present

FAILURE_TTL_S = 365 * 86_400


def perform(worker: Any, claim: Claim, run: Run) -> Outcome:
    """What came of the job, which stands in the claim from here on, unless it is gone. Raises Leave."""
    try:
        job = worker.job_class.fetch(claim.job_id, connection=worker.connection, serializer=worker.serializer)
    except (RedisConnectionError, RedisTimeoutError):
        return Outcome("back")
    except Exception:  # it is gone, or its hash holds what RQ can't read
        return _failure(format_exc_info(sys.exc_info()))
    claim.foreign = job
    try:
        value = _value(worker, job, run)
        job._result = value
        if isinstance(value, RQRetry):
            if value.enqueue_at_front:
                worker.connection.hset(job.key, "enqueue_at_front_on_retry", 1)
            return outcome.asked_again(value, tries=claim.attempts)
        job._status = JobStatus.FINISHED
        execute_success_callback(job, worker.death_penalty_class, value)
        return _finished(worker, job, value)
    except Leave:
        raise
    except BaseException:  # sys.exit() in a job, too
        return _failed(worker, job)


def _value(worker: Any, job: Any, run: Run) -> Any:
    """What its function gives. A cancel and the end of a stop leave it there and then, but none of its callbacks."""
    timeout_s, run.leased = job.timeout or worker.queue_class.DEFAULT_TIMEOUT, False
    with worker.death_penalty_class(timeout_s, JobTimeoutException, job_id=job.id):
        token = present.set(run)
        try:
            return job.perform()
        finally:
            run.left = True
            present.reset(token)
            clear()


def stopped(worker: Any, job: Any) -> None:
    """Call its `on_stopped`; if that fails, RQ has said so in the log."""
    with suppress(Exception):
        execute_stopped_callback(job, worker.death_penalty_class)


def told(job: Any, ended: Outcome) -> None:
    """Webhooks, after the end is written."""
    if ended.name == "finished":
        job.send_webhooks(JobStatus.FINISHED)
    elif ended.name == "failed":
        job.send_webhooks(JobStatus.FAILED, exc_string=job._exc_info or "")


def _finished(worker: Any, job: Any, value: Any) -> Outcome:
    packed = b64encode(job.serializer.dumps(value)) if value is not None else b""
    return Outcome("finished", ttl_s=job.get_result_ttl(worker.default_result_ttl), result=packed)


def _failed(worker: Any, job: Any) -> Outcome:
    """A failing callback replaces the error of the job, as in RQ."""
    error = sys.exc_info()
    try:
        job._status = JobStatus.FAILED
        execute_failure_callback(job, worker.death_penalty_class, *error)
    except Exception:
        error = sys.exc_info()
    worker.handle_exception(job, *error)
    if job.should_retry:
        return Outcome("retry", delay_ms=outcome.pause_ms(job.get_retry_interval()))
    if worker.disable_default_exception_handler:
        return Outcome("failed", ttl_s=FAILURE_TTL_S)
    job._exc_info = format_exc_info(error)
    return _failure(job._exc_info)


def _failure(told: str) -> Outcome:
    return Outcome("failed", ttl_s=FAILURE_TTL_S, result=outcome.told_in_the_clear(told))
