"""rq-dashboard at /admin/rq: operators look at RQ's own keys there; what changes anything is ours.

It runs as an application of its own behind our gate: it is imported when somebody first opens it, and its settings,
errors and routes stay apart. Only the paths listed here reach it, all of them reading. Its buttons are answered by the
functions that the desk itself uses, because SQL is the truth: what RQ's own delete, empty or requeue did in Redis
would be undone by the reconciler, or never be told to it.
"""

import re
import secrets
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from flask import Blueprint, Flask, Response, jsonify, redirect, request, url_for
from jinja2 import FunctionLoader
from werkzeug.wrappers import Response as AnyResponse

from app.auth import caller, require_operator
from app.desk import acts, gate
from app.desk.reasons import refusal_of
from workers.engine import control, dashboard, registry, wire
from workers.engine.queues import ping
from workers.errors import Conflict, NotAllowed, NotFound, QueueDown, SiraError, UnknownTask

MOUNT = "/admin/rq"
PER_PAGE_AT_MOST = 200
JOBS = (
    f"/<any({', '.join(dashboard.REGISTRIES)}):registry>/<int(min=1, max={PER_PAGE_AT_MOST}):per_page>"
    "/<any(asc, dsc):order>/<int(min=1, max=1000000):page>"
)
READABLE = (
    *("/", "/0/", "/0/view", "/0/view/queues", "/0/view/workers", "/0/data/queues.json", "/0/data/workers.json"),
    *(f"/0/view/jobs/<queue>{JOBS}", f"/0/data/jobs/<queue>{JOBS}.json"),
    *("/0/view/job/<job_id>", "/0/data/job/<job_id>.json", "/static/<path:file>"),
)
# Underscore's templates need eval; everything else that runs carries the nonce, so that no attribute of ours or of a
# stored text can run.
POLICY = (
    "default-src 'none'; script-src 'self' 'nonce-{nonce}' 'unsafe-eval'; style-src 'self'; "
    "style-src-attr 'unsafe-inline'; img-src 'self' data:; connect-src 'self'; font-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'"
)
NO_TASK = "this job is no task of its own: steer the task that it helps, or use the program that made it"

pages = Blueprint("desk_rq", __name__, url_prefix=MOUNT)


@pages.before_request
def _operators_only() -> None:
    require_operator()
    if request.method == "POST" and caller().user_id is not None and not _same_origin():
        raise NotAllowed()


def _same_origin() -> bool:
    """As the browser says; one that says nothing has the token of the form to show."""
    origin = request.headers.get("Origin")
    same = origin is None or urlsplit(origin).netloc == request.host
    return same and request.headers.get("Sec-Fetch-Site", "same-origin") == "same-origin"


def _read(**_: Any) -> AnyResponse:
    """What rq-dashboard answers. `_page` and `_adapted` say what of it is ours."""
    if not ping():
        raise QueueDown()
    nonce = secrets.token_urlsafe(16)
    told = {"sira.nonce": nonce, "sira.csrf": gate.form_token() if caller().user_id is not None else ""}
    inside = request.environ["PATH_INFO"].removeprefix(MOUNT)
    outside = {"SCRIPT_NAME": request.environ.get("SCRIPT_NAME", "") + MOUNT, "PATH_INFO": inside, **told}
    with wire.plainly():
        answer = Response.from_app(_dashboard(), {**request.environ, **outside}, buffered=True)
    answer.headers["Content-Security-Policy"] = POLICY.format(nonce=nonce)
    return answer


for number, path in enumerate(READABLE):
    pages.add_url_rule(path, f"read_{number}", _read)


@pages.get("/0/view/jobs")
def jobs() -> AnyResponse:
    """rq-dashboard would show the queue "default", which we don't have."""
    return redirect(f"{url_for('.read_0')}0/view/jobs/{registry.QUEUES[0]}/queued/8/asc/1")


@pages.post("/job/<job_id>/delete")
def delete_job(job_id: str) -> AnyResponse:
    """Delete: cancels the task. What has ended stays, as the record of what was done."""
    return _steered("cancelled a task in rq-dashboard", control.cancel, job_id)


