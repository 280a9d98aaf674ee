"""What has ended: the tasks that a company is told of, and up to when the record of them is complete."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from redis.exceptions import RedisError
from sqlalchemy import Select, func, select

from workers.db import now, reading
from workers.engine import registry, wire
from workers.engine.events import RECORDED, STREAM
from workers.engine.tables import tasks
from workers.engine.tasks import Task, listed
from workers.errors import QueueDown

T = tasks.c
MANY = 100
FAILED = {"tr": "Görev başarısız oldu", "en": "A task failed"}
REVOKED = {"tr": "Görev iptal edildi", "en": "A task was cancelled"}
LEFT = {"failed": {"tr": "başarısız", "en": "failed"}, "unknown": {"tr": "sonucu belirsiz", "en": "unknown"}}


def sentence(task: Task, lang: str) -> str:
    """What people are told when it has ended: the kind's own sentence if it succeeded, and what of it did not."""
    if task.state != "SUCCESS":
        return (REVOKED if task.state == "REVOKED" else FAILED)[lang]
    kind = registry.kinds().get(task.kind)
    ended = kind.ended if kind else registry.ENDED
    told = (ended(task.result) if callable(ended) else ended)[lang]
    return " ".join([told, *_left(task.result, lang)])


def _left(result: Any, lang: str) -> list[str]:
    """Of a bulk, whose result counts its items: `Başarısız: 1.300, sonucu belirsiz: 2`."""
    counts = result if isinstance(result, dict) else {}
    left = [(words[lang], counts[state]) for state, words in LEFT.items() if type(counts.get(state)) is int]
    told = ", ".join(f"{word}: {counted(count, lang)}" for word, count in left if count)
    return [told[:1].upper() + told[1:]] if told else []


def counted(count: int, lang: str) -> str:
    """`1.234` in Turkish, `1,234` in English."""
    return f"{count:,}".replace(",", "." if lang == "tr" else ",")


def detail(task: Task) -> str | None:
    """What says which one it was: the reason of a failure, the name of the file that was made."""
    if task.error:
        return task.error["message"]
    return str(task.result["filename"]) if isinstance(task.result, dict) and "filename" in task.result else None


def rings(task: Task) -> bool:
    """Whether people are told of the end of this task."""
    return task.ended and task.kind not in _quiet()


def count(scope: str, since: datetime, at_most: int = MANY) -> int:
    """How many tasks of the scope have ended since then, counted up to `at_most`."""
    with reading() as session:
        return session.scalar(select(func.count()).select_from(_ended(scope, since).limit(at_most).subquery())) or 0


def latest(scope: str, before: datetime | None = None, limit: int = 20) -> list[Task]:
    """The tasks of the scope that ended last, the latest first; `before` is where to go on."""
    behind = T.ended_at < before if before else T.ended_at.is_not(None)
    query = select(tasks).where(T.scope == scope, behind, T.kind.not_in(_quiet()))
    return listed(query.order_by(T.ended_at.desc()).limit(limit), counted=False, detailed=True)


def lately(scope: str | None, since: datetime, limit: int) -> list[Task]:
    """Tasks that live, and those that have ended since then, the latest first and so many of each; None: of all."""
    mine = [T.scope == scope] if scope is not None else []
    living = select(tasks).where(T.ended_at.is_(None), T.released, *mine).order_by(T.id.desc())
    gone = select(tasks).where(T.ended_at > since, *mine).order_by(T.ended_at.desc())
    return [task for query in (living, gone) for task in listed(query.limit(limit), detailed=True)]


def after(scope: str, since: datetime, until: datetime, limit: int) -> Sequence[Any]:
    """The ids and ends of the tasks of the scope that ended in between, the earliest first."""
    query = between(scope, since, until).add_columns(T.ended_at)
    with reading() as session:
        return session.execute(query.order_by(T.ended_at).limit(limit)).all()


def between(scope: Any, since: Any, until: datetime) -> Select[Any]:
    """The ids of such tasks; `scope` and `since` may be columns."""
    return _ended(scope, since).where(T.ended_at <= until)


def complete_until() -> datetime | None:
    """Every end before this instant stands in SQL, as far as the stream told of it; None while Redis is away.

    The recorder may be behind: then it is just before the first entry that it has still to write.
    """
    try:
        connection = wire.connect(wire.LOOK_TIMEOUT_S)
        mark, at = (connection.get(RECORDED) or b"0-0").decode(), now()
        waiting = connection.xrange(STREAM, f"({mark}", count=1)
    except (RedisError, QueueDown):
        return None
    return datetime.fromtimestamp((int(waiting[0][0].partition(b"-")[0]) - 1) / 1000, UTC) if waiting else at


def _ended(scope: Any, since: Any) -> Select[Any]:
    return select(T.id).where(T.scope == scope, T.ended_at > since, T.kind.not_in(_quiet()))


def _quiet() -> list[str]:
    return [kind.name for kind in registry.kinds().values() if not kind.rings]
