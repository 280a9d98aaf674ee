"""Limits: pace, caps, and a company's share of a queue, whatever the depth of its backlog."""

import math
import time
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st

from tests import messaging
from tests.conftest import Service, wait_until
from tests.hands import work_off
from tests.messaging import Office, configure, letters, phone
from workers.db import now
from workers.engine import clock, enqueue, find, limits, running, wire
from workers.engine.control import cancel
from workers.engine.limits import Caps
from workers.engine.reconcile import reconcile

office = messaging.office
REAL = examples(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=25)


def named(*numbers: str) -> list[tuple[str, str]]:
    """A message to each, which nobody has counted yet."""
    return [(number, uuid4().hex) for number in numbers]


def caps(**more: Any) -> Caps:
    return Caps("7", "sms", "2026-01-01", **more)


@pytest.mark.parametrize("text", ["3/10minutes", "1/second", "5 per 2 hour", "1000000000/31days", "2/month"])
def test_a_limit_of_a_number_is_taken_as_it_was_written(text: str) -> None:
    assert limits.sensible(text) == text


@pytest.mark.parametrize(
    "text",
    [
        *("", "often", "3", "0/minute", "3/0minutes", "3/00 hours", "1/year", "1/32days", "2/2months", "-1/minute"),
        *("3/minute;9/hour", "3/minute now", f"{10**20}/day", f"3/{10**20}days", f"{'9' * 6000}/day"),
    ],
)
def test_a_limit_that_would_be_none_is_refused_with_what_one_is(text: str) -> None:
    with pytest.raises(ValueError, match=r"one limit such as 3/10minutes.*1 second to 31 days"):
        limits.sensible(text)


def test_places_at_a_gateway_follow_one_another_at_its_rate(service: Service) -> None:
    gate, began = limits.Gate("netgsm:a", 100), time.monotonic()

    assert gate.place(100).wait_s == 0
    assert is_away(gate.place(50), 1.0, began), "the first hundred have the second that begins now"
    assert is_away(gate.place(1), 1.5, began), "who comes later stands behind"
    assert limits.Gate("netgsm:b", 100).place(1).wait_s == 0, "another account has its own"


def is_away(place: limits.Place, seconds: float, since: float) -> bool:
    """Whether it was so far away at that instant (of `time.monotonic`), as exactly as a machine is quick."""
    return seconds - (time.monotonic() - since) - 0.01 < place.wait_s <= seconds


def test_who_would_wait_too_long_keeps_no_place_from_others(service: Service) -> None:
    gate, began = limits.Gate("netgsm:a", 1), time.monotonic()
    assert gate.place(30).ends

    for _ in range(2):
        told = gate.place(1)
        assert (is_away(told, 30.0, began), told.ends) == (True, "")


def test_a_place_that_is_not_needed_is_given_back_unless_somebody_stands_behind_it(service: Service) -> None:
    gate, began = limits.Gate("netgsm:a", 100), time.monotonic()
    first = gate.place(50)
    unused = gate.place(100)

    gate.leave(unused)
    place = gate.place(10)
    assert is_away(place, 0.5, began)
    assert place.wait_s == 0 or float(place.ends) == float(first.ends) + 100

    unused = gate.place(40)
    behind = gate.place(1)
    gate.leave(unused)
    assert float(gate.place(1).ends) > float(behind.ends)


def test_a_gateway_that_rests_does_so_for_everybody(service: Service) -> None:
    gate = limits.Gate("netgsm:a", 10)
    gate.place(1)

    gate.rest(600)
    gate.rest(1)

    assert 590 < gate.place(1).wait_s <= 600


@REAL
@given(
    rate=st.sampled_from([1, 7, 50]), sizes=st.lists(st.integers(1, 60), min_size=1, max_size=30), left=st.booleans()
)
def test_in_any_second_that_slides_over_the_places_no_more_than_the_rate_passes(
    service: Service, rate: int, sizes: list[int], left: bool
) -> None:
    wire.connect().flushall()
    gate, places = limits.Gate("gateway", rate), list[tuple[float, int]]()
    for number, count in enumerate(min(size, rate) for size in sizes):
        place = gate.place(count)
        if place.ends and left and number % 3 == 2:
            gate.leave(place)
        elif place.ends:
            places.append((float(place.ends) - count * 1000 / rate, count))

    for began_ms, _ in places:
        assert sum(count for at_ms, count in places if began_ms <= at_ms < began_ms + 999.9) <= rate
    assert [at_ms for at_ms, _ in places] == sorted(at_ms for at_ms, _ in places)
    assert service.redis.llen("sira:pace:gateway:places") <= len(places)


def test_what_is_known_of_a_gateway_that_nobody_uses_is_forgotten(service: Service) -> None:
    limits.Gate("gateway", 0.01).place(1)

    left_ms = [service.redis.pttl(key) for key in service.redis.keys("sira:pace:*")]
    assert [0 < ms <= 101_100 for ms in left_ms] == [True, True], "the hundred seconds of the place, and one"


def test_a_number_gets_as_many_as_it_may_and_then_says_when(service: Service) -> None:
    mine = caps(per_number="2/10minutes")

    assert limits.admit(mine, named("a", "b", "a")) == [("", 0)] * 3
    [(what, seconds)] = limits.admit(mine, named("a"))

    assert (what, 590 < seconds <= 600) == ("number", True)
    assert limits.admit(mine, named("b")) == [("", 0)]
    assert limits.admit(Caps("8", "sms", "2026-01-01", per_number="2/10minutes"), named("a")) == [("", 0)]


