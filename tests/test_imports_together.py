"""Imports beside each other: of one company, of one task, and of one machine's folder."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest

from tests import face as faces
from tests.conftest import Service
from tests.face import Face
from tests.imports_made import ACCOUNT_HEAD, BALANCE_HEAD, DAY, account_rows, accounts, counts, letters, xlsx
from tests.test_imports import balance_rows, keep, run
from workers.errors import Superseded
from workers.imports import orders, places, runs

face, face_anywhere = faces.face, faces.face_anywhere

MORE = [("Eski", "", DAY, "", 1, ""), ("Yeni", "", DAY, "", 2, "")]


def test_two_imports_of_a_company_at_once_make_each_letter_once(face_anywhere: Face) -> None:
    own = face_anywhere.ayse.company_id
    files_ = [keep(own, xlsx(BALANCE_HEAD, *balance_rows(700), ("9", *more))) for more in MORE]
    together = Barrier(2)

    def at_once(file: dict[str, Any]) -> tuple[int, ...]:
        def told(done: int, total: int | None, status: str) -> None:
            if "kontrol" in status and done:
                together.wait(30)

        return counts(runs.run(orders.Order(file, "mutabakat"), tell=told, pause=lambda: None))

    with ThreadPoolExecutor(2) as threads:
        first, second = threads.map(at_once, files_)

    assert len(letters(own)) == 701
    assert (first[0] + second[0], sum(first), sum(second)) == (1_401, 1_401, 1_401)


def test_an_execution_that_was_replaced_writes_nothing_more(service: Service, face: Face) -> None:
    file = keep(face.ayse.company_id, xlsx(ACCOUNT_HEAD, *account_rows(range(2 * runs.ROWS_AT_FIRST))))
    first = orders.Order(file, "accounts", task_id="t", execution="frozen")

    def meanwhile() -> None:
        places.claim("t", "other")

    with pytest.raises(Superseded):
        runs.run(first, tell=lambda *_: None, pause=meanwhile)
    assert len(accounts()) == runs.ROWS_AT_FIRST
    assert (orders.settings.current().data_dir / "imports/t/rows.db").exists(), "the other one works with it"


def test_a_scratch_folder_that_goes_while_it_is_looked_at_stops_no_import(
    service: Service, face: Face, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = service.data_dir / "imports" / "gone"
    monkeypatch.setattr(orders.Path, "iterdir", lambda path: iter([gone]))

    assert counts(run(face.ayse.company_id, xlsx(ACCOUNT_HEAD, *account_rows(range(2))), "accounts"))[0] == 2
