"""Following: from the present state to the last, with heartbeats, and nothing missed by who comes back."""

import threading
from collections.abc import Iterator
from itertools import islice, takewhile
from typing import Any

import pytest

from tests.conftest import Service, wait_until
from tests.hands import record_all, redis_away, work_off
from workers.engine import control, enqueue, events
from workers.engine.tasks import ENDED

UNKNOWN = "01900000-0000-7000-8000-000000000000"


def test_following_begins_with_the_present_state_and_ends_after_the_last(service: Service) -> None:
    task = enqueue("add", {"a": 1})
    seen: list[str] = []
    follower = events.follow(task_id=task.id, heartbeat_s=5)
    event_id, first = next(follower)  # type: ignore[misc]
    assert (first.state, event_id) == ("PENDING", service.redis.xrevrange(events.STREAM, count=1)[0][0].decode())

    work_off()
    seen = [change[1].state for change in follower if change]

    assert seen[-1] == "SUCCESS"
    assert not set(seen[:-1]) & set(ENDED)


def test_following_what_has_ended_gives_its_end_and_stops(service: Service) -> None:
    task = enqueue("add", {"a": 1})
    work_off()

    assert [change[1].state for change in events.follow(task_id=task.id) if change] == ["SUCCESS"]


def test_a_follower_of_one_task_hears_nothing_of_others(service: Service) -> None:
    task, other = enqueue("nothing"), enqueue("add", {"a": 1})
    follower = events.follow(task_id=task.id, heartbeat_s=5)
    next(follower)

    control.cancel(other.id)
    control.cancel(task.id)

    assert [change[1].id for change in follower if change] == [task.id]


def test_who_comes_back_with_the_last_id_hears_all_that_came_after_it_and_nothing_twice(service: Service) -> None:
    one, _, two = (enqueue("nothing", scope=scope) for scope in ("7", "8", "7"))
    control.cancel(one.id)
    broken_off = events.follow(scope="7", last_id="0-0", heartbeat_s=0.1)
    last_id, task = next(broken_off)  # type: ignore[misc]
    assert task.id == two.id, "in the order of each task's last change"

    again = events.follow(scope="7", last_id=last_id, heartbeat_s=0.1)

    assert [change and (change[1].id, change[1].state) for change in islice(again, 2)] == [(one.id, "REVOKED"), None]


def test_each_end_is_told_once_under_the_id_of_the_last_change_and_ids_ascend(service: Service) -> None:
    one, two, three = (enqueue("nothing") for _ in range(3))
    control.cancel(two.id)
    control.cancel(one.id)
    entries = [entry.decode() for entry, _ in service.redis.xrange(events.STREAM)]

    told = [change for change in islice(events.follow(last_id="0-0", heartbeat_s=0.1), 3) if change]

    assert [(event_id, task.id, task.state) for event_id, task in told] == [
        (entries[2], three.id, "PENDING"),
        (entries[3], two.id, "REVOKED"),
        (entries[4], one.id, "REVOKED"),
    ]
    for number, (event_id, _) in enumerate(told, 1):
        again = events.follow(last_id=event_id, heartbeat_s=0.1)
        left = [change and change[1].id for change in islice(again, 4 - number)]
        assert left == [task.id for _, task in told[number:]] + [None]


def test_an_end_is_told_with_its_own_event_also_to_who_reads_what_came_before_it_after_it(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "BATCH", 1)
    ended, retried = enqueue("nothing"), enqueue("nothing")
    control.cancel(retried.id)
    record_all()
    control.retry(retried.id)
    work_off()

    told = list(takewhile(bool, events.follow(last_id="0-0", heartbeat_s=1)))

    ids = [change[0] for change in told if change]
    assert ids == sorted(ids, key=events.padded)
    ends = [change[1].id for change in told if change and change[1].ended]
    assert sorted(ends) == sorted([ended.id, retried.id])


def test_every_scope_is_followed_where_none_is_named(service: Service) -> None:
    follower = events.follow(last_id="0-0", heartbeat_s=0.1)
    made = [enqueue("nothing", scope=scope).id for scope in ("7", "8", None)]

    assert [change[1].id for change in islice(follower, 3) if change] == made


@pytest.mark.parametrize("last_id", ["", "abc", "1-", "-", "5-x", "٣-0", "1" * 40, "0-0; FLUSHALL", "+"])
def test_a_last_id_that_is_not_ours_means_from_now_on(service: Service, last_id: str) -> None:
    enqueue("nothing")
    follower = events.follow(last_id=last_id, heartbeat_s=0.05)

    assert next(follower) is None
    later = enqueue("nothing")
    assert [change[1].id for change in islice(follower, 1) if change] == [later.id]


@pytest.mark.parametrize("last_id", ["9999999999999-0", "9" * 15, "9999999999999-9999999999"])
def test_a_last_id_that_is_yet_to_come_counts_as_the_newest(service: Service, last_id: str) -> None:
    task = enqueue("nothing")
    follower = events.follow(last_id=last_id, heartbeat_s=0.05)
    of_one = events.follow(task_id=task.id, last_id=last_id, heartbeat_s=0.05)

    assert next(follower) is None
    [(newest, _)] = service.redis.xrevrange(events.STREAM, count=1)
    assert next(of_one)[0] == newest.decode()  # type: ignore[index]
    later = enqueue("nothing")
    assert [change[1].id for change in islice(follower, 1) if change] == [later.id]


def test_silence_is_broken_by_heartbeats(service: Service) -> None:
    task = enqueue("nothing")
    follower = events.follow(task_id=task.id, heartbeat_s=0.05)
    next(follower)

    assert [next(follower), next(follower)] == [None, None]


@pytest.fixture
def chatter(service: Service) -> Iterator[None]:
    """Other tasks to which something happens all the time."""
    stop = threading.Event()

    def talk() -> None:
        while not stop.wait(0.01):
            service.redis.xadd(events.STREAM, {"c1": "\t".join([UNKNOWN, "PROGRESS", "", "sms", "1", "w"])})

    thread = threading.Thread(target=talk)
    thread.start()
    yield
    stop.set()
    thread.join()


def test_heartbeats_come_also_while_others_are_busy(service: Service, chatter: None) -> None:
    task = enqueue("nothing")
    follower = events.follow(task_id=task.id, heartbeat_s=0.1)
    next(follower)
    heard: list[Any] = []

    listening = threading.Thread(target=lambda: heard.append(next(follower)), daemon=True)
    listening.start()
    listening.join(30)
    control.cancel(task.id)
    listening.join(30)

    assert heard == [None]


def test_a_follower_sees_an_end_that_no_event_told_of(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    with redis_away(monkeypatch):
        task = enqueue("nothing")
    follower = events.follow(task_id=task.id, heartbeat_s=0.05)
    next(follower)

    control.cancel(task.id)

    ended = wait_until(lambda: next(follower))
    assert ended[1].state == "REVOKED"
    assert list(follower) == []


def test_a_follower_outlives_a_redis_that_goes_away(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    task = enqueue("nothing")
    follower = events.follow(task_id=task.id, heartbeat_s=0.05)
    next(follower)

    with redis_away(monkeypatch):
        assert next(follower) is None
    control.cancel(task.id)

    assert wait_until(lambda: next(follower))[1].state == "REVOKED"
