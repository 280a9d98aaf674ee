"""Reading a sheet from the caller's side: starts the child, waits for its answers, and ends it whatever happens."""

import os
import select
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from types import TracebackType
from typing import Any

import orjson

from workers import errors
from workers.errors import SheetRefused, SiraError, WorkerLost
from workers.services.sheets.shapes import CellError, Field, Limits, Problem, Row
from workers.services.workbooks import Styled

CHUNK_ROWS = 1_000
MAX_ANSWER_BYTES = 256 * 2**20
ROOT = Path(__file__).parents[3]
MODULE = "workers.services.sheets.child"
_KEPT = ("PATH", "LD_LIBRARY_PATH", "SYSTEMROOT")  # no secrets: the child reads what strangers wrote
# Pieces of a megabyte come and go: their memory is used again instead of being fetched anew from the kernel.
_MALLOC = {"MALLOC_ARENA_MAX": "2", "MALLOC_MMAP_THRESHOLD_": str(64 * 2**20), "MALLOC_TRIM_THRESHOLD_": str(2**27)}
_FROM_OUTSIDE = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
_TAGS: dict[str, Callable[[Any], Any]] = {
    **{"d": date.fromisoformat, "t": datetime.fromisoformat, "e": CellError},
    "n": lambda styled: Styled(*styled),
}


@contextmanager
def read(
    path: Path,
    *,
    filename: str,
    fields: Mapping[str, Field],
    sheet_name: str | None = None,
    mapping: Mapping[str, str] | None = None,
    limits: Limits = Limits(),  # noqa: B008  frozen
) -> Iterator["Sheet"]:
    """Open one sheet of a file: the one called `sheet_name`, or the visible one whose header fits `fields` best.

    `mapping` (field to the user's header) goes before what is proposed, where the sheet has that header; "" leaves a
    field out. Raises SheetRefused within `limits.seconds`, also NoSuchSheet and NoHeader; WorkerLost where the process
    that reads was killed.
    """
    job = {
        "path": str(path.resolve()),
        "filename": filename,
        "fields": [asdict(field) for field in fields.values()],
        "sheet_name": sheet_name,
        "mapping": dict(mapping) if mapping else None,
        "limits": asdict(limits),
        "parent": os.getpid(),
    }
    with _Child(job, limits.seconds) as child:
        yield Sheet(child, {field.name: field for field in fields.values()})


class Sheet:
    """An open sheet. `headers` are the names of its columns, "" for a column without; `mapping` is field to header.
    `heads`: the rows that these names are of, as they stand; two where groups above them part them. `unread` are the
    other sheets of the book that people see.

    `total` counts the rows below the header that hold something, None if that is not known; sums are among them.
    `skipped` counts the sums and the empty rows that `rows` has left out so far.
    """

    def __init__(self, child: "_Child", fields: dict[str, Field]) -> None:
        self._child, self._fields = child, fields
        head = child.open()
        self.name: str = head["name"]
        self.sheets: list[str] = head["sheets"]
        self.unread: list[str] = head["unread"]
        self.header_row: int = head["header_row"]
        self.headers: list[str] = head["headers"]
        self.mapping: dict[str, str] = head["mapping"]
        self.heads: list[list[str]] = [head["groups"], head["own"]] if head["groups"] else [self.headers]
        self.total: int | None = head["total"]
        self.skipped = 0

    def rows(self, after: int = 0) -> Iterator[list[Row]]:
        """Chunks of rows behind row number `after`, converted. May be called again: the file is then opened anew.

        Raises SheetRefused where the file turns out to be broken further on.
        """
        self.skipped = 0
        for answer in self._child.rows(after):
            rows = self._rows_of(answer)
            for start in range(0, len(rows), CHUNK_ROWS):
                yield rows[start : start + CHUNK_ROWS]

    def _rows_of(self, answer: dict[str, Any]) -> list[Row]:
        self.skipped += answer["skipped"]
        columns, names = answer["columns"], list(answer["values"])
        for at in answer["days"]:
            columns[at] = _days(columns[at])
        for at in answer["tagged"]:
            columns[at] = [_untagged(cell) if type(cell) is dict else cell for cell in columns[at]]
        values = [self._restored(name, columns, column) for name, column in answer["values"].items()]
        rows = [
            Row(number, list(cells), dict(zip(names, meant, strict=True)))
            for number, cells, meant in zip(
                answer["numbers"], zip(*columns, strict=True), zip(*values, strict=True), strict=True
            )
        ]
        for n, name, bad, tr, en in answer["said"]:
            header = self.mapping.get(name) or self._fields[name].aliases[0]
            _say(rows[n], Problem(name, header, tr, en), bad=bad)
        return rows

    def _restored(self, name: str, columns: list[list[Any]], column: list[Any] | int) -> list[Any]:
        if isinstance(column, int):
            return columns[column]
        match self._fields[name].kind:
            case "money":
                return [None if value is None else Decimal(value) for value in column]
            case "date":
                return _days(column)
        return column


