"""What crashes and time left behind: pieces of results, stored bytes without a row, results and imports that nobody
comes back to, dead tokens, stale statistics."""

import shutil
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import groupby

from sqlalchemy import and_, delete, or_, select, text

from workers import db, files, settings
from workers.engine.tables import tasks
from workers.housekeeping.cleaning import Cleaning, F
from workers.housekeeping.old import ENDED
from workers.models import Cleanup, File, Import, Token

DEAD_TOKENS_KEPT, FORGOTTEN_AFTER = timedelta(days=30), timedelta(days=1)
SUSPECTS, SUSPECTS_AT_MOST = "suspects", 10_000
CHUNK = 500
ANALYZE = {"sqlite": ("PRAGMA analysis_limit=400", "PRAGMA optimize"), "postgresql": ("ANALYZE",)}


def pieces(cleaning: Cleaning) -> None:
    """Delete the pieces that bulks left in `parts/` because they ended before they assembled them."""
    listed = sorted(files.storage().list("parts"))
    for task_id, group in groupby(listed, key=lambda pair: pair[0].split("/")[1]):
        found = list(group)
        if _is_over(task_id):
            files.storage().delete([key for key, _ in found])
            cleaning.noted("pieces", len(found), sum(size for _, size in found))


def _is_over(task_id: str) -> bool:
    with db.reading() as session:
        state = session.scalar(select(tasks.c.state).where(tasks.c.id == task_id))
    return state is None or state in ENDED


def orphans(cleaning: Cleaning) -> None:
    """Delete stored files that had no row at the run before either: a file gets its row right after its last byte."""
    before, suspects = suspected(), []
    for batch in _batches(files.storage().list("files")):
        with db.reading() as session:
            known = set(session.scalars(select(File.storage_key).where(File.storage_key.in_(list(batch)))))
        lone = {key: size for key, size in batch.items() if key not in known}
        for key in lone.keys() & before:
            files.storage().delete([key])
            cleaning.noted("orphans", 1, lone.pop(key))
        suspects += list(lone)
    suspect(suspects[:SUSPECTS_AT_MOST])


def _batches(listed: Iterator[tuple[str, int]]) -> Iterator[dict[str, int]]:
    batch: dict[str, int] = {}
    for key, size in listed:
        batch[key] = size
        if len(batch) == CHUNK:
            yield batch
            batch = {}
    yield batch


def suspected() -> set[str]:
    """The keys that the run before suspected."""
    with db.reading() as session:
        found = session.scalar(select(Cleanup.deleted).where(Cleanup.kind == SUSPECTS))
    return set((found or {}).get("keys", []))


def suspect(keys: list[str]) -> None:
    with db.writing() as session:
        session.execute(delete(Cleanup).where(Cleanup.kind == SUSPECTS))
        session.add(Cleanup(kind=SUSPECTS, deleted={"keys": keys}))


def expired_results(cleaning: Cleaning, at: datetime) -> None:
    """Delete the files of results that are older than RESULT_TTL_DAYS; their tasks stay, and say that they are gone."""
    before = at - timedelta(days=settings.current().result_ttl_days)
    ended = select(tasks.c.id).where(tasks.c.id == F.task_id, tasks.c.state.in_(ENDED)).exists()
    cleaning.files(
        "expired_results", and_(F.purpose == "result", F.created_at < before, or_(F.task_id.is_(None), ended))
    )


def imports(cleaning: Cleaning, at: datetime) -> None:
    """Delete how far imports had come whose task is gone, and the sheets that dead workers of this machine left."""
    known = select(tasks.c.id).where(tasks.c.id == Import.task_id).exists()
    cleaning.until("imports", Import.updated_at, at - FORGOTTEN_AFTER, ~known)
    folder = settings.current().data_dir / "imports"
    for left in folder.iterdir() if folder.is_dir() else ():
        if left.stat().st_mtime < time.time() - FORGOTTEN_AFTER.total_seconds():
            size = sum(path.stat().st_size for path in left.rglob("*") if path.is_file())
            shutil.rmtree(left, ignore_errors=True)
            cleaning.noted("import_folders", 1, size)


def dead_tokens(cleaning: Cleaning, at: datetime) -> None:
    """Delete tokens that have not been valid for a month."""
    table, since = Token.__table__, at - DEAD_TOKENS_KEPT
    cleaning.rows("tokens", table, or_(table.c.expires_at < since, table.c.revoked_at < since))


def refresh_statistics() -> None:
    """Let the database look again at how its rows are spread, so that it goes on choosing the right index."""
    with db.writing() as session:
        for statement in ANALYZE[session.get_bind().dialect.name]:
            session.execute(text(statement))
