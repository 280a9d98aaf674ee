"""The checked rows of one sheet in an SQLite file of this machine's own: sorted, without doubles, in little memory.

It holds nothing that can't be made again from the uploaded file: if it is missing, on this machine or on the next one
that goes on with the task, it is built once more and comes out the same.
"""

import os
import sqlite3
from bisect import insort
from collections.abc import Callable, Iterable, Iterator
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any, NamedTuple

import orjson

NAMED_AT_MOST = 5
UNSAFE_AND_FAST = ("journal_mode=OFF", "synchronous=OFF", "cache_size=-32000", "temp_store=FILE")
TABLES = (
    "CREATE TABLE rows (grp TEXT, part INTEGER, line TEXT, number INTEGER, who BLOB, what BLOB)",
    "CREATE TABLE said (number INTEGER, bad INTEGER, reasons BLOB)",
    "CREATE TABLE lacking (grp TEXT, part INTEGER, number INTEGER)",
    "CREATE TABLE about (facts BLOB)",
)
BY_KEY = (
    "CREATE INDEX by_key ON rows (grp, part, line, number)",
    "CREATE INDEX by_number ON said (bad, number)",
)
DOUBLES = "SELECT grp, part, line, COUNT(*) FROM rows GROUP BY grp, part, line HAVING COUNT(*) > 1"
TOO_MANY = "SELECT grp, part FROM rows GROUP BY grp, part HAVING COUNT(*) > ?"
PART = "FROM rows WHERE grp = ? AND part = ?"
SAME = "FROM rows WHERE grp = ? AND part = ? AND line = ?"
IN_ORDER = "SELECT grp, part, number, who, what FROM rows WHERE (grp, part) > (?, ?) ORDER BY grp, part"
LACKING = "SELECT rows.number, MIN(lacking.number) FROM rows JOIN lacking USING (grp, part) GROUP BY rows.number"
AT_ODDS = """
SELECT number, first FROM (
  SELECT number, who, FIRST_VALUE(who) OVER each AS decided, FIRST_VALUE(number) OVER each AS first
  FROM rows WHERE grp IN (SELECT grp FROM rows GROUP BY grp HAVING COUNT(*) > 1)
  WINDOW each AS (PARTITION BY grp ORDER BY part, number)
) WHERE who <> decided
"""

# 120 is the account above 120.01, 120-01 and 120 01: what parts them comes before the slash.
ABOVE = """
SELECT number, grp, below FROM (
  SELECT number, grp, (
    SELECT MIN(grp) FROM rows AS others WHERE others.grp > rows.grp || ' ' AND others.grp < rows.grp || '/'
  ) AS below FROM rows WHERE grp GLOB '[0-9]*'
) WHERE below IS NOT NULL
"""

Words = tuple[str, str]


class Key(NamedTuple):
    """What a row is about: a group (an account, a user), a part of it (a day) and a line in that part (a currency)."""

    group: str
    part: int = 0
    line: str = ""


class Understood(NamedTuple):
    """A good row: its key, `who` it names and `what` it says of them, both as JSON would have them."""

    key: Key
    number: int
    who: dict[str, Any]
    what: dict[str, Any]


class Part(NamedTuple):
    """All rows of one group and part, in the order of the sheet. `who` is what the first row of the group's first part
    says, for all of them; `leads`: this is that first part."""

    group: str
    part: int
    who: dict[str, Any]
    rows: list[tuple[int, dict[str, Any]]]
    leads: bool = True

    @property
    def place(self) -> str:
        return orjson.dumps([self.group, self.part]).decode()


