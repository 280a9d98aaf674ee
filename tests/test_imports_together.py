"""Imports beside each other: of one company, of one task, of one machine's folder; and beside who would cancel them."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest

from tests import face as faces
from tests import test_places
from tests.conftest import Service
from tests.face import Face
from tests.imports_made import ACCOUNT_HEAD, BALANCE_HEAD, DAY, account_rows, accounts, counts, letters, upload, xlsx
from tests.test_imports import Leaves, balance_rows, keep, run
from workers import files
from workers.engine import control
from workers.engine.tasks import params_of
from workers.errors import Conflict, StorageFailed, Superseded
from workers.imports import orders, places, runs

face, face_anywhere, small_disk = faces.face, faces.face_anywhere, test_places.small_disk

MORE = [("Eski", "", DAY, "", 1, ""), ("Yeni", "", DAY, "", 2, "")]


def test_two_imports_of_a_company_at_once_make_each_letter_once(face_anywhere: Face) -> None:
    own = face_anywhere.ayse.company_id
    files_ = [keep(own, xlsx(BALANCE_HEAD, *balance_rows(700), ("9", *more))) for more in MORE]
    together = Barrier(2)

    def at_once(file: dict[str, Any]) -> tuple[int, ...]:
        def told(done: int, total: int | None, status: str) -> None:
            if "kontrol" in status and done:
                together.wait(60)

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


@pytest.mark.parametrize(
    "content", [b"x" * 2**21, xlsx(ACCOUNT_HEAD, *account_rows(range(9_000)))], ids=["file", "rows"]
)
def test_a_full_disk_of_this_machine_is_told_plainly_and_left_free(
    service: Service, face: Face, small_disk: Path, content: bytes
) -> None:
    (service.data_dir / "imports").symlink_to(small_disk)

    with pytest.raises(StorageFailed, match="the disk is full") as caught:
        run(face.ayse.company_id, content, "accounts")

    assert not caught.value.final
    assert list(small_disk.iterdir()) == accounts() == []


def test_a_half_written_all_or_nothing_waits_without_being_cancelled(service: Service, face: Face) -> None:
    sheet, marks = xlsx(ACCOUNT_HEAD, *account_rows(range(900))), []

    def half(**asked: Any) -> str:
        """A task that has written its first batch and waits for its next slice."""
        task_id = upload(face.ayse, sheet, "accounts", **asked).json["task_id"]
        params = params_of(task_id)
        order = orders.Order(
            files.uploaded(params["file_path"], face.ayse.company_id),
            "accounts",
            dry_run=params["dry_run"],
            all_or_nothing=params["mode"] == "all-or-nothing",
            task_id=task_id,
        )

        def over() -> None:
            raise Leaves

        with pytest.raises(Leaves):
            runs.run(order, tell=lambda *_: None, pause=over, no_return=lambda: marks.append(task_id))
        return task_id

    bound = half(mode="all-or-nothing")
    service.redis.flushall()  # so that it is SQL alone that knows

    with pytest.raises(Conflict, match="whole or not at all"):
        control.cancel(bound)
    for free in (half(mode="all-or-nothing", dry_run="true"), half(mode="skip-bad")):
        assert control.cancel(free).state == "REVOKED"
    assert marks == [bound], "what may be left half done passes no such point"
