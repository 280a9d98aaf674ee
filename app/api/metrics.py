"""/metrics for Prometheus: what waits, runs and fails now, read from Redis at each scrape; an operator's token."""

from collections.abc import Iterator
from typing import Any

from flask import Response, g
from flask_openapi3 import APIBlueprint, Tag

from app.api.documented import TOKEN, named_after_function, problems
from app.auth import identify, require_operator
from workers.engine import inspect

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
        for row in inspect.queues():
            for state in ("waiting", "running", "scheduled", "failed", "finished"):
                jobs.add_metric([row["queue"], state], row[state])
            paused.add_metric([row["queue"]], row["paused"])
        workers = GaugeMetricFamily("sira_workers", "Registered workers by state", labels=["state"])
        ended = CounterMetricFamily("sira_worker_jobs", "Jobs that living workers ended", labels=["worker", "outcome"])
        rows = inspect.workers()
        for state in ("busy", "idle"):
            workers.add_metric([state], sum(row["state"] == state for row in rows))
        for row in rows:
            ended.add_metric([row["worker"], "succeeded"], int(row["successful_job_count"] or 0))
            ended.add_metric([row["worker"], "failed"], int(row["failed_job_count"] or 0))
        yield from (jobs, paused, workers, ended)


@api.get("/metrics", responses={**TEXT, **problems(401, 403)})
def metrics() -> Response:
    """Read the metrics."""
    from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

    g.caller = identify()  # it is no path below /api
    require_operator()
    registry = CollectorRegistry(auto_describe=False)
    registry.register(Reading())  # type: ignore[arg-type]
    return Response(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)
