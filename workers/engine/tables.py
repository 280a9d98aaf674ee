"""The engine's tables. A company is a plain `scope` string here: the engine knows no trade."""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Boolean, Column, Float, Index, Integer, LargeBinary, String, Table, Text, text

from workers.db import Utc, metadata

Serial = BigInteger().with_variant(Integer, "sqlite")
Count = Serial  # of bytes, too; SQLite's own integers are as large
COUNT_BITS = 53  # what a browser counts exactly
ENDED = ("SUCCESS", "FAILURE", "REVOKED")  # states of a task
FAULTY = "error IS NOT NULL"
LIVE = ("ended_at", "scope", "state", "queue", "released", "due_at", "created_at")  # all that is asked of what waits


def first_id(at: datetime) -> str:
    """What no id of a task made since then is below."""
    text = f"{max(0, int(at.timestamp() * 1000)):012x}"
    return f"{text[:8]}-{text[8:]}"


def _only(condition: str) -> dict[str, Any]:
    """Of an index that holds these rows alone."""
    return {"sqlite_where": text(condition), "postgresql_where": text(condition)}


tasks = Table(
    "tasks",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("kind", String(100), nullable=False),
    Column("queue", String(40), nullable=False),
    Column("scope", String(40)),
    Column("state", String(10), nullable=False, default="PENDING"),
    Column("released", Boolean, nullable=False, default=True),
    Column("params", LargeBinary, nullable=False),
    Column("created_at", Utc, nullable=False),
    Column("due_at", Utc),
    Column("started_at", Utc),
    Column("ended_at", Utc),
    Column("attempts", Integer, nullable=False, default=0),
    Column("max_attempts", Integer, nullable=False),
    Column("current", Count, nullable=False, default=0),
    Column("total", Count, nullable=False, default=100),
    Column("status", Text),
    Column("result", LargeBinary),
    Column("error_type", String(100)),
    Column("error_message", Text),
    Column("traceback", LargeBinary),
    Column("event_id", String(32), nullable=False, default="0-0"),
    Column("item_count", Integer),
    Column("missing_at", Utc),
    Index("ix_tasks_scope", "scope", "id"),
    Index("ix_tasks_state", "state", "id"),
    Index("ix_tasks_kind", "kind", "id"),
    Index("ix_tasks_queue", "queue", "id"),
    Index("ix_tasks_ended", "scope", "ended_at", "kind"),
    Index("ix_tasks_live", *LIVE, **_only("ended_at IS NULL")),
    Index("ix_tasks_pace", "ended_at", "scope", "state", "created_at", "started_at", **_only("ended_at IS NOT NULL")),
)

history = Table(
    "task_history",
    metadata,
    Column("id", Serial, primary_key=True),
    Column("task_id", String(36), nullable=False, index=True),
    Column("event_id", String(32), nullable=False),
    Column("state", String(10), nullable=False),
    Column("at", Utc, nullable=False, index=True),
    Column("attempt", Integer, nullable=False, default=0),
    Column("worker", String(100)),
    Column("message", Text),
    Index("uq_task_history_event", "task_id", "event_id", "state", unique=True),
)

items = Table(
    "task_items",
    metadata,
    Column("id", Serial, primary_key=True),
    Column("task_id", String(36), nullable=False),
    Column("position", Integer, nullable=False),
    Column("state", String(10), nullable=False, default="pending"),
    Column("ref", String(120)),
    Column("value", LargeBinary, nullable=False),
    Column("output", LargeBinary),
    Column("error", Text),
    Column("attempts", Integer, nullable=False, default=0),
    Column("provider_id", String(200)),
    Column("taken_by", String(80)),
    Column("request_key", String(40)),
    Column("due_at", Utc),
    Column("updated_at", Utc, nullable=False),
    Index("uq_task_items_position", "task_id", "position", unique=True),
    Index("ix_task_items_state", "task_id", "state", "position"),
    Index("ix_task_items_ref", "task_id", "ref"),
    Index("ix_task_items_error", "task_id", sqlite_where=text(FAULTY), postgresql_where=text(FAULTY)),
)

keys = Table(
    "idempotency_keys",
    metadata,
    Column("scope", String(40), primary_key=True),
    Column("key", String(255), primary_key=True),
    Column("request_hash", String(64), nullable=False),
    Column("task_id", String(36), nullable=False),
    Column("created_at", Utc, nullable=False, index=True),
)

schedules = Table(
    "schedules",
    metadata,
    Column("name", String(100), primary_key=True),
    Column("cron", String(200), nullable=False),
    Column("zone", String(64), nullable=False),
    Column("overlap", String(10), nullable=False),
    Column("missed", String(10), nullable=False),
    Column("due_at", Utc, nullable=False, index=True),
    Column("paused", Boolean, nullable=False, default=False),
    Column("fault", Text),
)

occurrences = Table(
    "occurrences",
    metadata,
    Column("schedule", String(100), primary_key=True),
    Column("due_at", Utc, primary_key=True),
    Column("state", String(10), nullable=False),
    Column("task_id", String(36)),
    Column("enqueued_at", Utc),
    Column("ended_at", Utc),
    Column("lateness_s", Float),
    Column("message", Text),
    Index("ix_occurrences_state", "state", "task_id"),
    Index("ix_occurrences_schedule", "schedule", "state"),
)
