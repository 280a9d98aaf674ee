"""The home page: what runs, what waits and since when, what failed, and how it went over the last hour and day."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from flask import Blueprint, g, render_template
from sqlalchemy import ColumnElement, Row, Select, case, exists, func, select, union

from app.auth import caller, company_scope
from app.desk import charts
from app.desk.tasks import rows_of
from workers.db import now, reading
from workers.engine import inspect
from workers.engine.tables import tasks
from workers.engine.tasks import listed
from workers.errors import SiraError
from workers.models import Account, Mutabakat

SHOWN, FALLEN, GLANCE = 10, 5, 30
RUNNING, WAITING = ("STARTED", "PROGRESS"), ("PENDING", "RETRY")
T = tasks.c

pages = Blueprint("desk_home", __name__)


@pages.get("/")
def home() -> str:
    scope = company_scope()
    with reading() as session:
        begun = session.scalar(select(exists().where(*_mine(scope))))
    if not begun:
        return render_template("desk/home_first.html", **_first_steps())
    return render_template("desk/home.html", **_present(scope), **_pace(scope))


@pages.get("/home/now")
def present() -> str:
    """The part of the page that changes with every task."""
    return render_template("desk/_home_now.html", **_present(company_scope()))


@pages.get("/home/pace")
def pace() -> str:
    """The part with the charts."""
    return render_template("desk/_home_pace.html", **_pace(company_scope()))


def _present(scope: str | None) -> dict[str, Any]:
    """`running` and `failed` are rows of people's statuses, `waiting` rows (queue, count, later, since)."""
    at = now()
    with reading() as session:
        waiting = session.execute(by_queue(scope, at)).all()
    running, failed = (listed(query, counted=False) for query in (going(scope), fallen(scope, at)))
    running = [task for task in running if task.state in RUNNING][:SHOWN]
    found = {"running": rows_of(running), "failed": rows_of(failed), "waiting": waiting}
    return {**found, "operation": _operation(waiting) if caller().is_operator else None, "at": at}


def _pace(scope: str | None) -> dict[str, Any]:
    spans, whole = charts.paces(scope, now())
    return {"paces": spans, "whole": whole, "window": charts.WINDOW}


def _mine(scope: str | None) -> tuple[ColumnElement[bool], ...]:
    return (T.released, T.scope == scope) if scope is not None else (T.released.is_(True),)


def _hidden(scope: str | None) -> tuple[ColumnElement[bool], ...]:
    """The company as a sum, so that no database goes through the index of all that the company ever did."""
    return (func.coalesce(T.scope, "") == scope,) if scope is not None else ()


def going(scope: str | None) -> Select[Any]:
    """The newest tasks that run, or rest between two slices; with them the newest of all, of which Redis may know so
    already while SQL does not. State by state: where few run, both at once would be looked for in the whole history."""
    begun = [
        select(T.id).where(*_hidden(scope), T.state == state).order_by(T.id.desc()).limit(SHOWN) for state in RUNNING
    ]
    newest = select(T.id).where(*((T.scope == scope,) if scope is not None else ())).order_by(T.id.desc()).limit(GLANCE)
    either = union(*(select(ids.subquery()) for ids in (*begun, newest)))
    return select(tasks).where(T.id.in_(either), T.released).order_by(T.id.desc())


def by_queue(scope: str | None, at: datetime) -> Select[Any]:
    """For each queue how many are due, how many only later (retries among them: they rest before they run again), and
    since when the first of those that are due waits."""
    due = (T.state == "PENDING") & (T.due_at.is_(None) | (T.due_at <= at))
    since = func.min(case((due, func.coalesce(T.due_at, T.created_at)), else_=None))
    counts = (func.sum(case((due, 1), else_=0)).label("count"), func.sum(case((due, 0), else_=1)).label("later"))
    query = select(T.queue, *counts, since.label("since")).where(*_mine(scope), T.ended_at.is_(None))
    return query.where(T.state.in_(WAITING)).group_by(T.queue)


def fallen(scope: str | None, at: datetime) -> Select[Any]:
    """The newest failures of the last day."""
    query = select(tasks).where(T.ended_at > at - timedelta(days=1), func.coalesce(T.state, "") == "FAILURE")
    return query.where(*_hidden(scope)).order_by(T.ended_at.desc()).limit(FALLEN)


def _operation(waiting: Sequence[Row[Any]]) -> dict[str, Any] | None:
    """What operators see besides: queues as Redis counts them, and workers. None while Redis does not answer."""
    try:
        queues, workers = inspect.queues(), inspect.workers()
    except SiraError:
        return None
    busy = sum(1 for worker in workers if worker["state"] == "busy")
    return {"queues": queues, "workers": len(workers), "busy": busy, "stuck": bool(waiting) and not workers}


def _first_steps() -> dict[str, Any]:
    """Which of the first things a company has done already."""
    company_id = caller().company_id
    with reading() as session:
        known, made = (
            session.scalar(select(exists().where(table.company_id == company_id))) for table in (Account, Mutabakat)
        )
    return {"accounts": known, "letters": made, "name": g.company.name if g.company else None}
