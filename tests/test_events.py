"""The stream: recorded into SQL whatever is repeated or cut, trimmed only behind the record, followed to the end."""

import threading
import time
from datetime import timedelta
from typing import Any

from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st
from sqlalchemy import select

from tests.conftest import Service
from tests.hands import claim, put_row, record_all, row_of, settle, told_of, work_off
from workers import settings
from workers.db import reading, writing
from workers.engine import enqueue, events, find, outcome, wire
from workers.engine.events import Change, padded, record
from workers.engine.outcome import Outcome
from workers.engine.seal import Seal
from workers.engine.tables import history, tasks

UNKNOWN = "01900000-0000-7000-8000-000000000000"
ERROR = {"type": "ValueError", "message": "no", "traceback": "line 1", "at": 1}


def opened(task_id: str) -> dict[str, Any]:
    """The task's row, with what is sealed opened."""
    row = dict(row_of(task_id))
    return row | {name: Seal.loads(row[name]) for name in ("result", "traceback") if row[name]}


def story(task_id: str) -> list[tuple[str, int, str | None]]:
    return [(line.state, line.attempt, line.message) for line in told_of(task_id)]


def run_through(task_id: str, queue: str = "sms") -> None:
    """One failed attempt, then a success, with progress."""
    job_id, execution = claim(queue)
    settle(job_id, execution, queue, Outcome("retry", error=Seal.dumps(ERROR), payload=Seal.dumps(ERROR)))
    job_id, execution = claim(queue)
    meta = Seal.dumps({"current": 3, "total": 10, "status": "adım 3"})
    wire.run(wire.connect(), "progress", job_id, execution, meta, "1")
    settle(job_id, execution, queue, outcome.finished({"sum": 3}))
    assert job_id == task_id


def test_the_record_brings_the_row_up_to_what_happened(anywhere: Service) -> None:
    task = enqueue("add", {"a": 1}, scope="7")
    run_through(task.id)

    assert record_all() == 6

    row = opened(task.id)
    assert (row["state"], row["attempts"], row["result"]) == ("SUCCESS", 2, {"sum": 3})
    assert (row["current"], row["total"], row["status"]) == (3, 10, "adım 3")
    assert (row["error_type"], row["error_message"], row["traceback"]) == (None, None, None)
    a_millisecond = timedelta(milliseconds=1)  # Redis tells no more of the time
    assert row["created_at"] - a_millisecond < row["started_at"] <= row["ended_at"]
    assert record() == 0


def test_a_failure_is_recorded_with_its_reason_and_its_sealed_traceback(anywhere: Service) -> None:
    task = enqueue("add", {"a": 1})
    settle(*claim("sms"), "sms", Outcome("failed", error=Seal.dumps(ERROR), payload=Seal.dumps(ERROR)))

    record_all()

    row = opened(task.id)
    assert (row["state"], row["error_type"], row["error_message"]) == ("FAILURE", "ValueError", "no")
    assert row["traceback"] == "line 1"
    assert find(task.id).traceback == "line 1"


def test_the_history_has_a_line_for_every_change_but_progress(anywhere: Service) -> None:
    task = enqueue("add", {"a": 1})
    run_through(task.id)

    record_all()

    assert story(task.id) == [
        ("PENDING", 0, None),
        ("STARTED", 1, None),
        ("RETRY", 1, "no"),
        ("STARTED", 2, None),
        ("SUCCESS", 2, None),
    ]


def test_recording_twice_or_from_an_old_mark_changes_nothing(anywhere: Service) -> None:
    task, other = enqueue("add", {"a": 1}), enqueue("nothing")
    run_through(task.id)
    record_all()
    before = opened(task.id), opened(other.id), story(task.id), story(other.id)

    anywhere.redis.delete(events.RECORDED)
    assert record_all() > 0
    anywhere.redis.set(events.RECORDED, anywhere.redis.xrange(events.STREAM, count=2)[1][0])
    assert record_all() > 0

    assert (opened(task.id), opened(other.id), story(task.id), story(other.id)) == before


