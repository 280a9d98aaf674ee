"""The workers as operators see them: each process with its slots, and what each of these does."""

import os
import re
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from workers.engine import inspect
from workers.engine.helpers import task_of

NAME = re.compile(r"(?P<fleet>.+-(?P<pid>\d+)-[0-9a-f]{4})-\d+-\d+")  # see workers/engine/fleet.py


@dataclass(frozen=True)
class Slot:
    """A worker: one process that runs one task at a time. `memory_bytes` is known on this machine alone."""

    name: str
    pid: int | None
    state: str
    since: str | None
    task_id: str | None
    kind: str | None
    task_since: str | None
    done: int
    failed: int
    memory_bytes: int | None


@dataclass
class Process:
    """A `python -m workers` with its slots."""

    host: str
    pid: str
    queues: list[str]
    slots: list[Slot] = field(default_factory=list)


def processes() -> list[Process]:
    """All that are registered, by host and process. Raises QueueDown."""
    running = {row["worker"]: row for row in inspect.active()}
    found: dict[tuple[str, str], Process] = {}
    for row in inspect.workers():
        named = NAME.fullmatch(row["worker"])
        fleet, pid = named.group("fleet", "pid") if named else (row["worker"], row["worker"])
        host = row["hostname"] or ""
        process = found.setdefault((host, fleet), Process(host, pid, row["queues"]))
        process.slots.append(_slot(row, running.get(row["worker"], {})))
    return [found[where] for where in sorted(found)]


def _slot(row: dict[str, Any], runs: dict[str, Any]) -> Slot:
    task_id = row["current_job"] or runs.get("task_id")
    return Slot(
        name=row["worker"],
        pid=row["pid"],
        state=row["state"] or "",
        since=row["birth"],
        task_id=task_of(task_id) if task_id else None,
        kind=runs.get("kind"),
        task_since=runs.get("started_at"),
        done=row["successful_job_count"],
        failed=row["failed_job_count"],
        memory_bytes=_memory(row["hostname"], row["pid"]),
    )


def _memory(host: str | None, pid: int | None) -> int | None:
    """What the process holds in memory, in bytes; shared pages count in each."""
    if host == os.uname().nodename and pid:
        with suppress(OSError, IndexError, ValueError):
            return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    return None
