"""Letters of a company: found by a filter, looked at, and made as PDF. (Sending them is app/desk/sending.py.)"""

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from flask import Blueprint, Response, redirect, render_template, request
from flask_babel import format_decimal, gettext
from werkzeug.datastructures import MultiDict
from werkzeug.wrappers import Response as AnyResponse

from app.api.downloads import disposition
from app.api.enqueueing import submit
from app.auth import record_id, sees
from app.desk import acts, gate, selection, whose
from app.desk.reasons import Refusal, refusal_of
from workers import records, settings
from workers.db import now
from workers.errors import Conflict, InvalidInput, InvalidLetter, NotFound, SiraError
from workers.wording.states import LETTER_STATES

CURRENCIES = ("TRY", "USD", "EUR", "GBP", "CHF")
AHEAD = timedelta(days=31)  # of balances that are asked for before their month has ended

pages = Blueprint("desk_letters", __name__)


@pages.get("/letters")
def listed() -> str:
    """The letters of a filter, by default of the newest day; htmx asks for more rows of the same."""
    company = whose.choice()
    if company.id is None:
        return render_template("desk/letters.html", whose=company, days=None)
    return page(company, request.args)


@pages.post("/letters")
def make() -> AnyResponse | tuple[str, int]:
    """Make the chosen letters as PDF."""
    company = whose.choice()
    try:
        ids, shape = chosen(company.known, request.form), request.form.get("format", "")
        task = submit("generate_bulk_pdfs", {"mutabakat_ids": ids, "format": shape, **company.named}, gate.form_key())
    except SiraError as error:
        refused = refusal_of(error)
        return page(company, request.form, refused), refused.status
    if not task.replayed:
        acts.note("letters made", task_id=task.id, detail=f"{len(ids)} letters as {shape}")
    return redirect(f"/tasks/{task.id}", 303)


@pages.get("/letters/<letter_id>")
@gate.beside_a_form
def show(letter_id: str) -> str:
    """One letter with the picture of its first page; htmx gets it without the page around."""
    record = _record(letter_id)
    try:
        _pdf(record)
        fault = None
    except InvalidLetter as error:
        fault = error.message
    template = "desk/letter_part.html" if gate.is_htmx() else "desk/letter.html"
    return render_template(template, letter=_row(record, words()), fault=fault)


@pages.get("/letters/<letter_id>.png")
def picture(letter_id: str) -> Response:
    """The first page as a picture."""
    from workers.services import pictures

    return Response(pictures.first_page(_made(letter_id)[1]), mimetype="image/png")


@pages.get("/letters/<letter_id>.pdf")
def document(letter_id: str) -> Response:
    """The letter as it would be sent."""
    name, pdf = _made(letter_id)
    return Response(pdf, mimetype="application/pdf", headers={"Content-Disposition": disposition(name)})


def chosen(company_id: int, given: MultiDict[str, str]) -> list[int]:
    """The letters that a form means: those it ticks, those it names (`ids`), or all of its filter. InvalidInput where
    that is none. Where some are ticked nobody means all: without a script, "all" stays chosen beside the ticks."""
    if given.get("which") == "some" or "id" in given:
        ids = selection.unpacked(",".join(given.getlist("id")))
    elif "ids" in given:
        ids = selection.unpacked(given["ids"])
    else:
        wanted = selection.filter_of(given, company_id)
        if wanted.faults:
            raise InvalidInput([{"field": "", "message": fault} for fault in wanted.faults])
        ids = selection.ids_of(wanted)
    if not ids:
        raise InvalidInput([{"field": "", "message": gettext("Choose at least one letter.")}])
    return ids


def _listing(company: whose.Choice, given: MultiDict[str, str]) -> dict[str, Any]:
    """What the list shows: its filter, a page of rows, the cursor of the next, and how many there are."""
    found = selection.periods(company.known)
    start = {"as_of": _latest(found).isoformat()} if found and "as_of" not in given else {}
    wanted = selection.filter_of({**given.to_dict(), **start}, company.known)
    days = {day.isoformat(): day.strftime("%d.%m.%Y") for day in found}
    days |= {wanted.as_of: wanted.as_of} if days and wanted.as_of and wanted.as_of not in days else {}
    rows, cursor = selection.page(wanted, given.get("cursor", ""))
    names = words()
    shown = [_row(row._mapping, names) for row in rows]
    return {"whose": company, "filter": wanted, "days": days, "rows": shown, "cursor": cursor, "names": names}


def _latest(days: list[date]) -> date:
    """The newest day, but none far ahead while there are others: one letter with a mistyped year hides no list."""
    return next((day for day in days if day <= now().date() + AHEAD), days[0])


def page(company: whose.Choice, given: MultiDict[str, str], refused: Refusal | None = None) -> str:
    """The list of a filter, and why what was asked of it was not done."""
    found = _listing(company, given)
    if gate.is_htmx() and given.get("cursor"):
        return render_template("desk/letters_rows.html", **found)
    total, with_email, with_phone = selection.counted(found["filter"])
    ticked = set(given.getlist("id"))
    some = bool(ticked) or given.get("which") == "some"
    return render_template(
        "desk/letters.html",
        **found,
        **{"total": total, "with_email": with_email, "with_phone": with_phone, "ticked": ticked, "some": some},
        faults=list(dict.fromkeys([*(refused.every if refused else []), *found["filter"].faults])),
        **{"variants": selection.VARIANTS, "states": selection.STATES, "currencies": CURRENCIES},
    )


def words() -> dict[str, str]:
    """What people call variants, states and sides; asked for once a page, because a list has them a hundred times."""
    return {
        "borc": gettext("D (debit)").partition(" ")[0],
        "alacak": gettext("C (credit)").partition(" ")[0],
        "pozitif": gettext("Positive"),
        "negatif": gettext("Negative"),
        "bakiyesiz": gettext("Without balance"),
        **{state: gettext(name) for state, name in LETTER_STATES.items()},
    }


def _row(record: Any, names: dict[str, str]) -> dict[str, Any]:
    receiver = record["snapshot"]["receiver"]
    return {
        "id": record["id"],
        "code": record.get("code") or record["account_code"],
        "name": receiver["name"],
        **{name: records.contact(record, name) for name in ("email", "phone")},
        "as_of": record["as_of"].strftime("%d.%m.%Y"),
        "variant": names.get(record["variant"], record["variant"]),
        "variant_is": record["variant"],
        "state": names.get(record.get("state", ""), ""),
        "lines": [_line(line, names) for line in record["snapshot"]["lines"]],
    }


def _line(line: dict[str, str], names: dict[str, str]) -> str:
    """Such as `1.234,56 TRY B`."""
    amount = format_decimal(Decimal(line["amount"]), format="#,##0.00")
    return f"{amount} {line['currency']} {names[line['side']]}"


def _record(letter_id: str) -> dict[str, Any]:
    """The letter, if it is the caller's to see; else NotFound."""
    number = record_id(letter_id)
    found = records.mutabakat([number]).get(number)
    if found is None or not sees(found["company_id"]):
        raise NotFound()
    return found


def _made(letter_id: str) -> tuple[str, bytes]:
    try:
        return _pdf(_record(letter_id))
    except InvalidLetter as error:
        raise Conflict(reason=error.message) from error


def _pdf(record: dict[str, Any]) -> tuple[str, bytes]:
    """Name and bytes of one letter: some milliseconds, its size is bounded by what a record may hold."""
    from workers.services import letters, snapshots

    letter = snapshots.letter(record, zone=settings.current().timezone)
    return letters.file_name(letter), letters.draw(letter)
