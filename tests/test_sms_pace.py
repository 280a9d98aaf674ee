"""SMS: no faster than the gateway takes them, and it is left alone when it says so."""

from collections import Counter

from tests import messaging
from tests.conftest import wait_until
from tests.messaging import Office, configure, letters, phone
from tests.test_sms import bulk, single
from workers.engine import find

office = messaging.office


def test_a_gateway_that_throttles_one_task_is_left_alone_by_all(office: Office) -> None:
    office.gateway.trouble, office.gateway.times, office.gateway.retry_after_s = "throttle", 1, 3
    office.service.run_worker()
    first = single(office)
    wait_until(lambda: find(first).state == "RETRY")

    second = single(office, phone=phone(2))

    assert wait_until(lambda: (task := find(second)).state == "RETRY" and task).attempts == 1
    assert office.gateway.requests == 1
    assert [office.ended(each).state for each in (first, second)] == ["SUCCESS"] * 2


def test_the_rate_is_kept_whatever_one_request_could_carry(office: Office) -> None:
    configure(office.service, sms_rate_per_second=20.0)
    for _ in range(2):
        office.service.run_worker()
    company = office.face.bora
    rows = [{"phone": phone(100 + n), "message": "Merhaba"} for n in range(30)]

    tasks = [bulk(office, letters(30)), company.post("/api/sms/send-bulk-async", {"messages": rows}).json["task_id"]]

    assert [office.ended(task).result for task in tasks] == [{"done": 30}] * 2
    times = sorted(row["at"].timestamp() for row in office.gateway.accepted)
    assert max(Counter(int((at - times[0]) / 1.02) for at in times).values()) <= 40, "of two senders"
    assert times[-1] - times[0] >= 60 / 20 - 1.1


def test_a_gateway_that_works_on_each_message_gets_few_at_once_and_the_bar_moves(office: Office) -> None:
    office.gateway.each_s = 0.5
    office.service.run_worker()

    task_id = bulk(office, letters(12))

    assert wait_until(lambda: 0 < find(task_id).current < 12), "it moves before all are sent"
    assert office.ended(task_id).result == {"done": 12}
    assert max(Counter(row["order"] for row in office.gateway.accepted).values()) <= 5
