"""What has outlived its time: ended tasks with their results, log rows and files, the sandbox's messages.

Evidence is not touched: deliveries, letters, accounts and answers have tables of their own, and files of any purpose
but `result` and `upload` stay. A result goes with the task that made it; its letter can be drawn again from its record.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import and_, delete, func, literal, select

from workers import db, settings
from workers.engine.tables import history, items, keys, occurrences, tasks
from workers.housekeeping.cleaning import Cleaning, F
from workers.models import Cleanup, Import, SandboxMessage, Telling

ENDED = ("SUCCESS", "FAILURE", "REVOKED")
RECORDS_KEPT = timedelta(days=3 * 366)
TASKS_TOGETHER = 200
TE = Telling.__table__
H, T, M = history.c, tasks.c, SandboxMessage.__table__.c


def clean(cleaning: Cleaning, before: datetime) -> Iterator[str]:
    """Delete all that is older, part by part; tells the name of each part before it begins."""
    yield "log_files"
    _log_files(cleaning, before)
    yield "sandbox_messages"
    cleaning.rows(
        "sandbox_messages", SandboxMessage.__table__, M.created_at < before, _length(M.subject, M.body, M.html)
    )
    yield "log_rows"
    cleaning.rows("log_rows", history, H.at < before, _length(H.message))
    _occurrences(cleaning, before)
    cleaning.until("idempotency_keys", keys.c.created_at, before)
    cleaning.rows("tellings", TE, TE.c.created_at < before, _length(TE.c.body, TE.c.answer))
    yield "tasks"
    for ids in _old_tasks(before):
        _forget(cleaning, ids, before)
    cleaning.files("uploads", and_(F.purpose == "upload", F.created_at < before))
    if not cleaning.dry_run:
        cleaning.until("cleanup_records", Cleanup.at, before - RECORDS_KEPT)


def _old_tasks(before: datetime) -> Iterator[list[str]]:
    """Ids of tasks that ended before then, some at a time. Ids are UUIDv7: those made later need not be looked at."""
    after, newest = "", f"{int(before.timestamp() * 1000):012x}"
    query = select(T.id).where(T.id < f"{newest[:8]}-{newest[8:]}", T.state.in_(ENDED), T.ended_at < before)
    while True:
        with db.reading() as session:
            found = list(session.scalars(query.where(T.id > after).order_by(T.id).limit(TASKS_TOGETHER)))
        if not found:
            return
        yield found
        after = found[-1]


def _forget(cleaning: Cleaning, ids: list[str], before: datetime) -> None:
    """Delete tasks with all that hangs on them, the tasks themselves last, so that a killed run finds the rest."""
    cleaning.files("results", and_(F.task_id.in_(ids), F.purpose == "result"))
    columns = items.c
    cleaning.rows("items", items, columns.task_id.in_(ids), _length(columns.value, columns.output, columns.error))
    cleaning.rows("log_rows", history, and_(H.task_id.in_(ids), H.at >= before), _length(H.message))
    if not cleaning.dry_run:
        with db.writing() as session:
            session.execute(delete(Import).where(Import.task_id.in_(ids)))
    size = _length(T.params, T.result, T.traceback, T.status, T.error_message)
    cleaning.rows("tasks", tasks, T.id.in_(ids), size)


def _occurrences(cleaning: Cleaning, before: datetime) -> None:
    """The history of schedules, one after the other, but not what still waits or runs."""
    schedule, ended = occurrences.c.schedule, occurrences.c.state.not_in(("enqueued", "waiting"))
    with db.reading() as session:
        names = list(session.scalars(select(schedule).distinct()))
    for name in names:
        cleaning.until("occurrences", occurrences.c.due_at, before, and_(schedule == name, ended))


def _log_files(cleaning: Cleaning, before: datetime) -> None:
    """Log files that nobody has written to since then: `*.log*` in DATA_DIR, and all in its folder `logs`."""
    folder = settings.current().data_dir
    for path in sorted({*folder.glob("*.log*"), *folder.glob("logs/**/*")}):
        size = _idle_size(path, before)
        if size is not None:
            if not cleaning.dry_run:
                path.unlink(missing_ok=True)
            cleaning.noted("log_files", 1, size)


def _idle_size(path: Path, before: datetime) -> int | None:
    """The size of a plain file that was last written before then; None for anything else."""
    try:
        found = path.lstat()
    except FileNotFoundError:  # rotated away meanwhile
        return None
    plain = path.is_file() and not path.is_symlink()
    return found.st_size if plain and found.st_mtime < before.timestamp() else None


def _length(*columns: Any) -> Any:
    """About how many bytes the values of a row take."""
    return sum((func.coalesce(func.length(column), 0) for column in columns), start=literal(0))
