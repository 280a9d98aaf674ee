"""One import, from the uploaded file to its result; a dry run goes the same way and writes nothing.

Every row is checked first, into a scratch file. What is good is then applied in batches, in the order of the rows'
keys, and the place in that order is moved in the transaction of each batch: an execution that finds a place goes on
behind it. Whatever dies, what was applied is applied once, and the end is that of a run that nothing disturbed.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from workers import files
from workers.db import writing
from workers.errors import SheetRefused
from workers.imports import checking, places, refusals
from workers.imports.orders import Order, Tell, folder
from workers.imports.scratch import Scratch
from workers.models import Import
from workers.pace import Pace
from workers.services.workbooks import XLSX

ROWS_AT_FIRST = 200
SHOWN = 50
APPLYING = ("Satırlar aktarılıyor...", "Importing the rows...")
COMPARING = ("Satırlar karşılaştırılıyor...", "Comparing the rows...")


def run(
    order: Order, *, tell: Tell, pause: Callable[[], None], no_return: Callable[[], None] = lambda: None
) -> dict[str, Any]:
    """The result of the order, as the API shows it. `tell(current, total, status)` hears how far it is, in rows;
    `pause()` is called where the rest can wait, `no_return()` before the first row of all or nothing; both may raise.
    Raises SheetRefused, MissingRecord, StorageFailed."""
    with folder(order) as place, _refused_in(order.language):
        stands = places.claim(order.id, order.execution)
        scratch = checking.checked(order, place, lambda done, total, status: tell(done // 3, total, status))
        try:
            if _may_apply(order, scratch, stands):
                if order.all_or_nothing and not order.dry_run:
                    no_return()
                _settle(order, scratch, stands, _paced(scratch, tell), pause)
            error_file = _error_file(order, place, scratch, _paced(scratch, tell, before=scratch.good()))
            result = _result(order, scratch, places.find(order.id), error_file)
        finally:
            scratch.close()
    if order.task_id is None:
        places.forget(order.id)
    return result


@contextmanager
def _refused_in(language: str) -> Iterator[None]:
    """Let a refusal of the file speak the language of the order."""
    try:
        yield
    except SheetRefused as error:
        raise type(error)(**{**error.fields, "language": language}) from error


def _paced(scratch: Scratch, tell: Tell, before: int = 0) -> Tell:
    """A row counts for a third once it is checked, and whole once it is applied or written down as refused."""
    total = scratch.good() + scratch.count(bad=True)

    def told(done: int, _: int | None, status: str) -> None:
        tell((total + 2 * (before + done)) // 3, total, status)

    return told


def _may_apply(order: Order, scratch: Scratch, stands: Import) -> bool:
    """Of all or nothing a bad row means nothing, unless a part is applied already."""
    return not order.all_or_nothing or stands.reached is not None or not scratch.count(bad=True)


def _settle(order: Order, scratch: Scratch, stands: Import, tell: Tell, pause: Callable[[], None]) -> None:
    """Apply (or, in a dry run, compare) every good row behind the place where the task stands."""
    company, apply = order.company(), order.meaning.apply
    status, done = order.word(COMPARING if order.dry_run else APPLYING), scratch.passed(stands.reached)
    pace = Pace(ROWS_AT_FIRST)
    for parts in scratch.batches(lambda: pace.rows, stands.reached):
        with writing() as session:
            began = time.monotonic()
            order.hold(session)
            counts: Counter[str] = apply(session, company, parts, write=not order.dry_run)
            places.move(session, stands, parts[-1].place, counts)
        pace.took(time.monotonic() - began, sum(len(part.rows) for part in parts))
        done += counts.total()
        tell(done, 0, status)
        pause()


def _error_file(order: Order, place: Path, scratch: Scratch, tell: Tell) -> dict[str, Any] | None:
    if not scratch.count(bad=True):
        return None
    stem = order.file["filename"].rpartition(".")[0] or order.file["filename"]
    name = f"{stem[:100]}-{order.word(('hatalar', 'errors'))}.xlsx"
    with files.new(name, XLSX, task_id=order.task_id, company_id=order.company_id) as file:
        refusals.write(order, place, scratch, file, tell)
    return file.result


def _result(order: Order, scratch: Scratch, stands: Import, error_file: dict[str, Any] | None) -> dict[str, Any]:
    facts = scratch.facts()
    return {
        "dry_run": order.dry_run,
        **{name: getattr(stands, name) for name in places.COUNTS},
        "bad": scratch.count(bad=True),
        "warnings": scratch.count(bad=False),
        **{name: facts.get(name) for name in ("sheet", "header_row", "mapping", "headers", "sheets", "unread_sheets")},
        "errors": _shown(order, scratch, bad=True),
        "error_file": error_file,
        "warned": _shown(order, scratch, bad=False),
        "file": {"id": order.file["id"], "sha256": order.file["sha256"]},
    }


def _shown(order: Order, scratch: Scratch, *, bad: bool) -> list[dict[str, Any]]:
    """The first rows of which something was said, with all that was said of them: in the language of the order, and for
    whoever else looks at it in each."""
    return [
        {
            "row": number,
            "reasons": [order.word(words) for words in reasons],
            "told": {"tr": [words[0] for words in reasons], "en": [words[1] for words in reasons]},
        }
        for number, reasons in scratch.said(bad=bad, limit=SHOWN)
    ]
