"""Excel in: uploaded and tried first, its columns matched by hand where need be, then imported as it was seen."""

import hashlib
from typing import Any

from flask import Blueprint, Response, redirect, render_template, request
from flask_babel import gettext as _
from sqlalchemy import select
from werkzeug.exceptions import UnsupportedMediaType
from werkzeug.wrappers import Response as AnyResponse

from app.api.enqueueing import submit
from app.api.excel import KIND, keep_mapping, take, template_of
from app.api.status import status_of
from app.api.tasks import visible
from app.auth import caller
from app.desk import acts, gate, i18n, whose
from app.desk.reasons import Refusal, refusal_of
from workers import db, files
from workers.engine import tasks
from workers.engine.tasks import Task, params_of
from workers.errors import Conflict, InvalidInput, MissingRecord, NotFound, SealBroken, SiraError
from workers.models import File, Import
from workers.services.columns import COLUMNS

RECENT = 10
MODES = ("skip-bad", "all-or-nothing")
MARK = "m."  # in front of a column's name

pages = Blueprint("desk_uploads", __name__)


@pages.get("/upload")
def start() -> str:
    """What to upload, what was uploaded lately, and workbooks to fill in."""
    return _start(whose.choice())


@pages.post("/upload")
def try_out() -> AnyResponse | tuple[str, int]:
    """Keep the file and say what its import would do; nothing is imported yet."""
    company = whose.choice()
    try:
        task = _take({**_order(), "dry_run": True}, company.known)
    except (UnsupportedMediaType, SiraError) as error:
        refused = _refusal_of(error)
        return _start(company, refused), refused.status
    return redirect(f"/upload/{task.id}", 303)


@pages.get("/upload/template/<target>")
def template(target: str) -> Response:
    """A workbook with the columns of an import, to fill in."""
    return template_of(target, i18n.language())


@pages.get("/upload/<task_id>")
def show(task_id: str) -> str:
    """How far it is, then what it found; htmx gets the part that changes."""
    return _shown(_import(task_id))


@pages.post("/upload/<task_id>/again")
def again(task_id: str) -> AnyResponse | tuple[str, int]:
    """Try the same file once more, with other columns, another sheet or another day."""
    task = _import(task_id)
    given = params_of(task_id)
    mapping = {name.removeprefix(MARK): text for name, text in request.form.items() if name.startswith(MARK)}
    try:
        params = {**given, **_order(given["target"]), "dry_run": True}
        moved = task.result is not None and params["sheet_name"] not in (None, task.result["sheet"])
        params["mapping"] = None if moved else mapping or None  # another sheet has other headings
        file = _file(task, given)
        if request.form.get("keep"):
            keep_mapping(file["company_id"], given["target"], _worth_keeping(task, mapping))
            acts.note("columns kept", detail=given["target"])
        made = submit(KIND, {**params, **_for(file)}, gate.form_key())
    except SiraError as error:
        refused = refusal_of(error)
        return _shown(task, refused), refused.status
    return redirect(f"/upload/{made.id}", 303)


@pages.post("/upload/<task_id>/mended")
def try_mended(task_id: str) -> AnyResponse | tuple[str, int]:
    """Try the mended workbook of the wrong rows, which has the headings of the file that they are of: what was said of
    that one by hand holds for it too."""
    task = _import(task_id)
    given, result = params_of(task_id), task.result or {}
    try:
        if not (result.get("error_file") and task.scope):
            raise Conflict(reason=_("it gave no rows back"))
        seen = {"sheet_name": None, "mapping": _columns(given, result), "dry_run": True, "language": i18n.language()}
        params = {name: value for name, value in given.items() if name != "file_path"}
        made = _take({**params, **seen}, int(task.scope))
    except (UnsupportedMediaType, SiraError) as error:
        refused = _refusal_of(error)
        return _shown(task, refused), refused.status
    return redirect(f"/upload/{made.id}", 303)


@pages.post("/upload/<task_id>/import")
def import_it(task_id: str) -> AnyResponse | tuple[str, int]:
    """Import what was tried: the same bytes, the same sheet, the same columns."""
    task = _import(task_id)
    given, result = params_of(task_id), task.result
    try:
        if task.state != "SUCCESS" or not given["dry_run"]:
            raise Conflict(reason=_("this was no trial that ended well"))
        file = _file(task, given)
        if not request.form.get("sha256") == result["file"]["sha256"] == file["sha256"]:
            raise Conflict(reason=_("the file is not the one that was tried"))
        seen = {"sheet_name": result["sheet"], "mapping": _columns(given, result), "dry_run": False}
        mode = request.form.get("mode", given["mode"])
        made = submit(KIND, {**given, **seen, "mode": mode, **_for(file)}, gate.form_key())
    except SiraError as error:
        refused = refusal_of(error)
        return _shown(task, refused), refused.status
    if not made.replayed:
        acts.note("sheet imported", task_id=made.id, detail=f"{file['filename']} ({given['target']})")
    return redirect(f"/upload/{made.id}", 303)


