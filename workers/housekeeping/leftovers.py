"""What crashes and time left behind: pieces of results, stored bytes without a row, results and imports that nobody
comes back to, dead tokens, stale statistics. What was written to in the last day is left alone: its writer may live.
"""

import math
import shutil
from collections.abc import Container, Iterator
from contextlib import suppress
from datetime import datetime, timedelta
from itertools import groupby
from pathlib import Path

from sqlalchemy import and_, or_, select, text

from workers import db, files, settings
from workers.engine.tables import tasks
from workers.housekeeping.cleaning import Cleaning, F
from workers.housekeeping.old import lives
from workers.models import Company, File, Import, Token

DEAD_TOKENS_KEPT, FORGOTTEN_AFTER = timedelta(days=30), timedelta(days=1)
CHUNK = 500
ANALYZE = {"sqlite": ("PRAGMA analysis_limit=400", "PRAGMA optimize"), "postgresql": ("ANALYZE",)}


def pieces(cleaning: Cleaning, at: datetime) -> None:
    """Delete the pieces in `parts/` that nobody will assemble: of tasks that are done or gone. One that failed or was
    cancelled goes on with them when it is begun anew."""
    listed = sorted(files.storage().list("parts", before=at - FORGOTTEN_AFTER))
    for task_id, group in groupby(listed, key=lambda pair: pair[0].split("/")[1]):
        found = list(group)
        if _is_done(task_id):
            files.storage().delete([key for key, _ in found])
            cleaning.noted("pieces", len(found), sum(size for _, size in found))


def _is_done(task_id: str) -> bool:
    with db.reading() as session:
        state = session.scalar(select(tasks.c.state).where(tasks.c.id == task_id))
    return state in (None, "SUCCESS")


def orphans(cleaning: Cleaning, at: datetime) -> None:
    """Delete stored files without a row: a file gets its row right after its last byte."""
    for batch in _batches(files.storage().list("files", before=at - FORGOTTEN_AFTER)):
        with db.reading() as session:
            known = set(session.scalars(select(File.storage_key).where(File.storage_key.in_(list(batch)))))
        lone = {key: size for key, size in batch.items() if key not in known}
        files.storage().delete(lone)
        cleaning.noted("orphans", len(lone), sum(lone.values()))


def _batches(listed: Iterator[tuple[str, int]]) -> Iterator[dict[str, int]]:
    batch: dict[str, int] = {}
    for key, size in listed:
        batch[key] = size
        if len(batch) == CHUNK:
            yield batch
            batch = {}
    yield batch


def expired_results(cleaning: Cleaning, at: datetime, spared: Container[str]) -> None:
    """Delete the files of results that are older than RESULT_TTL_DAYS; their tasks stay, and say that they are gone.
    `spared` are the ids of files that somebody still needs."""
    before = at - timedelta(days=settings.current().result_ttl_days)
    expired = and_(F.purpose == "result", F.created_at < before, ~lives(F.task_id))
    cleaning.files("expired_results", expired, spared)


def imports(cleaning: Cleaning, at: datetime) -> None:
    """Delete how far imports had come whose task is gone, and the sheets that dead workers of this machine left."""
    table = Import.__table__
    known = select(tasks.c.id).where(tasks.c.id == table.c.task_id).exists()
    cleaning.rows("imports", table, and_(table.c.updated_at < at - FORGOTTEN_AFTER, ~known))
    folder = settings.current().data_dir / "imports"
    for left in folder.iterdir() if folder.is_dir() else ():
        written_at, size = _seen(left)
        if written_at < (at - FORGOTTEN_AFTER).timestamp():
            shutil.rmtree(left, ignore_errors=True)
            cleaning.noted("import_folders", 1, size)


def _seen(folder: Path) -> tuple[float, int]:
    """When anything in it was last written, and its bytes. What has just gone is left to whoever takes it away."""
    times, size = [], 0
    for path in (folder, *folder.rglob("*")):
        with suppress(FileNotFoundError):
            found = path.stat()
            times.append(found.st_mtime)
            size += found.st_size if path.is_file() else 0
    return max(times, default=math.inf), size


def dead_tokens(cleaning: Cleaning, at: datetime) -> None:
    """Delete tokens that have not been valid for a month."""
    table, since = Token.__table__, at - DEAD_TOKENS_KEPT
    cleaning.rows("tokens", table, or_(table.c.expires_at < since, table.c.revoked_at < since))


def shares() -> dict[str, int | None]:
    """What share of a queue each company has, by its scope."""
    with db.reading() as session:
        options = dict(map(tuple, session.execute(select(Company.id, Company.options))))
    return {str(company_id): own.get("k") for company_id, own in options.items()}


def refresh_statistics() -> None:
    """Let the database look again at how its rows are spread, so that it goes on choosing the right index."""
    with db.writing() as session:
        for statement in ANALYZE[session.get_bind().dialect.name]:
            session.execute(text(statement))
