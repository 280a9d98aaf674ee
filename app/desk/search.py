"""Finding tasks for people: by filter, recipient, file name and error, in a time that does not grow with the history.

No search reads all of a long history. Each looks at a window, the newest WINDOW rows of one index (at first the newest
GLANCE, which mostly suffice), and gives the cursor behind which the next window begins: what is found is complete down
to there, and the page says how far it looked. Ids are UUIDv7, so that a time is an id too.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Subquery, func, or_, select
from sqlalchemy.orm import Session

from app.desk import recipients
from app.desk.causes import as_pattern
from workers.db import reading, storable
from workers.engine.job import params_in
from workers.engine.tables import first_id, items, tasks
from workers.engine.tasks import ENDED, ID, Task, listed
from workers.errors import InvalidInput, SealBroken
from workers.models import Delivery, File

WINDOW, GLANCE = 5_000, 500
FAULTS, IMPORTS, IMPORT = 1_000, 500, "process_excel_upload"
SURE_CHARS, FOLDED = 3, re.compile(r"[^\x00-\x7f]|[iI]")
MARK = "\\"  # what makes a % in a search for text a plain one
T, D, F = tasks.c, Delivery.__table__.c, File.__table__.c


@dataclass(frozen=True)
class Wanted:
    """A filter; `scope` None: of all companies. `cause` is a line of the list of causes, `action` what is to be done
    with what is found: cancel or retry, and only what that can be done with."""

    scope: str | None = None
    state: str | None = None
    queue: str | None = None
    kind: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    q: str = ""
    cause: str = ""
    action: str | None = None


@dataclass(frozen=True)
class Found:
    """A page: its tasks, the cursor of the next, and `looked_at`: how many were looked through, if not all were.
    `sent`: whether what was sent to a recipient was looked for in all of them nevertheless."""

    tasks: list[Task]
    cursor: str | None
    looked_at: int | None
    sent: bool = False


def find(wanted: Wanted, cursor: str | None = None, limit: int = 50) -> Found:
    """A page of what is wanted, newest first, without the counts of bulks."""
    ids, floor = matching(wanted, cursor, limit + 1)
    more, shown = len(ids) > limit, ids[:limit]
    found = listed(select(tasks).where(T.id.in_(shown)).order_by(T.id.desc()), counted=False) if shown else []
    sent = _of_recipient(wanted)
    further = shown[-1] if more else None if sent else floor
    return Found(found, further, WINDOW if floor and (sent or not more) else None, sent)


def every(wanted: Wanted, limit: int, windows: int = 8) -> tuple[list[str], bool]:
    """Up to `limit` ids, and whether these are all there are; looks through no more than so many windows."""
    found: list[str] = []
    cursor: str | None = None
    for _ in range(windows):
        ids, cursor = matching(wanted, cursor, limit + 1 - len(found))
        found += ids
        if len(found) > limit:
            return found[:limit], False
        if cursor is None or _of_recipient(wanted):
            return found, cursor is None
    return found, False


def matching(wanted: Wanted, cursor: str | None, count: int) -> tuple[list[str], str | None]:
    """Up to `count` ids, newest first, and how far down it was looked (None: to the end)."""
    if cursor is not None and not ID.fullmatch(cursor):
        raise InvalidInput([{"field": "cursor", "message": "use the link of the page before"}])
    if any(
        storable(text) != text for text in (wanted.state, wanted.queue, wanted.kind, wanted.q, wanted.cause) if text
    ):
        return [], None  # nothing in the database is called that
    with reading() as session:
        ids, floor = _within(session, wanted, cursor, GLANCE) if count < GLANCE else ([], cursor)
        if len(ids) < count and (floor is not None or count >= GLANCE):
            ids, floor = _within(session, wanted, cursor, WINDOW)
    return ids[:count], floor


def _within(session: Session, wanted: Wanted, cursor: str | None, size: int) -> tuple[list[str], str | None]:
    """All ids that windows of this size hold, down to where all of the windows reach."""
    rows, also = _window_of(wanted, cursor, size)
    looks = [_look(session, rows, (*rest(wanted), *also), size)]
    if wanted.q and not recipients.names(wanted.q):
        looks.append(_imports(session, wanted, cursor))
    floor = max((floor for _, floor in looks if floor), default=None)
    ids = {one for ids, _ in looks for one in ids if floor is None or one >= floor}
    return sorted(ids.union(_sent(session, wanted, cursor)), reverse=True), floor


def _look(session: Session, rows: Subquery, conditions: Any, size: int) -> tuple[list[str], str | None]:
    """The ids of a window that meet the conditions, and its lowest if it does not reach to the end."""
    query = select(rows.c.id).join(tasks, T.id == rows.c.id).where(*conditions).distinct()
    count, lowest = session.execute(select(func.count(), func.min(rows.c.id)).select_from(rows)).one()
    return list(session.scalars(query)), lowest if count >= size else None


def _window_of(wanted: Wanted, cursor: str | None, size: int) -> tuple[Subquery, tuple[Any, ...]]:
    """Where to look, and for what besides the filter."""
    newest = window(wanted, cursor, size)
    if wanted.cause:
        name, pattern = as_pattern(wanted.cause, MARK)
        return newest, (T.error_type == name, T.error_message.like(pattern, escape=MARK))
    if not wanted.q:
        return newest, ()
    theirs = select(items.c.id).where(items.c.task_id == T.id, items.c.ref.in_(recipients.refs(wanted.q)))
    words = () if recipients.names(wanted.q) else _told(wanted.q)
    return newest, (or_(T.id == wanted.q, theirs.correlate(tasks).exists(), *words),)


def _sent(session: Session, wanted: Wanted, cursor: str | None) -> list[str]:
    """Tasks that wrote to this recipient, in the whole history: the evidence keeps a hash of each."""
    if not _of_recipient(wanted):
        return []
    met = (D.recipient_hash.in_(recipients.digests(wanted.q)), *_between(D.task_id, wanted, cursor), *rest(wanted))
    query = select(D.task_id).join_from(D.id.table, tasks, T.id == D.task_id).where(*met).distinct()
    return list(session.scalars(query.order_by(D.task_id.desc()).limit(WINDOW)))


def _of_recipient(wanted: Wanted) -> bool:
    return bool(wanted.q and not wanted.cause and recipients.digests(wanted.q))


def _told(text: str) -> Iterator[ColumnElement[bool]]:
    """Where the text may stand about a task: its sentence and error, its files, the errors of its items."""
    yield from (has(column, text) for column in (T.status, T.error_message))
    yield select(F.id).where(F.task_id == T.id, has(F.filename, text)).correlate(tasks).exists()
    faults = select(items.c.error).where(items.c.task_id == T.id, items.c.error.is_not(None)).correlate(tasks)
    first = faults.limit(FAULTS).subquery()
    yield select(first.c.error).where(has(first.c.error, text)).correlate(tasks).exists()


def window(wanted: Wanted, cursor: str | None = None, size: int = WINDOW) -> Subquery:
    """The ids of the newest tasks that one index gives: by what lives if that is to be cancelled (few, and old ones
    must not be missed), by company, else by what is rarest."""
    live = T.ended_at.is_(None) if wanted.action == "cancel" else None
    state = T.state == wanted.state if wanted.state else None
    drives = (
        live,
        *(T.scope == wanted.scope if wanted.scope is not None else None, None if wanted.state == "SUCCESS" else state),
        *(T.kind == wanted.kind if wanted.kind else None, T.queue == wanted.queue if wanted.queue else None, state),
    )
    drive = next((one for one in drives if one is not None), None)
    query = select(T.id).where(*_between(T.id, wanted, cursor), *([drive] if drive is not None else ()))
    return query.order_by(T.id.desc()).limit(size).subquery()


def _between(task_id: Any, wanted: Wanted, cursor: str | None) -> Iterator[ColumnElement[bool]]:
    if cursor is not None:
        yield task_id < cursor
    if wanted.since is not None:
        yield task_id >= first_id(wanted.since)
    if wanted.until is not None:
        yield task_id < first_id(wanted.until)


def rest(wanted: Wanted) -> Iterator[ColumnElement[bool]]:
    """What else holds of each task. As sums, so that no index but the window's is gone through for them."""
    yield T.released
    for column, value in ((T.scope, wanted.scope), (T.state, wanted.state), (T.queue, wanted.queue)):
        if value is not None:
            yield func.coalesce(column, "") == value
    if wanted.kind:
        yield func.coalesce(T.kind, "") == wanted.kind
    if wanted.action:
        yield func.coalesce(T.kind, "") != "steer_tasks"
        ended = func.coalesce(T.state, "")
        yield ended.not_in(ENDED) if wanted.action == "cancel" else ended.in_(ENDED[1:])