def _take(params: dict[str, Any], company_id: int) -> Task:
    """Keep the file of the form and enqueue its import."""
    file = request.files.get("file")
    if file is None or not file.filename:
        raise InvalidInput([{"field": "file", "message": _("Choose the file.")}])
    stream: Any = file.stream
    digest = hashlib.file_digest(stream, "sha256").hexdigest()
    file.stream.seek(0)
    return take(file, params, company_id, gate.form_key(digest))


def _refusal_of(error: UnsupportedMediaType | SiraError) -> Refusal:
    if isinstance(error, SiraError):
        return refusal_of(error)
    told = _(
        "This is no sheet. Choose an .xlsx, .xlsm, .xlsb, .xls, .ods or .csv file. Some reports are web pages or "
        "text under the name .xls: open them in Excel and save them as .xlsx."
    )
    return Refusal(415, [{"field": "file", "message": told}])


def _columns(given: dict[str, Any], result: dict[str, Any]) -> dict[str, str]:
    """The columns as they were tried: those that were found, and those that were left out by hand."""
    return {**(given["mapping"] or {}), **result["mapping"]}


def _order(target: str | None = None) -> dict[str, Any]:
    """What the form says of the import."""
    form = request.form
    return {
        "target": target or form.get("import", ""),
        "sheet_name": form.get("sheet_name", "").strip()[:100] or None,
        "mode": form.get("mode") or MODES[0],
        "as_of": form.get("as_of") or None,
        "language": i18n.language(),
    }


def _import(task_id: str) -> Task:
    """The import, if it is the caller's to see; else NotFound."""
    task = visible(task_id)
    if task.kind != KIND:
        raise NotFound()
    return task


def _file(task: Task, params: dict[str, Any]) -> dict[str, Any]:
    """The uploaded file; InvalidInput once it has been cleaned up."""
    try:
        return files.uploaded(params["file_path"], int(task.scope) if task.scope else None)
    except MissingRecord:
        told = _("The uploaded file has been deleted meanwhile. Upload it again.")
        raise InvalidInput([{"field": "", "message": told}]) from None


def _for(file: dict[str, Any]) -> dict[str, int]:
    return {whose.FIELD: file["company_id"]} if caller().is_operator else {}


def _worth_keeping(task: Task, mapping: dict[str, str]) -> dict[str, str]:
    """What was chosen, and what was found by itself and is not wanted."""
    found = (task.result or {}).get("mapping") or {}
    return {name: heading for name, heading in mapping.items() if heading or name in found}


def _start(company: whose.Choice, refused: Refusal | None = None) -> str:
    recent, _cursor = tasks.search(scope=None if company.id is None else str(company.id), kind=KIND, limit=RECENT)
    lang = i18n.language()
    given = [_given(task) for task in recent]
    names = _names(given)
    rows = [
        (status_of(task, lang), names.get(params.get("file_path", ""), ""), params.get("dry_run"))
        for task, params in zip(recent, given, strict=True)
    ]
    wanted = request.values.get("import", "mutabakat")
    return render_template(
        "desk/upload.html", whose=company, refused=refused, recent=rows, targets=_targets(), wanted=wanted, modes=MODES
    )


def _given(task: Task) -> dict[str, Any]:
    """The parameters of an import; empty where their key is gone."""
    try:
        return params_of(task.id)
    except SealBroken:
        return {}


def _names(given: list[dict[str, Any]]) -> dict[str, str]:
    """The names of the files that these imports are of, by id; those that are deleted are left out."""
    ids = [params["file_path"] for params in given if params]
    with db.reading() as session:
        return dict(session.execute(select(File.id, File.filename).where(File.id.in_(ids))).all())


def _targets() -> list[tuple[str, str]]:
    return [
        ("mutabakat", _("Balances: a letter for each account")),
        ("accounts", _("Accounts: titles, tax numbers, addresses")),
        ("users", _("Users of the desk")),
    ]


def _applied(task: Task) -> int:
    """How many rows had been imported when the import was cancelled or failed: they stay, and are not in its result."""
    if not task.ended or task.result is not None:
        return 0
    with db.reading() as session:
        place = session.get(Import, task.id)
        return place.new + place.changed + place.unchanged if place else 0


def _shown(task: Task, refused: Refusal | None = None) -> str:
    given, lang = params_of(task.id), i18n.language()
    columns = [(column.name, column.heading(lang), column.required) for column in COLUMNS[given["target"]]]
    template = "desk/upload_part.html" if gate.is_htmx() else "desk/upload_task.html"
    name = _names([given]).get(given["file_path"], "")
    return render_template(
        template,
        **{
            "task": task,
            "row": status_of(task, lang),
            "params": given,
            "result": task.result,
            "filename": name,
            "applied": 0 if given["dry_run"] else _applied(task),
        },
        **{"columns": columns, "refused": refused, "modes": MODES, "title": dict(_targets())[given["target"]]},
    )