def test_two_recorders_at_once_write_what_one_would(anywhere: Service) -> None:
    for number in range(20):
        run_through(enqueue("add", {"a": number}).id)

    threads = [threading.Thread(target=record_all) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    with reading() as session:
        rows = session.execute(select(tasks.c.state, tasks.c.attempts)).all()
        lines = session.execute(select(history.c.id)).all()
    assert {tuple(row) for row in rows} == {("SUCCESS", 2)}
    assert len(lines) == 20 * 5


def test_an_end_in_sql_is_not_touched_by_what_is_told_later(anywhere: Service) -> None:
    task = enqueue("add", {"a": 1})
    row = put_row(id="01900000-0000-7000-8000-00000000000a", state="REVOKED", event_id=padded("5-0"))
    late = Change(row, "SUCCESS", "", "sms", 1, "w", Seal.dumps({"sum": 0}), padded("9-0"))

    with writing() as session:
        events.apply(session, [late])

    assert (opened(row)["state"], opened(row)["result"], opened(task.id)["state"]) == ("REVOKED", None, "PENDING")


META = st.fixed_dictionaries(
    {"current": st.integers(0, 9), "total": st.just(10), "status": st.none() | st.just("adım")}
)
STEPS = st.lists(st.sampled_from(["STARTED", "RETRY", "PROGRESS", "back"]) | META, max_size=8)
ENDINGS = st.sampled_from([[], ["SUCCESS"], ["FAILURE"], ["REVOKED"]])


def told(task_id: str, steps: list[Any]) -> list[Change]:
    """The changes of a life made of these steps, each a millisecond after the last."""
    found, attempt = [Change(task_id, "PENDING", "", "sms", 0, "", b"", padded("1000-0"))], 0
    for number, step in enumerate(steps, 1001):
        attempt += step == "STARTED"
        state = {"back": "PROGRESS"}.get(step, step) if isinstance(step, str) else "PROGRESS"
        payloads = {"RETRY": Seal.dumps(ERROR), "FAILURE": Seal.dumps(ERROR), "SUCCESS": Seal.dumps({"sum": 3})}
        payload = payloads.get(state, b"") if isinstance(step, str) else Seal.dumps(step)
        found.append(Change(task_id, state, "", "sms", attempt, "w", payload, padded(f"{number}-0")))
    return found


@examples(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=25)
@given(steps=STEPS, ending=ENDINGS, data=st.data())
def test_what_is_recorded_does_not_depend_on_where_a_batch_ends_or_begins_again(
    anywhere: Service, steps: list[Any], ending: list[str], data: st.DataObject
) -> None:
    whole, cut = put_row(), put_row()
    with writing() as session:
        events.apply(session, told(whole, steps + ending))

    changes = told(cut, steps + ending)
    at = 0
    while at < len(changes):
        begin = data.draw(st.integers(0, at), label="from")
        end = data.draw(st.integers(at + 1, len(changes)), label="to")
        with writing() as session:
            events.apply(session, changes[begin:end])
        at = end

    progress = ("state", "attempts", "current", "total", "status", "event_id")
    kept = (*progress, "started_at", "ended_at", "result", "error_type", "error_message", "traceback")
    assert {name: opened(cut)[name] for name in kept} == {name: opened(whole)[name] for name in kept}
    assert story(cut) == story(whole)


def test_a_change_that_cannot_be_read_with_todays_keys_is_recorded_without_its_details(service: Service) -> None:
    task = enqueue("add", {"a": 1})
    settle(*claim("sms"), "sms", outcome.failed(ValueError("no"), retries_left=0, retries=0))
    settings.use(service.settings.model_copy(update={"secret_key": "another key that opens nothing of this"}))

    record_all()

    row = opened(task.id)
    assert (row["state"], row["error_type"]) == ("FAILURE", "SealBroken")


def test_a_foreign_entry_in_the_stream_does_not_stop_the_record(service: Service) -> None:
    for fields in ({"hello": "world"}, {"c1": "not ours"}, {"c1": b"\xff\xfe"}, {"c1": "a\tb\tc\td\tmany\tw"}):
        service.redis.xadd(events.STREAM, fields)
    task = enqueue("nothing")
    work_off()

    record_all()

    assert opened(task.id)["state"] == "SUCCESS"


def old_entries(service: Service, count: int, *, age_ms: int) -> None:
    oldest = int(time.time() * 1000) - age_ms
    for number in range(count):
        fields = {"c1": "\t".join([UNKNOWN, "PROGRESS", "", "sms", "1", "w"])}
        service.redis.xadd(events.STREAM, fields, id=f"{oldest + number}-0")


def test_only_what_is_recorded_and_older_than_an_hour_is_trimmed(service: Service) -> None:
    old_entries(service, events.BATCH + 150, age_ms=2 * events.KEEP_MS)
    unrecorded = {entry for entry, _ in service.redis.xrange(events.STREAM)[events.BATCH :]}

    assert record() == events.BATCH
    left = {entry for entry, _ in service.redis.xrange(events.STREAM)}
    assert unrecorded <= left
    assert len(left) < events.BATCH + 150, "what is recorded goes, at least by whole nodes"

    record_all()
    assert service.redis.xlen(events.STREAM) <= 100, "Redis trims by whole nodes of 100 entries"


def test_an_hour_of_the_stream_stays_for_those_who_come_back(service: Service) -> None:
    old_entries(service, 250, age_ms=events.KEEP_MS - 60_000)

    record_all()

    assert service.redis.xlen(events.STREAM) == 250


def test_padded_ids_sort_as_text_as_they_do_in_time() -> None:
    ids = ["0-0", "9-10", "9-9", "10-0", "1767571200000-0", "1767571200000-12", "7"]

    by_time = sorted(ids, key=lambda text: [int(part) for part in f"{text}-0".split("-")[:2]])
    assert sorted(ids, key=padded) == by_time
    assert all(padded(padded(text)) == padded(text) for text in ids)