class Scratch:
    """A new one: `begin`, `add` and `say`, `settle`, `refuse`, `finish`. A finished one is only read."""

    def __init__(self, path: Path) -> None:
        self._db = sqlite3.connect(path, isolation_level=None, cached_statements=16)
        for pragma in UNSAFE_AND_FAST:
            self._db.execute(f"PRAGMA {pragma}")

    def close(self) -> None:
        self._db.close()

    def begin(self) -> None:
        for statement in ("BEGIN", *TABLES):
            self._db.execute(statement)

    def add(self, rows: Iterable[Understood]) -> None:
        packed = ((*row.key, row.number, orjson.dumps(row.who), orjson.dumps(row.what)) for row in rows)
        self._db.executemany("INSERT INTO rows VALUES (?, ?, ?, ?, ?, ?)", packed)

    def say(self, said: Iterable[tuple[int, list[Words]]], *, bad: bool) -> None:
        """Reasons against rows (`bad`), or warnings; each in Turkish and English."""
        packed = ((number, bad, orjson.dumps(reasons)) for number, reasons in said)
        self._db.executemany("INSERT INTO said VALUES (?, ?, ?)", packed)

    def lack(self, places: Iterable[tuple[str, int, int]]) -> None:
        """Bad rows of which it is known to which group and part they belong: these come without them."""
        self._db.executemany("INSERT INTO lacking VALUES (?, ?, ?)", places)

    def refuse(self, refused: list[tuple[Part, Words]]) -> None:
        """Take whole parts out of the good rows."""
        for part, reason in refused:
            self.say([(number, [reason]) for number, _ in part.rows], bad=True)
            self._db.execute("DELETE FROM rows WHERE grp = ? AND part = ?", (part.group, part.part))

    def settle(self, lines_at_most: int) -> None:
        """Once all rows are in: sort them, refuse doubles naming all of them, and parts of too many lines; warn where a
        part lacks a bad row, where a group is at odds, or may be the sum of others, as the main accounts of a trial
        balance are."""
        for statement in BY_KEY:
            self._db.execute(statement)
        for *key, count in self._db.execute(DOUBLES).fetchall():
            self._refuse_doubles(key, count)
        for key in self._db.execute(TOO_MANY, (lines_at_most,)).fetchall():
            self._db.execute(f"INSERT INTO said SELECT number, 1, ? {PART}", (_too_many(lines_at_most), *key))
            self._db.execute(f"DELETE {PART}", key)
        told = [(number, [_lacks(bad)]) for number, bad in self._db.execute(LACKING)]
        told += [(number, [_differs(first)]) for number, first in self._db.execute(AT_ODDS)]
        told += [(number, [_is_above(code, below)]) for number, code, below in self._db.execute(ABOVE)]
        self.say(told, bad=False)

    def _refuse_doubles(self, key: list[Any], count: int) -> None:
        numbers = self._db.execute(f"SELECT number {SAME} ORDER BY number LIMIT ?", (*key, NAMED_AT_MOST)).fetchall()
        reasons = orjson.dumps([_double([number for (number,) in numbers], count)])
        self._db.execute(f"INSERT INTO said SELECT number, 1, ? {SAME}", (reasons, *key))
        self._db.execute(f"INSERT INTO lacking SELECT grp, part, number {SAME}", key)
        self._db.execute(f"DELETE {SAME}", key)

    def finish(self, facts: dict[str, Any]) -> None:
        """`facts` are what must be known of the sheet when it is not at hand."""
        self._db.execute("INSERT INTO about VALUES (?)", (orjson.dumps(facts),))
        self._db.execute("COMMIT")

    def facts(self) -> dict[str, Any]:
        return orjson.loads(self._db.execute("SELECT facts FROM about").fetchone()[0])

    def good(self) -> int:
        return self._db.execute("SELECT COUNT(*) FROM rows").fetchone()[0]

    def passed(self, place: str | None) -> int:
        """How many good rows lie up to this place."""
        if place is None:
            return 0
        query = "SELECT COUNT(*) FROM rows WHERE (grp, part) <= (?, ?)"
        return self._db.execute(query, orjson.loads(place)).fetchone()[0]

    def count(self, *, bad: bool) -> int:
        return self._db.execute("SELECT COUNT(DISTINCT number) FROM said WHERE bad = ?", (bad,)).fetchone()[0]

    def said(self, *, bad: bool, limit: int = -1) -> Iterator[tuple[int, list[Words]]]:
        """Row numbers in order, with all that was said of each."""
        query = "SELECT number, reasons FROM said WHERE bad = ? ORDER BY number, rowid"
        for count, (number, rows) in enumerate(groupby(self._db.execute(query, (bad,)), key=itemgetter(0))):
            if count == limit:
                return
            yield number, [(tr, en) for row in rows for tr, en in orjson.loads(row[1])]

    def batches(self, size: Callable[[], int], after: str | None = None) -> Iterator[list[Part]]:
        """The good rows in the order of their keys, as many as `size` says or a few more at once, never half a part."""
        batch: list[Part] = []
        rows = 0
        for part in self._parts(after):
            batch.append(part)
            rows += len(part.rows)
            if rows >= size():
                yield batch
                batch, rows = [], 0
        if batch:
            yield batch

    def _parts(self, after: str | None) -> Iterator[Part]:
        group, reached = orjson.loads(after) if after else ("", -(2**62))
        who = self._first_of(group)
        for rows in self._grouped(group, reached):
            leads = rows[0][0] != group or who is None
            if leads:
                group, who = rows[0][0], orjson.loads(rows[0][3])
            yield Part(group, rows[0][1], who or {}, [(row[2], orjson.loads(row[4])) for row in rows], leads)

    def _grouped(self, group: str, part: int) -> Iterator[list[tuple[Any, ...]]]:
        """The rows of each part behind this one, in the order of the sheet. (itertools.groupby takes twice as long.)"""
        rows: list[tuple[Any, ...]] = []
        for row in self._db.execute(IN_ORDER, (group, part)):
            if rows and (row[0] != rows[0][0] or row[1] != rows[0][1]):
                yield rows
                rows = [row]
            elif not rows or rows[-1][2] < row[2]:
                rows.append(row)
            else:
                insort(rows, row, key=itemgetter(2))
        if rows:
            yield rows

    def _first_of(self, group: str) -> dict[str, Any] | None:
        query = "SELECT who FROM rows WHERE grp = ? ORDER BY part, number LIMIT 1"
        found = self._db.execute(query, (group,)).fetchone()
        return orjson.loads(found[0]) if found else None


def keep(path: Path, draft: Path) -> None:
    """Let the finished draft appear under its name, whole even after a power cut."""
    with draft.open("rb") as file:
        os.fsync(file.fileno())
    draft.replace(path)


def _double(numbers: list[int], count: int) -> Words:
    named = ", ".join(map(str, numbers)) + (", …" if count > len(numbers) else "")
    return f"Aynı kayıt birden çok satırda: {named}", f"The same record stands in several rows: {named}"


def _too_many(limit: int) -> bytes:
    words = (f"En çok {limit} satır bir arada durabilir", f"At most {limit} rows can stand together")
    return orjson.dumps([words])


def _lacks(bad: int) -> Words:
    return (
        f"Aynı kaydın {bad}. satırı hatalı, onsuz alındı; o satırı düzeltip yükleyince eklenir",
        f"Row {bad} of the same record is bad, so it came without it; mend and upload that row, and it is added",
    )


def _differs(first: int) -> Words:
    return (
        f"Cari bilgileri {first}. satırdakinden farklı; {first}. satırdaki geçerli sayıldı",
        f"Differs from row {first} about the account; row {first} counts",
    )


def _is_above(code: str, below: str) -> Words:
    return (
        f"{code} kodunun altında başka hesaplar var ({below}); bu satır onların toplamıysa çıkarın",
        f"Other accounts stand under {code} ({below}); leave this row out if it is their sum",
    )