def test_what_was_counted_and_not_sent_is_not_counted_again(service: Service) -> None:
    """A sender that is killed, or whose database is away, comes with the same message again."""
    mine, again = caps(per_number="2/10minutes", daily=2), [("a", "item-7")]

    assert [limits.admit(mine, again) for _ in range(5)] == [[("", 0)]] * 5
    assert [what for what, _ in limits.admit(mine, [("b", "item-8"), ("c", "item-9"), *again])] == ["", "day", ""]


def test_the_cap_of_a_day_stops_at_its_number_and_a_new_day_begins_anew(service: Service) -> None:
    assert [what for what, _ in limits.admit(caps(daily=2), named("a", "b", "c"))] == ["", "", "day"]
    assert [what for what, _ in limits.admit(Caps("7", "sms", "2026-01-02", daily=2), named("a"))] == [""]
    assert [what for what, _ in limits.admit(caps(), named("d"))] == [""]
    assert [what for what, _ in limits.admit(caps(daily=0), named("e"))] == ["day"]


@pytest.mark.parametrize("text", ["", "three", "3/aeon"])
def test_what_is_no_limit_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        limits.window(text)


def statuses(service: Service, tasks: list[Any]) -> list[str]:
    return [service.redis.hget(f"rq:job:{task.id}", "status").decode() for task in tasks]


def bulks(count: int, scope: str, pause_s: float = 0.01, lines: int = 5) -> list[Any]:
    return [
        enqueue("write_lines", {"lines": ["x"] * lines, "path": "/dev/null", "pause_s": pause_s}, scope=scope)
        for _ in range(count)
    ]


def test_one_bulk_of_a_company_waits_in_the_queue_and_the_others_beside_it(service: Service) -> None:
    first, second, third = bulks(3, "1")
    other = bulks(1, "2")
    nobody = [enqueue("write_lines", {"lines": ["x"], "path": "/dev/null"}) for _ in range(2)]

    assert statuses(service, [first, second, third, *other, *nobody]) == [
        *["queued", "rate_limited", "rate_limited", "queued"],
        *["queued", "queued"],
    ]
    assert find(second.id).state == "PENDING"
    cancel(first.id)
    assert statuses(service, [second, third]) == ["queued", "rate_limited"]
    cancel(third.id)
    assert find(third.id).state == "REVOKED"


def test_what_waits_beside_the_queue_runs_in_its_turn(service: Service) -> None:
    tasks = bulks(4, "1")

    service.run_worker()

    assert {task.wait(60).state for task in tasks} == {"SUCCESS"}


def test_a_companys_own_k_lets_more_of_it_run_side_by_side(service: Service) -> None:
    limits.set_share("1", 3)
    assert statuses(service, bulks(4, "1")) == ["queued"] * 3 + ["rate_limited"]
    limits.set_share("1", None)
    assert statuses(service, bulks(1, "1")) == ["rate_limited"]


def test_what_was_planned_for_the_same_moment_keeps_to_the_companys_share(service: Service) -> None:
    limits.set_share("1", 2)
    params, soon = {"lines": ["x"], "path": "/dev/null"}, now() + timedelta(hours=1)
    tasks = [enqueue("write_lines", params, scope="1", due_at=soon) for _ in range(4)]
    assert statuses(service, tasks) == ["scheduled"] * 4

    service.redis.zadd("rq:scheduled:excel", {task.id: 0 for task in tasks})
    clock.tick()

    assert statuses(service, tasks) == ["queued"] * 2 + ["rate_limited"] * 2
    work_off()
    assert {find(task.id).state for task in tasks} == {"SUCCESS"}


def test_places_held_by_what_foreign_tools_deleted_are_given_to_who_waits(service: Service) -> None:
    first, second = bulks(2, "1")
    service.redis.delete(f"rq:job:{first.id}")

    reconcile()

    assert statuses(service, [second]) == ["queued"]


def test_many_bulks_of_one_company_delay_the_sms_of_another_by_one_slice(office: Office) -> None:
    office.gateway.delay_s = 0.05
    configure(office.service, netgsm_batch=5)
    office.service.run_worker()
    company = office.face.ayse.company_id
    backlog = [
        enqueue("send_bulk_sms", {"messages": letters(1_500), "company_id": company}, scope=str(company))
        for _ in range(3)
    ]
    singles = [
        enqueue("send_sms", {"phone": phone(9_000 + n), "message": "m", "company_id": company}, scope=str(company))
        for n in range(30)
    ]
    wait_until(lambda: find(backlog[0].id).state == "PROGRESS")

    passed_by = []
    for number in range(3):
        answer = office.face.bora.post("/api/sms/send-async", {"phone": phone(99_000 + number), "message": "Merhaba"})
        assert find(answer.json["task_id"]).wait(60).state == "SUCCESS"
        pushed = office.service.redis.hget(f"rq:job:{answer.json['task_id']}", "enqueued_at").decode()
        sent = [row for row in office.gateway.accepted if row["at"] >= datetime.fromisoformat(pushed)]
        before = next(place for place, row in enumerate(sent) if row["text"] == "Merhaba")
        passed_by.append(sum(row["text"].startswith("Borcunuz") for row in sent[:before]))

    one_slice = 5 * (math.ceil(running.SLICE_S / office.gateway.delay_s) + 2)  # and what is under way then
    assert max(passed_by) <= one_slice, "of the backlog, however deep"
    assert find(backlog[0].id).state == "PROGRESS"
    assert {task.wait(60).state for task in singles} == {"SUCCESS"}, "nor does its own backlog hold them up"
    for task in backlog:
        cancel(task.id)
