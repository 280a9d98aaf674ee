"""RQ's own features on our worker: dependents, repeats, rate limits, lifetimes, suspension, its tools beside us."""

import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from rq import Callback, Queue, Retry
from rq.command import send_stop_job_command
from rq.job import Dependency, JobStatus
from rq.job import Job as RQJob
from rq.repeat import Repeat
from rq.results import Result
from rq.serializers import JSONSerializer
from rq.suspension import resume, suspend

from tests import kinds
from tests.conftest import ROOT, Service, lines, wait_until
from tests.hands import FORK, at_once, claim, settle, work_off
from workers.engine import clock, enqueue, find, wire
from workers.engine.job import Job
from workers.engine.outcome import Outcome
from workers.engine.seal import Seal
from workers.engine.worker import Worker


@pytest.fixture
def queue(service: Service) -> Queue:
    """RQ's own Queue, with our Job class and seal."""
    return Queue("maintenance", connection=service.redis, job_class=Job, serializer=Seal)


def status(job: Any) -> JobStatus:
    return job.get_status()


def test_a_kind_enqueued_with_rqs_own_queue_runs_and_gives_its_result(service: Service, queue: Queue) -> None:
    job = queue.enqueue("add", a=1, b=41)

    service.run_worker()

    wait_until(lambda: status(job) == JobStatus.FINISHED)
    assert job.return_value() == {"sum": 42}
    assert job.latest_result().execution_id


def test_a_function_enqueued_by_position_is_its_kind_and_shows_no_parameter(service: Service, queue: Queue) -> None:
    job = queue.enqueue(kinds.add, 1, b=41)

    work_off()

    assert job.return_value() == {"sum": 42}
    assert service.redis.hget(job.key, "description") == b"add"


def test_the_pauses_of_a_retry_are_the_jobs_own(service: Service, queue: Queue) -> None:
    later = queue.enqueue("fail", retry=Retry(max=2, interval=[700, 1]))
    at_once_again = queue.enqueue("fail", retry=Retry(max=1))

    work_off()

    seconds, _ = service.redis.time()
    assert 600 < service.redis.zscore("rq:scheduled:maintenance", later.id) - seconds <= 701
    assert (status(at_once_again), status(later)) == (JobStatus.FAILED, JobStatus.SCHEDULED)


def test_the_timeout_of_a_job_is_a_limit_beside_its_kinds(service: Service, queue: Queue) -> None:
    job = queue.enqueue(kinds.sleep, 30, job_timeout=1)

    work_off()

    assert status(job) == JobStatus.FAILED
    assert Seal.loads(service.redis.hget(job.key, "sira_error"))["type"] == "SoftTimeLimitExceeded"


def test_what_rqs_own_queue_planned_runs_when_it_is_due(service: Service, queue: Queue) -> None:
    due, later = queue.enqueue_in(timedelta(0), "add", a=1), queue.enqueue_in(timedelta(hours=1), "add", a=2)

    clock.tick()
    work_off()

    assert (due.return_value(), status(later)) == ({"sum": 3}, JobStatus.SCHEDULED)


def test_dependents_wait_for_all_their_parents(service: Service, queue: Queue) -> None:
    first, second = queue.enqueue("nothing"), queue.enqueue("nothing")
    child = queue.enqueue("add", a=1, depends_on=[first, second])
    assert status(child) == JobStatus.DEFERRED

    service.run_worker()

    wait_until(lambda: status(child) == JobStatus.FINISHED)
    assert queue.deferred_job_registry.get_job_ids() == []


def test_a_dependent_of_a_failed_parent_runs_only_if_it_allows_failure(service: Service, queue: Queue) -> None:
    parent = queue.enqueue("fail")
    strict = queue.enqueue("nothing", depends_on=parent)
    lenient = queue.enqueue("nothing", depends_on=Dependency(jobs=[parent], allow_failure=True))

    service.run_worker()

    wait_until(lambda: status(lenient) == JobStatus.FINISHED)
    assert status(parent) == JobStatus.FAILED
    assert status(strict) == JobStatus.DEFERRED


