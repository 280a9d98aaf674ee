"""House-keeping: what is old goes with all that hangs on it, evidence stays, and what was deleted is on record."""

import itertools
import os
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import insert, select, update

from tests.conftest import Service
from tests.face import new_company
from tests.hands import put_row
from tests.keeping import OLD, RECENT, an_ended_task, count
from workers import db, files, settings
from workers.db import now
from workers.engine import find, limits, queues, registry
from workers.engine.tables import history, items, keys, occurrences, tasks
from workers.errors import InvalidInput, StorageFailed
from workers.housekeeping import cleaning
from workers.housekeeping.cleaning import Cleaning
from workers.jobs import maintenance
from workers.models import Cleanup, Company, Delivery, File, Import, SandboxMessage


def test_what_is_old_goes_with_all_that_hangs_on_it_and_the_rest_stays(anywhere: Service) -> None:
    old, recent = an_ended_task(OLD), an_ended_task(RECENT)
    living = put_row(created_at=OLD)
    with db.writing() as session:
        row = {"scope": "", "key": "waits", "request_hash": "", "task_id": living, "created_at": OLD}
        session.execute(insert(keys).values(row))

    told = maintenance.cleanup_old_logs(days=90)

    with db.reading() as session:
        assert set(session.scalars(select(tasks.c.id))) == {recent, living}
    for table in (items, history, keys, File):
        assert (count(table, task_id=old), count(table, task_id=recent)) == (0, 1)
    assert count(keys, task_id=living) == 1, "said again, it must not become a second task"
    assert len(list(files.storage().list("files"))) == 1
    assert told["deleted"]["tasks"]["count"] == told["deleted"]["results"]["count"] == 1
    assert told["deleted"]["results"]["bytes"] == 500
    assert told["count"] == sum(one["count"] for one in told["deleted"].values()) == 5
    assert told["bytes"] > 500


def test_messages_log_files_and_the_history_of_schedules_go_too(service: Service) -> None:
    logs = service.data_dir / "logs"
    logs.mkdir()
    for at in (OLD, RECENT):
        with db.writing() as session:
            session.add(SandboxMessage(channel="sms", key=str(at), recipient="+90", body="ş" * 10, created_at=at))
            run = {"schedule": "nightly", "due_at": at, "state": "done", "task_id": "t"}
            session.execute(insert(occurrences).values(run))
        for path in (logs / f"web.log.{at:%j}", service.data_dir / f"service.log.{at:%j}"):
            path.write_text("old news")
            os.utime(path, (at.timestamp(), at.timestamp()))
    with db.writing() as session:
        session.execute(insert(occurrences).values(schedule="stuck", due_at=OLD, state="waiting"))
        session.execute(insert(occurrences).values({**run, "schedule": "yearly", "due_at": OLD}))

    told = maintenance.cleanup_old_logs()

    assert [path.name for path in sorted(logs.iterdir())] == [f"web.log.{RECENT:%j}"]
    assert told["deleted"]["log_files"] == {"count": 2, "bytes": 16}
    assert told["deleted"]["sandbox_messages"]["count"] == told["deleted"]["occurrences"]["count"] == 1
    assert (count(SandboxMessage), count(occurrences)) == (1, 3)


def test_evidence_is_never_deleted(service: Service) -> None:
    company_id = new_company("4540536920")
    task_id = an_ended_task(OLD)
    evidence = {"company_id": company_id, "task_id": task_id, "item_id": 1, "channel": "email", "recipient": b"sealed"}
    evidence |= {"recipient_hash": "h", "state": "done", "provider": "smtp", "request_key": "r", "sent_at": OLD}
    with db.writing() as session:
        session.add(Delivery(**evidence))
        row = {"task_id": task_id, "purpose": "sent", "filename": "mektup.pdf", "content_type": "application/pdf"}
        row |= {"size": 1, "sha256": "", "storage_key": "letters/1/sent.pdf", "created_at": OLD}
        session.add(File(id="sent", **row))
    files.storage().put("letters/1/sent.pdf", b"x")

    maintenance.cleanup_old_logs(days=1)
    for _ in range(2):
        maintenance.tidy_up()

    assert (count(Delivery), count(File)) == (1, 1)
    assert files.storage().exists("letters/1/sent.pdf")


