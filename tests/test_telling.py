"""From an end to its webhook or mail: signed, once more where it must be, later and later, and given up in the end."""

import os
import signal
import time
from datetime import timedelta
from typing import Any

import pytest

from tests import telling as tellers
from tests.conftest import Service, wait_until
from tests.face import new_company
from tests.hands import record_all, work_off
from tests.receiver import Receiver, say
from tests.telling import HOOK, OTHER, ended, fell, mails, move_back, told, wants
from workers import db, tellings
from workers.engine import control, enqueue, find
from workers.engine.outcome import Retry
from workers.errors import BadPhone, Conflict, MissingRecord, NotDelivered, NotFound
from workers.jobs import telling
from workers.models import Channel, Telling, User
from workers.statuses import status_of

company, receiver = tellers.company, tellers.receiver


def test_a_webhook_brings_the_status_object_of_the_end_signed(company: int, receiver: Receiver) -> None:
    wants(company, receiver.url)
    task_id = enqueue("add", {"a": 1}, scope=str(company)).id
    work_off()
    record_all()

    assert telling.tell_ends()["webhooks"] == 1
    work_off()

    [got] = receiver.got
    assert got.json == status_of(find(task_id), "tr")
    assert got.json["result"] == {"sum": 3}
    assert got.is_signed()
    [row] = told(company)
    assert (row.state, row.status_code, row.attempts, row.message_id) == ("done", 204, 1, got.id)
    assert telling.tell_ends() == {"gathered": 0, "webhooks": 0, "mails": 0}


def test_a_worker_that_is_killed_while_it_posts_loses_nothing_and_the_receiver_knows_it_again(
    company: int, receiver: Receiver, service: Service
) -> None:
    wants(company, receiver.url)
    worker = service.run_worker("maintenance")

    def kill_first(handler: Any) -> None:
        if len(receiver.got) == 1:
            os.kill(worker.children()[0], signal.SIGKILL)
            time.sleep(0.2)
        say(handler, 204)

    receiver.answer = kill_first
    ended(company)
    telling.tell_ends()

    wait_until(lambda: told(company)[0].state == "done", timeout_s=30, what="the second try")
    assert len(receiver.got) >= 2
    assert len({got.id for got in receiver.got}) == 1
    assert len({got.body for got in receiver.got}) == 1