def test_a_repeated_job_runs_as_often_as_it_says(service: Service, queue: Queue, tmp_path: Any) -> None:
    path = tmp_path / "runs"
    queue.enqueue("sleep_and_count", path=str(path), seconds=0.0, repeat=Repeat(times=2, interval=0))

    service.run_worker()

    wait_until(lambda: path.exists() and len(path.read_text().split()) == 3)


def test_dependents_of_a_repeated_job_wait_for_its_first_run_only(service: Service, queue: Queue) -> None:
    parent = queue.enqueue("nothing", repeat=Repeat(times=2, interval=3600))
    child = queue.enqueue("add", a=1, depends_on=parent)

    work_off()

    assert (status(parent), status(child)) == (JobStatus.SCHEDULED, JobStatus.FINISHED)


def test_retries_and_their_intervals_are_rqs(service: Service, queue: Queue) -> None:
    job = queue.enqueue("fail", retry=Retry(max=2, interval=[600, 600]))

    service.run_worker()

    for left in (b"1", b"0"):
        waits = [b"scheduled", left]
        wait_until(lambda waits=waits: service.redis.hmget(job.key, "status", "retries_left") == waits)
        service.redis.zadd("rq:scheduled:maintenance", {job.id: 0})  # the test ends each pause
    wait_until(lambda: status(job) == JobStatus.FAILED)
    job.refresh()
    assert job.retries_left == 0


def test_retries_are_left_to_a_kind_that_goes_on_slice_by_slice(service: Service, queue: Queue) -> None:
    job = queue.enqueue("write_lines", lines=["a"], path="/dev/null", retry=Retry(max=2))

    settle(*claim("maintenance"), "maintenance", Outcome("yield"))
    assert job.refresh() or job.retries_left == 2

    _, execution = claim("maintenance")
    assert wire.run(service.redis, "anew", job.id, execution, 1) == 1
    assert job.refresh() or job.retries_left == 2


def test_a_result_lives_as_long_as_it_was_asked_to(service: Service, queue: Queue) -> None:
    short, gone, kept = (queue.enqueue("nothing", result_ttl=ttl) for ttl in (60, 0, -1))

    service.run_worker()

    wait_until(lambda: not Job.exists(gone.id, service.redis) and status(kept) == JobStatus.FINISHED)
    wait_until(lambda: status(short) == JobStatus.FINISHED)
    assert 0 < service.redis.ttl(short.key) <= 60
    assert service.redis.ttl(kept.key) == -1


def test_suspended_workers_claim_nothing_until_they_are_resumed(service: Service, queue: Queue) -> None:
    suspend(service.redis)
    job = queue.enqueue("nothing")
    service.run_worker()
    assert status(job) == JobStatus.QUEUED

    resume(service.redis)

    wait_until(lambda: status(job) == JobStatus.FINISHED)


