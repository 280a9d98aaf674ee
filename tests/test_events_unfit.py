"""What no column holds stops no record: it is cut to size, or left out by itself. A database is waited for."""

from typing import Any

import pytest
from sqlalchemy import text

from tests.conftest import Service
from tests.hands import record_all, row_of, told_of, work_off
from workers.db import writing
from workers.engine import enqueue, events
from workers.engine.seal import Seal
from workers.errors import TablesMissing


def story(task_id: str) -> list[tuple[str, str | None]]:
    return [(line.state, line.message) for line in told_of(task_id)]


def tell(service: Service, task_id: str, state: str, payload: Any = None, *, entry_id: str = "*") -> None:
    """Write an entry as anybody may who reaches the server."""
    fields: dict[Any, Any] = {"c1": "\t".join([task_id, state, "", "sms", "1", "w"])}
    fields |= {"p1": Seal.dumps(payload)} if payload is not None else {}
    service.redis.xadd(events.STREAM, fields, id=entry_id)


def test_the_bytes_of_a_large_file_are_recorded_as_they_are(anywhere: Service) -> None:
    task, innocent = enqueue("add", {"a": 1}), enqueue("add", {"a": 2})
    tell(anywhere, task.id, "PROGRESS", {"current": 3_000_000_000, "total": 4_000_000_000, "status": None})
    tell(anywhere, innocent.id, "STARTED")

    record_all()

    assert (row_of(task.id)["current"], row_of(task.id)["total"]) == (3_000_000_000, 4_000_000_000)
    assert row_of(innocent.id)["state"] == "STARTED"


@pytest.mark.parametrize(
    ("meta", "kept"),
    [
        ({"current": 2**63, "total": 2**64 - 1}, (events.MOST, events.MOST, None)),
        ({"current": -5, "total": 1e300, "status": 7}, (0, events.MOST, "7")),
        ({"current": None, "total": "many", "status": "satır\0"}, (0, 100, "satır")),
    ],
)
def test_what_no_column_can_hold_is_recorded_as_what_it_can(
    anywhere: Service, meta: dict[str, Any], kept: tuple[Any, ...]
) -> None:
    task = enqueue("add", {"a": 1})
    tell(anywhere, task.id, "PROGRESS", meta)

    record_all()

    row = row_of(task.id)
    assert (row["state"], row["current"], row["total"], row["status"]) == ("PROGRESS", *kept)


def test_an_error_whose_words_no_database_can_hold_is_recorded_without_what_is_wrong(anywhere: Service) -> None:
    task = enqueue("add", {"a": 1})
    tell(anywhere, task.id, "FAILURE", {"type": "BadText", "message": "satır\0"})

    record_all()

    assert (row_of(task.id)["error_message"], story(task.id)[-1]) == ("satır", ("FAILURE", "satır"))


def test_one_change_that_can_not_be_written_is_left_out_and_named_and_stops_no_other(
    anywhere: Service, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    task = enqueue("add", {"a": 1})
    work_off()
    faulty = enqueue("nothing")
    in_the_year_33658 = "999999999999999-0"
    tell(anywhere, faulty.id, "SUCCESS", entry_id=in_the_year_33658)

    record_all()

    assert (row_of(task.id)["state"], row_of(faulty.id)["state"]) == ("SUCCESS", "PENDING")
    assert [line[0] for line in story(task.id)] == ["PENDING", "STARTED", "SUCCESS"]
    told = capsys.readouterr().out + caplog.text  # the other, where a test before has set up the log of a program
    assert "change left out" in told
    assert faulty.id in told
    assert task.id not in told


def test_a_database_that_lacks_its_tables_is_waited_for_and_nothing_is_left_out(anywhere: Service) -> None:
    task = enqueue("add", {"a": 1})
    work_off()
    with writing() as session:
        session.execute(text("ALTER TABLE task_history RENAME TO history_of_task"))
    try:
        with pytest.raises(TablesMissing):
            record_all()
        assert not anywhere.redis.exists(events.RECORDED)
    finally:
        with writing() as session:
            session.execute(text("ALTER TABLE history_of_task RENAME TO task_history"))

    record_all()

    assert (row_of(task.id)["state"], len(story(task.id))) == ("SUCCESS", 3)
