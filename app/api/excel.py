"""Sheets: upload one to import it, templates to fill in, and what a company's own headings mean."""

import io
import re
from collections import Counter
from collections.abc import Callable, Iterable
from functools import wraps
from typing import Annotated, Any, Literal, cast

import orjson
from flask import Response, current_app, jsonify, request
from flask_openapi3 import FileStorage, OpenAPI
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator
from werkzeug.datastructures import FileStorage as FileUpload
from werkzeug.exceptions import UnsupportedMediaType

from app.api import documented
from app.api.documented import KEYED, Accepted, problems
from app.api.downloads import disposition
from app.api.enqueueing import accepted, idempotency_key, whose
from app.api.status import language
from app.auth import caller
from app.fields import BalanceDay, Input, OneLine, Query
from workers import db, files, settings
from workers.engine import registry
from workers.engine.queues import enqueue
from workers.engine.tasks import Task
from workers.errors import InvalidInput, NotFound, TooLarge
from workers.models import Company
from workers.services import workbooks
from workers.services.columns import COLUMNS, MAPPINGS, NUMERALS, Column, Target

KIND = "process_excel_upload"
ZIP, OLE = b"PK\x03\x04", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
NO_SHEET = (
    "The file is no sheet. Send .xlsx, .xlsm, .xlsb, .xls, .ods or .csv. A report that is a web page or text under the "
    "name .xls: open it in Excel and save it as .xlsx."
)
TEXT_NAME = re.compile(r"\.(csv|tsv|txt)$", re.IGNORECASE)
NOT_IN_TEXT = re.compile(rb"[\x00-\x08\x0e-\x1f]|\A(%PDF|\{\\rtf|\s*<)")
UTF_16 = (b"\xff\xfe", b"\xfe\xff")
HEAD_BYTES, MAX_NAME_CHARS = 4096, 200

WORKBOOK = {
    "description": "The workbook",
    "content": {workbooks.XLSX: {"schema": {"type": "string", "format": "binary"}}},
}

api = documented.blueprint("excel", "Excel: imports of users, accounts and balances", "/api/excel")

Heading = Annotated[str, Field(max_length=300), OneLine]  # "" leaves a column out


class UploadForm(BaseModel):
    """A sheet (xlsx, xlsm, xls, xlsb, ods, csv) and what to do with it."""

    model_config = ConfigDict(extra="forbid")

    file: FileStorage
    target: Target = Field(alias="import", description="What its rows are")
    sheet_name: str | None = Field(None, max_length=100, description="Default: the sheet whose headings fit best")
    dry_run: bool = Field(False, description="Count what it would do, and do nothing")
    mode: Literal["skip-bad", "all-or-nothing"] = "skip-bad"
    mapping: dict[str, Heading] | None = Field(
        None, description='JSON: {"title": "Firma", "phone": ""}: "" leaves out, the rest is found'
    )
    as_of: BalanceDay | None = Field(None, description="The day of balances whose sheet has no such column")
    language: Literal["tr", "en"] | None = Field(None, description="Of the reasons; default: Accept-Language")
    company_id: int | None = Field(None, description="For operators: whose records they are (members: their own)")

    @model_validator(mode="before")
    @classmethod
    def _as_sent(cls, _: Any) -> dict[str, Any]:
        """The fields as they were sent, as text."""
        sent = Counter(name for part in (request.form, request.files) for name, _ in part.items(multi=True))
        if twice := sorted(name for name in sent if sent[name] > 1):  # nobody would read the second
            raise InvalidInput([{"field": name, "message": "must be sent once"} for name in twice])
        return {**request.form.to_dict(), **request.files.to_dict()}

    @field_validator("mapping", mode="before")
    @classmethod
    def _of_json(cls, text: Any) -> Any:
        try:
            return orjson.loads(text) if isinstance(text, str) else text
        except ValueError as error:
            raise ValueError('must be a JSON object such as {"title": "Firma"}') from error


def _read_here(view: Callable[[UploadForm], Any]) -> Callable[..., Any]:
    """A view whose form flask-openapi3 documents and does not read: it would take each text for JSON, make a number of
    a sheet that is called 2025, and fall over one of 10,000 brackets or digits."""

    @wraps(view)
    def reading() -> Any:
        try:
            form = UploadForm.model_validate({})
        except ValidationError as error:
            return cast(OpenAPI, current_app).validation_error_callback(error)
        return view(form)

    setattr(reading, "__delay_validate_request__", True)  # noqa: B010 (mypy knows no such attribute)
    return reading


class TargetPath(BaseModel):
    target: str = Field(description="users, accounts or mutabakat")


class Whose(Query):
    company_id: int | None = Field(None, description="For operators: whose (members: their own)")


class Mapping(Input):
    """Which heading of this company's sheets is which column; an empty object forgets them."""

    mapping: dict[str, Heading] = Field(max_length=50)


class Mappings(BaseModel):
    """By import: `{"accounts": {"title": "Firma"}}`."""

    mappings: dict[str, dict[str, str]]


