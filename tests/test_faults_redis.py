"""Faults 8, 9, 13 and 17: the server is killed, unreachable, emptied, full; answers never come, or come late."""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from redis.exceptions import OutOfMemoryError

from tests import faults
from tests.conftest import lines, wait_until
from tests.faults import Crew, runs, sized, until, use_redis
from tests.proxy import Proxy
from workers.embedded import EmbeddedValkey
from workers.engine import enqueue, find, ledger
from workers.engine.worker import Worker

crew, own_server = faults.crew, faults.own_server
ENDED_AT_ONCE = 100  # what two workers may end in the second in which an end can wait for the recorder


def hung_up_and_back(proxy: Proxy, way: str, seconds: float) -> None:
    """The server can't be reached for so long: it refuses, or it is silent."""
    proxy.refuse() if way == "refused" else proxy.stall()
    time.sleep(seconds)
    proxy.open()


@sized(
    short={"jobs": 100, "seconds": 0.1, "kills": 2, "every_s": 1.0},
    full={"jobs": 10_000, "seconds": 0.02, "kills": 6, "every_s": 8.0},
)
def test_8_a_server_killed_under_load_and_started_again_loses_nothing(
    crew: Crew, own_server: EmbeddedValkey, size: dict[str, Any]
) -> None:
    crew.enqueue(size["jobs"], seconds=size["seconds"])
    crew.start(2, "--concurrency", "2")
    back: list[float] = []
    for _ in range(size["kills"]):
        time.sleep(crew.random.uniform(0.5, 1.5) * size["every_s"])
        own_server.process.kill()  # type: ignore[union-attr]
        own_server.start()
        at = len(lines(crew.effects))
        crew.enqueue(20)
        back.append(until(lambda at=at: len(lines(crew.effects)) > at, 15, "work after the restart"))
    settled_s = crew.settle(180)

    lost, twice = crew.count()
    crew.note(kills=size["kills"], slowest_back_s=max(back), settled_s=settled_s)
    assert (lost, crew.leftovers()) == (0, {})
    assert crew.states() == {"SUCCESS": len(crew.tasks)}
    assert twice <= 4 * size["kills"], "at most what ran"
    assert [worker.process.poll() for worker in crew.workers] == [None, None], "no process ends"


@sized(
    short=[
        {"who": "all cut off", "way": "refused", "outages_s": (0.5, 4.0), "lease_s": 2.0},
        {"who": "one cut off", "way": "silent", "outages_s": (0.5, 4.0), "lease_s": 2.0},
    ],
    full=[
        {"who": who, "way": way, "outages_s": (2.0, 10.0, 60.0), "lease_s": 30.0}
        for who in ("all cut off", "one cut off")
        for way in ("refused", "silent")
    ],
)
def test_9_an_outcome_that_cannot_be_saved_is_kept_and_said_again(crew: Crew, size: dict[str, Any]) -> None:
    beside, way = int(size["who"] == "one cut off"), size["way"]
    with Proxy(crew.service.settings.redis_url) as proxy:
        cut_off = crew.start(redis_url=proxy.url)
        copies: dict[float, int] = {}
        for seconds in size["outages_s"]:
            path, release = (crew.service.data_dir / f"{name}-{seconds}" for name in ("log", "release"))
            task = enqueue("linger", {"path": str(path), "release": str(release)})
            wait_until(lambda path=path: lines(path))
            if beside:
                crew.start(beside)
            began = time.monotonic()
            proxy.refuse() if way == "refused" else proxy.stall()
            release.touch()
            wait_until(lambda path=path: "end" in lines(path))
            hung_up_and_back(proxy, way, seconds)

            assert task.wait(crew.lease_s + 40).state == "SUCCESS"
            assert crew.service.redis.xlen(f"rq:results:{task.id}") == 1
            copies[time.monotonic() - began] = lines(path).count("begin")
            for other in [worker for worker in crew.workers if worker is not cut_off]:
                other.stop()
                crew.workers.remove(other)
        later = enqueue("linger", {"path": str(crew.effects), "release": str(release)}).wait(60)

    crew.note(outages_s=size["outages_s"], copies=list(copies.values()))
    assert cut_off.process.poll() is None
    assert later.state == "SUCCESS", "the worker goes on"
    assert {n for cut_off_s, n in copies.items() if cut_off_s < size["lease_s"] - 0.5} <= {1}, "its lease still held"
    assert max(copies.values()) <= 1 + beside


@sized(short={"jobs": 15}, full={"jobs": 1_000})
def test_9_replies_lost_on_the_way_to_a_worker_cost_nothing(crew: Crew, size: dict[str, Any]) -> None:
    with Proxy(crew.service.settings.redis_url) as proxy:
        crew.start(redis_url=proxy.url)
        told = crew.service.data_dir / "told"
        proxy.swallow(5)
        crew.enqueue(size["jobs"])
        made = [enqueue("tell", {"path": str(told), "number": number}) for number in range(size["jobs"])]
        settled_s = crew.settle(60 + size["jobs"])
        proxy.swallow(0)
        wait_until(lambda: len(runs(told)) == size["jobs"], timeout_s=180, what="every callback")

    lost, twice = crew.count()
    crew.note(swallowed=proxy.swallowed, settled_s=settled_s, callbacks=len(lines(told)))
    assert (lost, twice, crew.leftovers()) == (0, 0, {})
    assert {find(task.id).state for task in [*made, *crew.tasks]} == {"SUCCESS"}
    assert len(lines(told)) == size["jobs"], "each was called once, also when the answer to its end was lost"


