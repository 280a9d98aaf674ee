"""/metrics for Prometheus: what waits, runs and fails now, read at each scrape; an operator's token."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from flask import Response, g
from flask_openapi3 import APIBlueprint, Tag
from sqlalchemy import func, select

from app.api.documented import TOKEN, named_after_function, problems
from app.auth import identify, require_operator
from app.desk import session
from workers import db
from workers.engine import inspect
from workers.engine.tables import occurrences

api = APIBlueprint(
    "metrics",
    __name__,
    abp_tags=[Tag(name="metrics", description="Metrics: for Prometheus (operators)")],
    abp_security=TOKEN,
    operation_id_callback=named_after_function,
)
TEXT: Any = {200: {"content": {"text/plain": {"schema": {"type": "string"}}}, "description": "Prometheus' text format"}}


class Reading:
    """One scrape."""

    def collect(self) -> Iterator[object]:
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

        jobs = GaugeMetricFamily("sira_jobs", "Jobs by queue and state", labels=["queue", "state"])
        paused = GaugeMetricFamily("sira_queue_paused", "1 if nothing is claimed from the queue", labels=["queue"])
        oldest = GaugeMetricFamily(
            "sira_queue_oldest_seconds", "How long the first in the queue waits", labels=["queue"]
        )
        for row in inspect.queues():
            oldest.add_metric([row["queue"]], _age_s(row["waiting_since"]))
            for state in ("waiting", "running", "scheduled", "failed", "finished"):
                jobs.add_metric([row["queue"], state], row[state])
            paused.add_metric([row["queue"]], row["paused"])
        workers = GaugeMetricFamily("sira_workers", "Registered workers by state", labels=["state"])
        ended = CounterMetricFamily("sira_worker_jobs", "Jobs that living workers ended", labels=["worker", "outcome"])
        rows = inspect.workers()
        for state in ("busy", "idle"):
            workers.add_metric([state], sum(row["state"] == state for row in rows))
        for row in rows:
            ended.add_metric([row["worker"], "succeeded"], row["successful_job_count"])
            ended.add_metric([row["worker"], "failed"], row["failed_job_count"])
        runs = GaugeMetricFamily("sira_occurrences", "Runs of schedules that went wrong, as kept", labels=["state"])
        for state, count in _wrong_runs().items():
            runs.add_metric([state], count)
        yield from (jobs, paused, oldest, workers, ended, runs)


def _age_s(since: str | None) -> float:
    return max((db.now() - datetime.fromisoformat(since)).total_seconds(), 0) if since else 0


def _wrong_runs() -> dict[str, int]:
    """How many runs were missed and failed in the time that the history of schedules is kept."""
    state = occurrences.c.state
    query = select(state, func.count()).where(state.in_(("missed", "failed"))).group_by(state)
    with db.reading() as reader:
        return {"missed": 0, "failed": 0, **{row[0]: row[1] for row in reader.execute(query)}}


@api.get("/metrics", responses={**TEXT, **problems(401, 403)})
def metrics() -> Response:
    """Read the metrics."""
    from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

    g.caller = identify() or session.identify()  # it is no path below /api
    require_operator()
    registry = CollectorRegistry(auto_describe=False)
    registry.register(Reading())  # type: ignore[arg-type]
    return Response(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)
