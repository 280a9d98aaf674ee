"""A company is told that its tasks have ended: each end once, whatever dies in between, and nobody else's."""

import time
from datetime import timedelta

import pytest
from sqlalchemy import func, select, text, update

from tests import telling as tellers
from tests.conftest import Service
from tests.face import new_company
from tests.hands import record_all, work_off
from tests.receiver import SECRET, Receiver, say
from tests.telling import HOOK, NOTE, OTHER, VKN, ended, mails, move_back, told, wants
from workers import db, tellings
from workers.db import now
from workers.engine import Retry, occurrences, schedules
from workers.engine.seal import Seal
from workers.engine.tables import history, tasks
from workers.engine.tables import occurrences as occurred
from workers.jobs import telling
from workers.models import Channel, Telling

company, receiver = tellers.company, tellers.receiver


def test_each_end_of_the_company_becomes_one_row_and_nothing_else_does(anywhere: Service) -> None:
    company, other = new_company(VKN), new_company(OTHER)
    wants(company, "https://example.com/", ("muhasebe@example.com",))
    mine = [ended(company, minutes_ago=3), ended(company, state="FAILURE", minutes_ago=2)]
    ended(company, minutes_ago=90)  # before it was asked for
    ended(other)
    ended(None)
    ended(company, kind="deliver_webhook")
    ended(company, kind="tell_ends")

    assert tellings.due()
    assert tellings.gather() == 4
    assert tellings.gather() == 0

    rows = told(company)
    assert sorted((row.channel, row.task_id) for row in rows) == sorted((c, t) for c in (HOOK, NOTE) for t in mine)
    assert told(other) == []


def test_a_task_that_ends_again_is_told_again(company: int) -> None:
    wants(company, "https://example.com/")
    task_id = ended(company, state="FAILURE", minutes_ago=5)
    tellings.gather()
    with db.writing() as session:
        session.execute(update(tasks).where(tasks.c.id == task_id).values(state="SUCCESS", ended_at=now()))

    assert tellings.gather() == 1
    assert [Seal.loads(row.body)["state"] for row in told(company)] == ["FAILURE", "SUCCESS"]


def test_what_the_recorder_has_not_written_yet_is_waited_for(company: int, service: Service) -> None:
    """Else an end of a second ago, written by another way, would hide one that comes late."""
    wants(company, "https://example.com/")
    service.redis.xadd("sira:events", {"c1": "not recorded"}, id=f"{int(time.time() * 1000) - 120_000}-0")
    ended(company, minutes_ago=0)

    assert tellings.gather() == 0
    record_all()
    assert tellings.gather() == 1


def test_without_a_company_that_asks_nothing_is_done(company: int) -> None:
    ended(company)
    assert not tellings.due()

    tellings.want(company, HOOK, {"url": "https://example.com/", "secret": SECRET})
    assert not tellings.due(), "what ended before is not told"


def test_a_wish_that_was_sealed_with_a_key_that_is_gone_keeps_nobody_else_from_being_told(company: int) -> None:
    other = new_company(OTHER)
    wants(company, "https://example.com/")
    wants(other, "https://example.com/")
    with db.writing() as session:
        session.execute(update(Channel).where(Channel.company_id == company).values(credentials=b"S1 of another key"))
    ended(company)
    ended(other)

    assert tellings.gather() == 1


def test_a_scheduled_kind_with_nothing_to_do_leaves_no_trace(company: int) -> None:
    at = occurrences.time_of_redis()
    schedules.register(at - timedelta(minutes=1))
    mine = occurred.c.schedule == "tell_ends"

    for _ in range(2):
        assert [task["kind"] for task in occurrences.fire(at) if task["kind"] == "tell_ends"] == []
        at += timedelta(seconds=10)
    with db.reading() as session:
        assert session.scalar(select(func.count()).where(mine)) == 0

    wants(company, "https://example.com/")
    ended(company)
    record_all()
    assert [task["kind"] for task in occurrences.fire(at + timedelta(seconds=10)) if task["kind"] == "tell_ends"]