@api.post("/upload-async", responses={202: Accepted, **problems(403, 404)}, openapi_extensions=KEYED)
@_read_here
def upload_sheet(form: UploadForm) -> tuple[Response, int]:
    """Upload a sheet and import its rows, or say what that would do."""
    check_columns(form.target, form.mapping or (), "mapping")
    company_id, key = whose(form.company_id), idempotency_key(caller())
    params = form.model_dump(mode="json", exclude={"file", "company_id"}) | {"language": form.language or language()}
    return accepted(take(form.file, params, company_id, key), registry.get(KIND).accepted)


def take(file: Any, params: dict[str, Any], company_id: int, key: str | None) -> Task:
    """Keep an uploaded sheet and enqueue its import; `params` are those of the kind without the file. Refuses what is
    wrong before a byte is stored: InvalidInput, TooLarge, UnsupportedMediaType."""
    name = _checked(file)
    registry.get(KIND).check({"file_path": "", **params})
    file_id = files.keep_upload(file.stream, name, file.mimetype[:100], company_id)
    return enqueue(KIND, {**params, "file_path": file_id}, scope=str(company_id), key=key)


@api.get("/templates/<target>", responses={200: WORKBOOK, **problems(404)})
def sheet_template(path: TargetPath) -> Response:
    """Download a workbook with the columns of an import, to fill in."""
    return template_of(path.target, language())


def template_of(target: str, lang: str) -> Response:
    """The workbook to fill in; NotFound for what is no import."""
    if target not in COLUMNS:
        raise NotFound()
    made = io.BytesIO()
    workbooks.template(made, [_explained(column, lang) for column in COLUMNS[target]], lang)
    answer = Response(made.getvalue(), mimetype=workbooks.XLSX)
    answer.headers["Content-Disposition"] = disposition(f"{target}.xlsx")
    return answer


@api.get("/mappings", responses={200: Mappings, **problems(403, 404, 422)})
def list_mappings(query: Whose) -> Response:
    """Show which headings of a company's sheets were said to be which columns."""
    with db.reading() as session:
        return jsonify(mappings=session.get_one(Company, whose(query.company_id)).options.get(MAPPINGS, {}))


@api.put("/mappings/<target>", responses={200: Mappings, **problems(403, 404)})
def save_mapping(path: TargetPath, query: Whose, body: Mapping) -> Response:
    """Keep which headings are which columns, for the next sheets of this company."""
    return jsonify(mappings=keep_mapping(whose(query.company_id), path.target, body.mapping))


def keep_mapping(company_id: int, target: str, mapping: dict[str, str]) -> dict[str, dict[str, str]]:
    """Keep what the headings of a company's sheets mean; all that is kept, by import. Raises NotFound, InvalidInput."""
    if target not in COLUMNS:
        raise NotFound()
    check_columns(target, mapping, "mapping")
    with db.writing() as session:
        company = session.get_one(Company, company_id, with_for_update=True)
        kept = {**company.options.get(MAPPINGS, {}), target: mapping}
        company.options = {**company.options, MAPPINGS: kept}
    return kept


def check_columns(target: str, mapping: Iterable[str], field: str) -> None:
    """InvalidInput naming those that are no columns of this import, below `field`."""
    unknown = set(mapping) - {column.name for column in COLUMNS[target]}
    if unknown:
        raise InvalidInput([{"field": f"{field}.{name}", "message": "is no column"} for name in sorted(unknown)])


def _explained(column: Column, lang: str) -> workbooks.Asked:
    about = column.about[lang == "en"]
    return workbooks.Asked(column.heading(lang), about, column.required, column.example, column.kind in NUMERALS)


def _checked(file: Any) -> str:
    """The upload's name; refuses what is too large or no sheet before it is stored."""
    if not isinstance(file, FileUpload):
        raise _wrong_file("must be a file")
    name, limit = file.filename or "", settings.current().max_upload_mb * 2**20
    if not name or len(name) > MAX_NAME_CHARS or not name.isprintable() or re.search(r"[/\\]|^\.+$", name):
        raise _wrong_file(f"must have a plain name of at most {MAX_NAME_CHARS} characters, no path")
    size = file.stream.seek(0, io.SEEK_END)
    file.stream.seek(0)
    if size > limit:
        raise TooLarge(what="The file", size=size, limit=limit, advice="Split it, or save it as .xlsx.")
    if not size:
        raise _wrong_file("is empty")
    if not _is_sheet(file.stream.read(HEAD_BYTES), name):
        raise UnsupportedMediaType(NO_SHEET)
    file.stream.seek(0)
    return name


def _is_sheet(head: bytes, name: str) -> bool:
    """By its first bytes; only text has none of its own, so there the name counts too."""
    if head.startswith((ZIP, OLE)):
        return True
    text = head.startswith(UTF_16) or not NOT_IN_TEXT.search(head)
    return text and bool(TEXT_NAME.search(name))


def _wrong_file(message: str) -> InvalidInput:
    return InvalidInput([{"field": "file", "message": message}])