@sized(short={"times": 1}, full={"times": 10})
def test_9_a_claim_that_reaches_the_server_late_leaves_no_job_behind(crew: Crew, size: dict[str, Any]) -> None:
    with Proxy(crew.service.settings.redis_url) as proxy:
        crew.start(redis_url=proxy.url, socket_timeout_s=1.0)
        took: list[float] = []
        for number in range(size["times"]):
            first, second = linger(crew, f"first-{number}"), linger(crew, f"second-{number}")
            wait_until(first.path.exists)
            proxy.park(first.id + b"\r\n")
            first.release.touch()
            wait_until(second.path.exists, what="an outcome said again on another connection")
            assert find(first.id.decode()).state == "SUCCESS"

            waiting = crew.enqueue(1, ("sms",))[0]
            proxy.deliver()
            wait_until(lambda number=number: proxy.delivered == number + 1)
            second.release.touch()
            took.append(until(lambda waiting=waiting: find(waiting.id).ended, 15, "the job that a late claim took"))

    crew.note(times=size["times"], slowest_s=max(took))
    assert crew.count() == (0, 0)


@dataclass
class Lingering:
    """A job that has begun when `path` is there and ends when `release` is."""

    id: bytes
    path: Path
    release: Path


def linger(crew: Crew, name: str) -> Lingering:
    path, release = crew.service.data_dir / name, crew.service.data_dir / f"{name}-release"
    task = enqueue("linger", {"path": str(path), "release": str(release)})
    return Lingering(task.id.encode(), path, release)


@sized(short={"jobs": 80, "items": 60, "within_s": 30}, full={"jobs": 1_000, "items": 1_000, "within_s": 120})
def test_13_everything_comes_back_when_redis_forgets_all(crew: Crew, size: dict[str, Any]) -> None:
    items = crew.service.data_dir / "items"
    crew.start(2)
    bulk = enqueue("send_all", {"numbers": list(range(size["items"])), "path": str(items)})
    crew.enqueue(size["jobs"])
    wait_until(lambda: len(lines(crew.effects)) >= size["jobs"] // 3 and len(lines(items)) > 5, timeout_s=180)

    before = runs(crew.effects)
    crew.service.redis.flushall()
    restored_s = crew.settle(size["within_s"])

    lost, twice = crew.count()
    crew.note(done_before=len(before), restored_s=restored_s, items_twice=len(lines(items)) - size["items"])
    assert lost == 0
    assert crew.states() == {"SUCCESS": size["jobs"] + 1}
    assert sorted(map(int, set(lines(items)))) == list(range(size["items"]))
    assert len(lines(items)) - size["items"] <= 1, "of what the ledger counts only the item in work may be repeated"
    assert ledger.counts(bulk.id) == {"done": size["items"]}
    assert twice <= 2 + ENDED_AT_ONCE, "of the rest what ran, and what ended and was not yet recorded"
    wait_until(lambda: len(Worker.all(crew.service.redis)) == 2, what="both workers in RQ's registry again")


def fill(redis: Any, megabytes: int) -> None:
    for number in range(megabytes * 1000):
        redis.set(f"filler:{number}", b"x" * 1000)


@sized(short={"jobs": 60, "filler_mb": 2}, full={"jobs": 2_000, "filler_mb": 8})
def test_17_a_full_server_loses_nothing_and_recovers_without_a_restart(
    crew: Crew, own_server: EmbeddedValkey, size: dict[str, Any]
) -> None:
    redis = crew.service.redis
    crew.start(2)
    crew.enqueue(size["jobs"] // 2, seconds=0.1)
    wait_until(lambda: len(lines(crew.effects)) > 2)
    redis.config_set("maxmemory", int(redis.info("memory")["used_memory"]) + 200_000)
    with pytest.raises(OutOfMemoryError):
        fill(redis, size["filler_mb"])

    crew.enqueue(size["jobs"] - size["jobs"] // 2)
    time.sleep(2 * crew.lease_s)
    full_while = len(runs(crew.effects))
    redis.config_set("maxmemory", 0)
    use_redis(crew.service, own_server.url)
    recovered_s = crew.settle(90)

    lost, twice = crew.count()
    crew.note(ran_while_full=full_while, recovered_s=recovered_s)
    assert (lost, twice, crew.leftovers()) == (0, 0, {})
    assert crew.states() == {"SUCCESS": size["jobs"]}
    assert [worker.process.poll() for worker in crew.workers] == [None, None]