def test_rq_info_shows_the_truth_and_changes_nothing(service: Service, queue: Queue, tmp_path: Any) -> None:
    service.run_worker()
    job = queue.enqueue("sleep", seconds=60.0, path=str(tmp_path / "log"))
    wait_until(lambda: lines(tmp_path / "log"))
    queue.enqueue("nothing")

    shown = subprocess.run(
        [sys.executable, "-m", "rq.cli", "info", "-u", service.settings.redis_url, "--raw"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )

    assert "queue maintenance 1" in shown.stdout, shown.stderr
    assert " busy: maintenance" in shown.stdout.replace("excel,", "") or "busy" in shown.stdout
    assert status(job) == JobStatus.STARTED, "a look must not end a running job"


def stock_worker(service: Service, queue: str) -> "subprocess.Popen[bytes]":
    code = "import sys, tests.kinds; from rq.cli import main; sys.argv[0] = 'rq'; main()"
    arguments = ["worker", "--burst", "-u", service.settings.redis_url, "-S", "workers.engine.seal.Seal"]
    return subprocess.Popen(
        [sys.executable, "-c", code, *arguments, "-j", "workers.engine.job.Job", queue],
        cwd=ROOT,
        env=service.env,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def test_a_stock_worker_does_a_whole_bulk(service: Service, tmp_path: Any) -> None:
    task = enqueue("write_lines", {"lines": ["a", "b", "c"], "path": str(tmp_path / "out"), "pause_s": 0.0})

    stock_worker(service, "excel").wait(40)

    assert (tmp_path / "out").read_text().split() == ["a", "b", "c"]
    assert find(task.id).counts["done"] == 3  # type: ignore[index]
    assert find(task.id).state == "SUCCESS"


def test_a_stock_worker_with_our_classes_works_beside_ours(service: Service, queue: Queue) -> None:
    jobs = [queue.enqueue("add", a=number) for number in range(30)]
    stock = stock_worker(service, "maintenance")
    service.run_worker()

    wait_until(lambda: all(status(job) == JobStatus.FINISHED for job in jobs), timeout_s=40)

    stock.wait(30)
    assert [job.return_value(refresh=True) for job in jobs] == [{"sum": number + 2} for number in range(30)]
    assert all(service.redis.xlen(f"rq:results:{job.id}") == 1 for job in jobs), "each ran once"


def plain(text: str) -> str:
    return text.upper()


def broken() -> None:
    raise ValueError("broken")


def test_a_worker_told_so_runs_jobs_of_rqs_own_class_and_serializer(service: Service) -> None:
    theirs = Queue("maintenance", connection=service.redis, serializer=JSONSerializer)
    good, bad = theirs.enqueue(plain, "ada"), theirs.enqueue(broken, retry=Retry(max=1))

    at_once(1, lambda _: Worker(["maintenance"], job_class=RQJob, serializer=JSONSerializer).work_kept(burst=True))

    assert (status(good), good.return_value()) == (JobStatus.FINISHED, "ADA")
    assert status(bad) == JobStatus.FAILED
    assert [result.type for result in bad.results()] == [Result.Type.FAILED, Result.Type.RETRIED]
    assert "ValueError: broken" in str(bad.latest_result().exc_string)


def linger(path: str) -> None:
    Path(path).write_text("begun")
    time.sleep(600)


def note_stop(job: RQJob, _: Any) -> None:
    Path(job.kwargs["path"]).write_text("stopped")


def note_stop_and_fail(job: RQJob, _: Any) -> None:
    note_stop(job, _)
    raise ValueError


@pytest.mark.parametrize("called", [note_stop, note_stop_and_fail])
def test_a_stopped_job_of_rqs_own_class_ends_at_once_and_its_callback_is_called(
    service: Service, tmp_path: Path, called: Any
) -> None:
    theirs = Queue("maintenance", connection=service.redis, serializer=JSONSerializer)
    path = tmp_path / "told"
    job = theirs.enqueue(linger, path=str(path), on_stopped=Callback(called))
    next_one = theirs.enqueue(plain, "ada")
    worker = Worker(["maintenance"], job_class=RQJob, serializer=JSONSerializer)
    process = FORK.Process(target=worker.work, kwargs={"burst": True}, daemon=True)
    process.start()
    wait_until(lambda: lines(path) and service.redis.pubsub_channels("rq:pubsub:*"))

    send_stop_job_command(service.redis, job.id, serializer=JSONSerializer)
    wait_until(lambda: status(job) == JobStatus.CANCELED)

    assert path.read_text() == "stopped", "by the job's own process, which was not ended by force"
    wait_until(lambda: status(next_one) == JobStatus.FINISHED)
    process.join(20)


@pytest.mark.parametrize("field", ["timeout", "retries_left", "created_at", "data"])
def test_a_job_of_rqs_own_class_whose_hash_is_spoilt_fails_and_the_next_one_runs(service: Service, field: str) -> None:
    theirs = Queue("maintenance", connection=service.redis, serializer=JSONSerializer)
    spoilt, good = theirs.enqueue(plain, "ada"), theirs.enqueue(plain, "ada")
    service.redis.hset(spoilt.key, field, "abc")

    at_once(1, lambda _: Worker(["maintenance"], job_class=RQJob, serializer=JSONSerializer).work_kept(burst=True))

    assert service.redis.hget(spoilt.key, "status") == b"failed"
    assert Result.fetch_latest(spoilt).exc_string
    assert status(good) == JobStatus.FINISHED
