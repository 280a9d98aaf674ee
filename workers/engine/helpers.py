"""Helpers of a CPU-bound bulk: jobs `<id>-h1…` without rows of their own that take items beside the task's own job."""

import re

from sqlalchemy import select

from workers.db import reading
from workers.engine import registry, wire
from workers.engine.job import params_in, sealed_data
from workers.engine.queues import job_fields
from workers.engine.tables import tasks

MARK, CALLS = "-h", "-c"
TASK, EXECUTION = r"([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})", "[0-9a-f]{32}"
BESIDE = re.compile(f"{TASK}-(?:h[0-9]+|c(?:{EXECUTION}|foreign))")  # no other: people make ids of ids, too


def call(task_id: str, count: int) -> None:
    """Queue up to `count` helpers; those that still wait or work are not doubled."""
    if count < 1:
        return
    with reading() as session:
        row = session.execute(select(tasks).where(tasks.c.id == task_id)).mappings().one()
    kind, connection = registry.get(row["kind"]), wire.connect()
    for number in range(1, count + 1):
        helper_id = f"{task_id}{MARK}{number}"
        data = sealed_data(helper_id, kind.name, params_in(task_id, row["params"]), row["scope"])
        beside = ("data", data, "sira_helps", task_id, "retries_left", 0, "sira_retries", 0)
        wire.run(connection, "push", helper_id, row["queue"], "", 1, *job_fields(kind, row), *beside)


def task_of(job_id: str) -> str:
    """The task that a job works for: itself, or the one it helps or calls back for."""
    beside = BESIDE.fullmatch(job_id) if len(job_id) > 36 else None
    return beside[1] if beside else job_id


def calls_back(job_id: str) -> bool:
    return len(job_id) > 36 and task_of(job_id) + CALLS == job_id[:38]