def has(column: Any, text: str) -> ColumnElement[bool]:
    """Whether the text stands in it, whatever the case of its letters.

    The database folds no ç, ğ or İ: such a letter is any one character, where enough of the others are left.
    """
    loose = FOLDED.sub("_", text)
    kept = len(loose) - loose.count("_") >= SURE_CHARS
    plain = re.sub(r"([%_\\])", lambda found: MARK + found[1], text)
    return column.ilike(f"%{FOLDED.sub('_', plain) if kept else plain}%", escape=MARK)


def _imports(session: Session, wanted: Wanted, cursor: str | None) -> tuple[list[str], str | None]:
    """Imports of an uploaded file of that name: which file it was stands in the sealed parameters."""
    newest = window(replace(wanted, kind=IMPORT), cursor)
    query = select(T.id, T.params).join_from(newest, tasks, T.id == newest.c.id).where(T.kind == IMPORT, *rest(wanted))
    rows = session.execute(query.order_by(newest.c.id.desc()).limit(IMPORTS)).all()
    files = {row.id: _file_of(row.id, row.params) for row in rows}
    of_files = select(F.id).where(F.id.in_(set(files.values())), has(F.filename, wanted.q))
    named = set(session.scalars(of_files)) if files else set()
    return [one for one, file in files.items() if file in named], rows[-1].id if len(rows) == IMPORTS else None


def _file_of(task_id: str, sealed: bytes) -> str | None:
    try:
        return str(params_in(task_id, sealed).get("file_path"))
    except SealBroken:
        return None
