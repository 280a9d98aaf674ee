"""Sheets: imports of users, accounts and balances, and records as workbooks."""

from collections.abc import Iterable, Iterator
from datetime import date
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from workers import files, lettered, settings
from workers.engine import Ref, find, job, ledger, no_return, pause_point, report, this_task
from workers.engine.ends import counted
from workers.engine.tasks import Task, params_of
from workers.errors import MissingRecord, SealBroken
from workers.services.columns import Target
from workers.wording.states import ITEM_STATES, LETTER_STATES
from workers.wording.told import worded

IMPORTING = {"tr": "Dosya içe aktarılıyor...", "en": "Importing the file..."}
EXPORTING = {"tr": "Tablo hazırlanıyor...", "en": "Making the workbook..."}
IMPORTED = {"tr": "Dosya işlendi!", "en": "The file was read!"}
PARTLY = {"tr": "Dosya işlendi! Hatalı satır: {}", "en": "The file was read! Wrong rows: {}"}
TRIED = {"tr": "Deneme bitti", "en": "The trial has ended"}
REFUSED = {"tr": "Hiçbir satır aktarılmadı: {} hatalı satır var", "en": "No row was imported (wrong rows: {})"}
EXPORTED = {"tr": "Tablo hazır!", "en": "The workbook is ready!"}
ITEM = ("position", "ref", "state", "attempts", "error", "provider_id", "updated_at")
LETTER = ("code", "name")  # before the last, of the items of a bulk of letters
ITEM_HEADINGS = {
    "tr": ("Sıra", "Alıcı", "Durum", "Deneme", "Hata", "Sağlayıcı No", "Cari Kodu", "Cari", "Güncellendi"),
    "en": ("Position", "Recipient", "State", "Attempts", "Error", "Provider Id", "Account Code", "Account", "Updated"),
}
PAGES = {  # what people call what is exported
    "tr": {"accounts": "Cari hesaplar", "mutabakat": "Mutabakat", "items": "Kalemler"},
    "en": {"accounts": "Accounts", "mutabakat": "Mutabakat", "items": "Items"},
}
Language = Literal["tr", "en"]
ItemState = Literal["pending", "sending", "done", "failed", "skipped", "unknown"]
TOLD_EVERY = 500


def _is_half_done(task_id: str) -> bool:
    """Whether some rows of an import of all or nothing are written, and not all: it can't be left like that."""
    from workers.imports import places

    if not places.has_begun(task_id):
        return False
    try:
        params = params_of(task_id)
    except SealBroken:  # nobody can go on with it
        return False
    return params["mode"] == "all-or-nothing" and not params["dry_run"]


def _end_of(result: dict[str, Any] | None) -> dict[str, str]:
    """A trial changed nothing, and of all or nothing one bad row leaves nothing: neither may sound like an import; nor
    may one that left rows out sound whole."""
    if not result or "unreadable" in result:  # the key that sealed it is gone
        return IMPORTED
    if result["dry_run"]:
        return TRIED
    if not result["bad"]:
        return IMPORTED
    told = PARTLY if result["new"] or result["changed"] or result["unchanged"] else REFUSED
    return {lang: sentence.format(counted(result["bad"], lang)) for lang, sentence in told.items()}


@job(queue="excel", retries=3, accepted=IMPORTING, ended=_end_of, no_return=_is_half_done)
def process_excel_upload(
    file_path: Annotated[str, Ref("file")],
    sheet_name: str | None = None,
    target: Target = "mutabakat",
    dry_run: bool = False,
    mode: Literal["skip-bad", "all-or-nothing"] = "skip-bad",
    *,
    mapping: dict[str, str] | None = None,
    as_of: date | None = None,
    language: Language = "tr",
) -> dict[str, Any]:
    """Import the users, accounts or balances (mutabakat) of an uploaded sheet; a dry run says what it would change."""
    from workers.imports import orders, runs

    task = this_task()
    order = orders.Order(
        files.uploaded(file_path, task.company_id),
        target,
        sheet_name,
        mapping,
        as_of,
        dry_run=dry_run,
        all_or_nothing=mode == "all-or-nothing",
        language=language,
        task_id=task.id,
        execution=task.execution,
    )
    return runs.run(order, tell=report, pause=pause_point, no_return=no_return)


@job(queue="excel", retries=3, accepted=EXPORTING, ended=EXPORTED)
def export_sheet(
    what: Literal["accounts", "mutabakat", "items"],
    company_id: int,
    task_id: Annotated[str, Ref("task")] | None = None,
    language: Language = "tr",
    state: ItemState | None = None,
) -> dict[str, Any]:
    """Write a company's accounts, its mutabakat lines, or the items of one of its tasks (task_id; `state`: only those
    in that state) into a workbook."""
    from workers.imports import exports
    from workers.services import workbooks

    if what == "items":
        widths: list[int] = []
        headings, total, records = _items(task_id or "", company_id, language, state)
    else:
        headings = tuple(column.heading(language) for column in exports.COLUMNS[what])
        widths = exports.widths(what)
        states = {state: worded(name, language) for state, name in LETTER_STATES.items()}
        total, records = exports.count(what, company_id), exports.rows(what, company_id, language, states)
    with files.new(f"{what}.xlsx", workbooks.XLSX, task_id=this_task().id, company_id=company_id) as file:
        with workbooks.Workbook(file) as book:
            page = book.page(PAGES[language][what])
            page.head(headings, widths)
            page.rows(_told(records, total))
    return file.result


def _told(records: Iterable[list[list[Any]]], total: int) -> Iterator[list[Any]]:
    for number, rows in enumerate(records, 1):
        yield from rows
        if number % TOLD_EVERY == 0:
            report(number, max(total, number))


def _items(
    task_id: str, company_id: int, language: Language, state: ItemState | None
) -> tuple[tuple[str, ...], int, Iterator[list[list[Any]]]]:
    """The items of a task; a task of another company is as unknown as one that never was."""
    task = find(task_id)
    if task.scope != str(company_id):
        raise MissingRecord(what="task", id=task_id)
    counts = task.counts or {}
    total = counts.get(state, 0) if state else sum(counts.values())
    *headings, code, name, updated = ITEM_HEADINGS[language]
    more = (code, name) if lettered.is_of_letters(task.kind) else ()
    return (*headings, *more, updated), total, _pages(task, language, state)


def _pages(task: Task, language: Language, state: ItemState | None) -> Iterator[list[list[Any]]]:
    cursor, zone, more = None, ZoneInfo(settings.current().timezone), lettered.is_of_letters(task.kind)
    while True:
        page, cursor = ledger.page(task.id, state=state, cursor=cursor, limit=TOLD_EVERY)
        letters = lettered.letters(task.kind, [row["id"] for row in page])
        for row in page:
            letter = letters.get(row["id"], {})
            yield [_item(_told_in(language, row), [letter.get(name) for name in LETTER if more], zone)]
        if cursor is None:
            return


def _told_in(language: Language, row: dict[str, Any]) -> dict[str, Any]:
    """Its state and its error as the desk shows them: the sheet is for people, programs read the API."""
    state, error = ITEM_STATES.get(row["state"], row["state"]), row["error"]
    return {**row, "state": worded(state, language), "error": worded(error, language) if error else None}


def _item(row: dict[str, Any], letter: list[Any], zone: ZoneInfo) -> list[Any]:
    """A cell knows no zone: it holds the time of the clock on the wall."""
    return [*(row[name] for name in ITEM[:-1]), *letter, row[ITEM[-1]].astimezone(zone)]
