"""Schedules: what runs by the clock, what came of it, and how operators steer it."""

from flask import Blueprint, redirect, render_template
from flask_babel import gettext as _
from werkzeug.wrappers import Response

from app.auth import require_operator
from app.desk import acts, gate
from workers.engine import schedules

HISTORY = 50
pages = Blueprint("desk_planned", __name__, url_prefix="/admin/schedules")
pages.before_request(require_operator)


@pages.get("")
def planned() -> str:
    return render_template("desk/admin_schedules.html", schedules=schedules.listed(history=0))


@pages.get("/<name>")
def one(name: str) -> str:
    """With its past occurrences."""
    return render_template("desk/admin_schedule.html", one=schedules.get(name, history=HISTORY))


@pages.post("/<name>/run")
def run(name: str) -> Response:
    """Beside its plan; the page of the new task."""
    task = schedules.run_now(name, key=gate.form_key())
    if not task.replayed:
        acts.note("schedule run", task_id=task.id, detail=name)
    return redirect(f"/tasks/{task.id}", 303)


@pages.post("/<name>/<any(pause, resume):verb>")
def steer(name: str, verb: str) -> Response:
    if verb == "pause":
        schedules.pause(name)
        gate.say(_("Paused: %(name)s.", name=name))
    else:
        schedules.resume(name)
        gate.say(_("Resumed: %(name)s.", name=name))
    acts.note(f"schedule {verb}", detail=name)
    return redirect("/admin/schedules", 303)
