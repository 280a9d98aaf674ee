"""What the tests of house-keeping share: tasks that ended long ago with all that hangs on them."""

from datetime import timedelta
from typing import Any

from sqlalchemy import func, insert, select, update

from tests.hands import put_row
from workers import db, files
from workers.db import now
from workers.engine import queues
from workers.engine.seal import Seal
from workers.engine.tables import history, items, keys
from workers.models import File

OLD, RECENT = now() - timedelta(days=91), now() - timedelta(days=89)


def count(table: Any, **where: Any) -> int:
    with db.reading() as session:
        return session.scalar(select(func.count()).select_from(table).filter_by(**where)) or 0


def an_ended_task(at: Any, state: str = "SUCCESS", **values: Any) -> str:
    """A task from that time with an item, history, a key and a result file."""
    uuid7 = f"{int(at.timestamp() * 1000):012x}"
    made = {"id": f"{uuid7[:8]}-{uuid7[8:]}-7{queues.new_id()[15:]}", "created_at": at, "ended_at": at, "state": state}
    task_id = put_row(**made, result=Seal.dumps("x" * 1000), **values)
    with files.new("mektup.pdf", "application/pdf", task_id=task_id, company_id=None) as file:
        file.write(b"x" * 500)
    with db.writing() as session:
        session.execute(update(File).where(File.task_id == task_id).values(created_at=at))
        session.execute(insert(keys).values(scope="", key=task_id, request_hash="", task_id=task_id, created_at=at))
        session.execute(insert(items).values(task_id=task_id, position=1, value=b"sealed", updated_at=at))
        session.execute(insert(history).values(task_id=task_id, event_id=task_id[:32], state=state, at=at))
    return task_id
