"""Deleting many rows and files in transactions so short that nobody waits for them, with a record of it."""

import time
from collections.abc import Container, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import ColumnElement, FromClause, delete, func, insert, select, tuple_, update
from sqlalchemy.orm import Session

from workers import db, files
from workers.housekeeping.sizes import size_of
from workers.models import Cleanup, File

READ_TOGETHER, FILES_TOGETHER = 5000, 200
HOLD_S = 0.005  # of the 0.05 s that a transaction may hold the database; the commit takes its time, too
STEP_ROWS = 200  # of one statement, some milliseconds
PAUSE = 1.0  # times what a transaction took: who does not queue for his turn but tries now and then gets one too
F = File.__table__.c


class Cleaning:
    """One run of a house-keeping job. Its record grows in the same transactions that delete, so that a run which is
    killed half-way has told all that it did. With `dry_run` it only counts, and leaves no record."""

    def __init__(self, kind: str, task_id: str | None, *, dry_run: bool = False) -> None:
        self.deleted: dict[str, dict[str, int]] = {}
        self.dry_run, self._kind, self._task_id, self._record = dry_run, kind, task_id, 0

    @property
    def result(self) -> dict[str, Any]:
        """`{"dry_run", "count", "bytes", "deleted": {"tasks": {"count", "bytes"}, …}}`."""
        sums = {name: sum(one[name] for one in self.deleted.values()) for name in ("count", "bytes")}
        return {"dry_run": self.dry_run, **sums, "deleted": self.deleted}

    def rows(self, what: str, table: FromClause, where: ColumnElement[bool]) -> None:
        """Delete rows of a table. They are looked for outside of the transactions that delete them."""
        if self.dry_run:
            query = select(func.count(), func.coalesce(func.sum(size_of(table)), 0)).select_from(table).where(where)
            self.count(what, *_found(query)[0])
            return
        query = select(*table.primary_key).where(where).limit(READ_TOGETHER)
        while found := _found(query):
            self._drop(what, table, size_of(table), found)

    def files(self, what: str, where: ColumnElement[bool], spared: Container[str] = ()) -> None:
        """Delete stored files but those of the ids `spared`; the bytes first: a row without bytes is found again, bytes
        without a row hardly."""
        after = ""
        query = select(F.id, F.size, F.storage_key).where(where).order_by(F.id).limit(FILES_TOGETHER)
        while read := _found(query.where(F.id > after)):
            after, found = read[-1].id, [row for row in read if row.id not in spared]
            if self.dry_run:
                self.count(what, len(found), sum(row.size for row in found))
                continue
            files.storage().delete([row.storage_key for row in found])
            self._drop(what, File.__table__, F.size, [(row.id,) for row in found])

    def noted(self, what: str, count: int, size: int) -> None:
        """Record what was deleted elsewhere than in the database."""
        if self.dry_run or not count:
            self.count(what, count, size)
            return
        with db.writing() as session:
            self._note(session, what, count, size)

    def count(self, what: str, count: int, size: int) -> None:
        if not count:
            return
        tally = self.deleted.setdefault(what, {"count": 0, "bytes": 0})
        tally["count"], tally["bytes"] = tally["count"] + count, tally["bytes"] + int(size)

    def _drop(self, what: str, table: FromClause, size: Any, found: Sequence[Any]) -> None:
        """Delete the rows of these keys, in as many transactions as their time asks for."""
        columns = list(table.primary_key)
        key = tuple_(*columns) if len(columns) > 1 else columns[0]
        rest = [tuple(row) if len(row) > 1 else row[0] for row in found]
        while rest:
            sizes: list[int] = []
            with self._short() as (session, ends_at):
                over = False
                while rest and not over:
                    some, rest = rest[:STEP_ROWS], rest[STEP_ROWS:]
                    query = delete(table).where(key.in_(some)).returning(size)  # type: ignore[arg-type]
                    sizes += session.scalars(query).all()
                    over = time.monotonic() > ends_at
                if sizes:
                    self._note(session, what, len(sizes), sum(sizes))

    @contextmanager
    def _short(self) -> Iterator[tuple[Session, float]]:
        """A transaction, and when it should come to its end; behind it a time for everybody else's."""
        with db.writing() as session:
            began = time.monotonic()
            yield session, began + HOLD_S
        time.sleep((time.monotonic() - began) * PAUSE)

    def _note(self, session: Session, what: str, count: int, size: int) -> None:
        self.count(what, count, size)
        if self._record:
            session.execute(update(Cleanup).where(Cleanup.id == self._record).values(deleted=self.deleted))
            return
        row = {"kind": self._kind, "task_id": self._task_id, "at": db.now(), "deleted": self.deleted}
        self._record = session.execute(insert(Cleanup).values(**row).returning(Cleanup.id)).scalar_one()


def _found(query: Any) -> list[Any]:
    with db.reading() as session:
        return list(session.execute(query))
