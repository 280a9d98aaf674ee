"""What has outlived its time: ended tasks with their results, log rows and files, the sandbox's messages.

Evidence is not touched: deliveries, letters, accounts and answers have tables of their own, and files of any purpose
but `result` and `upload` stay. A result goes with the task that made it; its letter can be drawn again from its record.
Nor is what a task still needs that has not ended, however old it is: its row, its key, its upload, its attachments.
"""

from collections.abc import Container, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import ColumnElement, and_, func, select, update

from workers import db, settings
from workers.engine.tables import ENDED, first_id, history, items, keys, occurrences, tasks
from workers.errors import StorageFailed
from workers.housekeeping.cleaning import Cleaning, F
from workers.models import Cleanup, Import, SandboxMessage, Telling

RECORDS_KEPT = timedelta(days=3 * 366)
TASKS_TOGETHER = 200
TE, IM, M = Telling.__table__, Import.__table__, SandboxMessage.__table__
H, T = history.c, tasks.c


def clean(cleaning: Cleaning, before: datetime, spared: Container[str]) -> Iterator[str]:
    """Delete all that is older, part by part; tells the name of each part before it begins. `spared` are the ids of
    files that somebody still needs."""
    yield "sandbox_messages"
    cleaning.rows("sandbox_messages", M, M.c.created_at < before)
    yield "log_rows"
    cleaning.rows("log_rows", history, H.at < before)
    _occurrences(cleaning, before)
    cleaning.rows("idempotency_keys", keys, and_(keys.c.created_at < before, ~lives(keys.c.task_id)))
    yield "tasks"
    for ids in _old_tasks(before):
        _forget(cleaning, ids, before, spared)
    cleaning.files("uploads", and_(F.purpose == "upload", F.created_at < before), spared)
    # After the tasks: an end that is not noted as told would be told once more.
    cleaning.rows("tellings", TE, and_(TE.c.created_at < before, ~lives(TE.c.handed_to)))
    if not cleaning.dry_run:
        cleaning.rows("cleanup_records", Cleanup.__table__, Cleanup.at < before - RECORDS_KEPT)
    yield "log_files"
    _log_files(cleaning, before)


def lives(task_id: Any) -> ColumnElement[bool]:
    """Whether the task of that id has still to end."""
    return select(T.id).where(T.id == task_id, T.state.not_in(ENDED)).exists()


def _old_tasks(before: datetime) -> Iterator[list[str]]:
    """Ids of tasks that ended before then, some at a time. Ids are UUIDv7: those made later need not be looked at."""
    after, query = "", select(T.id).where(T.id < first_id(before), _is_old(before))
    while True:
        with db.reading() as session:
            found = list(session.scalars(query.where(T.id > after).order_by(T.id).limit(TASKS_TOGETHER)))
        if not found:
            return
        yield found
        after = found[-1]


def _is_old(before: datetime) -> ColumnElement[bool]:
    return and_(T.state.in_(ENDED), T.ended_at < before)


def _forget(cleaning: Cleaning, ids: list[str], before: datetime, spared: Container[str]) -> None:
    """Delete tasks with all that hangs on them, the tasks themselves last, so that a killed run finds the rest."""
    if not cleaning.dry_run:
        ids = _withdrawn(ids, before)
    cleaning.files("results", and_(F.task_id.in_(ids), F.purpose == "result"), spared)
    cleaning.rows("items", items, items.c.task_id.in_(ids))
    cleaning.rows("log_rows", history, and_(H.task_id.in_(ids), H.at >= before))
    cleaning.rows("imports", IM, IM.c.task_id.in_(ids))
    cleaning.rows("tasks", tasks, T.id.in_(ids))


def _withdrawn(ids: list[str], before: datetime) -> list[str]:
    """Those of the tasks that are still old, seen by nobody from now on: none is begun anew while its items go."""
    query = update(tasks).where(T.id.in_(ids), _is_old(before)).values(released=False).returning(T.id)
    with db.writing() as session:
        return list(session.scalars(query))


def _occurrences(cleaning: Cleaning, before: datetime) -> None:
    """The history of schedules, one after the other, but not what still waits or runs, nor the last run of each."""
    OC, ended = occurrences.c, occurrences.c.state.not_in(("enqueued", "waiting"))
    ran = select(OC.schedule, func.max(OC.due_at)).where(OC.task_id.is_not(None)).group_by(OC.schedule)
    with db.reading() as session:
        last = dict(map(tuple, session.execute(ran)))
        names = list(session.scalars(select(OC.schedule).distinct()))
    for name in names:
        old = OC.due_at < min(before, last.get(name, before))
        cleaning.rows("occurrences", occurrences, and_(OC.schedule == name, old, ended))


def _log_files(cleaning: Cleaning, before: datetime) -> None:
    """Log files that nobody has written to since then: `*.log*` in DATA_DIR, and all in its folder `logs`. One that
    can't be deleted keeps none of the others; it is told at the end."""
    folder, faults = settings.current().data_dir, []
    for path in sorted({*folder.glob("*.log*"), *folder.glob("logs/**/*")}):
        size = _idle_size(path, before)
        if size is None:
            continue
        try:
            if not cleaning.dry_run:
                path.unlink()
            cleaning.noted("log_files", 1, size)
        except FileNotFoundError:  # another run was quicker
            continue
        except OSError as error:
            faults.append(StorageFailed(what=f"the log file {path.name}", reason=error.strerror or str(error)))
    if faults:
        raise faults[0]


def _idle_size(path: Path, before: datetime) -> int | None:
    """The size of a plain file that was last written before then; None for anything else."""
    try:
        found = path.lstat()
    except OSError:  # rotated away meanwhile, or in a folder that is closed to us
        return None
    plain = path.is_file() and not path.is_symlink()
    return found.st_size if plain and found.st_mtime < before.timestamp() else None
