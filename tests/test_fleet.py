"""The fleet and its command line: what is refused at start, how children are replaced, how it ends."""

import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.conftest import ROOT, SECRET, Service, wait_until
from tests.hands import at_once
from workers import settings
from workers.embedded import EmbeddedValkey
from workers.engine import enqueue, find, fleet
from workers.engine.fleet import Fleet, Orders
from workers.engine.worker import Worker


def start(service: Service, *arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "tests.worker", *arguments]
    return subprocess.run(command, cwd=ROOT, env=service.env, capture_output=True, text=True, timeout=180)


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["printer"], "unknown queue printer"),
        (["--concurrency", "0"], "at least 1"),
        (["--max-jobs-per-child", "²"], "at least 1"),
        (["--max-memory-mb", "-1"], "at least 1"),
    ],
)
def test_what_cannot_work_is_refused_at_the_start(service: Service, arguments: list[str], reason: str) -> None:
    ended = start(service, *arguments)

    assert ended.returncode == 2
    assert reason in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_redis_that_may_evict_jobs_is_refused(service: Service) -> None:
    service.redis.config_set("maxmemory-policy", "allkeys-lru")
    try:
        ended = start(service, "--burst")
    finally:
        service.redis.config_set("maxmemory-policy", "noeviction")

    assert ended.returncode == 2
    assert "noeviction" in ended.stderr


def test_burst_works_off_what_waits_and_ends_with_0(service: Service) -> None:
    tasks = [enqueue("add", {"a": number}) for number in range(10)]

    ended = start(service, "--burst", "--concurrency", "2")

    assert ended.returncode == 0
    assert [find(task.id).result for task in tasks] == [{"sum": number + 2} for number in range(10)]
    assert ". add (sms)" in ended.stdout
    assert "\nready" in ended.stdout


@pytest.mark.parametrize("how", ["leaked", "gone"])
def test_burst_works_off_what_waits_also_where_a_job_has_spoilt_or_ended_its_child(service: Service, how: str) -> None:
    enqueue("mistreat", {"how": how})
    tasks = [enqueue("nothing") for _ in range(3)]

    ended = start(service, "--burst")

    assert ended.returncode == 0
    assert [find(task.id).state for task in tasks] == ["SUCCESS"] * 3


def test_a_worker_that_is_to_do_some_jobs_does_as_many_also_in_several_children(service: Service) -> None:
    tasks = [enqueue("mistreat", {"how": "leaked"}) for _ in range(4)]

    at_once(1, lambda _: Worker(["maintenance"]).work(max_jobs=3))

    assert [find(task.id).state for task in tasks] == ["SUCCESS"] * 3 + ["PENDING"]


def test_a_worker_for_some_queues_leaves_the_others_alone(service: Service) -> None:
    mine, other = enqueue("add", {"a": 1}), enqueue("nothing")

    start(service, "sms", "--burst")

    assert find(mine.id).state == "SUCCESS"
    assert find(other.id).state == "PENDING"


def test_a_child_is_replaced_after_its_share_of_jobs(service: Service) -> None:
    worker = service.run_worker("--max-jobs-per-child", "3")
    first = wait_until(worker.children)

    for number in range(4):
        enqueue("add", {"a": number}).get(timeout=60)

    assert wait_until(worker.children) != first
    assert worker.process.poll() is None


def test_workers_show_in_rqs_own_registry_and_leave_it(service: Service) -> None:
    from rq import Worker

    worker = service.run_worker(concurrency=2)
    assert len(wait_until(lambda: len(Worker.all(service.redis)) == 2 and Worker.all(service.redis))) == 2

    assert worker.stop() == 0

    assert Worker.all(service.redis) == []


def test_a_worker_on_an_empty_data_folder_makes_its_tables_itself(service: Service) -> None:
    (service.data_dir / "sira.db").unlink()

    ended = start(service, "--burst")

    assert ended.returncode == 0
    assert enqueue("add", {"a": 1}).id


def test_a_child_that_is_too_large_from_the_start_does_one_job_before_it_is_replaced(service: Service) -> None:
    worker = service.run_worker("--max-memory-mb", "1")
    first = wait_until(worker.children)

    assert [enqueue("add", {"a": number}).get(timeout=60)["sum"] for number in range(3)] == [2, 3, 4]

    wait_until(lambda: any(name.endswith(b"-4") for name in service.redis.smembers("rq:workers")))
    idle = wait_until(worker.children)
    assert idle != first
    time.sleep(0.5)
    assert worker.children() == idle, "it does not spin"


