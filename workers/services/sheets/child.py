"""The process that reads a foreign file: it bounds itself first, then answers in JSON on its standard output.

It is asked in two lines of JSON: what to read (answered by a head, or a refusal), then after which row (answered by
chunks of rows and an end). Each answer is its length in four bytes and then itself.
"""

import ctypes
import gc
import os
import resource
import signal
import sys
import traceback
from collections.abc import Callable, Iterator
from datetime import date, datetime
from decimal import Decimal
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import Any

import orjson

from workers.errors import NoSuchSheet, SheetRefused
from workers.services import turkish
from workers.services.sheets import guard, headers
from workers.services.sheets.blocks import Source
from workers.services.sheets.delimited import Delimited
from workers.services.sheets.guard import MB, refuse
from workers.services.sheets.headers import Header
from workers.services.sheets.others import Others
from workers.services.sheets.rows import Meant, understood
from workers.services.sheets.shapes import CellError, Field, Limits
from workers.services.sheets.xlsx import Xlsx
from workers.services.workbooks import Styled

PR_SET_PDEATHSIG = 1
CPU_S = 600
MAX_SHEETS_TRIED = 40
MAX_TRACE_CHARS = 4_000
_TAG_ALL = orjson.OPT_PASSTHROUGH_DATETIME | orjson.OPT_PASSTHROUGH_DATACLASS

Answer = Callable[[dict[str, Any]], None]


def confine(parent: int, memory_mb: int) -> None:
    """Little memory, no files written, no core; and it ends with its parent."""
    prctl = getattr(ctypes.CDLL(None), "prctl", None)
    if prctl:
        prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)
    bounds = {resource.RLIMIT_AS: memory_mb * MB, resource.RLIMIT_FSIZE: 0, resource.RLIMIT_CORE: 0}
    for what, limit in bounds.items():
        resource.setrlimit(what, (limit, limit))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_S, CPU_S + 1))  # where both are one, it is killed as if from outside


def serve(job: dict[str, Any], answer: Answer, asked: Callable[[], bytes]) -> None:
    fields = [Field(**{**field, "aliases": tuple(field["aliases"])}) for field in job["fields"]]
    limits = Limits(**job["limits"])
    path, filename = Path(job["path"]), job["filename"]
    source = _open(path, filename, limits)
    sheet, header, above = _choose(source, fields, limits, wanted=job["sheet_name"], mapping=job["mapping"])
    headers.check(header, fields)
    filled = source.filled_rows(sheet)
    total = None if filled is None else max(filled - above, 0)
    if total and total > limits.max_rows:
        raise guard.too_many_rows(limits)
    if total == 0:
        raise refuse(f"“{sheet}” sayfasında başlığın altında satır yok", f"the sheet “{sheet}” has no rows")
    unread = [other for other in source.visible if other != sheet]
    told = {"name": sheet, "sheets": source.sheets, "unread": unread, "total": total}
    named = {"header_row": header.row, "headers": header.names, "mapping": header.mapping}
    answer({**told, **named, "groups": header.groups, "own": header.own})
    if line := asked():
        kinds = ("code", "money") if source.shows_currencies else ("code",)
        source.wants_formats([header.columns[f.name] for f in fields if f.kind in kinds and f.name in header.columns])
        for chunk in _chunks(source, sheet, header, fields, orjson.loads(line)["after"]):
            answer(chunk)
        answer({"end": True})


def _open(path: Path, filename: str, limits: Limits) -> Source:
    found = guard.examine(path, filename, limits)
    if found.kind == "xlsx":
        return Xlsx(path, found.rows)
    return Delimited(path, filename, limits) if found.kind == "csv" else Others(path, limits)


def _choose(
    source: Source, fields: list[Field], limits: Limits, *, wanted: str | None, mapping: dict[str, str] | None
) -> tuple[str, Header, int]:
    """The sheet asked for, or the visible one whose header is best, which counts twice where rows stand below it; and
    how many filled rows end with the header."""
    names = [_named(source, wanted)] if wanted else source.visible or source.sheets
    best: tuple[str, Header, int] | None = None
    best_score = 0
    first_rows: list[headers.HeadRow] = []
    for name in names[:MAX_SHEETS_TRIED]:
        rows = list(islice(_rows(source, name), guard.HEAD_ROWS))
        width = max((len(cells) for _, cells in rows), default=0)
        if width > limits.max_columns:
            raise guard.too_many_columns(width, limits)
        header = headers.find(rows, fields, mapping)
        score = header.score * (1 + (rows[-1][0] > header.row)) if header else 0
        if header and score > best_score:
            best, best_score = (name, header, sum(number <= header.row for number, _ in rows)), score
        first_rows = first_rows or rows
    if best is None:
        empty = refuse(f"sayfa boş ({', '.join(names)})", f"the sheet is empty ({', '.join(names)})")
        raise headers.not_found(first_rows, fields) if first_rows else empty
    return best


