"""Faults 14 and 15: senders that are killed, gateways that take and do not answer, deploys, a database that refuses."""

import os
import signal
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest

from tests import faults
from tests.conftest import wait_until
from tests.face import new_company
from tests.faults import Crew, sized
from tests.gateways import FakeGateway
from tests.imports_made import BALANCE_HEAD, DAY, xlsx
from tests.imports_made import letters as letters_of
from tests.mailbox import Mailbox
from tests.messaging import FAST, configure, counts_of, deliveries, items_of, letters, use_gateway
from tests.test_imports import run
from workers import db, messages
from workers.engine import control, enqueue, find
from workers.jobs import reports

crew = faults.crew
REQUEST = 5  # messages: what one crash can leave unknown


def company_of(crew: Crew, gateway: FakeGateway, via: str) -> int:
    """The id of a company that sends by this gateway."""
    use_gateway(crew.service, via, gateway.url, gateway.options(via))
    configure(crew.service, **{f"{via}_batch": REQUEST}, sms_per_number="1000/minute")
    return new_company("4540536920")


def begin(crew: Crew, gateway: FakeGateway, via: str, recipients: int) -> str:
    """A bulk by this gateway; its id."""
    company_id = company_of(crew, gateway, via)
    params = {"messages": letters(recipients), "company_id": company_id}
    return enqueue("send_bulk_sms", params, scope=str(company_id)).id


def kill_senders(crew: Crew, task_id: str, kills: int, requests: Callable[[], int], within_s: float) -> int:
    """SIGKILL the child that sends, at any moment of a request or just after it, and now and then the whole machine,
    until the task has ended; how many."""
    worker, killed = crew.start(), 0
    while killed < kills and not find(task_id).ended:
        seen = requests()
        wait_until(lambda seen=seen: requests() > seen or find(task_id).ended, timeout_s=180, what="a request")
        time.sleep(crew.random.uniform(0, within_s))
        if crew.random.random() < 0.1:
            crew.kill(worker)
            worker = crew.start()
            killed += 1
        for pid in worker.children():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
                killed += 1
    return killed


@sized(
    short=[{"via": via, "recipients": 20, "kills": 3} for via in ("iletimerkezi", "verimor")],
    full=[{"via": via, "recipients": 400, "kills": 50} for via in ("iletimerkezi", "netgsm", "verimor")],
)
def test_14_senders_killed_again_and_again_send_nothing_twice(crew: Crew, size: dict[str, Any]) -> None:
    crew.sabotage["sure_s"] = 3.0  # what a gateway of the test's own, which is busy, may take to take something
    with FakeGateway() as gateway:
        gateway.delay_s = 0.3
        task_id = begin(crew, gateway, size["via"], size["recipients"])
        killed = kill_senders(crew, task_id, size["kills"], lambda: gateway.requests, 0.35)
        wait_until(lambda: find(task_id).ended, timeout_s=120, what="the end of the bulk")
        got, counts = gateway.per_phone(), counts_of(task_id)

    crew.note(kills=killed, twice=sum(times - 1 for times in got.values()), **counts)
    assert set(got.values()) == {1}, "nobody gets it twice"
    assert sum(counts.values()) == size["recipients"], "nobody is forgotten"
    assert find(task_id).state == "SUCCESS"
    done = {item["position"] for item in items_of(task_id, state="done")}
    assert counts.get("pending", 0) == counts.get("failed", 0) == 0
    assert len(done) <= len(got) <= len(done) + counts.get("unknown", 0)
    assert counts.get("unknown", 0) <= killed * REQUEST
    if size["via"] == "verimor":
        assert counts == {"done": size["recipients"]}, "what surely can be looked up is not left unknown"


@sized(short={"messages": 1}, full={"messages": 20})
@pytest.mark.parametrize(
    ("via", "state", "told"), [("verimor", "SUCCESS", {"done": 1}), ("iletimerkezi", "FAILURE", {"unknown": 1})]
)
def test_14_a_single_message_whose_sender_is_killed_is_looked_up_where_the_gateway_can_tell(
    crew: Crew, size: dict[str, Any], via: str, state: str, told: dict[str, int]
) -> None:
    crew.sabotage["sure_s"] = 1.0
    with FakeGateway() as gateway:
        gateway.trouble = "time_out"  # its sender waits for the answer until it is killed
        scope, worker = company_of(crew, gateway, via), crew.start()
        for letter in letters(size["messages"]):
            gateway.times, had = 1, len(gateway.accepted)
            task_id = enqueue("send_sms", {**letter, "company_id": scope}, scope=str(scope)).id
            wait_until(lambda had=had: len(gateway.accepted) > had, timeout_s=60, what="the request")
            for pid in worker.children():
                os.kill(pid, signal.SIGKILL)
            wait_until(lambda task_id=task_id: find(task_id).ended, timeout_s=180, what="the end")

            assert (find(task_id).state, counts_of(task_id)) == (state, told)
            assert (find(task_id).error or {"type": "NotDone"})["type"] == "NotDone"

        assert set(gateway.per_phone().values()) == {1}


