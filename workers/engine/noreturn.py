"""The point of no return: behind it a task is seen through, for the half of it that is done can't be taken back.

A job calls `no_return()` before the first thing of that kind. It is one script, so that a cancel comes either before
it, and then nothing was done, or is refused. From there on the task has the patience of a day: each time it has moved
on, so many attempts are before it again. What outlives Redis is the kind's own word: `@job(no_return=…)` is asked at a
cancel whether the task is past that point.
"""

from redis.exceptions import RedisError

from workers.engine import registry, running, wire
from workers.engine.tasks import Task
from workers.errors import Conflict, QueueDown

PATIENCE = 720  # attempts; with pauses to two minutes about a day
CANCELLED, LOST = 2, 0
REASON = "it has begun what is done whole or not at all; it goes on by itself, to its end"


def no_return() -> None:
    """From here on the running task can't be cancelled; outside a worker nothing. Leaves the job if it was cancelled
    before, or if somebody else holds it. Raises QueueDown."""
    run = running.present.get()
    if run is None or not run.leased:
        return
    try:
        answer = wire.run(wire.connect(), "noreturn", run.job_id, run.execution, PATIENCE)
    except RedisError as error:
        raise QueueDown() from error
    if answer == LOST:
        raise running.Lost()
    if answer == CANCELLED:
        raise running.Cancelled()
    run.past_return = True


def refusal() -> Conflict:
    return Conflict(reason=REASON)


def is_past(task: Task) -> bool:
    """Whether its kind knows it to be past that point."""
    kind = registry.kinds().get(task.kind)
    return kind is not None and kind.no_return is not None and kind.no_return(task.id)