def _named(source: Source, wanted: str) -> str:
    same = [name for name in source.sheets if name == wanted]
    alike = [name for name in source.sheets if turkish.lower(name.strip()) == turkish.lower(wanted.strip())]
    if not same + alike:
        seen = ", ".join(f"“{name}”" for name in source.sheets[:MAX_SHEETS_TRIED])
        seen += ", …" if len(source.sheets) > MAX_SHEETS_TRIED else ""
        tr, en = f"“{wanted}”; dosyadaki sayfalar: {seen}", f"“{wanted}”; the sheets are {seen}"
        raise refuse(tr, en, error=NoSuchSheet)
    return (same + alike)[0]


def _rows(source: Source, sheet: str) -> Iterator[headers.HeadRow]:
    for block in source.blocks(sheet):
        yield from zip(block.numbers, zip(*block.columns, strict=True), strict=True)


def _chunks(source: Source, sheet: str, header: Header, fields: list[Field], after: int) -> Iterator[dict[str, Any]]:
    last = max(after, header.row)
    at_most = source.cells_in(header.row) if isinstance(source, Delimited) else None
    for block in source.blocks(sheet, last):
        if not block.numbers:
            continue
        meant = understood(block, header, fields, at_most)
        skipped = block.numbers[-1] - last - len(meant.numbers)
        last = block.numbers[-1]
        yield _frame(meant, header, fields) | {"skipped": skipped}


def _frame(meant: Meant, header: Header, fields: list[Field]) -> dict[str, Any]:
    """A field whose values are the user's cells as they stand is told by the number of that column; days by their
    ordinals, in `days`: the columns that hold nothing else."""
    values: dict[str, int | list[Any]] = dict(meant.values)
    for field in fields:
        at, own = header.columns.get(field.name), meant.values[field.name]
        if at is not None and field.kind != "money" and own == meant.columns[at]:
            values[field.name] = at
        elif field.kind == "date":
            values[field.name] = _ordinals(own)
    kinds = [set(map(type, column)) for column in meant.columns]
    days = [at for at, kind in enumerate(kinds) if date in kind and kind <= _DAYS]
    columns = [_ordinals(column) if at in days else column for at, column in enumerate(meant.columns)]
    tagged = [at for at, kind in enumerate(kinds) if at not in days and not _TAGGED.isdisjoint(kind)]
    said = [(n, name, one.bad, one.tr, one.en) for n, name, one in meant.said]
    told = {"numbers": meant.numbers, "columns": columns, "values": values, "said": said}
    return {**told, "days": days, "tagged": tagged}


def _ordinals(days: list[date | None]) -> list[int | None]:
    return [None if day is None else day.toordinal() for day in days]


def packed(answer: dict[str, Any]) -> bytes:
    return orjson.dumps(answer, default=_plain, option=_TAG_ALL)


def _plain(value: Any) -> Any:
    """What JSON lacks; `reading` turns it back."""
    return _PLAIN[type(value)](value)


_TAGGED, _DAYS = {date, datetime, CellError, Styled}, {date, type(None)}
_PLAIN: dict[type, Callable[[Any], Any]] = {
    Decimal: str,
    date: lru_cache(1024)(lambda value: {"d": value.isoformat()}),
    datetime: lambda value: {"t": value.isoformat()},
    CellError: lambda value: {"e": value.name},
    Styled: lambda value: {"n": [value.number, value.format]},
}


def refusal(error: BaseException) -> dict[str, Any]:
    """Whatever a foreign file brought about is a refusal of that file, not a fault of the service."""
    if isinstance(error, MemoryError):
        tr = "okumak için gereken bellek sınırı aşıyor; dosyayı bölün"
        error = refuse(tr, "reading it needs too much memory; split the file")
    elif isinstance(error, UnicodeError):
        tr = "metnin kodlaması tanınmadı (UTF-8, UTF-16 ya da Windows-1254 olmalı)"
        error = refuse(tr, "the encoding of the text is unknown (UTF-8, UTF-16 or Windows-1254 are read)")
    elif not isinstance(error, SheetRefused):
        trace = "".join(traceback.format_exception(error))[-MAX_TRACE_CHARS:]
        tr = "içindeki bilgiler eksik ya da birbirini tutmuyor"
        error = guard.broken(tr, "what it says of itself is incomplete or contradicts itself")
        error.fields["trace"] = trace  # for whoever looks into it; not part of the message
    return {"refused": error.type, "fields": error.fields}


def main() -> None:
    job = orjson.loads(sys.stdin.buffer.readline())
    out = os.dup(1)
    os.dup2(2, 1)  # so that nothing a library prints gets among the answers
    confine(job["parent"], job["limits"]["memory_mb"])
    gc.disable()  # rows are no circles; looking for them takes a tenth of the time

    def answer(what: dict[str, Any]) -> None:
        data = packed(what)
        view = memoryview(len(data).to_bytes(4, "big") + data)
        while view:
            view = view[os.write(out, view) :]

    try:
        serve(job, answer, sys.stdin.buffer.readline)
    except BrokenPipeError:
        return
    except BaseException as error:
        answer(refusal(error))


if __name__ == "__main__":
    main()
