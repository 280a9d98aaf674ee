"""SMS: each accepted message is sent once, and what became of it is told."""

from collections import Counter
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from werkzeug.test import TestResponse

from tests import messaging
from tests.conftest import wait_until
from tests.face import at_once
from tests.hands import everything_in
from tests.imports_made import read_back
from tests.messaging import (
    Office,
    configure,
    counts_of,
    deliveries,
    hurry,
    items_of,
    letters,
    phone,
    rested,
)
from workers.engine import find, outgoing
from workers.jobs import sms
from workers.services.request_sizes import FIRST

office, office_anywhere = messaging.office, messaging.office_anywhere
CANARY = "gizlikelime"


def single(office: Office, **body: Any) -> str:
    answer = office.face.ayse.post("/api/sms/send-async", {"phone": phone(1), "message": "Merhaba", **body})
    assert answer.status_code == 202, answer.text
    return answer.json["task_id"]


def bulk(office: Office, messages: list[dict[str, str]], **more: Any) -> str:
    answer = office.face.ayse.post("/api/sms/send-bulk-async", {"messages": messages, **more})
    assert answer.status_code == 202, answer.text
    return answer.json["task_id"]


@pytest.mark.parametrize("gateway", ["netgsm", "iletimerkezi", "verimor", "twilio", "sandbox"])
def test_a_single_sms_is_sent_once_with_its_evidence(office: Office, gateway: str) -> None:
    office.send_by(gateway)
    office.service.run_worker()

    task_id = single(office)

    assert office.ended(task_id).state == "SUCCESS"
    assert [(row["phone"], row["text"]) for row in office.gateway.accepted] == [(phone(1), "Merhaba")]
    [item] = items_of(task_id)
    assert (item["state"], item["ref"], item["error"]) == ("done", "+90…0001", None)
    [sent] = deliveries(task_id)
    assert (sent.state, sent.opened, sent.provider) == ("done", phone(1), gateway)
    assert sent.provider_id == item["provider_id"] is not None


@pytest.mark.parametrize("gateway", ["netgsm", "iletimerkezi", "verimor", "twilio", "sandbox"])
def test_a_bulk_goes_out_in_requests_and_each_recipient_gets_one(office: Office, gateway: str) -> None:
    office.send_by(gateway)
    office.service.run_worker()

    task_id = bulk(office, letters(250))

    assert office.ended(task_id).result == {"done": 250}
    assert set(office.gateway.per_phone().values()) == {1}
    assert len(office.gateway.per_phone()) == 250
    asked, orders = office.gateway.requests, Counter(row["order"] for row in office.gateway.accepted)
    assert asked == 250 if gateway == "twilio" else 4 <= asked < 25, "more than four only where an answer was slow"
    assert orders[min(orders)] == (1 if gateway == "twilio" else FIRST)


def test_bad_rows_and_duplicates_are_told_at_once_and_the_others_are_sent(office: Office) -> None:
    posted = [*letters(3), {"phone": phone(1), "message": "yine"}, {"phone": "0212 555 11 22", "message": "sabit"}]
    answer = office.face.ayse.post(
        "/api/sms/send-bulk-async", {"messages": [*posted, {"phone": phone(9), "message": ""}]}
    )

    assert (answer.status_code, answer.json["duplicates"], answer.json["invalid"]) == (202, 1, 2)
    task_id = answer.json["task_id"]
    assert [item["state"] for item in items_of(task_id)] == ["pending"] * 3 + ["skipped", "failed", "failed"]
    office.service.run_worker()
    assert office.ended(task_id).state == "SUCCESS"
    assert counts_of(task_id) == {"done": 3, "skipped": 1, "failed": 2}
    assert set(office.gateway.per_phone().values()) == {1}

    export = office.face.ayse.enqueue("export_sheet", what="items", task_id=task_id, state="failed")
    assert office.ended(export).state == "SUCCESS"
    sheet = read_back(office.face.ayse.get(f"/api/tasks/{export}/result").data)
    told = [(row[0], row[1], row[2], row[4]) for row in sheet[1:]]
    assert told == [(i["position"], i["ref"], "başarısız", i["error"]) for i in items_of(task_id, state="failed")]


