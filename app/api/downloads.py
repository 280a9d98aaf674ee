"""Results as downloads: always attachments, never opened in the browser."""

import unicodedata
from typing import Any
from urllib.parse import quote

from flask import Response, jsonify

from workers import db, settings, storage
from workers.engine.tasks import Task
from workers.errors import Conflict, MissingRecord, NotFound
from workers.models import File
from workers.services.workbooks import XLSX

FILES = ("application/pdf", "application/zip", XLSX)  # what jobs make
DOCUMENTED = {
    "description": "The file, or the result as JSON where it is no file",
    "content": {
        **{name: {"schema": {"type": "string", "format": "binary"}} for name in FILES},
        "application/json": {"schema": {}},
    },
}


def result_of(task: Task) -> Response:
    """The task's result; Conflict while there is none, and once its file was deleted for its age."""
    if not task.ended:
        raise Conflict(reason="the task has not ended yet")
    if task.state != "SUCCESS" or task.result is None:
        raise Conflict(reason="the task ended without a result")
    if file := file_of(task):
        try:
            return file_response(file["file_id"])
        except (NotFound, MissingRecord):
            days = settings.current().result_ttl_days
            raise Conflict(reason=f"the result has expired; files are kept for {days} days") from None
    return jsonify(task.result)


def file_of(task: Task) -> dict[str, Any] | None:
    """What a task's result says of the file that it made: the result itself, or the refused rows of an import."""
    found = task.result if isinstance(task.result, dict) else {}
    url = f"/api/tasks/{task.id}/result"
    named = (one for one in (found, found.get("error_file")) if isinstance(one, dict))
    return next((one for one in named if one.get("download_url") == url and isinstance(one.get("file_id"), str)), None)


def file_response(file_id: str) -> Response:
    """The file, streamed from the storage. When it is cleaned up its bytes go first: MissingRecord, then NotFound."""
    with db.reading() as session:
        file = session.get(File, file_id)
    if file is None:
        raise NotFound()
    chunks = storage.open_storage(settings.current().storage).stream(file.storage_key)
    answer = Response(chunks, mimetype=file.content_type, direct_passthrough=True)
    answer.content_length = file.size
    answer.headers["Content-Disposition"] = disposition(file.filename)
    return answer


def disposition(filename: str) -> str:
    """An attachment of that name (RFC 6266): plain ASCII for old clients, RFC 8187 for the rest.

    >>> disposition("Mutabakat Çınar.pdf")
    'attachment; filename="Mutabakat Cinar.pdf"; filename*=UTF-8\\'\\'Mutabakat%20%C3%87%C4%B1nar.pdf'
    """
    dotted = filename.replace("ı", "i")  # the one Turkish letter that is not another with a mark
    plain = unicodedata.normalize("NFKD", dotted).encode("ascii", "ignore").decode()
    plain = "".join(char for char in plain if char.isprintable() and char not in '"\\/;%')
    return f"attachment; filename=\"{plain or 'file'}\"; filename*=UTF-8''{quote(filename, safe='')}"