@sized(short={"recipients": 7}, full={"recipients": 100})
@pytest.mark.parametrize("other", ["sandbox", "verimor"])
def test_14_what_one_account_was_given_is_not_given_to_the_next_one(
    crew: Crew, size: dict[str, Any], other: str
) -> None:
    crew.sabotage["sure_s"] = 1.0
    with FakeGateway() as former, FakeGateway() as present:
        former.trouble = "time_out"
        task_id, worker = begin(crew, former, "verimor", size["recipients"]), crew.start()
        wait_until(lambda: former.accepted, timeout_s=60, what="the request")
        company_id = int(find(task_id).scope or 0)
        messages.set_way(company_id, "sms", other, present.options(other))  # while the sender waits for the answer
        for pid in worker.children():
            os.kill(pid, signal.SIGKILL)
        wait_until(lambda: find(task_id).ended, timeout_s=180, what="the end")

        assert reports.look_up_messages()["asked"] == 0, "nobody but the former could tell"
        assert counts_of(task_id) == {"unknown": REQUEST, "done": size["recipients"] - REQUEST}
        assert set((former.per_phone() + present.per_phone()).values()) == {1}


@sized(
    short={"recipients": 100, "kills": 3, "slow_s": 0.02},
    full=[{"recipients": 400, "kills": 50, "slow_s": 0.1}, {"recipients": 3_000, "kills": 50, "slow_s": 0.01}],
)
def test_14_mailers_killed_again_and_again_mail_nobody_twice(crew: Crew, size: dict[str, Any]) -> None:
    """By a slow server they are declared one by one, by a quick one some at a time."""
    with Mailbox(slow_s=size["slow_s"]) as box:
        configure(crew.service, smtp_url=box.url, mail_from="sira@sira.example", **FAST)
        mails = [{"to": f"kisi{n}@ornek.com", "subject": "Konu", "body": "Metin"} for n in range(size["recipients"])]
        task_id = enqueue("send_bulk_emails", {"emails": mails}).id
        killed = kill_senders(crew, task_id, size["kills"], lambda: box.commands.count("DATA"), 0.12)
        wait_until(lambda: find(task_id).ended, timeout_s=120, what="the end of the bulk")
        got, counts = Counter(mail.recipients[0] for mail in box.messages), counts_of(task_id)

    crew.note(kills=killed, twice=sum(times - 1 for times in got.values()), **counts)
    assert set(got.values()) == {1}
    assert sum(counts.values()) == size["recipients"]
    assert set(counts) <= {"done", "unknown"}
    assert counts.get("unknown", 0) <= killed, "one mail is under way at a time"
    assert counts["done"] <= len(got) <= size["recipients"]


@sized(short={"letters": 60}, full={"letters": 600})
def test_14_what_a_killed_mailer_has_sent_is_sent_for_good_also_where_its_task_is_cancelled(
    crew: Crew, size: dict[str, Any]
) -> None:
    """Only its journal knows of them. A letter that looked unsent would be chosen again with the next ones."""
    with Mailbox() as box:

        def stall(_: Any) -> None:
            box.slow_s = 600.0 if len(box.messages) >= size["letters"] // 2 else 0.0

        box.on_mail = stall
        configure(crew.service, smtp_url=box.url, mail_from="sira@sira.example", **FAST)
        company_id, head = new_company("4540536920"), (*BALANCE_HEAD, "E-posta")
        ids = range(1, size["letters"] + 1)
        rows = [[n, f"Cari {n}", "", DAY, "TRY", n, "", f"cari{n}@ornek.com"] for n in ids]
        run(company_id, xlsx(head, *rows), "mutabakat")
        params = {"mutabakat_ids": [*ids], "channels": ["email"]}
        task_id, worker = enqueue("send_mutabakat", params, scope=str(company_id)).id, crew.start()
        wait_until(lambda: box.slow_s and box.commands.count("DATA") > len(box.messages), what="a mail not answered")
        crew.kill(worker)
        run(company_id, xlsx(head, *([*row[:5], 1_000, *row[6:]] for row in rows)), "mutabakat")
        control.cancel(task_id)
        crew.start()
        wait_until(lambda: find(task_id).ended, timeout_s=120, what="the end")

    counts, sent = counts_of(task_id), [it["snapshot"] for it in letters_of(company_id) if it["state"] == "sent"]
    crew.note(**counts)
    assert (counts["done"], counts["unknown"]) == (len(box.messages), 1)
    assert len(sent) == counts["done"] + 1, "nor is chosen again what may have been sent"
    assert "1000.00" not in {it["lines"][0]["amount"] for it in sent}, "what was sent stays what it was"
    told = Counter(row.state for row in deliveries(task_id))
    assert (told["done"], told["unknown"]) == (counts["done"], 1)