def test_the_runs_that_told_something_are_soon_forgotten(company: int) -> None:
    old, late = ended(None, kind="tell_ends", minutes_ago=6), ended(None, kind="tell_ends", minutes_ago=4)
    failed = ended(None, kind="tell_ends", state="FAILURE", minutes_ago=6)
    at = now() - timedelta(minutes=6)
    with db.writing() as session:
        session.execute(history.insert().values(task_id=old, event_id="1-0", state="SUCCESS", at=at, attempt=1))
        session.execute(occurred.insert().values(schedule="tell_ends", due_at=at, state="done", task_id=old))

    telling.tell_ends()

    with db.reading() as session:
        assert set(session.scalars(select(tasks.c.id))) == {late, failed}
        assert session.scalar(select(func.count()).select_from(history)) == 0
        assert session.scalar(select(func.count()).select_from(occurred)) == 0


def test_a_run_that_dies_between_its_steps_is_made_good_by_the_next(company: int, receiver: Receiver) -> None:
    wants(company, receiver.url, ("muhasebe@example.com",))
    ended(company)
    tellings.gather()  # and here it dies
    [telling_id] = tellings.hooks_due()
    tellings.hand_on(telling_id)
    with db.writing() as session:  # or before it noted that
        session.execute(update(Telling).values(due_at=now()))
    [(message_id, rows)] = tellings.mails_due().items()
    telling._mail(message_id, rows)
    with db.writing() as session:
        session.execute(update(Telling).where(Telling.channel == NOTE).values(due_at=now(), state="waiting"))

    telling.tell_ends()
    work_off()

    assert len(receiver.got) == 1
    assert [to for to, _, _ in mails()] == ["muhasebe@example.com"]


def test_secrets_are_sealed_in_the_database(company: int) -> None:
    wants(company, "https://example.com/path")
    with db.reading() as session:
        kept = session.scalars(select(Channel.credentials)).one()
    assert SECRET.encode() not in (kept or b"")
    assert b"example.com" not in (kept or b"")


def test_the_bell_and_the_search_for_ends_use_their_index(service: Service) -> None:
    """A million tasks lie beside those that are asked for. (PostgreSQL plans by statistics, which no test here has.)"""
    inner = "SELECT id FROM tasks WHERE scope = '1' AND ended_at > :since AND kind NOT IN ('x') LIMIT 100"
    query = f"EXPLAIN QUERY PLAN SELECT count(*) FROM ({inner}) AS t"
    with db.reading() as session:
        plan = str(session.execute(text(query), {"since": now()}).all())
    assert "ix_tasks_ended" in plan


def test_a_wish_that_nobody_can_open_asks_for_no_run_each_second(company: int) -> None:
    wants(company, "https://example.com/")
    ended(company)
    assert tellings.due()

    with db.writing() as session:
        session.execute(update(Channel).values(credentials=b"sealed with a key that is gone"))

    assert not tellings.due()


def test_an_old_webhook_that_is_sent_again_in_vain_switches_nothing_off_while_others_arrive(
    company: int, receiver: Receiver
) -> None:
    wants(company, receiver.url)
    old, new = _two_ends(company)
    tellings.tried(old, "failed", 500, "")
    for column in (Channel.since, Telling.created_at, Telling.tried_at):
        move_back(column, timedelta(days=9))
    assert telling.deliver_webhook(new.id)["state"] == "done"

    receiver.answer = lambda handler: say(handler, 503)
    tellings.again(company, old.id)
    with pytest.raises(Retry):
        telling.deliver_webhook(old.id)

    assert tellings.wish(company, HOOK).paused is None  # type: ignore[union-attr]


def test_a_webhook_that_was_switched_on_again_is_not_off_at_the_next_failure(company: int, receiver: Receiver) -> None:
    receiver.answer = lambda handler: say(handler, 503)
    wants(company, receiver.url)
    old, new = _two_ends(company)
    tellings.tried(old, "failed", 503, "")
    for column in (Telling.created_at, Telling.tried_at):
        move_back(column, timedelta(days=4))
    tellings.switch_off(company, telling.FAILING)
    hook = tellings.wish(company, HOOK)
    assert hook is not None
    tellings.want(company, HOOK, hook.options)

    with pytest.raises(Retry):
        telling.deliver_webhook(new.id)

    assert tellings.wish(company, HOOK).paused is None  # type: ignore[union-attr]


def _two_ends(company: int) -> list[Telling]:
    """The webhooks of two ends."""
    for minutes_ago in (2, 1):
        ended(company, minutes_ago=minutes_ago)
    tellings.gather()
    return told(company)
