"""Jobs of another Job class, run as RQ runs them: their own function, callbacks, handlers and webhooks.

Claim, lease and end are ours, so such a job is lost as little as ours are; it has no row, no slices and no reports.
"""

import sys
import zlib
from base64 import b64encode
from typing import Any

from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError
from rq.callbacks import execute_failure_callback, execute_success_callback
from rq.job import JobStatus
from rq.job import Retry as RQRetry
from rq.job_lifecycle import format_exc_info
from rq.timeouts import JobTimeoutException

from workers.engine import outcome
from workers.engine.outcome import Outcome

FAILURE_TTL_S = 365 * 86_400


def perform(worker: Any, job_id: str, attempts: int) -> tuple[Any, Outcome]:
    """The job (None if it is gone) and what came of it."""
    try:
        job = worker.job_class.fetch(job_id, connection=worker.connection, serializer=worker.serializer)
    except (RedisConnectionError, RedisTimeoutError):
        return None, Outcome("back")
    except Exception:  # it is gone, or its hash holds what RQ can't read
        return None, _failure(format_exc_info(sys.exc_info()))
    try:
        timeout_s = job.timeout or worker.queue_class.DEFAULT_TIMEOUT
        with worker.death_penalty_class(timeout_s, JobTimeoutException, job_id=job.id):
            value = job.perform()
        job._result = value
        if isinstance(value, RQRetry):
            if value.enqueue_at_front:
                worker.connection.hset(job.key, "enqueue_at_front_on_retry", 1)
            return job, outcome.asked_again(value, tries=attempts)
        job._status = JobStatus.FINISHED
        execute_success_callback(job, worker.death_penalty_class, value)
        return job, _finished(worker, job, value)
    except BaseException:  # sys.exit() in a job, too
        return job, _failed(worker, job)


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
    return Outcome("failed", ttl_s=FAILURE_TTL_S, result=b64encode(zlib.compress(told.encode())))
