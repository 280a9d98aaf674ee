"""What can be done: every job kind as a form that is drawn from its parameters, also kinds that others add."""

import inspect
from typing import Any

from flask import Blueprint, redirect, render_template, request
from flask_babel import gettext
from werkzeug.wrappers import Response

from app.api.enqueueing import OPERATORS_QUEUE, submit
from app.auth import caller, require_operator
from app.desk import acts, fields, gate, whose
from app.desk.reasons import Refusal, refusal_of
from workers.engine import registry
from workers.engine.registry import QUEUES, Kind
from workers.errors import SiraError

GUIDED = {  # kinds that have a page of their own, which knows more than a form can
    **dict.fromkeys(("generate_bulk_pdfs", "generate_mutabakat_pdf", "send_mutabakat"), "/letters"),
    **dict.fromkeys(("send_sms", "send_bulk_sms"), "/sms"),
    **dict.fromkeys(("send_email", "send_bulk_emails"), "/mail"),
    "process_excel_upload": "/upload",
}

pages = Blueprint("desk_forms", __name__)


@pages.get("/new")
def start() -> str:
    """What can be done, by queue."""
    shown = [queue for queue in QUEUES if queue != OPERATORS_QUEUE or caller().is_operator]
    kinds = sorted(registry.kinds().values(), key=lambda kind: kind.name)
    queues = [(queue, [kind for kind in kinds if kind.queue == queue]) for queue in shown]
    return render_template("desk/new.html", queues=queues, about=_about)


@pages.get("/new/<name>")
def ask(name: str) -> str:
    """The form of one kind; `p.<parameter>` in the query fills it in."""
    kind = _kind(name)
    typed = request.args if any(key.startswith(fields.PREFIX) for key in request.args) else None
    return _form(kind, fields.fields_of(kind, typed))


@pages.post("/new/<name>")
def do(name: str) -> Response | tuple[str, int]:
    """Enqueue it, or show the form again with everything that was typed and what is wrong with it."""
    kind = _kind(name)
    try:
        chosen = whose.choice()
        params = fields.params_of(kind, request.form)
        if caller().is_operator and chosen.id is not None:
            params[whose.FIELD] = chosen.id
        task = submit(name, params, gate.form_key())
    except SiraError as error:
        refused = refusal_of(error)
        shown = fields.fields_of(kind, request.form, refused.problems)
        return _form(kind, shown, refused, fields.loose(kind, refused.problems)), refused.status
    if not task.replayed:
        acts.note(f"enqueued {name}", task_id=task.id)
    return redirect(f"/tasks/{task.id}", 303)


def _kind(name: str) -> Kind:
    kind = registry.get(name)
    if kind.queue == OPERATORS_QUEUE:
        require_operator()
    return kind


def _form(kind: Kind, shown: list[fields.Field], refused: Refusal | None = None, loose: Any = ()) -> str:
    guided = GUIDED.get(kind.name)
    known = {"whose": whose.choice(), "refused": refused, "loose": loose, "guided": guided}
    return render_template("desk/new_kind.html", kind=kind, about=_about(kind), fields=shown, **known)


def _about(kind: Kind) -> str:
    """What it does, in the reader's language where the catalogue has it, else the first paragraph of its docstring."""
    named = f"about:{kind.name}"
    said = " ".join((inspect.getdoc(kind.function) or "").partition("\n\n")[0].split())
    return gettext(named) if gettext(named) != named else said.replace("`", "")
