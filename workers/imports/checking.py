"""From the sheet to the scratch: every row is understood, or refused with all its reasons, before any is applied."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workers import settings
from workers.db import reading
from workers.errors import SheetRefused
from workers.imports.balances import MAX_LINES
from workers.imports.orders import Order, Tell, sheet_file
from workers.imports.scratch import Part, Scratch, Understood, Words, keep
from workers.services.columns import MAPPINGS
from workers.services.turkish import fold

if TYPE_CHECKING:
    from workers.services.sheets import Row, Sheet

BATCH, NAMED_AT_MOST = 500, 200
RELATED = {"bakiye": ("borc", "alacak", "side")}  # of what can't be read it need not be said that it is missing
CHECKING = ("Satırlar kontrol ediliyor...", "Checking the rows...")


@contextmanager
def opened(order: Order, place: Path) -> Iterator["Sheet"]:
    """The sheet of the order. Raises SheetRefused."""
    from workers.services import sheets

    fields = {
        column.name: sheets.Field(column.name, (column.tr, column.en, *column.aliases), column.kind, column.required)
        for column in order.meaning.columns
    }
    kept = order.company().options.get(MAPPINGS, {}).get(order.target, {})
    limits = sheets.Limits(max_rows=settings.current().max_sheet_rows)
    asked: dict[str, Any] = {"sheet_name": order.sheet_name, "limits": limits}
    asked["mapping"] = {**kept, **(order.mapping or {})}
    with sheets.read(sheet_file(order, place), filename=order.file["filename"], fields=fields, **asked) as sheet:
        _refuse_missing(order, sheet)
        yield sheet


def _refuse_missing(order: Order, sheet: "Sheet") -> None:
    """A heading that is named with this very upload is there, or another column would be taken in its place; one that
    the company keeps for its files need not be in each."""
    there = {fold(name) for names in (sheet.headers, *sheet.heads) for name in names}
    asked, known = order.mapping or {}, {column.name for column in order.meaning.columns}
    if unknown := ", ".join(sorted(asked.keys() - known)):
        tr, en = f"{unknown} diye bir alan yok", f"there is no column {unknown} to import"
        raise SheetRefused(reason=tr, en=en)
    missing = [name for name in asked.values() if name and fold(name) not in there]
    if missing:
        named, seen = ", ".join(f"“{name}”" for name in missing), ", ".join(filter(None, sheet.headers))
        tr, en = f"{named} başlığı sayfada yok; görülenler: {seen}", f"no column is called {named}; seen are {seen}"
        raise SheetRefused(reason=tr, en=en)


def checked(order: Order, place: Path, tell: Tell) -> Scratch:
    """The checked rows of the order: as an earlier slice left them on this machine, else made now."""
    path, draft = place / "rows.db", place / f"rows-{order.execution}.db"
    if not path.exists():
        with suppress(FileNotFoundError):
            draft.unlink()
        scratch = Scratch(draft)
        try:
            _fill(scratch, order, place, tell)
        finally:
            scratch.close()
        keep(path, draft)
    return Scratch(path)


def _fill(scratch: Scratch, order: Order, place: Path, tell: Tell) -> None:
    scratch.begin()
    with opened(order, place) as sheet:
        done = 0
        for rows in sheet.rows():
            _check(scratch, order, sheet, rows)
            done += len(rows)
            tell(done, sheet.total, order.word(CHECKING))
        facts = {"sheet": sheet.name, "header_row": sheet.header_row, "mapping": sheet.mapping, "rows": done}
        named = {"headers": list(filter(None, sheet.headers)), "sheets": sheet.sheets, "unread_sheets": sheet.unread}
        facts |= {name: texts[:NAMED_AT_MOST] for name, texts in named.items()}
    scratch.settle(MAX_LINES)
    _ask(scratch, order)
    scratch.finish(facts)


def _check(scratch: Scratch, order: Order, sheet: "Sheet", rows: "list[Row]") -> None:
    good: list[Understood] = []
    bad: list[tuple[int, list[Words]]] = []
    warned: list[tuple[int, list[Words]]] = []
    lacking: list[tuple[str, int, int]] = []
    understand = order.meaning.understand
    for row in rows:
        values = _values(order, row)
        if row.warnings:
            warned.append((row.number, [_under(said.header, (said.tr, said.en)) for said in row.warnings]))
        if reasons := _reasons(order, sheet, row, values):
            bad.append((row.number, reasons))
            if place := order.meaning.place(values):
                lacking.append((*place, row.number))
        else:
            key, who, what = understand(values)
            good.append(Understood(key, row.number, who, what))
    scratch.add(good)
    scratch.lack(lacking)
    scratch.say(bad, bad=True)
    scratch.say(warned, bad=False)


def _values(order: Order, row: "Row") -> dict[str, Any]:
    values = row.values or {}
    if order.as_of is not None and values.get("as_of") is None:
        values["as_of"] = order.as_of
    return values


def _reasons(order: Order, sheet: "Sheet", row: "Row", values: dict[str, Any]) -> list[Words]:
    """All that is wrong with a row: its cells by themselves, then what they say together."""
    faults = order.meaning.faults(values)
    if not row.reasons and not faults:
        return []
    blamed = {said.field for said in row.reasons}
    fresh = [(name, words) for name, words in faults if not blamed & {name, *RELATED.get(name, ())}]
    told = [_under(said.header, (said.tr, said.en)) for said in row.reasons]
    return told + [_under(sheet.mapping.get(name), words) for name, words in fresh]


def _under(heading: str | None, words: Words) -> Words:
    """A reason under the heading that people see above the cell."""
    return (f"{heading}: {words[0]}", f"{heading}: {words[1]}") if heading else words


def _ask(scratch: Scratch, order: Order) -> None:
    """Ask the database about the rows that are good by themselves."""
    refuse, warn = order.meaning.refuse, order.meaning.warn
    if refuse is None and warn is None:
        return
    refused: list[tuple[Part, Words]] = []
    warned: list[tuple[int, Words]] = []
    for parts in scratch.batches(lambda: BATCH):
        with reading() as session:
            refused += refuse(session, order.company_id, parts) if refuse else []
            warned += warn(session, order.company_id, parts) if warn else []
    scratch.refuse(refused)
    scratch.say([(number, [words]) for number, words in warned], bad=False)