def test_a_bulk_in_which_every_row_is_bad_is_refused_with_the_rows(office: Office) -> None:
    rows = [{"phone": "123", "message": "a"}, {"phone": "0850 222 11 00", "message": "b"}]

    answer = office.face.ayse.post("/api/sms/send-bulk-async", {"messages": rows})

    assert answer.status_code == 422
    assert [fault["field"] for fault in answer.json["errors"]] == ["messages.0", "messages.1"]


def test_a_second_retry_never_sends_a_duplicate_that_was_skipped(office: Office) -> None:
    office.service.run_worker()
    office.gateway.reject = {phone(0)}
    task_id = bulk(office, [*letters(2), *letters(2)])
    assert office.ended(task_id).state == "SUCCESS"
    assert counts_of(task_id) == {"done": 1, "failed": 1, "skipped": 2}

    office.gateway.reject = set()
    answer = office.face.ayse.post(f"/api/tasks/{task_id}/retry", {"only": "failed"})
    assert answer.status_code == 202
    assert office.ended(task_id).state == "SUCCESS"

    assert office.gateway.per_phone() == {phone(0): 1, phone(1): 1}
    assert counts_of(task_id) == {"done": 2, "skipped": 2}


def test_one_bad_number_does_not_spoil_a_whole_request(office: Office) -> None:
    office.gateway.reject = {phone(7)}
    office.service.run_worker()

    task_id = bulk(office, letters(20))

    assert office.ended(task_id).state == "SUCCESS"
    assert counts_of(task_id) == {"done": 19, "failed": 1}
    [failed] = items_of(task_id, state="failed")
    assert failed["position"] == 8
    assert "Netgsm" in failed["error"]


def test_a_single_that_is_refused_for_good_fails_with_the_gateways_code(office: Office) -> None:
    office.gateway.reject = {phone(1)}
    office.service.run_worker()

    ended = office.ended(single(office))

    assert ended.state == "FAILURE"
    assert "Netgsm" in ended.error["message"]
    assert ended.attempts == 1


@pytest.mark.parametrize("trouble", ["drop", "error", "garbage"])
def test_what_may_have_been_accepted_is_unknown_and_never_sent_again_by_itself(office: Office, trouble: str) -> None:
    office.gateway.trouble, office.gateway.times = trouble, 1
    office.service.run_worker()

    task_id = single(office)

    assert office.ended(task_id).state == "FAILURE"
    assert counts_of(task_id) == {"unknown": 1}
    assert len(office.gateway.accepted) == 1
    refused = office.face.ayse.post(f"/api/tasks/{task_id}/retry", {})
    assert refused.status_code == 409
    assert office.face.ayse.post(f"/api/tasks/{task_id}/retry", {"only": "unknown"}).status_code == 202
    assert office.ended(task_id).state == "SUCCESS"
    assert len(office.gateway.accepted) == 2, "because somebody asked for it"
    assert [row.state for row in deliveries(task_id)] == ["unknown", "done"], "both are evidence"


def test_a_gateway_that_throttles_makes_the_whole_task_wait_and_uses_no_attempt(office: Office) -> None:
    office.gateway.trouble, office.gateway.times, office.gateway.retry_after_s = "throttle", 1, 600
    office.service.run_worker()
    task_id = bulk(office, letters(150))

    waiting = wait_until(lambda: (task := find(task_id)).state == "RETRY" and task)

    assert (waiting.next_run_at - waiting.started_at).total_seconds() > 599
    assert counts_of(task_id) == {"pending": 150}
    rested(office)
    hurry(task_id)
    ended = office.ended(task_id)
    assert (ended.result, ended.attempts) == ({"done": 150}, 1)
    assert set(office.gateway.per_phone().values()) == {1}


