"""What is asked of one import, and its scratch folder on this machine."""

import errno
import shutil
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any
from uuid import uuid4

from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from workers import files, settings
from workers.db import reading
from workers.errors import StorageFailed, Superseded
from workers.imports.meanings import MEANINGS, Meaning
from workers.models import Company

FORGOTTEN_AFTER_S = 86_400
SHEET = "sheet"
COMPANY = Company.__table__.c
HOLD = select(COMPANY.id).where(COMPANY.id == bindparam("held")).with_for_update(key_share=True)
Tell = Callable[[int, int | None, str], None]


@dataclass(frozen=True)
class Order:
    """One import of one uploaded file. `all_or_nothing`: a single bad row leaves everything as it was."""

    file: dict[str, Any]
    target: str
    sheet_name: str | None = None
    mapping: dict[str, str] | None = None
    as_of: date | None = None
    dry_run: bool = False
    all_or_nothing: bool = False
    language: str = "tr"
    task_id: str | None = None
    execution: str = "direct"
    own_id: str = field(default_factory=lambda: str(uuid4()))

    @property
    def id(self) -> str:
        """The task's, or one of its own where the import is simply called."""
        return self.task_id or self.own_id

    @property
    def meaning(self) -> Meaning:
        return MEANINGS[self.target]

    @property
    def company_id(self) -> int:
        return self.file["company_id"]

    def word(self, words: tuple[str, str]) -> str:
        return words[self.language == "en"]

    def company(self) -> Company:
        with reading() as session:
            return session.get_one(Company, self.company_id)

    def hold(self, session: Session) -> None:
        """Keep the company to this transaction alone among those of imports: two that looked for the same letter side
        by side would both make it. Who only refers to the company does not wait."""
        session.connection().execute(HOLD, {"held": self.company_id})


@contextmanager
def folder(order: Order) -> Iterator[Path]:
    """Where this machine keeps the file and the checked rows of the order; kept between slices, gone after the end."""
    place = settings.current().data_dir / "imports" / order.id
    place.mkdir(mode=0o700, parents=True, exist_ok=True)
    _sweep(place.parent)
    try:
        yield place
    except Superseded:  # who goes on with the task may work in this very folder
        raise
    except Exception as error:
        shutil.rmtree(place, ignore_errors=True)
        if _says_full(error):
            raise StorageFailed(what=f"the file imports/{order.id}", reason="the disk is full") from error
        raise
    shutil.rmtree(place, ignore_errors=True)


def _says_full(error: Exception) -> bool:
    no_space = getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT)
    return no_space or getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL


def _sweep(parent: Path) -> None:
    """What cancelled tasks and dead workers left is dropped after a day."""
    for left in parent.iterdir():
        with suppress(FileNotFoundError):  # of an import that ends this very moment
            if left.stat().st_mtime < time.time() - FORGOTTEN_AFTER_S:
                shutil.rmtree(left, ignore_errors=True)


def sheet_file(order: Order, place: Path) -> Path:
    """The uploaded file, fetched from the storage where this machine does not have it yet."""
    path, draft = place / SHEET, place / f"{SHEET}-{order.execution}"
    if not path.exists():
        files.fetch(order.file, draft)
        draft.replace(path)
    return path
