"""SMS to many: what was pasted is counted while it is typed, by the code that counts what is sent."""

import re
from decimal import Decimal
from typing import Any

from flask import Blueprint, redirect, render_template, request
from flask_babel import format_decimal
from flask_babel import gettext as _
from werkzeug.datastructures import MultiDict
from werkzeug.wrappers import Response

from app.api.enqueueing import submit
from app.api.sms import preview_of
from app.desk import acts, fields, gate, reach, selection, whose
from app.desk.reasons import Refusal, refusal_of
from workers import settings
from workers.engine import registry
from workers.errors import InvalidInput, SiraError

BETWEEN = re.compile(r"[\n\r,;\t]+")
HOWS = ("one", "each", "accounts")
LIVE_ROWS, BAD_SHOWN = 5000, 20  # more rows are counted only when asked: it takes seconds

pages = Blueprint("desk_texts", __name__)


@pages.get("/sms")
def start() -> str:
    """The form."""
    return _form(whose.choice())


@pages.post("/sms/preview")
@gate.beside_a_form
def preview() -> str | tuple[str, int]:
    """What the messages would be; htmx asks while somebody types."""
    company = whose.choice()
    if company.id is None:
        return "" if gate.is_htmx() else _form(company)
    try:
        rows = _rows(company.known, request.form)
    except InvalidInput as error:
        return _form(company, refusal_of(error)) if not gate.is_htmx() else _counted(company, [])
    if not gate.is_htmx():
        return _form(company, rows=rows)
    return _counted(company, rows, whole="whole" in request.form)


@pages.post("/sms")
def send() -> Response | tuple[str, int]:
    """Enqueue the messages."""
    company, rows = whose.choice(), []
    try:
        rows = _rows(company.known, request.form)
        if not rows:
            raise InvalidInput([{"field": "", "message": _("There is nobody to send to.")}])
        more = {"plain": "plain" in request.form, whose.FIELD: company.known}
        one = rows[0] if len(rows) == 1 else None
        given = one if one else {"messages": rows}
        task = submit("send_sms" if one else "send_bulk_sms", {**given, **more}, gate.form_key())
    except SiraError as error:
        refused = refusal_of(error)
        return _form(company, refused, rows), refused.status
    if not task.replayed:
        acts.note("SMS sent", task_id=task.id, detail=f"{len(rows)} messages")
    return redirect(f"/tasks/{task.id}", 303)


def _rows(company_id: int, form: MultiDict[str, str]) -> list[dict[str, str]]:
    """The messages that the form means, `{"phone", "message"}` each. InvalidInput past MAX_ITEMS."""
    how, text = form.get("how", HOWS[0]), form.get("message", "").replace("\r\n", "\n")
    if how == "each":
        kind = registry.get("send_bulk_sms")
        found = fields.params_of(kind, MultiDict({f"{fields.PREFIX}messages": form.get("lines", "")}))
        pasted = found.get("messages", [])
        if not isinstance(pasted, list) or not all(isinstance(row, dict) for row in pasted):
            raise InvalidInput([{"field": "lines", "message": _("On each line a number and a message.")}])
        rows = [{name: str(row.get(name, "")) for name in ("phone", "message")} for row in pasted]
    else:
        to = BETWEEN.split(form.get("numbers", ""))
        if how == "accounts":
            to = selection.contacts(company_id, form.get("q", ""), "phone")
        rows = [{"phone": each.strip(), "message": text} for each in to if each.strip()]
    if len(rows) > settings.current().max_items:
        told = _("More than %(n)s messages at once; send them in parts.", n=settings.current().max_items)
        raise InvalidInput([{"field": "", "message": told}])
    return rows


def _form(company: whose.Choice, refused: Refusal | None = None, rows: Any = ()) -> str:
    counted = _counted(company, rows) if rows and company.id is not None else ""
    return render_template("desk/sms.html", whose=company, refused=refused, counted=counted, hows=_hows())


def _hows() -> list[tuple[str, str]]:
    return [
        ("one", _("One message to many numbers")),
        ("each", _("A message of its own for each number")),
        ("accounts", _("One message to accounts")),
    ]


def _counted(company: whose.Choice, rows: list[dict[str, str]], *, whole: bool = False) -> str:
    """How many go out, as what, for how much; who gets none, and why."""
    if len(rows) > LIVE_ROWS and not whole:
        return render_template("desk/sms_preview.html", rows=len(rows), found=None)
    given = {"messages": rows, whose.FIELD: company.known}
    found = _look(given, plain="plain" in request.form)
    bad = [(number, row) for number, row in enumerate(found["messages"], 1) if not row["valid"]]
    good = next((row for row in found["messages"] if row["valid"]), None)
    out = len(rows) - found["invalid"] - found["duplicates"]
    plainly = (
        _look(given, plain=True)["total_segments"]
        if good and good["offending"] and "plain" not in request.form
        else None
    )
    return render_template(
        "desk/sms_preview.html",
        **{
            "rows": len(rows),
            "found": found,
            "price": _price(found["total_cost"]),
            "good": good,
            "out": out,
            "bad": bad[:BAD_SHOWN],
            "plainly": plainly,
        },
        warnings=reach.warnings(company.known, "sms", out),
        offending=sorted({char for row in found["messages"] for char in row["offending"]}),
    )


def _price(cost: int | str) -> str | None:
    """Money where a segment has a price, else None: gateways' credits, one for each segment."""
    return format_decimal(Decimal(cost), format="#,##0.00") if isinstance(cost, str) else None


def _look(given: dict[str, Any], *, plain: bool) -> dict[str, Any]:
    if not given["messages"]:
        return {"messages": [], "total_segments": 0, "total_cost": 0, "duplicates": 0, "invalid": 0}
    return preview_of({**given, "plain": plain})
