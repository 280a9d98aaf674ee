"""What was said of a sheet by hand holds for its real import, and for the workbook of its wrong rows."""

from tests import desk as desks
from tests.desk import Desk, Visitor
from tests.imports_made import accounts, xlsx
from tests.test_desk_uploads import ended, upload
from workers.engine.tasks import Task

face, desk = desks.face, desks.desk


def tried_by_hand(visitor: Visitor, content: bytes, target: str, **form: str) -> Task:
    lost = ended(upload(visitor, content, **{"import": target}))
    return ended(visitor.post(f"/upload/{lost.id}/again", {**form, "form_id": f"again {lost.id}"}))


def imported(visitor: Visitor, trial: Task) -> Task:
    form = {"sha256": trial.result["file"]["sha256"], "form_id": f"import {trial.id}"}
    return ended(visitor.post(f"/upload/{trial.id}/import", form))


def test_a_column_that_was_left_out_by_hand_is_left_out_of_the_import_too(desk: Desk) -> None:
    sheet = xlsx(("Kod no", "Kim", "Telefon"), ("1", "Bir", "0532 111 22 33"))

    trial = tried_by_hand(desk.member, sheet, "accounts", **{"m.code": "Kod no", "m.title": "Kim", "m.phone": ""})
    imported(desk.member, trial)

    assert trial.result["mapping"] == {"code": "Kod no", "title": "Kim"}
    assert [(each["title"], each["phone"]) for each in accounts()] == [("Bir", None)]
