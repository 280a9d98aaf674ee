"""Letters on their way: first who can be reached and who can't, then one task that mails and announces them."""

from flask import Blueprint, redirect, render_template, request
from werkzeug.wrappers import Response

from app.api.enqueueing import submit
from app.desk import acts, gate, letters, reach, selection, whose
from app.desk.reasons import Refusal, refusal_of
from workers.engine import tasks
from workers.errors import InvalidInput, SiraError

KIND = "send_mutabakat"
RECENT = 20

pages = Blueprint("desk_sending", __name__)


@pages.post("/letters/review")
def review() -> str | tuple[str, int]:
    """How many of the chosen letters reach somebody on which channel, and why the others don't."""
    company = whose.choice()
    try:
        ids = letters.chosen(company.known, request.form)
    except SiraError as error:
        refused = refusal_of(error)
        return letters.page(company, request.form, refused), refused.status
    return _review(company, ids, again=request.form.get("again") == "1")


@pages.post("/letters/send")
def send() -> Response | tuple[str, int]:
    """Send the letters that were reviewed, exactly those."""
    company, ids = whose.choice(), []
    try:
        ids = selection.unpacked(request.form.get("ids", ""))
        channels = [channel for channel in reach.CHANNELS if channel in request.form.getlist("channels")]
        if not channels:
            raise InvalidInput([{"field": "channels", "message": "name at least one of email, sms"}])
        task = submit(KIND, {"mutabakat_ids": ids, "channels": channels, **company.named}, gate.form_key())
    except SiraError as error:
        refused = refusal_of(error)
        return _review(company, ids, again=True, refused=refused), refused.status
    if not task.replayed:
        acts.note("letters sent", task_id=task.id, detail=f"{len(ids)} letters by {', '.join(channels)}")
    return redirect(f"/tasks/{task.id}", 303)


def _review(company: whose.Choice, ids: list[int], *, again: bool, refused: Refusal | None = None) -> str:
    found = reach.look(ids, company.known, again=again)
    recent, _ = tasks.search(scope=str(company.id), kind=KIND, limit=RECENT)
    return render_template(
        "desk/letters_review.html",
        **{"whose": company, "found": found, "packed": selection.packed},
        running=[task.id for task in recent if not task.ended],
        faults=refused.every if refused else [],
    )
