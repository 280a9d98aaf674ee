"""A mail to one, or to many each by itself, with files of the company attached."""

import re
from collections.abc import Iterator
from typing import Any

from flask import Blueprint, redirect, render_template, request
from flask_babel import gettext as _
from sqlalchemy import or_, select
from werkzeug.wrappers import Response

from app.api.enqueueing import submit
from app.desk import acts, gate, reach, selection, whose
from app.desk.reasons import Refusal, refusal_of
from workers import db, settings
from workers.errors import InvalidInput, SiraError
from workers.models import File
from workers.services.mail_text import ATTACHED_AT_MOST_BYTES

BETWEEN = re.compile(r"[,;\r\n]|(?<=>)")
QUOTED_NAME = re.compile(r'"(?:[^"\\\r\n]|\\.)*"\s*(?=<)')  # it may hold what stands between addresses
FILES_SHOWN = 30

pages = Blueprint("desk_mails", __name__)


@pages.get("/mail")
def start() -> str:
    """The form."""
    return _form(whose.choice())


@pages.get("/mail/files")
@gate.beside_a_form
def choose() -> str:
    """The company's files of a name, and those that are ticked; htmx asks while somebody types."""
    company = whose.choice()
    return render_template("desk/mail_files.html", **_files(company)) if gate.is_htmx() else _form(company)


@pages.post("/mail")
def send() -> Response | tuple[str, int]:
    """Enqueue the mail, or the mails."""
    company = whose.choice()
    try:
        to, mail = _recipients(company.known, request.form), _mail(company.known)
        if len(to) == 1:
            task = submit("send_email", {"to_email": to[0], **mail, **company.named}, gate.form_key())
        else:
            mails = [{"to": each, **mail} for each in to]
            task = submit("send_bulk_emails", {"emails": mails, **company.named}, gate.form_key())
    except SiraError as error:
        refused = refusal_of(error)
        return _form(company, refused), refused.status
    if not task.replayed:
        acts.note("mail sent", task_id=task.id, detail=f"{len(to)} mails")
    return redirect(f"/tasks/{task.id}", 303)


def _recipients(company_id: int, form: Any) -> list[str]:
    """Whom it goes to. InvalidInput where that is nobody, or more than MAX_ITEMS."""
    if form.get("how") == "accounts":
        to = selection.contacts(company_id, form.get("q", ""), "email")
    else:
        to = list(_addresses(form.get("to", "")))
    limit = settings.current().max_items
    if not to or len(to) > limit:
        told = (
            _("There is nobody to send to.")
            if not to
            else _("More than %(n)s mails at once; send them in parts.", n=limit)
        )
        raise InvalidInput([{"field": "to", "message": told}])
    return to


def _addresses(text: str) -> Iterator[str]:
    """Addresses alone, also with spaces between them, or with a name before them: `Ali Veli <ali@x.com>`. What is
    neither stays as it is, to be refused."""
    for part in BETWEEN.split(QUOTED_NAME.sub("", text)):
        name, _bracket, rest = part.partition("<")
        named = rest.removesuffix(">").strip() if rest.endswith(">") else ""
        if not named:
            yield from part.split()
            continue
        # People forget what parts them: an address in a name is one more, if it is not the same again.
        yield from (word for word in name.split() if "@" in word and word.strip("'").lower() != named.lower())
        yield named


def _mail(company_id: int) -> dict[str, Any]:
    """Subject, text and attachments. InvalidInput for what every recipient would miss."""
    form = request.form
    subject, body, attached = form.get("subject", "").strip(), form.get("body", ""), form.getlist("file")
    wrong = [
        {"field": name, "message": _("Please fill this in.")}
        for name, text in (("subject", subject), ("body", body.strip()))
        if not text
    ]
    if wrong:
        raise InvalidInput(wrong)
    mail = {"subject": subject, "body": body.replace("\r\n", "\n")}
    if not attached:
        return mail
    with db.reading() as session:
        sizes = list(session.scalars(select(File.size).where(File.id.in_(attached), File.company_id == company_id)))
    if sum(sizes) > ATTACHED_AT_MOST_BYTES:
        told = _("Together the files are larger than %(n)s MB.", n=ATTACHED_AT_MOST_BYTES >> 20)
        raise InvalidInput([{"field": "file", "message": told}])
    return {**mail, "attachments": attached}


def _form(company: whose.Choice, refused: Refusal | None = None) -> str:
    held = reach.warnings(company.id, "email", 0) if company.id is not None else []
    return render_template("desk/mail.html", whose=company, refused=refused, warnings=held, **_files(company))


def _files(company: whose.Choice) -> dict[str, Any]:
    """The files to choose from, the newest first: those that are ticked, and those whose name holds `name`."""
    ticked, name = request.values.getlist("file"), db.storable(request.values.get("name", "")).strip()
    query = select(File.id, File.filename, File.size, File.created_at).where(File.company_id == company.id)
    query = query.where(or_(File.id.in_(ticked), File.filename.icontains(name, autoescape=True)))
    with db.reading() as session:
        rows = session.execute(
            query.order_by(File.id.in_(ticked).desc(), File.created_at.desc()).limit(FILES_SHOWN)
        ).all()
    return {"files": rows, "ticked": ticked, "name": name}