def test_a_failing_receiver_is_tried_again_later_and_later_then_given_up(
    company: int, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    receiver.answer = lambda handler: say(handler, 500, b"no disk left")
    wants(company, receiver.url)
    ended(company)
    tellings.gather()
    [row] = told(company)

    pauses_s = []
    for _ in telling.PAUSES_S:
        with pytest.raises(Retry) as asked:
            telling.deliver_webhook(row.id)
        pauses_s.append(asked.value.intervals[0])
    with pytest.raises(NotDelivered):
        telling.deliver_webhook(row.id)

    assert all(
        0.75 * told_s <= pause_s <= 1.25 * told_s for told_s, pause_s in zip(telling.PAUSES_S, pauses_s, strict=True)
    )
    [row] = told(company)
    assert (row.state, row.status_code, row.answer, row.attempts) == ("failed", 500, "no disk left", 10)
    assert len(receiver.got) == 10


def test_while_the_receiver_is_away_the_others_wait_without_being_tried(company: int, receiver: Receiver) -> None:
    receiver.answer = lambda handler: say(handler, 503, Retry_After="900")
    wants(company, receiver.url)
    for minutes_ago in (3, 2, 1):
        ended(company, minutes_ago=minutes_ago)
    tellings.gather()
    first, second, third = told(company)

    with pytest.raises(Retry) as asked:
        telling.deliver_webhook(first.id)
    assert asked.value.intervals[0] >= 700
    for row in (second, third):
        with pytest.raises(Retry):
            telling.deliver_webhook(row.id)
    assert len(receiver.got) == 1
    assert [row.attempts for row in told(company)] == [1, 0, 0]

    receiver.answer = lambda handler: say(handler, 200, b"ok")
    move_back(Telling.tried_at, timedelta(minutes=1))
    assert telling.deliver_webhook(second.id)["state"] == "done"
    assert telling.deliver_webhook(third.id)["state"] == "done"


@pytest.mark.parametrize(("status", "days"), [(410, 0), (500, 4)])
def test_a_webhook_that_nobody_takes_is_switched_off_with_a_notice(
    company: int, receiver: Receiver, status: int, days: int
) -> None:
    receiver.answer = lambda handler: say(handler, status)
    wants(company, receiver.url, ("muhasebe@example.com",))
    ended(company)
    tellings.gather()
    hook = next(row for row in told(company) if row.channel == HOOK)
    if days:
        tellings.tried(hook, "waiting", 500, "")
        move_back(Channel.since, timedelta(days=days))
        move_back(Telling.created_at, timedelta(days=days))
        move_back(Telling.tried_at, timedelta(hours=1))

    with pytest.raises(NotDelivered):
        telling.deliver_webhook(hook.id)

    wish = tellings.wish(company, HOOK)
    assert wish is not None
    assert wish.paused == (telling.GONE_FOR_GOOD if status == 410 else telling.FAILING)
    [(to, subject, body)] = mails()
    assert (to, subject) == ("muhasebe@example.com", "Webhook kapatıldı")
    assert "/company" in body
    assert "alıcı 410" in body if status == 410 else "üç gün" in body
    ended(company, minutes_ago=0)
    tellings.gather()
    assert len([row for row in told(company) if row.channel == HOOK]) == 1, "nothing is written for it any more"

    tellings.want(company, HOOK, wish.options)
    assert tellings.wish(company, HOOK).paused is None  # type: ignore[union-attr]


def test_a_mail_speaks_the_language_of_who_reads_it(company: int) -> None:
    with db.writing() as session:
        session.add(User(email="john@example.com", company_id=company, language="en", password_hash="!"))
    wants(company, emails=("John@example.com", "muhasebe@example.com"))
    ended(company, kind="generate_mutabakat_pdf", minutes_ago=3)
    telling.tell_ends()

    assert sorted((to, subject, body.split("\n")[-2].partition(":")[0]) for to, subject, body in mails()) == [
        ("John@example.com", "The PDF is ready!", "Tasks"),
        ("muhasebe@example.com", "PDF hazır!", "Görevler"),
    ]


def test_a_mail_gives_the_reason_of_a_failure_in_the_language_of_who_reads_it(company: int) -> None:
    with db.writing() as session:
        session.add(User(email="john@example.com", company_id=company, language="en", password_hash="!"))
    wants(company, emails=("john@example.com", "muhasebe@example.com"))
    for error in (MissingRecord(what="mutabakat", id=7), BadPhone(reason="numara eksik")):
        fell(company, error)

    telling.tell_ends()

    bodies = {to: body for to, _, body in mails()}
    assert "mutabakat 7 bulunamadı" in bodies["muhasebe@example.com"]
    assert "Telefon numarası kullanılamaz: numara eksik." in bodies["muhasebe@example.com"]
    assert "mutabakat 7 does not exist" in bodies["john@example.com"]
    assert "The telephone number can't be used: the number is too short." in bodies["john@example.com"]


def test_mails_come_at_once_and_then_gathered(company: int) -> None:
    wants(company, emails=("a@example.com", "b@example.com"))
    ended(company, kind="generate_mutabakat_pdf", minutes_ago=3)
    assert telling.tell_ends()["mails"] == 2
    assert sorted((to, subject) for to, subject, _ in mails()) == [
        ("a@example.com", "PDF hazır!"),
        ("b@example.com", "PDF hazır!"),
    ]

    ended(company, minutes_ago=2)
    ended(company, state="FAILURE", minutes_ago=1)
    record_all()
    assert telling.tell_ends() == {"gathered": 2, "webhooks": 0, "mails": 0}
    assert not tellings.due(), "within ten minutes of the last mail"

    move_back(Telling.due_at, timedelta(minutes=11))
    assert tellings.due()
    assert telling.tell_ends()["mails"] == 2
    subject, body = mails()[-1][1:]
    assert subject == "Görev tamamlandı! (ve 1 görev daha)"
    assert "Görev başarısız oldu" in body
    assert body.count("/tasks/") == 2
    assert not tellings.due(), "its own mails are told to nobody"


def test_a_test_is_sent_and_a_sent_one_again_under_its_id(company: int, receiver: Receiver) -> None:
    with pytest.raises(Conflict):
        tellings.test(company)
    wants(company, receiver.url)

    telling_id = tellings.test(company)
    work_off()
    tellings.again(company, telling_id)
    with pytest.raises(Conflict):
        tellings.again(company, telling_id)
    work_off()

    first, second = receiver.got
    assert (first.id, first.json["kind"]) == (second.id, "test")
    assert first.is_signed()
    assert second.is_signed()
    assert [(row.state, row.attempts, row.task_id) for row in told(company)] == [("done", 1, None)]


def test_what_was_cancelled_on_its_way_can_be_sent_again(company: int, receiver: Receiver) -> None:
    wants(company, receiver.url)
    telling_id = tellings.test(company)
    control.cancel(str(tellings.get(telling_id).handed_to))

    tellings.again(company, telling_id)
    work_off()

    assert len(receiver.got) == 1
    assert told(company)[0].state == "done"


def test_nobody_sends_what_is_another_companys(company: int, receiver: Receiver, service: Service) -> None:
    other = new_company(OTHER)
    wants(company, receiver.url)
    telling_id = tellings.test(company)
    with pytest.raises(NotFound):
        tellings.again(other, telling_id)
    work_off()

    task = enqueue("deliver_webhook", {"telling_id": telling_id}, scope=str(other))
    work_off()

    assert len(receiver.got) == 1
    assert find(task.id).error["type"] == MissingRecord.__name__  # type: ignore[index]


def test_a_webhook_that_was_removed_meanwhile_is_not_sent(company: int, receiver: Receiver) -> None:
    wants(company, receiver.url)
    ended(company)
    tellings.gather()
    tellings.want(company, HOOK, None)

    with pytest.raises(NotDelivered):
        telling.deliver_webhook(told(company)[0].id)
    assert receiver.got == []
    assert not tellings.due()
