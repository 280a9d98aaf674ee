"""Files of tasks: bytes in the storage first, the row that makes them visible second."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID, uuid4, uuid5

from sqlalchemy import bindparam, delete, insert

from workers import settings
from workers.db import now, writing
from workers.models import File
from workers.storage import Storage, Writer, open_storage

NAMES = UUID("5f0f3c1c-5f5a-4f0e-9d53-0c7f7a0f5e11")
ADD = insert(File.__table__)  # type: ignore[arg-type]  # declared as FromClause, is a Table
FORGET = delete(File.__table__).where(File.__table__.c.id == bindparam("file_id"))  # type: ignore[arg-type]


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
    row |= {"content_type": content_type, "size": stored.size, "sha256": stored.sha256, "storage_key": key}
    with writing() as session:
        session.execute(FORGET, {"file_id": file_id})
        session.execute(ADD, {**row, "created_at": now()})
    url = f"/api/tasks/{task_id}/result" if task_id else None
    file.result = {"file_id": file_id, "filename": filename, "size": stored.size, "sha256": stored.sha256}
    file.result["download_url"] = url


def part_key(task_id: str | None, execution: str, position: int) -> str:
    """Where a bulk keeps a piece of its result until it is assembled."""
    return f"parts/{task_id or uuid4()}/{position:08d}-{execution}"


def drop_parts(task_id: str | None) -> None:
    """Delete the pieces of a bulk whose result is assembled, also those that dead executions left."""
    if task_id:
        place = storage()
        place.delete([key for key, _ in place.list(f"parts/{task_id}")])
