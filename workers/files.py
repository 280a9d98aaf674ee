"""Files: bytes in the storage first, the row that makes them visible second."""

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any
from uuid import UUID, uuid4, uuid5

from sqlalchemy import bindparam, select

from workers import settings
from workers.db import many, now, reading, storable, writing
from workers.errors import FileGone, MissingRecord, StorageFailed
from workers.models import File
from workers.records import upsert
from workers.storage import Storage, Stored, Writer, open_storage

NAMES = UUID("5f0f3c1c-5f5a-4f0e-9d53-0c7f7a0f5e11")
UPLOAD = "upload"
CHUNK_BYTES = 1 << 18
BY_ID = select(File.__table__).where(File.__table__.c.id == bindparam("file_id"))


class NewFile:
    """A file being written; `result` is what a task returns for it, there after a clean end."""

    result: dict[str, Any]

    def __init__(self, writer: Writer) -> None:
        self.write, self.tell, self.flush = writer.write, writer.tell, writer.flush


def storage() -> Storage:
    return open_storage(settings.current().storage)


@contextmanager
def new(filename: str, content_type: str, *, task_id: str | None, company_id: int | None) -> Iterator[NewFile]:
    """Stream a result into the storage. A second run of the same task replaces its own file instead of adding one."""
    file_id = str(uuid5(NAMES, f"{task_id}/{filename}") if task_id else uuid4())
    key = f"files/{company_id or 0}/{file_id}"
    with storage().writer(key) as writer:
        file = NewFile(writer)
        yield file
    stored = writer.stored
    row = {"id": file_id, "company_id": company_id, "task_id": task_id, "purpose": "result", "filename": filename}
    _record(row | {"content_type": content_type}, stored)
    url = f"/api/tasks/{task_id}/result" if task_id else None
    file.result = {"file_id": file_id, "filename": filename, "size": stored.size, "sha256": stored.sha256}
    file.result["download_url"] = url


def _record(row: dict[str, Any], stored: Stored) -> None:
    row |= {"size": stored.size, "sha256": stored.sha256, "storage_key": stored.key, "created_at": now()}
    with writing() as session:
        many(session, upsert(session, File.__table__, ("id",), tuple(row)), [row])


def keep_upload(source: IO[bytes], filename: str, content_type: str, company_id: int) -> str:
    """Keep what somebody uploaded; its id. The same bytes under the same name are the same file of a company."""
    digest = hashlib.sha256()
    while piece := source.read(CHUNK_BYTES):
        digest.update(piece)
    file_id = str(uuid5(NAMES, f"{company_id}/{digest.hexdigest()}/{filename}"))
    source.seek(0)
    with storage().writer(f"files/{company_id}/{file_id}") as writer:
        while piece := source.read(CHUNK_BYTES):
            writer.write(piece)
    row = {"id": file_id, "company_id": company_id, "task_id": None, "purpose": UPLOAD, "filename": filename}
    _record(row | {"content_type": content_type}, writer.stored)
    return file_id


def uploaded(file_id: str, company_id: int | None) -> dict[str, Any]:
    """The row of an upload of that company (None: of any); raises MissingRecord for every other id."""
    with reading() as session:
        found = session.execute(BY_ID, {"file_id": storable(file_id)}).mappings().one_or_none()
    if found is None or found["purpose"] != UPLOAD or company_id not in (None, found["company_id"]):
        raise MissingRecord(what="upload", id=file_id[:80])
    return dict(found)


def fetch(file: dict[str, Any], path: Path) -> None:
    """Copy a file out of the storage. Raises FileGone, and StorageFailed if its bytes are not those stored."""
    digest = hashlib.sha256()
    with path.open("wb") as copy, _by_name(file["filename"]):
        for piece in storage().stream(file["storage_key"]):
            digest.update(piece)
            copy.write(piece)
    if digest.hexdigest() != file["sha256"]:
        raise StorageFailed(what=f"the file {file['filename']}", reason="its bytes are not those that were uploaded")


@contextmanager
def _by_name(filename: str) -> Iterator[None]:
    """People know a file that is gone by its name, the storage by its key."""
    try:
        yield
    except MissingRecord as error:
        raise FileGone(name=filename) from error


def attachment(file_id: str, company_id: int | None) -> tuple[str, str, bytes]:
    """Name, type and bytes of a file of that company (None: of any); raises MissingRecord for every other id, FileGone
    where the bytes are deleted."""
    with reading() as session:
        found = session.execute(BY_ID, {"file_id": storable(file_id)}).mappings().one_or_none()
    if found is None or company_id not in (None, found["company_id"]):
        raise MissingRecord(what="file", id=file_id[:80])
    with _by_name(found["filename"]):
        return found["filename"], found["content_type"], storage().read(found["storage_key"])


def kept(key: str, make: Callable[[], bytes]) -> bytes:
    """What lies under that key (which says all that it is made of), or is made and laid there now."""
    place = storage()
    if place.exists(key):
        return place.read(key)
    data = make()
    place.put(key, data)
    return data


def part_key(task_id: str | None, execution: str, position: int) -> str:
    """Where a bulk keeps a piece of its result until it is assembled."""
    return f"parts/{task_id or uuid4()}/{position:08d}-{execution}"


def drop_parts(task_id: str | None) -> None:
    """Delete the pieces of a bulk whose result is assembled, also those that dead executions left."""
    if task_id:
        place = storage()
        place.delete([key for key, _ in place.list(f"parts/{task_id}")])
