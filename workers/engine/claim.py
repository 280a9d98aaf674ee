"""A claim: what the script gave, and the order in which a worker asks its queues."""

from math import lcm
from typing import Any

from workers.engine import registry
from workers.engine.helpers import task_of


class Claim:
    """A job that this worker holds: what the claim script gave. `attempts` counts this one too."""

    kind: registry.Kind | None = None
    foreign: Any = None

    def __init__(self, packed: list[Any]) -> None:
        job_id, execution, queue, self.data, self.meta, scope, *numbers = packed
        self.job_id, self.execution, self.queue = job_id.decode(), execution.decode(), queue.decode()
        self.scope = scope.decode() or None
        self.attempts, self.retries_left, self.retries, self.waits = map(int, numbers)

    @property
    def is_task(self) -> bool:
        """Not a helper, nor a job of another class: neither has a row."""
        return self.foreign is None and task_of(self.job_id) == self.job_id

    @property
    def ended_as(self) -> tuple[str, str, str]:
        return self.job_id, self.execution, self.queue


def orders(mine: list[str]) -> list[list[str]]:
    """Our queues in the order of each turn; those that the registry doesn't know come last."""
    turns = [registry.claim_order(turn) for turn in range(lcm(*map(len, registry.PRIORITIES)))]
    known = [[name for name in order if name in mine] for order in turns]
    return [order + [name for name in mine if name not in order] for order in known]