@sized(short={"recipients": 60}, full={"recipients": 400})
@pytest.mark.parametrize("via", ["iletimerkezi", "sandbox"])
def test_15_what_a_gateway_takes_without_an_answer_is_never_sent_twice(
    crew: Crew, size: dict[str, Any], via: str
) -> None:
    with FakeGateway() as gateway:
        gateway.trouble, gateway.share = "drop", 0.3
        task_id = begin(crew, gateway, via, size["recipients"])
        crew.start()
        wait_until(lambda: find(task_id).ended, timeout_s=120, what="the end of the bulk")
        got, counts = gateway.per_phone(), counts_of(task_id)

    crew.note(via=via, **counts)
    assert set(got.values()) == {1}
    assert len(got) == size["recipients"]
    assert set(counts) <= {"done", "unknown"}
    assert sum(counts.values()) == size["recipients"]


@sized(short={"recipients": 60, "times": 2}, full={"recipients": 400, "times": 6})
@pytest.mark.parametrize("trouble", ["throttle", "closed"])
def test_15_a_gateway_that_wants_a_rest_gets_it_and_nothing_is_lost(
    crew: Crew, size: dict[str, Any], trouble: str
) -> None:
    with FakeGateway() as gateway:
        gateway.trouble, gateway.share, gateway.retry_after_s, gateway.times = trouble, 0.3, 1, size["times"]
        task_id = begin(crew, gateway, "netgsm", size["recipients"])
        crew.start()
        wait_until(lambda: find(task_id).ended, timeout_s=120, what="the end of the bulk")

        assert counts_of(task_id) == {"done": size["recipients"]}
        assert set(gateway.per_phone().values()) == {1}


@sized(
    short={"recipients": 1_000, "every_s": 1.5, "then_s": 0.0},
    full={"recipients": 2_000, "every_s": 3.0, "then_s": 0.1},
)
def test_a_deploy_through_a_bulk_costs_nothing(crew: Crew, size: dict[str, Any]) -> None:
    with FakeGateway() as gateway:
        gateway.delay_s = 0.5  # so that it outlasts two deploys, also where workers take long to start
        task_id = begin(crew, gateway, "netgsm", size["recipients"])
        worker, stops = crew.start(), 0
        while not find(task_id).ended:
            time.sleep(size["every_s"])
            after = crew.start()
            assert worker.stop() == 0
            worker, stops = after, stops + 1
            gateway.delay_s = 0.5 if stops < 2 else size["then_s"]

    crew.note(stops=stops, **counts_of(task_id))
    assert stops > 1
    assert counts_of(task_id) == {"done": size["recipients"]}
    assert set(gateway.per_phone().values()) == {1}
    assert find(task_id).attempts == 1, "a deploy uses no attempt"


@sized(short={"refusing_s": 1.5}, full={"refusing_s": 15.0})
def test_nothing_is_sent_that_can_not_be_recorded(crew: Crew, size: dict[str, Any]) -> None:
    """Another holds SQLite's write lock; in the full size for so long that every writer gives up."""
    with FakeGateway() as gateway:
        gateway.delay_s = 0.05
        task_id = begin(crew, gateway, "netgsm", 200)
        crew.start()
        wait_until(lambda: len(gateway.accepted) >= 3 * REQUEST)
        with db.engine().connect() as blocker:
            blocker.exec_driver_sql("END")
            blocker.exec_driver_sql("BEGIN IMMEDIATE")
            before = len(gateway.accepted)
            time.sleep(size["refusing_s"])
            meanwhile = len(gateway.accepted) - before
            blocker.exec_driver_sql("ROLLBACK")
            blocker.exec_driver_sql("BEGIN")
        wait_until(lambda: find(task_id).ended, timeout_s=180, what="the end of the bulk")

        crew.note(meanwhile=meanwhile, **counts_of(task_id))
        assert meanwhile <= 3 * REQUEST, "what was declared, and answers that were on their way here"
        assert set(gateway.per_phone().values()) == {1}
        assert counts_of(task_id) == {"done": 200}
