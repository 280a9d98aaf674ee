"""rq-scheduler's sorted set as a mirror: its tools see when each schedule comes next, and nothing is read back from it.

Whatever else lies in the set is not ours, and may be anything: it is left alone, and shown by the doctor.
"""

from typing import Any

from redis.exceptions import RedisError

from workers.engine import schedules, wire
from workers.engine.job import sealed_data
from workers.engine.seal import Seal
from workers.errors import QueueDown

KEY = "rq:scheduler:scheduled_jobs"
OURS = "schedule-"


def show(connection: Any) -> None:
    """Bring the set up to the schedules."""
    due = {f"{OURS}{row.name}": row for row in schedules.waiting()}
    shown = dict(connection.zrange(KEY, 0, -1, withscores=True))
    pipeline = connection.pipeline(transaction=True)
    for name, row in due.items():
        if shown.get(name.encode()) != row.due_at.timestamp():
            pipeline.delete(f"rq:job:{name}")  # whatever somebody made of it
            pipeline.hset(f"rq:job:{name}", mapping=_template(name, row))
            pipeline.zadd(KEY, {name: row.due_at.timestamp()})
    for entry in shown:
        name = entry.decode(errors="replace")
        if name.startswith(OURS) and name not in due:
            pipeline.zrem(KEY, entry)
            pipeline.delete(f"rq:job:{name}")
    pipeline.execute()


def _template(name: str, row: Any) -> dict[str, Any]:
    """The hash behind an entry. It names no kind of the catalogue, so whoever enqueues it runs nothing."""
    return {
        "created_at": row.due_at.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "origin": "maintenance",
        "status": "scheduled",
        "description": f"{row.name} {row.cron} {row.zone}",
        "data": sealed_data(name, name, {}),
        "meta": Seal.dumps({"cron_string": row.cron, "zone": row.zone}),
    }


def strangers() -> list[bytes]:
    """The entries that are no mirror of ours."""
    try:
        found = wire.connect(wire.LOOK_TIMEOUT_S).zrange(KEY, 0, -1)
        return [one for one in found if not one.startswith(OURS.encode())]
    except (RedisError, QueueDown):
        return []


def drop(entry: bytes) -> None:
    """Take a stranger out of the set; what it refers to stays."""
    wire.connect(wire.LOOK_TIMEOUT_S).zrem(KEY, entry)
