"""RQ's keys as rq-dashboard may see them: plain fields alone. Parameters, results and progress texts stay sealed."""

import json
import zlib
from base64 import b64decode
from contextlib import suppress
from datetime import datetime
from types import SimpleNamespace
from typing import Any

from rq.exceptions import NoSuchJobError

from workers.engine import inspect, wire
from workers.engine.seal import Seal
from workers.errors import NotFound, SealBroken

REGISTRIES = {
    "queued": "rq:queue:",
    "scheduled": "rq:scheduled:",
    "deferred": "rq:deferred:",
    "started": "rq:wip:",
    "finished": "rq:finished:",
    "failed": "rq:failed:",
    "canceled": "rq:canceled:",
}
FIELDS = (
    *("status", "origin", "description", "created_at", "enqueued_at", "started_at", "ended_at", "dependency_ids"),
    *("sira_scope", "sira_error", "meta"),
)
SEALED = "sealed; the task's page on the desk shows it"


class NoSuchJob(NotFound, NoSuchJobError):
    """There is no such job (any more). Check the id."""


class ShownJob:
    """A job as its hash tells it, with the names that rq-dashboard asks of RQ's `Job`. `data` is never read."""

    def __init__(self, job_id: str, values: list[bytes | None], latest: dict[bytes, bytes]) -> None:
        self.id, self._latest = job_id, latest
        self._fields = dict(zip(FIELDS, values, strict=True))
        self.origin, self.description = self._text("origin"), self._text("description")
        self.is_ours = self._fields["sira_scope"] is not None
        for name in ("created_at", "enqueued_at", "started_at", "ended_at"):
            setattr(self, name, _instant(self._text(name)))

    @classmethod
    def fetch(cls, job_id: str, connection: Any, serializer: Any = None) -> "ShownJob":
        """Raises NoSuchJob."""
        if found := jobs([job_id], connection):
            return found[0]
        raise NoSuchJob()

    def get_status(self) -> str:
        return self._text("status")

    def return_value(self) -> str | None:
        return SEALED if b"return_value" in self._latest else None

    def get_meta(self) -> dict[str, Any]:
        """How far it is; what it said of itself stays sealed."""
        meta = self._opened("meta")
        return {name: meta[name] for name in ("current", "total") if name in meta}

    def latest_result(self) -> Any:
        """`exc_string`: of our tasks the error's name alone, of other programs' jobs their traceback."""
        if self.get_status() != "failed":
            return None
        named = self._opened("sira_error").get("type", "Failed")
        return SimpleNamespace(exc_string=f"{named} ({SEALED})" if self.is_ours else _traceback(self._latest))

    def get_call_string(self) -> str:
        return self.description

    @property
    def dependency_ids(self) -> list[bytes]:
        """rq-dashboard decodes them, as RQ 1 gave them."""
        with suppress(ValueError):
            return [str(one).encode() for one in json.loads(self._text("dependency_ids") or "[]")]
        return []

    def _text(self, name: str) -> str:
        return (self._fields[name] or b"").decode(errors="replace")

    def _opened(self, name: str) -> dict[str, Any]:
        with suppress(SealBroken, ValueError):
            opened = Seal.loads(self._fields[name] or b"") if self.is_ours else None
            return opened if isinstance(opened, dict) else {}
        return {}


class ShownWorker:
    """A worker, with the names that rq-dashboard asks of RQ's `Worker`; RQ's own fails on a job that it can't open."""

    total_working_time = 0

    def __init__(self, row: dict[str, Any], job: ShownJob | None) -> None:
        self.name, self.pid, self._state, self._job = row["worker"], row["pid"], row["state"], job
        self.queues = [SimpleNamespace(name=name) for name in row["queues"]]
        self.successful_job_count, self.failed_job_count = row["successful_job_count"], row["failed_job_count"]
        self.last_heartbeat, self.birth_date = row["last_heartbeat"], row["birth"]
        self.version, self.python_version = row["version"], row["python_version"]

    @classmethod
    def all(cls, connection: Any) -> list["ShownWorker"]:
        rows = inspect.workers()
        current = {job.id: job for job in jobs([row["current_job"] for row in rows if row["current_job"]], connection)}
        return [cls(row, current.get(row["current_job"] or "")) for row in rows]

    def get_state(self) -> str:
        return self._state or ""

    def get_current_job(self) -> ShownJob | None:
        return self._job


def jobs(ids: list[str], connection: Any) -> list[ShownJob]:
    """Those of the jobs that have a hash, in this order."""
    pipeline = connection.pipeline(transaction=False)
    for job_id in ids:
        pipeline.hmget(f"rq:job:{job_id}", *FIELDS)
        pipeline.xrevrange(f"rq:results:{job_id}", count=1)
    told = pipeline.execute()
    found = zip(ids, told[::2], told[1::2], strict=True)
    return [ShownJob(one, values, dict(last[0][1]) if last else {}) for one, values, last in found if values[0]]


def page(queue: str, registry: str, offset: int, per_page: int, order: str, connection: Any) -> tuple[int, Any]:
    """How many jobs a registry holds, and `per_page` of them; `order` is asc or dsc. Raises NotFound."""
    if registry not in REGISTRIES:
        raise NotFound()
    key, last = REGISTRIES[registry] + queue, offset + per_page - 1
    if registry != "queued":
        total, found = connection.zcard(key), connection.zrange(key, offset, last, desc=order == "dsc")
    elif order == "dsc":
        total, found = connection.llen(key), connection.lrange(key, -last - 1, -offset - 1)[::-1]
    else:
        total, found = connection.llen(key), connection.lrange(key, offset, last)
    return total, jobs([wire.text(one).partition(":")[0] for one in found], connection)


def compact(queue: str, connection: Any) -> int:
    """Take ids without a hash out of a queue, one by one: RQ's own way empties the list first. How many."""
    ids = connection.lrange(f"rq:queue:{queue}", 0, -1)
    pipeline = connection.pipeline(transaction=False)
    for job_id in ids:
        pipeline.exists(b"rq:job:" + job_id)
    stale = [job_id for job_id, there in zip(ids, pipeline.execute(), strict=True) if not there]
    return sum(connection.lrem(f"rq:queue:{queue}", 1, job_id) for job_id in stale)


def _instant(text: str) -> datetime | None:
    with suppress(ValueError):
        return datetime.fromisoformat(text)
    return None


def _traceback(latest: dict[bytes, bytes]) -> str:
    with suppress(ValueError, zlib.error):
        return zlib.decompress(b64decode(latest.get(b"exc_string", b""))).decode(errors="replace")
    return "Failed"
