"""Ours, to measure the worker: the rows are committed beforehand, then pushed by the engine's own script."""

from collections.abc import Callable
from functools import partial
from typing import Any

from sqlalchemy import insert

import bench.kinds  # noqa: F401
from workers import db
from workers.engine import events, queues, registry, wire
from workers.engine.job import sealed_data
from workers.engine.tables import tasks

AT_ONCE = 1_000


def fill(task: str, count: int, **fields: Any) -> None:
    """Commit and push so many; `fields` are added to each job's hash. The recorder's part of it is done here too, so
    that a drain begins with all events written."""
    more = [part for field in fields.items() for part in field]
    for start in range(0, count, AT_ONCE):
        rows = _committed(task, min(AT_ONCE, count - start))
        pipeline = wire.connect().pipeline(transaction=False)
        for row in rows:
            known = queues.job_fields(registry.get(task), row)
            wire.run(pipeline, "push", row["id"], row["queue"], "", 0, *known, *more)
        pipeline.execute()
    while events.record():
        pass


def prepare(task: str) -> Callable[[], Any]:
    """With the row committed before the clock starts, as no peer commits one, and before that the line opened, as
    `enqueue` does it."""
    queues.reach()
    [row] = _committed(task, 1)
    return partial(queues.push, row, data=row["params"])


def _committed(task: str, count: int) -> list[dict[str, Any]]:
    kind = registry.get(task)
    plain = {"kind": kind.name, "queue": kind.queue, "max_attempts": kind.retries + 1, "created_at": db.now()}
    ids = [queues.new_id() for _ in range(count)]
    rows = [{**plain, "id": task_id, "params": sealed_data(task_id, kind.name, {})} for task_id in ids]
    with db.writing() as session:
        session.connection().execute(insert(tasks), rows)
    return [{**row, "scope": None, "due_at": None} for row in rows]
