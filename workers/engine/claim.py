"""A claim: what the script gave, and the order in which a worker asks its queues."""

import json
import os
from collections.abc import Iterator
from itertools import count
from math import lcm
from typing import Any

from redis.exceptions import RedisError

from workers.engine import registry, wire
from workers.engine.helpers import task_of
from workers.engine.running import Run

KINDS = "sira_kinds"  # of a worker's hash
WORKER_TTL_S = 90


class Claim:
    """A job that this worker holds: what the claim script gave. `attempts` counts this one too. `requeued`: the event
    of the end behind which RQ's tools have put it into its queue again, until SQL has heard of it."""

    kind: registry.Kind | None = None
    foreign: Any = None

    def __init__(self, packed: list[Any]) -> None:
        job_id, execution, queue, self.data, self.meta, scope, *numbers, requeued = packed
        self.job_id, self.execution, self.queue = wire.text(job_id), wire.text(execution), wire.text(queue)
        self.scope = wire.text(scope) or None
        self.requeued = wire.text(requeued)
        self.attempts, self.retries_left, self.retries, self.waits = map(_whole, numbers)

    @property
    def is_task(self) -> bool:
        """Not a helper, nor a job of another class: neither has a row."""
        return self.foreign is None and task_of(self.job_id) == self.job_id

    @property
    def ended_as(self) -> tuple[str, str, str]:
        return self.job_id, self.execution, self.queue

    def left(self, run: Run) -> int:
        """The retries that are left: behind the point of no return one, of which the claim may not know yet."""
        return self.retries_left or int(run.past_return)

    def is_cancelled(self, connection: Any) -> bool:
        """Whether somebody asked for that, as far as can be known."""
        try:
            return bool(connection.hexists(f"rq:job:{self.job_id}", "sira_cancel"))
        except RedisError:
            return False

    def is_known_elsewhere(self, connection: Any, kind: str) -> bool:
        """Whether another worker of this queue knows the kind, which this one lacks."""
        return is_known_to_some(connection, self.queue, kind)

    def pauses_s(self, connection: Any) -> list[float]:
        """The intervals of the `Retry` that a job was given by RQ's own Queue; kinds have none of their own."""
        return [] if self.retries or not self.retries_left else pauses_s(connection, self.job_id)


def pauses_s(connection: Any, job_id: str) -> list[float]:
    """The `retry_intervals` in its hash, into which anybody may have written."""
    try:
        return [float(pause) for pause in json.loads(connection.hget(f"rq:job:{job_id}", "retry_intervals") or b"[]")]
    except (RedisError, ValueError, TypeError, OverflowError):
        return []


def is_known_to_some(connection: Any, queue: str, kind: str) -> bool:
    """Whether a living worker of the queue knows the kind."""
    try:
        others = connection.smembers(f"rq:workers:{queue}")
        known = [wire.text(connection.hget(key, KINDS) or b"") for key in others]
    except RedisError:
        return False
    return any(kind in kinds.split(",") for kinds in known)


def is_held(connection: Any, job_id: str, execution: str) -> bool:
    """Whether the execution still holds its job, as far as can be known: nobody takes it while Redis is away."""
    try:
        return bool(connection.hget(f"rq:job:{job_id}", "sira_execution") == execution.encode())
    except RedisError:
        return True


def renew(connection: Any, *workers: str) -> list[list[Any]]:
    """Renew what stands of these workers, and the leases of what they hold. Gives the busy ones as renew.lua has it."""
    return list(wire.run(connection, "renew", wire.LEASE_MS, WORKER_TTL_S, *workers))


def alive(task_id: str) -> set[str]:
    """The executions of a task that hold a lease, as they mark what they take: `<job id>:<execution>`."""
    leases = map(wire.text, wire.connect().zrange("sira:leases", 0, -1))
    tags = {":".join(lease.rsplit(":", 2)[1:]) for lease in leases}
    return {tag for tag in tags if tag.startswith(task_id)}


def executions() -> Iterator[str]:
    """Ids of 32 digits that nobody else gives: some of this process, and a number."""
    mine = os.urandom(8).hex()
    return (f"{mine}{number:016x}" for number in count())


def _whole(value: Any) -> int:
    """Anybody may have written into the hash: 0 for what is no number."""
    try:
        return int(value)
    except ValueError:
        return 0


def orders(mine: list[str]) -> list[list[str]]:
    """Our queues in the order of each turn; those that the registry doesn't know come last."""
    turns = [registry.claim_order(turn) for turn in range(lcm(*map(len, registry.PRIORITIES)))]
    known = [[name for name in order if name in mine] for order in turns]
    return [order + [name for name in mine if name not in order] for order in known]
