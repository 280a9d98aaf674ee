"""The condition of the service: its servers, disks and versions, as operators see them at a glance."""

import shutil
import sys
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from flask import current_app
from sqlalchemy import text

from workers import db, settings
from workers.engine import inspect
from workers.errors import QueueDown

LOW_BYTES, LOW_SHARE = 2**30, 0.05
PACKAGES = ("rq", "rq-scheduler", "redis", "flask", "sqlalchemy", "reportlab")


def condition() -> dict[str, Any]:
    """`{"redis", "duties", "database", "disks", "versions"}`; redis and duties are None while it does not answer."""
    told: dict[str, Any] = {"redis": None, "duties": None}
    with suppress(QueueDown):
        told = {"redis": inspect.server(), "duties": inspect.duties()}
    return {**told, "database": _database(), "disks": _disks(), "versions": versions()}


def versions() -> dict[str, str]:
    ours = {"Sıra": current_app.info.version, "Python": sys.version.split()[0]}  # type: ignore[attr-defined]
    return ours | {name: version(name) for name in PACKAGES}


def _database() -> dict[str, Any]:
    """`{"name", "version", "bytes"}`."""
    with db.reading() as session:
        if session.get_bind().dialect.name == "sqlite":
            row = session.execute(
                text(
                    "SELECT 'SQLite', sqlite_version(), page_count * page_size FROM pragma_page_count, pragma_page_size"
                )
            ).one()
        else:
            row = session.execute(
                text("SELECT 'PostgreSQL', current_setting('server_version'), pg_database_size(current_database())")
            ).one()
    return dict(zip(("name", "version", "bytes"), row, strict=True))


def _disks() -> list[dict[str, Any]]:
    """Where files lie: `{"what", "where", "free_bytes", "total_bytes", "low"}`; a bucket has no end."""
    chosen = settings.current()
    rows = [_disk("DATA_DIR", chosen.data_dir)]
    storage = urlsplit(chosen.storage)
    if storage.scheme != "file":
        return [*rows, {"what": "STORAGE_URL", "where": f"{storage.scheme}://{storage.hostname}", "low": False}]
    return [*rows, _disk("STORAGE_URL", Path(storage.path))]


def _disk(what: str, folder: Path) -> dict[str, Any]:
    there = next(path for path in (folder, *folder.resolve().parents) if path.exists())
    disk = shutil.disk_usage(there)
    low = disk.free < max(LOW_BYTES, LOW_SHARE * disk.total)
    return {"what": what, "where": str(folder), "free_bytes": disk.free, "total_bytes": disk.total, "low": low}
