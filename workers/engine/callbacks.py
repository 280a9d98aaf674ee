"""`on_success` and `on_failure` of a kind: called with the task after its end is written.

Each call is a job of its own, `<task id>-c<execution>`, without a row: the script that writes the end puts it first
into the task's queue, whoever writes it (the worker, or who rescued the job of a dead one). So it is claimed, leased,
limited and rescued as any other job; one that hangs is ended, and keeps nobody but its own child from working. Each end
calls once; a call whose worker dies or stops in the middle is made again. An exception of a callback is logged and
changes nothing. A stock worker calls nobody: the reconciler does, when it sees the end.
"""

from typing import Any

from workers import logs
from workers.db import now
from workers.engine import registry, running, wire
from workers.engine.helpers import CALLS
from workers.engine.job import sealed_data
from workers.engine.registry import Kind
from workers.engine.tasks import ID, Task, find
from workers.errors import QueueDown, UnknownTask

ENDS = {"finished": "on_success", "failed": "on_failure"}
STATES = {"SUCCESS": "finished", "FAILURE": "failed"}
SOFT_LIMIT_S, HARD_LIMIT_S = 60.0, 90  # RQ gives a callback 60 s
KEEP_S, DEATHS_AT_MOST = 60, 3
log = logs.get("callbacks")


def call(task_id: str, execution: str, queue: str, ended_as: str, kind: Kind | None = None) -> tuple[Any, ...]:
    """The job that calls back after this end, as the scripts take it: id, field, value, …; empty if nobody is to be
    called. `kind` None: the row knows it; a kind that is unknown here may be known elsewhere."""
    if ended_as not in ENDS or _calls_nobody(kind, ended_as) or not ID.fullmatch(task_id):
        return ()  # a job of RQ's own making may have any id, but no row, and so no task to call with
    try:
        name = kind.name if kind else find(task_id).kind
    except UnknownTask:
        return ()
    if _calls_nobody(registry.kinds().get(name), ended_as):
        return ()
    job_id = f"{task_id}{CALLS}{execution}"
    fields = {
        **{"created_at": now().strftime("%Y-%m-%dT%H:%M:%S.%fZ"), "origin": queue, "sira_helps": task_id},
        **{"description": f"{ENDS[ended_as]} of {name}", "timeout": HARD_LIMIT_S},
        "data": sealed_data(job_id, name, {"task_id": task_id, "ended_as": ended_as}),
        **{"retries_left": DEATHS_AT_MOST, "sira_retries": DEATHS_AT_MOST, "result_ttl": KEEP_S, "failure_ttl": KEEP_S},
    }
    return (job_id, *(part for field in fields.items() for part in field))


def _calls_nobody(kind: Kind | None, ended_as: str) -> bool:
    return kind is not None and getattr(kind, ENDS[ended_as]) is None


def make(kind: Kind, params: dict[str, Any]) -> None:
    """Call, as the job says. Raises DatabaseDown or QueueDown, where the end can't be seen just now: that is no failure
    of the callback's, and the job waits for it."""
    called = getattr(kind, ENDS[params["ended_as"]])
    if called is None:
        return
    try:
        task = find(params["task_id"])
    except UnknownTask:
        return
    if not task.ended:  # Redis is away, and SQL has not heard of it yet
        raise QueueDown()
    try:
        called(task)
    except running.Leave:
        raise
    except BaseException:  # sys.exit() in a callback, too
        log.exception("callback failed", task_id=task.id)


def after_foreign_end(task: Task) -> None:
    """A tool that calls nobody has ended it; said twice, it is called once."""
    if job := call(task.id, "foreign", task.queue, STATES.get(task.state, "")):
        job_id, *fields = job
        wire.run(wire.connect(), "push", job_id, task.queue, "", 0, *fields)
