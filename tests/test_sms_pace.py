"""SMS: no faster than the gateway takes them, and it is left alone when it says so."""

import json
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import chain
from typing import Any

from app.ports import held_port
from tests import messaging
from tests.conftest import wait_until
from tests.gateways import FakeGateway
from tests.messaging import Office, configure, hurry, items_of, letters, phone, rested
from tests.test_sms import bulk, single
from workers.engine import find, wire

office = messaging.office


def test_a_gateway_that_throttles_one_task_is_left_alone_by_all(office: Office) -> None:
    office.gateway.trouble, office.gateway.times, office.gateway.retry_after_s = "throttle", 1, 600
    office.service.run_worker()
    first = single(office)
    wait_until(lambda: find(first).state == "RETRY")

    second = single(office, phone=phone(2))

    assert wait_until(lambda: (task := find(second)).state == "RETRY" and task).attempts == 1
    assert office.gateway.requests == 1
    rested(office)
    for each in (first, second):
        hurry(each)
    assert [office.ended(each).state for each in (first, second)] == ["SUCCESS"] * 2


@contextmanager
def turns(office: Office) -> Iterator[list[float]]:
    """When the turn of each message at the gateway came, in seconds, as Redis was told while this lasts."""
    kept: list[list[float]] = []
    with wire.connect().monitor() as monitor, ThreadPoolExecutor(1) as thread:

        def listen() -> None:
            while "the end" not in (command := monitor.next_command()["command"]):
                if ":places" in command and command.startswith("LPUSH"):
                    _, _, at_ms, count, _ = command.split()
                    kept.append([float(at_ms) / 1000] * int(count))
                elif ":places" in command and command.startswith("LPOP"):
                    kept.pop()  # it was given back

        listening, found = thread.submit(listen), list[float]()
        try:
            yield found
        finally:
            office.service.redis.echo("the end")
        listening.result()
    found += sorted(chain(*kept))


def test_the_rate_is_kept_whatever_one_request_could_carry(office: Office) -> None:
    configure(office.service, sms_rate_per_second=20.0)
    for _ in range(2):
        office.service.run_worker()
    company = office.face.bora
    rows = [{"phone": phone(100 + n), "message": "Merhaba"} for n in range(30)]

    with turns(office) as came:
        posted = company.post("/api/sms/send-bulk-async", {"messages": rows})
        tasks = [bulk(office, letters(30)), posted.json["task_id"]]
        assert [office.ended(task).result for task in tasks] == [{"done": 30}] * 2

    times = sorted(row["at"].timestamp() for row in office.gateway.accepted)
    assert all(at > turn - 0.01 for at, turn in zip(times, came, strict=True)), "none comes before its turn"
    assert all(later - first > 0.999 for first, later in zip(came, came[20:], strict=False)), "20 in any second"


def test_a_gateway_that_works_on_each_message_gets_few_at_once_and_the_bar_moves(office: Office) -> None:
    office.gateway.each_s = 0.5
    office.service.run_worker()

    task_id = bulk(office, letters(12))

    assert wait_until(lambda: 0 < find(task_id).current < 12), "it moves before all are sent"
    assert office.ended(task_id).result == {"done": 12}
    assert max(Counter(row["order"] for row in office.gateway.accepted).values()) <= 5


def told(office: Office, task_id: str) -> bytes:
    """What was last told of the task in the stream."""
    return office.service.redis.hget(f"rq:job:{task_id}", "sira_event")


def waits_anew(office: Office, task_id: str, than: bytes = b"") -> Any:
    """The task, waiting again after something was told of it."""
    return wait_until(lambda: told(office, task_id) != than and (task := find(task_id)).state == "RETRY" and task)


def pause_s(office: Office, task_id: str) -> float:
    """From the moment in which it was told that it waits."""
    began_ms = int(told(office, task_id).partition(b"-")[0])
    return float(office.service.redis.zscore("rq:scheduled:sms", task_id) - began_ms / 1000)


def test_a_bulk_waits_for_a_gateway_that_is_away_and_burns_neither_attempts_nor_items(office: Office) -> None:
    office.gateway.close()
    with held_port(port := int(office.gateway.url.rpartition(":")[2])):
        office.service.run_worker()
        task_id, seen = bulk(office, letters(30)), b""

        for _ in range(12):  # more than a task has attempts
            waiting = waits_anew(office, task_id, seen)
            seen = told(office, task_id)
            hurry(task_id)
    assert "Waiting for the gateway since" in waiting.error["message"]

    with FakeGateway(port) as back:
        hurry(task_id)
        ended = office.ended(task_id)
    assert (ended.state, ended.attempts, ended.counts["done"]) == ("SUCCESS", 1, 30)
    assert {item["attempts"] for item in items_of(task_id)} == {1}
    assert set(back.per_phone().values()) == {1}


def test_the_longer_a_gateway_is_away_the_less_often_a_bulk_asks_and_after_a_day_it_gives_up(office: Office) -> None:
    def away_for(seconds: float) -> Any:
        seen, began_s = told(office, task_id), office.service.redis.time()[0] - seconds
        office.service.redis.hset(f"rq:job:{task_id}", "sira_away", f"0 {began_s * 1000:.0f}")
        hurry(task_id)
        return waits_anew(office, task_id, seen)

    office.gateway.close()
    office.service.env["TESTS_SABOTAGE"] = json.dumps({"back_off_s": 20})  # so that it waits when it is told how long
    office.service.run_worker()
    task_id = bulk(office, letters(3))
    waits_anew(office, task_id)

    assert (away_for(60).attempts, 25 < pause_s(office, task_id) < 35) == (1, True)
    assert (away_for(50_000).attempts, 290 < pause_s(office, task_id) <= 301) == (1, True)
    assert away_for(86_401).error["type"] == "GatewayAway", "from here on it uses its attempts"


def test_a_single_message_whose_gateway_is_away_uses_its_attempts(office: Office) -> None:
    office.gateway.close()
    office.service.run_worker()
    task_id = single(office)

    assert waits_anew(office, task_id).error["type"] == "GatewayAway"
    assert wait_until(lambda: find(task_id).attempts == 2)