def test_a_keeper_that_dies_at_its_start_is_forked_again_after_a_pause_that_grows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    births = tmp_path / "births"

    class Stillborn:
        def __init__(self, *_: object) -> None:
            pass

        def run(self) -> None:
            with births.open("a") as file:
                print(time.monotonic(), file=file)
            os._exit(1)

    def work(*_: object) -> None:
        wait_until(lambda: births.exists() and len(births.read_text().splitlines()) >= 3)

    monkeypatch.setattr(fleet, "Keeper", Stillborn)

    assert at_once(1, lambda _: Fleet(Orders(work, once=True)).run()) == [0]

    first, second, third, *_ = map(float, births.read_text().splitlines())
    assert (second - first >= fleet.RESTART_FROM_S, third - second >= 2 * fleet.RESTART_FROM_S) == (True, True)


def test_two_fleets_of_one_host_and_process_id_have_names_of_their_own() -> None:
    first, second = (Fleet(Orders(print)) for _ in range(2))

    assert first._name(first.slots[0]) != second._name(second.slots[0])


def test_a_worker_may_have_any_name_that_rq_allows(service: Service) -> None:
    task = enqueue("add", {"a": 1})

    at_once(1, lambda _: Worker(["sms"], name="my worker, 1").work(burst=True))

    assert find(task.id).result == {"sum": 3}


def test_a_fleet_that_starts_without_redis_says_so_and_shows_no_traceback(service: Service, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.worker", "--concurrency", "1"]
    env = {**service.env, "REDIS_URL": "redis://127.0.0.1:1/0"}
    told = tmp_path / "told"
    with told.open("w") as log:
        process = subprocess.Popen(command, cwd=ROOT, env=env, stdout=log, stderr=log)
        try:
            wait_until(lambda: "child died" in told.read_text(), what="a child that could not begin")
        finally:
            process.terminate()
            process.wait(60)

    assert process.returncode == 0
    assert "redis is away" in told.read_text()
    assert "Traceback" not in told.read_text()


def test_a_redis_that_stays_away_is_told_once_and_fills_no_log(service: Service, tmp_path: Path) -> None:
    with EmbeddedValkey(tmp_path / "own") as valkey:
        assert valkey.process
        service.env["REDIS_URL"] = valkey.url
        settings.use(settings.load(redis_url=valkey.url, secret_key=SECRET, data_dir=service.data_dir))
        worker = service.run_worker(concurrency=1)
        enqueue("add", {"a": 1}).get(timeout=60)

        valkey.process.kill()

        wait_until(lambda: "redis is away" in worker.log.read_text(), what="a word of it")
        until = time.monotonic() + 5
        wait_until(lambda: time.monotonic() > until, what="an outage")
        assert worker.stop() == 0

    assert worker.log.read_text().count("redis is away") <= 3, "the child, and the two threads of the keeper"


def test_a_redis_that_refuses_what_is_written_is_told_once_for_each_duty(service: Service) -> None:
    worker = service.run_worker(concurrency=1)
    enqueue("add", {"a": 1}).get(timeout=60)
    service.redis.config_set("maxmemory", 1)
    try:
        wait_until(lambda: "redis refuses" in worker.log.read_text(), what="a word of it")
        until = time.monotonic() + 5
        wait_until(lambda: time.monotonic() > until, what="a full server")
    finally:
        service.redis.config_set("maxmemory", 0)

    told = re.findall("redis refuses.*duty=[^ ]*", worker.log.read_text())
    assert len(told) == len(set(told)), "not at each of its attempts"


@pytest.mark.parametrize("streams", [">/dev/full 2>&1", ">&- 2>&- <&-"])
def test_a_worker_whose_words_can_be_written_nowhere_works_on(service: Service, streams: str) -> None:
    task = enqueue("cleanup_old_logs")
    worker = subprocess.Popen(["sh", "-c", f"exec {sys.executable} -m workers {streams}"], cwd=ROOT, env=service.env)
    try:
        assert task.wait(60).state == "SUCCESS"
        assert worker.poll() is None
    finally:
        worker.terminate()
        code = worker.wait(60)
    assert code == 0
