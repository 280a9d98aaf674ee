"""Schedules: what runs by the clock, what came of it, and how operators steer it."""

from dataclasses import asdict
from typing import Annotated, Any

from flask import Response, jsonify
from pydantic import BaseModel, Field

from app.api import documented
from app.api.documented import KEYED, Accepted, problems
from app.api.enqueueing import accepted, idempotency_key
from app.api.status import iso, language
from app.auth import caller, require_operator
from app.fields import Query
from workers import logs
from workers.engine import mirror, registry, schedules
from workers.engine.schedules import Occurrence, Schedule
from workers.wording.told import worded

log = logs.get("schedules")
api = documented.blueprint("schedules", "Schedules: what runs by the clock (operators)", "/api/schedules")


class SchedulePath(BaseModel):
    name: str = Field(description="The name of the kind that is scheduled")


class Search(Query):
    history: Annotated[int, Field(ge=0, le=100, description="How many past occurrences of each")] = 10


class OccurrenceView(BaseModel):
    """One time that a schedule was due, and what came of it: waiting, enqueued, done, failed, cancelled, skipped
    (the one before had not ended) or missed."""

    due_at: str
    state: str
    task_id: str | None
    enqueued_at: str | None
    ended_at: str | None
    lateness_s: float | None
    message: str | None


class ScheduleView(BaseModel):
    """A schedule; `state` is active, paused or set_aside (its `fault` says why). Times are ISO 8601 in UTC."""

    name: str
    state: str
    cron: str
    zone: str
    overlap: str
    missed: str
    fault: str | None
    next_run_at: str | None
    last_run: OccurrenceView | None
    history: list[OccurrenceView]
    links: dict[str, str]


class Schedules(BaseModel):
    """`set_aside`: entries of rq-scheduler's sorted set that are not ours, or garbage; they are left alone."""

    items: list[ScheduleView]
    next_cursor: None
    set_aside: list[str]


@api.get("", responses={200: Schedules, **problems(403, 422)})
def list_schedules(query: Search) -> Response:
    """List the schedules with their next and last runs."""
    require_operator()
    items = [view(one, language()) for one in schedules.listed(history=query.history)]
    strangers = [entry.decode(errors="backslashreplace") for entry in mirror.strangers()]
    return jsonify(items=items, next_cursor=None, set_aside=strangers)


@api.post("/<name>/run", responses={202: Accepted, **problems(403, 404, 409)}, openapi_extensions=KEYED)
def run_schedule(path: SchedulePath) -> tuple[Response, int]:
    """Run a schedule now, beside its plan."""
    require_operator()
    task = schedules.run_now(path.name, key=idempotency_key(caller()))
    return accepted(task, registry.get(path.name).accepted)


@api.post("/<name>/pause", responses={200: ScheduleView, **problems(403, 404)})
def pause_schedule(path: SchedulePath) -> Response:
    """Pause a schedule; what runs goes on."""
    require_operator()
    one = schedules.pause(path.name)
    log.info("schedule paused", schedule=one.name)
    return jsonify(view(one, language()))


@api.post("/<name>/resume", responses={200: ScheduleView, **problems(403, 404)})
def resume_schedule(path: SchedulePath) -> Response:
    """Resume a schedule with its next time; what fell into the pause is not made up for."""
    require_operator()
    one = schedules.resume(path.name)
    log.info("schedule resumed", schedule=one.name)
    return jsonify(view(one, language()))


def view(one: Schedule, lang: str) -> dict[str, Any]:
    """A schedule as JSON, its sentences in `lang`."""
    links = {name: f"/api/schedules/{one.name}/{name}" for name in ("run", "resume" if one.paused else "pause")}
    shown = {name: getattr(one, name) for name in ("name", "cron", "zone", "overlap", "missed")}
    return {
        **shown,
        "state": one.state,
        "fault": worded(one.fault or "", lang) or None,
        "next_run_at": iso(one.next_run_at),
        "last_run": _occurrence(one.last_run, lang) if one.last_run else None,
        "history": [_occurrence(past, lang) for past in one.history],
        "links": links,
    }


def _occurrence(one: Occurrence, lang: str) -> dict[str, Any]:
    times = {name: iso(getattr(one, name)) for name in ("due_at", "enqueued_at", "ended_at")}
    return {**asdict(one), **times, "message": worded(one.message or "", lang) or None}
