"""The items of a bulk: a page of them by state, the verdicts of people on unknown ones, and all of them as a sheet."""

from flask import Blueprint, render_template, request
from flask_babel import gettext as _
from flask_babel import ngettext
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from app.api.tasks import visible
from app.desk import acts, gate
from app.desk.i18n import language
from app.desk.tasks import CHANGED, back_to, table_of
from workers import messages
from workers.engine import ledger, verdicts
from workers.engine.queues import enqueue
from workers.engine.tasks import Task
from workers.errors import Conflict, InvalidInput, NotFound

AT_ONCE = 500
pages = Blueprint("desk_items", __name__)


@pages.get("/tasks/<task_id>/items")
def item_table(task_id: str) -> str:
    """The part of the page with the items."""
    task = visible(task_id)
    return render_template("desk/_task_items.html", task=task, **table_of(task))


@pages.post("/tasks/<task_id>/verdict")
def give_verdict(task_id: str) -> Response:
    """What a person says of messages of unknown outcome: `arrived`, or `again` (send them once more)."""
    task, (verdict, ids) = visible(task_id), _asked()
    try:
        if verdict == "arrived":
            verdicts.arrived(task.id, ids, _evidence(task), lambda session: _note("item arrived", task, ids, session))
            gate.say(
                ngettext("%(num)d message is noted as arrived.", "%(num)d messages are noted as arrived.", len(ids))
            )
        else:
            verdicts.send_again(task.id, ids, lambda session: _note("item sent again", task, ids, session))
            gate.say(ngettext("%(num)d message is sent again.", "%(num)d messages are sent again.", len(ids)))
    except Conflict:
        gate.say(_(CHANGED), "error")
    return back_to(task.id, "?state=unknown#items")


@pages.post("/tasks/<task_id>/export")
def export_items(task_id: str) -> Response:
    """Make a workbook of the items, or of those in one state."""
    task, state = visible(task_id), request.form.get("state") or None
    if task.scope is None or task.counts is None:
        raise NotFound()
    params = {"what": "items", "task_id": task.id, "company_id": int(task.scope), "state": state}
    made = enqueue("export_sheet", {**params, "language": language()}, scope=task.scope, key=gate.form_key())
    acts.note("export items", task_id=task.id, detail=state)
    gate.say(_("The sheet is being made; it can be downloaded here as soon as it is done."))
    return back_to(made.id)


def _asked() -> tuple[str, list[int]]:
    """The verdict and the items: those ticked, or the one whose own button was pressed (`arrived:17`)."""
    one, _mark, number = request.form.get("one", "").partition(":")
    texts = [number] if one else request.form.getlist("item")
    verdict = one or request.form.get("verdict", "")
    if verdict not in ("arrived", "again"):
        raise InvalidInput([{"field": "verdict", "message": "use arrived or again"}])
    if not 1 <= len(texts) <= AT_ONCE or not all(
        text.isascii() and text.isdigit() and len(text) < 19 for text in texts
    ):
        raise InvalidInput([{"field": "item", "message": _("tick at least one message")}])
    return verdict, sorted({int(text) for text in texts})


def _evidence(task: Task) -> ledger.Note:
    return messages.letters_sent(messages.told) if task.kind == "send_mutabakat" else messages.told


def _note(what: str, task: Task, ids: list[int], session: Session) -> None:
    for item_id in ids:
        acts.note(what, task_id=task.id, item_id=item_id, session=session)
