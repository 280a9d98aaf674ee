"""Operation: what operators see of the whole service, and how they steer its queues and workers."""

from itertools import islice
from typing import Any

from flask import Blueprint, redirect, render_template, request
from flask_babel import gettext as _
from werkzeug.wrappers import Response

from app import checks
from app.auth import require_operator
from app.desk import acts, crew, gate
from app.desk.condition import condition
from workers import settings
from workers.engine import inspect, steering
from workers.errors import NotFound, QueueDown

FINDINGS_SHOWN = 200
QUEUE_VERBS = {"pause": steering.pause, "resume": steering.resume, "drain": steering.drain}
ALL_VERBS = {"suspend": steering.suspend, "wake": steering.wake}

pages = Blueprint("desk_operators", __name__, url_prefix="/admin")
pages.before_request(require_operator)


@pages.get("")
def overview() -> str:
    """All of it at a glance. It answers without Redis, too: then that is what it says."""
    try:
        queues, processes, suspended = inspect.queues(), crew.processes(), steering.suspended()
    except QueueDown:
        queues, processes, suspended = [], [], False
    now = {"queues": queues, "processes": processes, "suspended": suspended}
    return render_template("desk/admin.html", **now, **condition())


@pages.get("/queues")
def queues() -> str:
    return render_template("desk/admin_queues.html", queues=inspect.queues())


@pages.post("/queues/<name>/<verb>")
def steer_queue(name: str, verb: str) -> Response:
    if verb not in QUEUE_VERBS:
        raise NotFound()
    QUEUE_VERBS[verb](name)
    acts.note(f"queue {verb}", detail=name)
    said = {"pause": _("Paused: %(queue)s."), "resume": _("Resumed: %(queue)s."), "drain": _("Draining: %(queue)s.")}
    return _back("/admin/queues", said[verb] % {"queue": name})


@pages.get("/workers")
def workers() -> str:
    suspended = steering.suspended()
    return render_template("desk/admin_workers.html", processes=crew.processes(), suspended=suspended)


@pages.post("/workers/<any(suspend, wake):verb>")
def steer_workers(verb: str) -> Response:
    ALL_VERBS[verb]()
    acts.note(f"workers {verb}")
    return _back("/admin/workers", _("All workers pause.") if verb == "suspend" else _("All workers go on."))


@pages.post("/workers/restart")
def restart() -> Response:
    """Those named `worker` in the form. One that is gone meanwhile needs no restart."""
    asked, deaf = steering.restart(request.form.getlist("worker"))
    acts.note("workers restart", detail=", ".join(asked) or None)
    if deaf:
        gate.say(_("Nobody listens for %(names)s. Try again in a minute.", names=", ".join(deaf)), "error")
    elif not asked:
        gate.say(_("That worker is gone already."), "error")
    if asked:
        gate.say(_("Asked to restart: %(names)s.", names=", ".join(asked)))
    return redirect("/admin/workers", 303)


@pages.get("/doctor")
def doctor() -> str:
    from workers.engine import doctor as doctors  # it brings rq-scheduler, which would slow every start

    return _examined(list(islice(doctors.examine(), FINDINGS_SHOWN + 1)))


@pages.post("/doctor")
def mend() -> str:
    """Mend what can be mended; the page then says what was found, and what of it is mended."""
    from workers.engine import doctor as doctors

    findings = list(doctors.examine(mend=True))
    mended = sum(bool(finding.mended) for finding in findings)
    acts.note("doctor mend", detail=f"{len(findings)} found, {mended} mended")
    return _examined(findings, mended=mended)


def _examined(findings: list[Any], mended: int | None = None) -> str:
    more = len(findings) > FINDINGS_SHOWN
    known: dict[str, Any] = {"more": more, "mended": mended, "meaning": _meaning()}
    return render_template("desk/admin_doctor.html", findings=findings[:FINDINGS_SHOWN], **known)


@pages.get("/settings")
def show_settings() -> str:
    return render_template("desk/admin_settings.html", settings=settings.current().masked(), findings=None)


@pages.post("/settings")
def try_settings() -> str:
    """What `flask check` does: each setting is tried."""
    chosen = settings.current()
    findings = list(checks.findings(chosen))
    return render_template("desk/admin_settings.html", settings=chosen.masked(), findings=findings)


def _back(path: str, said: str, *, kind: str = "ok") -> Response:
    gate.say(said, kind)
    return redirect(path, 303)


def _meaning() -> dict[str, tuple[str, str]]:
    """What each finding of the doctor is called here, and what is done about it."""
    return {
        "key of a wrong type": (
            _("Key of a wrong type"),
            _("Something else wrote it. Mending moves it aside; then the rest is looked at."),
        ),
        "popped and lost": (_("Taken and lost"), _("No worker has this task. Mending puts it back at the front.")),
        "started without a lease": (
            _("Started by nobody"),
            _("Its worker is gone. Mending puts it back at the front."),
        ),
        "lost by Redis": (_("Lost by Redis"), _("Its record is kept. Mending puts it into its queue again.")),
        "scheduled and overdue": (_("Overdue"), _("No clock and no worker runs: start one. Mending moves it now.")),
        "held by a silent worker": (
            _("Held by a silent worker"),
            _("Its worker is gone, and no other takes it up. Start one: python -m workers."),
        ),
        "left by a stock worker": (
            _("Left by a foreign worker"),
            _("A dead `rq worker` held it. Mending puts it back."),
        ),
        "worker that is gone": (
            _("Worker that is gone"),
            _("It left without saying so. Mending strikes its name off."),
        ),
        "ended with open items": (
            _("Ended with open items"),
            _("Mending marks them skipped; retry the task to run them."),
        ),
        "queue without a worker": (_("Queue without a worker"), _("Start a worker for it: python -m workers.")),
        "schedule without a kind": (_("Schedule without code"), _("Deploy the code, or mend to remove the schedule.")),
        "schedule set aside": (_("Schedule set aside"), _("Mend its declaration in the code, then restart the clock.")),
        "schedule overdue": (_("Schedule overdue"), _("Start a clock: python scheduler.py.")),
        "entry of another scheduler": (_("Entry of another scheduler"), _("It is never run. Mending removes it.")),
    }
