"""What the tests of imports do by hand: make sheets, upload them, look at what an import left."""

import io
import signal
from collections.abc import Callable, Iterable, Sequence
from itertools import count
from typing import Any

from sqlalchemy import select

from tests.face import Person
from workers import db
from workers.engine import events, wire
from workers.engine.seal import Seal
from workers.models import Account, Mutabakat, User
from workers.services import workbooks

ACCOUNT_HEAD = ("Cari Kodu", "Unvan", "Vergi No", "Vergi Dairesi", "E-posta", "Telefon")
BALANCE_HEAD = (*ACCOUNT_HEAD[:3], "Tarih", "Para Birimi", "Borç", "Alacak")
DAY = "31.12.2025"


def xlsx(*rows: Sequence[Any], sheet: str = "Cari") -> bytes:
    """A workbook of one sheet; the first row is its head."""
    out = io.BytesIO()
    with workbooks.Workbook(out) as book:
        book.page(sheet).rows(rows)
    return out.getvalue()


def read_back(content: bytes) -> list[list[Any]]:
    """The cells of the first sheet, as openpyxl sees them; a formula fails the test."""
    import openpyxl

    sheet = openpyxl.load_workbook(io.BytesIO(content)).worksheets[0]
    cells = [list(row) for row in sheet.iter_rows()]
    assert not [cell for row in cells for cell in row if cell.data_type == "f"], "a formula"
    return [[cell.value for cell in row] for row in cells]


def account_rows(codes: Iterable[int], title: str = "Şirket") -> list[tuple[Any, ...]]:
    return [
        (f"120.{n:06d}", f"{title} {n}", "4540536920", "Kadıköy", f"m{n}@a.example", "0532 111 22 33") for n in codes
    ]


def upload(person: Person, content: bytes, target: str, name: str = "cari.xlsx", **more: Any) -> Any:
    """The answer to an upload."""
    headers = more.pop("headers", {})
    data = {"file": (io.BytesIO(content), name), "import": target, **more}
    return person.call("POST", "/api/excel/upload-async", headers, data=data, content_type="multipart/form-data")


def ended(person: Person, task_id: str) -> Any:
    for _ in range(4):  # of the longest wait that the API takes
        status = person.status(task_id, query_string={"wait": 30})
        if status["ended_at"]:
            break
    assert status["ended_at"], status
    return status


def imported(person: Person, content: bytes, target: str, **more: Any) -> Any:
    """The result of an import that a worker has made."""
    answer = upload(person, content, target, **more)
    assert answer.status_code == 202, answer.text
    status = ended(person, answer.json["task_id"])
    assert status["state"] == "SUCCESS", status["error"]
    return {**status["result"], "task_id": status["task_id"]}


def counts(result: dict[str, Any]) -> tuple[int, ...]:
    """new, changed, unchanged, bad."""
    return tuple(result[name] for name in ("new", "changed", "unchanged", "bad"))


def accounts(company_id: int | None = None) -> list[dict[str, Any]]:
    """Accounts without what differs between two runs, by code."""
    columns = [c for c in Account.__table__.columns if c.name not in ("id", "updated_at")]
    return _rows(select(*columns).order_by(Account.company_id, Account.code), Account, company_id)


def letters(company_id: int | None = None) -> list[dict[str, Any]]:
    """Mutabakat with the codes of their accounts, without what differs between two runs."""
    columns = [c for c in Mutabakat.__table__.columns if c.name not in ("id", "account_id", "created_at")]
    query = select(Account.code, *columns).join_from(Mutabakat, Account, Mutabakat.account_id == Account.id)
    return _rows(query.order_by(Account.code, Mutabakat.as_of, Mutabakat.id), Mutabakat, company_id)


def users(company_id: int | None = None) -> list[dict[str, Any]]:
    columns = [User.email, User.name, User.role, User.phone, User.language, User.company_id]
    return _rows(select(*columns).order_by(User.email), User, company_id)


def dying_after(reports: int, then_s: float) -> Callable[..., None]:
    """What an import is to tell by that is killed so long after it has told so often, wherever it is by then."""
    left = count(reports, -1)

    def tell(*_: Any) -> None:
        if next(left) == 0:
            signal.signal(signal.SIGALRM, signal.SIG_DFL)  # whose default is death, without a word
            signal.setitimer(signal.ITIMER_REAL, max(then_s, 1e-6))

    return tell


def reports(task_id: str) -> list[dict[str, Any]]:
    """All that the running import has told of itself, whoever was quick enough to hear it."""
    told = [change for entry in wire.connect().xrange(events.STREAM) for change in events.changes(*entry)]
    return [Seal.loads(one.payload) for one in told if (one.task_id, one.state) == (task_id, "PROGRESS")]


def _rows(query: Any, model: Any, company_id: int | None) -> list[dict[str, Any]]:
    query = query.where(model.company_id == company_id) if company_id is not None else query
    with db.reading() as session:
        return [dict(row) for row in session.execute(query).mappings()]
