"""`on_success` and `on_failure` of a kind: called once with the task, after its end is written."""

from workers import logs
from workers.engine import registry
from workers.engine.tasks import find
from workers.errors import UnknownTask

log = logs.get("callbacks")


def after_end(task_id: str, *, succeeded: bool, kind: registry.Kind | None = None) -> None:
    """Call what the task's kind declares (`kind`, where it is known); its failure is logged and changes nothing."""
    if not any(known.on_success or known.on_failure for known in ([kind] if kind else registry.kinds().values())):
        return
    try:
        task = find(task_id)
        kind = registry.get(task.kind)
        called = kind.on_success if succeeded else kind.on_failure
        if called is not None:
            called(task)
    except UnknownTask:
        return  # a job of a foreign tool has no row, and so no task to call with
    except Exception:
        log.exception("callback failed", task_id=task_id)
