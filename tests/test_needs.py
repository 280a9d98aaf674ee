"""What is old and still needed: nothing is taken from a task that has not ended, or that is just begun anew."""

import io
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import insert, select, update

from tests import telling as tellers
from tests.conftest import Service
from tests.face import new_company
from tests.keeping import OLD, an_ended_task, count
from tests.telling import wants
from workers import db, files, tellings
from workers.engine import control, enqueue, needs
from workers.engine.tables import items, tasks
from workers.errors import UnknownTask
from workers.housekeeping import old
from workers.housekeeping.cleaning import Cleaning
from workers.jobs import maintenance
from workers.models import Channel, File, Telling

company = tellers.company


def an_upload(name: str, company_id: int) -> str:
    file_id = files.keep_upload(io.BytesIO(name.encode()), name, "text/csv", company_id)
    with db.writing() as session:
        session.execute(update(File).values(created_at=OLD))
    return file_id


def test_files_that_waiting_tasks_will_read_are_kept_until_these_have_ended(anywhere: Service) -> None:
    company = new_company("4540536920")
    sheet, enclosed, bulk, nobodys = (an_upload(name, company) for name in ("sheet", "enclosed", "bulk", "nobodys"))
    mail = {"subject": "s", "body": "b"}
    scope = str(company)
    enqueue("process_excel_upload", {"file_path": sheet}, scope=scope)
    enqueue("send_email", {"to_email": "a@example.com", **mail, "attachments": [enclosed]}, scope=scope)
    rows = [{"to": f"{name}@example.com", **mail, "attachments": [bulk]} for name in "ab"]
    enqueue("send_bulk_emails", {"emails": rows}, scope=scope)

    assert needs.named("file") == {sheet, enclosed, bulk}
    assert maintenance.cleanup_old_logs(days=1)["deleted"]["uploads"]["count"] == 1
    assert (count(File), count(File, id=nobodys)) == (3, 0)

    with db.writing() as session:
        session.execute(update(tasks).values(state="FAILURE"))
    assert maintenance.cleanup_old_logs(days=1)["deleted"]["uploads"]["count"] == 3


def test_a_result_that_a_waiting_mail_carries_outlives_its_task(service: Service) -> None:
    task_id, company = an_ended_task(OLD), new_company("4540536920")
    with db.reading() as session:
        letter = session.scalar(select(File.id))
    mail = {"to_email": "a@example.com", "subject": "s", "body": "b", "attachments": [letter]}
    mail_id = enqueue("send_email", mail, scope=str(company)).id

    maintenance.cleanup_old_logs()
    maintenance.tidy_up()
    assert (count(tasks, id=task_id), count(File)) == (0, 1)

    with db.writing() as session:
        session.execute(update(tasks).where(tasks.c.id == mail_id).values(state="SUCCESS"))
    maintenance.tidy_up()
    assert count(File) == 0


def test_a_task_that_is_begun_anew_before_its_turn_keeps_all_it_has(
    anywhere: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    task_id = an_ended_task(OLD, state="FAILURE")
    withdraw = old._withdrawn

    def late(ids: list[str], before: Any) -> list[str]:
        control.retry(task_id)
        return withdraw(ids, before)

    monkeypatch.setattr(old, "_withdrawn", late)

    assert "tasks" not in maintenance.cleanup_old_logs()["deleted"]
    assert [count(table, task_id=task_id) for table in (items, File)] == [1, 1]
    assert count(tasks, id=task_id, state="PENDING") == 1


def test_a_task_whose_items_go_can_no_longer_be_begun_anew(anywhere: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    task_id = an_ended_task(OLD, state="FAILURE")
    drop = Cleaning.files

    def retried_meanwhile(self: Cleaning, what: str, *args: Any) -> None:
        if what == "results":
            with pytest.raises(UnknownTask):
                control.retry(task_id)
        drop(self, what, *args)

    monkeypatch.setattr(Cleaning, "files", retried_meanwhile)

    assert maintenance.cleanup_old_logs()["deleted"]["tasks"]["count"] == 1
    assert count(tasks) == 0


def test_an_end_that_was_told_is_not_told_again_when_a_run_dies_half_way(
    company: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    wants(company, "https://example.com/")
    an_ended_task(OLD, scope=str(company))
    with db.writing() as session:
        session.execute(update(Channel).values(since=OLD - timedelta(days=1)))
    assert tellings.gather() == 1
    with db.writing() as session:
        session.execute(update(Telling).values(created_at=OLD))
    monkeypatch.setattr(old, "_forget", lambda *_: (_ for _ in ()).throw(MemoryError))

    with pytest.raises(MemoryError):
        maintenance.cleanup_old_logs()

    assert tellings.gather() == 0


def test_a_webhook_that_is_still_tried_stays(company: int) -> None:
    trying = enqueue("deliver_webhook", {"telling_id": 1}).id
    over = an_ended_task(OLD)
    with db.writing() as session:
        for handed_to in (trying, over, None):
            row = {"company_id": company, "channel": "hook", "state": "waiting", "attempts": 1, "created_at": OLD}
            session.execute(insert(Telling).values(**row, handed_to=handed_to))

    maintenance.cleanup_old_logs(days=1)

    with db.reading() as session:
        assert list(session.scalars(select(Telling.handed_to))) == [trying]