def test_an_account_that_is_refused_rests_until_somebody_mends_it(office: Office) -> None:
    office.gateway.trouble = "refuse"
    office.service.run_worker()
    first = bulk(office, letters(120))
    wait_until(lambda: find(first).state == "RETRY")
    assert counts_of(first) == {"pending": 120}, "no item is burnt"
    requests = office.gateway.requests

    second = single(office)
    wait_until(lambda: find(second).state == "RETRY")
    assert office.gateway.requests == requests, "the account rests"

    office.gateway.trouble = ""
    company = f"/api/companies/{office.face.ayse.company_id}"
    secrets = office.gateway.options("netgsm") | {"provider": "netgsm"}
    del secrets["base_url"]
    answer = office.face.operator.call("PATCH", company, json={"sms_gateway": secrets})
    assert answer.status_code == 200, answer.text

    assert office.ended(first).state == "SUCCESS"
    assert office.ended(second).state == "SUCCESS"


def test_more_than_three_in_ten_minutes_to_a_number_are_refused_at_the_door(office: Office) -> None:
    configure(office.service, sms_per_number="3/10minutes")
    for _ in range(3):
        single(office)

    answer = office.face.ayse.post("/api/sms/send-async", {"phone": "0555 000 00 01", "message": "bir daha"})

    assert answer.status_code == 429
    assert 0 < int(answer.headers["Retry-After"]) <= 600
    assert office.face.bora.post("/api/sms/send-async", {"phone": phone(1), "message": "b"}).status_code == 202


def test_one_key_pressed_many_times_at_once_counts_once(office: Office) -> None:
    configure(office.service, sms_per_number="1/hour")

    def press() -> TestResponse:
        posted, headers = {"phone": phone(1), "message": "m"}, {"Idempotency-Key": "once"}
        return office.face.ayse.elsewhere().post("/api/sms/send-async", posted, headers=headers)

    answers = at_once(8, press)

    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.json["task_id"] for answer in answers}) == 1


def is_far_from_midnight() -> bool:
    here = datetime.now(ZoneInfo("Europe/Istanbul"))
    return (here + timedelta(minutes=2)).date() == here.date()


def test_items_over_the_cap_of_the_day_are_skipped_with_the_reason(office: Office) -> None:
    wait_until(is_far_from_midnight, timeout_s=150, what="the next day")
    configure(office.service, sms_daily_cap=5)
    office.service.run_worker()

    task_id = bulk(office, letters(8))

    assert office.ended(task_id).state == "SUCCESS"
    assert counts_of(task_id) == {"done": 5, "skipped": 3}
    assert {item["error"] for item in items_of(task_id, state="skipped")} == {sms.STOPPED["day"]}
    answer = office.face.ayse.post("/api/sms/send-async", {"phone": phone(50), "message": "b"})
    assert (answer.status_code, "Retry-After" in answer.headers) == (429, True)


def test_neither_number_nor_text_stands_in_redis_or_a_log_in_the_clear(office: Office) -> None:
    worker = office.service.run_worker()
    first = bulk(office, [{"phone": phone(n), "message": f"{CANARY} {n}"} for n in range(3)])
    office.gateway.trouble, office.gateway.times = "drop", 1
    second = single(office, message=CANARY)
    office.ended(first)
    office.ended(second)

    kept = everything_in(office.service.redis).decode(errors="replace") + worker.log.read_text()

    assert CANARY not in kept
    assert not any(phone(n).lstrip("+") in kept for n in range(3))


def test_it_runs_where_it_is_simply_called(office: Office) -> None:
    assert sms.send_sms(phone(3), "Selam", office.face.ayse.company_id) == {"done": 1}
    office.gateway.reject = {phone(4)}
    with pytest.raises(outgoing.NotDone, match="Netgsm"):
        sms.send_sms(phone(4), "Selam", office.face.ayse.company_id)
    assert list(office.gateway.per_phone()) == [phone(3)]
    rows = [{"phone": phone(3), "message": "Yine"}, {"phone": phone(3), "message": "Yine"}]
    sent = [sms.send_bulk_sms(rows, office.face.ayse.company_id) for _ in range(2)]
    assert sent == [{"done": 1, "skipped": 1}] * 2, "another call is another task: only its own doubles are left out"


def test_turkish_letters_can_be_spelled_plainly(office: Office) -> None:
    office.service.run_worker()

    office.ended(single(office, message="Sayın Şükrü Çağlı", plain=True))

    assert [row["text"] for row in office.gateway.accepted] == ["Sayin Sukru Cagli"]
