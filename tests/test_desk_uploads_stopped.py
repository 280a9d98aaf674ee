"""An import that was stopped half way: what it has done is told, for it stays, and so is how to go on."""

from typing import Any

import pytest

from tests import desk as desks
from tests.desk import Desk
from tests.hands import work_off
from tests.imports_made import ACCOUNT_HEAD, account_rows, accounts, upload, xlsx
from tests.test_imports import Leaves
from workers import files
from workers.engine import control, find
from workers.engine.tasks import params_of
from workers.imports import orders, runs

face, desk = desks.face, desks.desk
ROWS = 900


def half(desk: Desk, **asked: Any) -> str:
    """An import that has written its first batch and waits for its next slice."""
    task_id = upload(desk.face.ayse, xlsx(ACCOUNT_HEAD, *account_rows(range(ROWS))), "accounts", **asked).json[
        "task_id"
    ]
    company_id, params = desk.face.ayse.company_id, params_of(task_id)
    file = files.uploaded(params["file_path"], company_id)

    def over() -> None:
        raise Leaves

    order = orders.Order(file, "accounts", dry_run=params["dry_run"], task_id=task_id)
    with pytest.raises(Leaves):
        runs.run(order, tell=lambda *_: None, pause=over)
    return task_id


def test_an_import_that_was_cancelled_half_way_says_what_stays_and_how_to_go_on(desk: Desk) -> None:
    desk.member.client.set_cookie("lang", "tr")
    task_id = half(desk)
    control.cancel(task_id)
    written = len(accounts())
    assert 0 < written < ROWS

    page = desk.member.get(f"/upload/{task_id}").text
    assert (
        f"O ana kadar {written} satır aktarılmıştı, kaldı. Kalanları aktarmak için görevi yeniden çalıştırın." in page
    )

    control.retry(task_id)
    work_off()
    assert find(task_id).result["new"] == len(accounts()) == ROWS
    assert "satır aktarılmıştı" not in desk.member.get(f"/upload/{task_id}").text


def test_a_trial_that_was_cancelled_half_way_has_imported_nothing(desk: Desk) -> None:
    desk.member.client.set_cookie("lang", "tr")
    task_id = half(desk, dry_run="true")
    control.cancel(task_id)

    assert accounts() == []
    assert "satır aktarılmıştı" not in desk.member.get(f"/upload/{task_id}").text