def test_a_dry_run_counts_the_same_and_deletes_nothing(anywhere: Service) -> None:
    for _ in range(3):
        an_ended_task(OLD)

    dry = maintenance.cleanup_old_logs(dry_run=True)

    assert count(tasks) == count(File) == 3
    assert (count(Cleanup), dry["dry_run"]) == (0, True)
    wet = maintenance.cleanup_old_logs()
    assert {**dry, "dry_run": False} == wet
    assert maintenance.cleanup_old_logs()["count"] == 0


def test_what_was_deleted_is_on_record_also_when_the_run_is_killed_half_way(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    an_ended_task(OLD)
    place = files.storage()
    monkeypatch.setattr(type(place), "delete", lambda *_: (_ for _ in ()).throw(MemoryError))
    with pytest.raises(MemoryError):
        maintenance.cleanup_old_logs()
    monkeypatch.undo()
    maintenance.cleanup_old_logs()

    with db.reading() as session:
        records = [record.deleted for record in session.scalars(select(Cleanup).order_by(Cleanup.id))]
    assert [set(record) for record in records] == [{"log_rows", "idempotency_keys"}, {"results", "items", "tasks"}]


def test_a_transaction_ends_when_its_time_is_over_however_many_rows_wait(
    anywhere: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    task_id = an_ended_task(RECENT)
    with db.writing() as session:
        told = {"task_id": task_id, "state": "STARTED", "at": OLD}
        session.execute(insert(history), [{**told, "event_id": f"{number}"} for number in range(450)])
    seconds, batches = itertools.count(0, 0.02), []
    monkeypatch.setattr(cleaning, "time", SimpleNamespace(monotonic=lambda: next(seconds), sleep=lambda _: None))
    note = Cleaning._note
    monkeypatch.setattr(Cleaning, "_note", lambda *args: (batches.append(args[3]), note(*args)))

    assert maintenance.cleanup_old_logs()["deleted"]["log_rows"]["count"] == 450

    assert batches[:3] == [200, 200, 50], "a clock that leaps at each look leaves a transaction time for one step"


def test_bytes_are_counted_as_bytes_wherever_they_lie(anywhere: Service) -> None:
    message = {"channel": "sms", "key": "k", "recipient": "+90", "body": "ş\\" * 10, "attachments": ["ğ"]}
    with db.writing() as session:
        session.add(SandboxMessage(**message, created_at=OLD))

    told = maintenance.cleanup_old_logs()["deleted"]["sandbox_messages"]

    numbers, texts = 8 + 8, len(b"smsk+90") + 30 + len('["ğ"]'.encode())
    assert told == {"count": 1, "bytes": numbers + texts}


def test_a_log_file_that_can_not_be_deleted_keeps_nothing_else_from_being(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    task_id, path = an_ended_task(OLD), service.data_dir / "web.log"
    for one in (path, path.with_name("worker.log")):
        one.write_text("old news")
        os.utime(one, (OLD.timestamp(), OLD.timestamp()))
    unlink = Path.unlink

    def refuse(mine: Path, **options: Any) -> None:
        if mine == path:
            raise PermissionError(1, "Operation not permitted")
        unlink(mine, **options)

    monkeypatch.setattr(Path, "unlink", refuse)

    with pytest.raises(StorageFailed, match=r"the log file web\.log.*not permitted"):
        maintenance.cleanup_old_logs()

    assert (count(tasks, id=task_id), path.with_name("worker.log").exists()) == (0, False)


def test_records_are_kept_for_three_years(service: Service) -> None:
    with db.writing() as session:
        session.add(Cleanup(kind="cleanup_old_logs", at=now() - timedelta(days=4 * 366)))
        session.add(Cleanup(kind="cleanup_old_logs", at=now() - timedelta(days=2 * 366)))

    maintenance.cleanup_old_logs()

    with db.reading() as session:
        assert all(record.at > now() - timedelta(days=3 * 366 + 91) for record in session.scalars(select(Cleanup)))
        assert count(Cleanup) == 2, "the one of two years, and that of this run"


@pytest.mark.parametrize("days", [0, -1, 36_501, 1.5, "90", True])
def test_days_that_make_no_sense_are_refused(service: Service, days: Any) -> None:
    with pytest.raises(InvalidInput, match="days"):
        maintenance.cleanup_old_logs.delay(days=days)  # type: ignore[attr-defined]


@pytest.mark.parametrize("days", [0, -1, 36_501])
def test_days_that_make_no_sense_are_refused_also_by_the_function_itself(service: Service, days: int) -> None:
    an_ended_task(OLD)

    with pytest.raises(InvalidInput, match="days: give 1 to 36,500"):
        maintenance.cleanup_old_logs(days=days)
    with pytest.raises(InvalidInput, match="within_days"):
        maintenance.check_password_expiry(within_days=days)

    assert count(tasks) == 1


def test_the_retention_of_the_settings_holds_unless_days_are_given(service: Service) -> None:
    settings.use(service.settings.model_copy(update={"log_retention_days": 7}))

    assert maintenance.cleanup_old_logs()["older_than_days"] == 7
    assert maintenance.cleanup_old_logs(days=30)["older_than_days"] == 30


def test_what_crashes_left_behind_is_tidied_up(anywhere: Service) -> None:
    place, done, failed, living = files.storage(), put_row(state="SUCCESS"), put_row(state="FAILURE"), put_row()
    for task_id in (done, failed, living):
        place.put(files.part_key(task_id, "e", 1), b"piece")
    place.put("files/1/orphan", b"bytes without a row")
    assert [maintenance.tidy_up()["deleted"] for _ in range(2)] == [{}, {}], "whoever writes them may be at work"
    assert count(Cleanup) == 0

    for path in (anywhere.data_dir / "files").rglob("*"):
        os.utime(path, (OLD.timestamp(), OLD.timestamp()))
    place.put("files/1/young", b"its row comes soon")

    pieces, orphans = {"count": 1, "bytes": 5}, {"count": 1, "bytes": 19}
    assert maintenance.tidy_up()["deleted"] == {"pieces": pieces, "orphans": orphans}
    assert [key for key, _ in place.list("files")] == ["files/1/young"]
    assert sorted(key.split("/")[1] for key, _ in place.list("parts")) == sorted([failed, living])


def test_a_companys_share_of_a_queue_is_told_to_redis_again_which_may_have_lost_it(service: Service) -> None:
    own, usual = new_company("4540536920"), new_company("1234567890")
    with db.writing() as session:
        session.get_one(Company, own).options = {"k": 3}
    limits.set_share(str(usual), 9)

    maintenance.tidy_up()

    assert service.redis.hgetall(limits.SHARES) == {str(own).encode(): b"3"}


def test_results_expire_their_tasks_and_the_evidence_stay(service: Service) -> None:
    settings.use(service.settings.model_copy(update={"result_ttl_days": 30}))
    old, recent, evidence = (an_ended_task(now() - timedelta(days=days)) for days in (31, 29, 31))
    living = put_row(state="PROGRESS")
    with db.writing() as session:
        session.execute(update(File).where(File.task_id == evidence).values(purpose="sent"))
    with files.new("teil.pdf", "application/pdf", task_id=living, company_id=None) as file:
        file.write(b"x")
    with db.writing() as session:
        session.execute(update(File).where(File.task_id == living).values(created_at=OLD))

    told = maintenance.tidy_up()["deleted"]["expired_results"]

    assert told == {"count": 1, "bytes": 500}
    assert [count(File, task_id=task_id) for task_id in (old, recent, evidence, living)] == [0, 1, 1, 1]
    assert count(tasks) == 4


def test_what_imports_left_goes_when_nobody_goes_on_with_it(service: Service) -> None:
    known, folder = put_row(), service.data_dir / "imports" / "gone"
    for task_id in (known, "gone"):
        with db.writing() as session:
            session.add(Import(task_id=task_id, execution="e", new=0, changed=0, unchanged=0, updated_at=OLD))
    folder.mkdir(parents=True)
    (folder / "sheet").write_bytes(b"rows")
    for path in (folder / "sheet", folder):
        os.utime(path, (OLD.timestamp(), OLD.timestamp()))

    told = maintenance.tidy_up()["deleted"]

    assert told == {"imports": {"count": 1, "bytes": 37}, "import_folders": {"count": 1, "bytes": 4}}
    assert count(Import, task_id=known) == 1
    assert not folder.exists()


def test_the_jobs_are_scheduled_and_may_run_by_their_defaults(service: Service) -> None:
    kinds = {kind.name: kind for kind in registry.kinds().values() if kind.cron}

    assert (kinds["cleanup_old_logs"].cron, kinds["cleanup_old_logs"].zone) == ("0 0 * * *", "Europe/Istanbul")
    assert kinds["check_password_expiry"].cron == "0 9 * * 1"
    for kind in kinds.values():
        assert kind.check({}) is not None
    service.run_worker()
    task = queues.enqueue("cleanup_old_logs")
    assert find(task.id).get(timeout=20)["count"] == 0
