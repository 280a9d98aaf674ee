"""`on_success` and `on_failure` of a kind: called with the task after its end is written.

The script that writes the end notes the call in `sira:calls`, whoever has called takes the note away; a note that is
older than a lease belongs to a dead caller, and a keeper calls in its place. So a crash loses no call; one that comes
between a call and taking its note away repeats it, as nobody can avoid.
"""

from workers import logs
from workers.engine import registry, wire
from workers.engine.tasks import find
from workers.errors import UnknownTask

CALLS = "sira:calls"
ENDS = {"finished": "on_success", "failed": "on_failure"}
log = logs.get("callbacks")


def wanted(kind: registry.Kind | None, ended_as: str) -> bool:
    """Is somebody to be called after this end? `kind` None: not known here, so perhaps."""
    return ended_as in ENDS and (kind is None or getattr(kind, ENDS[ended_as]) is not None)


def after_end(task_id: str, ended_as: str) -> None:
    """Call what the task's kind declares and take the note away; a failing callback is logged and changes nothing."""
    try:
        task = find(task_id)
        called = getattr(registry.get(task.kind), ENDS[ended_as])
        if called is not None:
            called(task)
    except UnknownTask:
        pass  # a job of a foreign tool has no row, and so no task to call with
    except Exception:
        log.exception("callback failed", task_id=task_id)
    wire.connect().zrem(CALLS, f"{task_id}:{ended_as}")


def in_place_of_the_dead() -> None:
    """Make the calls whose caller died; each is taken for a lease first, so that two keepers don't both make it."""
    connection = wire.connect()
    now_ms = _now_ms(connection)
    for note in connection.zrangebyscore(CALLS, "-inf", now_ms, start=0, num=100):
        if connection.zadd(CALLS, {note: now_ms + wire.LEASE_MS}, xx=True, gt=True, ch=True):
            task_id, _, ended_as = note.decode().partition(":")
            after_end(task_id, ended_as)


def _now_ms(connection: object) -> int:
    seconds, microseconds = connection.time()  # type: ignore[attr-defined]
    return int(seconds * 1000 + microseconds // 1000)