@pages.post("/job/<job_id>/requeue")
def requeue_job(job_id: str) -> AnyResponse:
    """Requeue: retries what failed of the task, under the same id."""
    return _steered("retried a task in rq-dashboard", control.retry, job_id)


@pages.post("/queue/<queue>/compact")
def compact_queue(queue: str) -> AnyResponse:
    if queue not in registry.QUEUES:
        raise NotFound()
    with wire.plainly():
        gone = dashboard.compact(queue, wire.connect())
    acts.note("compacted a queue in rq-dashboard", detail=f"{queue}: {gone}")
    return _ok()


@pages.post("/queue/<queue>/<name>/empty")
def empty_queue(queue: str, name: str) -> AnyResponse:
    state = "?state=PENDING&" if name == "queued" else "?"
    where = f"/tasks{state}queue={quote(queue)}"
    return _refused(Conflict(reason=f"nothing is emptied from here; cancel these tasks on the desk, at {where}"))


@pages.post("/requeue/<queue>")
def requeue_all(queue: str) -> AnyResponse:
    where = f"/tasks?state=FAILURE&queue={quote(queue)}"
    return _refused(Conflict(reason=f"retry them on the desk, with progress, at {where}"))


def _steered(what: str, steer: Any, job_id: str) -> AnyResponse:
    try:
        steer(job_id)
    except UnknownTask:
        return _refused(Conflict(reason=NO_TASK))
    except SiraError as error:
        return _refused(error)
    acts.note(what, task_id=job_id)
    return _ok()


def _ok() -> AnyResponse:
    return jsonify(status="OK")


def _refused(error: SiraError) -> AnyResponse:
    """As rq.js shows it: rq-dashboard itself looks at no answer."""
    refused = refusal_of(error)
    answer = jsonify(status="ERROR", detail="; ".join(problem["message"] for problem in refused.problems))
    answer.status_code = refused.status
    return answer


@lru_cache(maxsize=1)
def _dashboard() -> Flask:
    import rq_dashboard

    app: Any = Flask(rq_dashboard.__name__)
    app.config.update(RQ_DASHBOARD_REDIS_URL=["Sıra"], PROPAGATE_EXCEPTIONS=True)  # the name of the only instance
    app.url_map.redirect_defaults = False  # each way from page to page would be two
    app.jinja_env.loader = FunctionLoader(_page)
    app.jinja_env.autoescape = True  # its scripts are templates, too
    app.context_processor(lambda: {"nonce": request.environ["sira.nonce"], "csrf": request.environ["sira.csrf"]})
    app.redis_conn = None  # set anew for each request, by what _adapted gives it
    _adapted(rq_dashboard.web)
    app.register_blueprint(rq_dashboard.blueprint)
    return app


def _adapted(web: Any) -> None:
    """Our connection, and our view of jobs and workers, instead of RQ's own."""
    web.from_url = lambda *_, **__: (None, wire.connect())
    web.Job, web.Worker = dashboard.ShownJob, dashboard.ShownWorker
    web.get_queue_registry_jobs_count = lambda *asked: _listed(web, *asked)


def _listed(web: Any, *asked: Any) -> tuple[int, list[dict[str, Any]]]:
    total, found = dashboard.page(*asked)
    return total, [web.serialize_job(job) for job in found]


def _page(name: str) -> str:
    """A page of the installed package, with every value escaped, and only its own scripts allowed to run."""
    import rq_dashboard

    text = (Path(rq_dashboard.__file__).parent / "templates" / name).read_text()
    text = re.sub(r"<%=\s*\$\('<div/>'\)\.text\((.+?)\)\.html\(\)\s*%>", r"<%- \1 %>", text).replace("<%=", "<%-")
    return text.replace('<script type="text/javascript">', f'{OURS}<script nonce="{{{{ nonce }}}}">')


OURS = """<script src="/static/rq.js" data-csrf="{{ csrf }}" data-desk="/admin"></script>
"""