def _days(ordinals: list[int | None]) -> list[date | None]:
    """Most rows of a sheet are of the same few days."""
    days = {number: None if number is None else date.fromordinal(number) for number in set(ordinals)}
    return list(map(days.__getitem__, ordinals))


def _say(row: Row, problem: Problem, *, bad: bool) -> None:
    if bad:
        row.reasons = (*row.reasons, problem)
    else:
        row.warnings = (*row.warnings, problem)


def _untagged(tagged: dict[str, Any]) -> Any:
    ((tag, value),) = tagged.items()
    return _TAGS[tag](value)


class _Child:
    """One reading process after the other, never two; killed when the block ends."""

    def __init__(self, job: dict[str, Any], seconds: float) -> None:
        self._job, self._seconds = job, seconds
        self._process: subprocess.Popen[bytes] | None = None
        self._used = False

    def __enter__(self) -> "_Child":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._end()

    def open(self) -> dict[str, Any]:
        """Start it; gives the head of the sheet."""
        self._end()
        self._used = False
        self._process = subprocess.Popen(
            [sys.executable, "-m", MODULE],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=ROOT,
            env={name: os.environ[name] for name in _KEPT if name in os.environ} | _MALLOC,
            bufsize=0,
            start_new_session=True,
        )
        self._ask(self._job)
        return self._answer()

    def rows(self, after: int) -> Iterator[dict[str, Any]]:
        if self._used:
            self.open()
        self._used = True
        self._ask({"after": after})
        while "end" not in (answer := self._answer()):
            yield answer

    def _ask(self, question: dict[str, Any]) -> None:
        assert self._process
        assert self._process.stdin
        with suppress(BrokenPipeError):
            self._process.stdin.write(orjson.dumps(question) + b"\n")

    def _answer(self) -> dict[str, Any]:
        """The next answer. Raises what the child refused, or why it died."""
        enough_s = self._computed_s() + self._seconds
        size = int.from_bytes(self._receive(4, enough_s), "big")
        if size > MAX_ANSWER_BYTES:
            raise _lost("bir satır grubu çok büyük", "a group of rows is too large")
        answer: dict[str, Any] = orjson.loads(self._receive(size, enough_s))
        if "refused" in answer:
            raise _refusal(answer)
        return answer

    def _receive(self, size: int, enough_s: float) -> bytearray:
        """Until the child has computed for so long, not until so late: that a machine has much else to do is no fault
        of the file. A child that does nothing at all is ended with the job."""
        assert self._process
        assert self._process.stdout
        received, stream = bytearray(), self._process.stdout.fileno()
        while len(received) < size:
            left_s = enough_s - self._computed_s()
            ready, _, _ = select.select([stream], [], [], max(left_s, 0.01))
            if not ready and left_s > 0:
                continue
            if not ready:
                raise _lost(f"{self._seconds:.0f} saniyede okunamadı", f"it was not read within {self._seconds:.0f} s")
            part = os.read(stream, min(size - len(received), 2**20))
            if not part:
                raise self._death()
            received += part
        return received

    def _computed_s(self) -> float:
        """Processor time of the child so far."""
        assert self._process
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def _death(self) -> SiraError:
        assert self._process
        code = self._process.wait()
        if -code in _FROM_OUTSIDE:  # such as of a machine without memory: it says nothing of the file
            return WorkerLost(reason=f"killed by {signal.Signals(-code).name}")
        if code == -signal.SIGXCPU:
            return _lost("okunması çok uzun sürdü", "reading it took too long")
        return _lost(f"okumaya bellek yetmedi ({code})", f"the reader ran out of memory ({code})")

    def _end(self) -> None:
        process, self._process = self._process, None
        if process:
            process.kill()
            process.wait()
            for pipe in (process.stdin, process.stdout):
                if pipe:
                    with suppress(OSError):
                        pipe.close()


def _lost(tr: str, en: str) -> SheetRefused:
    tr = f"{tr}; dosya çok büyük, bozuk ya da zararlı olabilir (sade bir .xlsx olarak kaydedip deneyin)"
    return SheetRefused(reason=tr, en=f"{en}; it may be too large, broken or harmful (try to save it as plain .xlsx)")


def _refusal(answer: dict[str, Any]) -> SheetRefused:
    family = {kind.__name__: kind for kind in (errors.NoSuchSheet, errors.NoHeader)}
    return family.get(answer["refused"], SheetRefused)(**answer["fields"])
