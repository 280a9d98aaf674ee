"""Deleting many rows and files in transactions so short that nobody waits for them, with a record of it."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import ColumnElement, FromClause, and_, delete, func, insert, literal, select, true, update
from sqlalchemy.orm import Session

from workers import db, files
from workers.models import Cleanup, File
from workers.pace import Pace

ROWS_AT_FIRST, FILES_TOGETHER = 200, 200
PAUSE = 0.25  # of the time that a transaction took
NOTHING = literal(0)
F = File.__table__.c


class Cleaning:
    """One run of a house-keeping job. Its record grows in the same transactions that delete, so that a run which is
    killed half-way has told all that it did. With `dry_run` it only counts, and leaves no record."""

    def __init__(self, kind: str, task_id: str | None, *, dry_run: bool = False) -> None:
        self.deleted: dict[str, dict[str, int]] = {}
        self._kind, self._task_id, self._dry_run, self._record = kind, task_id, dry_run, 0
        self._pace = Pace(ROWS_AT_FIRST)

    @property
    def result(self) -> dict[str, Any]:
        """`{"dry_run", "count", "bytes", "deleted": {"tasks": {"count", "bytes"}, …}}`."""
        sums = {name: sum(one[name] for one in self.deleted.values()) for name in ("count", "bytes")}
        return {"dry_run": self._dry_run, **sums, "deleted": self.deleted}

    def rows(self, what: str, table: FromClause, where: ColumnElement[bool], size: Any = NOTHING) -> None:
        """Delete the rows of a table with a column `id`; `size` is what counts as the bytes of one."""
        if self._dry_run:
            query = select(func.count(), func.coalesce(func.sum(size), 0)).select_from(table).where(where)
            self.count(what, *_found(query)[0])
            return
        some = select(table.c.id, size.label("size")).where(where)
        gone = True
        while gone:
            with self._short() as session:
                batch = some.limit(self._pace.rows).subquery()
                count, total = session.execute(select(func.count(), func.sum(batch.c.size))).one()
                gone = count > 0
                if gone:
                    session.execute(delete(table).where(table.c.id.in_(select(batch.c.id))))  # type: ignore[arg-type]
                    self._note(session, what, count, total)

    def until(self, what: str, column: Any, before: Any, where: ColumnElement[bool] | None = None) -> None:
        """Delete the rows whose time in `column` is earlier, the oldest first: for tables without a column `id`."""
        old = and_(true() if where is None else where, column < before)
        if self._dry_run:
            self.count(what, _found(select(func.count()).select_from(column.table).where(old))[0][0], 0)
            return
        upto = before
        while upto is not None:
            with self._short() as session:
                query = select(column).where(old).order_by(column).offset(self._pace.rows - 1).limit(1)
                upto = session.scalar(query)
                batch = old if upto is None else and_(old, column <= upto)
                gone = session.execute(delete(column.table).where(batch)).rowcount  # type: ignore[attr-defined]
                if gone:
                    self._note(session, what, gone, 0)

    def files(self, what: str, where: ColumnElement[bool]) -> None:
        """Delete stored files, the bytes first: a row without bytes is found again, bytes without a row hardly."""
        after = ""
        query = select(F.id, F.size, F.storage_key).where(where).order_by(F.id).limit(FILES_TOGETHER)
        while found := _found(query.where(F.id > after)):
            after, size = found[-1].id, sum(row.size for row in found)
            if self._dry_run:
                self.count(what, len(found), size)
                continue
            files.storage().delete([row.storage_key for row in found])
            with db.writing() as session:
                session.execute(delete(File).where(F.id.in_([row.id for row in found])))
                self._note(session, what, len(found), size)

    def noted(self, what: str, count: int, size: int) -> None:
        """Record what was deleted elsewhere than in the database."""
        if self._dry_run:
            self.count(what, count, size)
            return
        with db.writing() as session:
            self._note(session, what, count, size)

    def count(self, what: str, count: int, size: int) -> None:
        if not count:
            return
        tally = self.deleted.setdefault(what, {"count": 0, "bytes": 0})
        tally["count"], tally["bytes"] = tally["count"] + count, tally["bytes"] + int(size)

    @contextmanager
    def _short(self) -> Iterator[Session]:
        """A transaction that is as long as it may be, and behind it a time for everybody else's."""
        with db.writing() as session:
            began = time.monotonic()
            yield session
        took_s = time.monotonic() - began
        self._pace.took(took_s)
        time.sleep(took_s * PAUSE)

    def _note(self, session: Session, what: str, count: int, size: int) -> None:
        self.count(what, count, size)
        if self._record:
            session.execute(update(Cleanup).where(Cleanup.id == self._record).values(deleted=self.deleted))
            return
        row = {"kind": self._kind, "task_id": self._task_id, "at": db.now(), "deleted": self.deleted}
        self._record = session.execute(insert(Cleanup).values(**row).returning(Cleanup.id)).scalar_one()

    @property
    def dry_run(self) -> bool:
        return self._dry_run


def _found(query: Any) -> list[Any]:
    with db.reading() as session:
        return list(session.execute(query))
