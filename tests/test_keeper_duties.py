"""The keeper's duties for the whole service: done by one, who neither keeps what it can't do nor forgets the others.
(Leases, deaths and limits: test_rescue.py.)"""

import json
import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from threading import Thread

import pytest

from tests.conftest import Service, title_of, wait_until
from tests.hands import claim, expire_leases, put_row, redis_away, row_of
from workers import settings
from workers.db import now
from workers.engine import clock, enqueue, events, keeper, outcome, queues
from workers.engine.claim import KINDS
from workers.engine.keeper import Keeper, Periods
from workers.engine.wire import LEASE_MS

NO_PROCESS = 2**30
NO_DATABASE = "postgresql://sira@127.0.0.1:1/nowhere"


@pytest.fixture
def pipe() -> Iterator[int]:
    """Where the fleet would write to the keeper."""
    read, write = os.pipe()
    yield read
    os.close(read)
    os.close(write)


@contextmanager
def no_database(service: Service) -> Iterator[None]:
    """The route to the database is cut; that to Redis is not."""
    settings.use(service.settings.model_copy(update={"database_url": NO_DATABASE}))
    try:
        yield
    finally:
        settings.use(service.settings)


@contextmanager
def working(keeper: Keeper) -> Iterator[None]:
    """The keeper does what may wait for SQL, beside the test."""
    slow = Thread(target=keeper._work_slowly, daemon=True)
    slow.start()
    try:
        yield
    finally:
        keeper._stop = True
        keeper._wake.set()
        slow.join(10)


@pytest.mark.parametrize(("duty", "holder"), [("_record", "recorder"), ("_reconcile", "reconciler")])
def test_a_keeper_that_cannot_reach_its_database_leaves_its_duties_to_one_that_can(
    service: Service, pipe: int, duty: str, holder: str
) -> None:
    cut_off, healthy = Keeper(pipe), Keeper(pipe)
    task = enqueue("add", {"a": 1})
    claim("sms")

    with no_database(service):
        cut_off._round([(getattr(cut_off, duty), 0.0)])
    healthy._round([(healthy._record, 0.0), (healthy._reconcile, 0.0)])

    assert service.redis.get(f"sira:duty:{holder}") == healthy.me.encode()
    assert row_of(task.id)["state"] == "STARTED"


def test_a_database_that_stays_away_is_told_once_for_each_duty_and_that_it_is_back(
    service: Service, pipe: int, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    ours, other = Keeper(pipe), Keeper(pipe)
    duties = [(ours._record, 0.0), (ours._reconcile, 0.0)]

    def round_of_duties() -> None:
        ours._due.clear()
        ours._round(duties)

    with no_database(service):
        round_of_duties()
        service.redis.set("sira:duty:recorder", other.me)
        round_of_duties()  # what another does is not done by us
        service.redis.delete("sira:duty:recorder")
        round_of_duties()
    during = _told(capsys, caplog)
    round_of_duties()
    round_of_duties()
    after = _told(capsys, caplog)

    assert re.findall("duty (?:failed|done again)", during) == ["duty failed"] * 2
    assert re.findall("duty (?:failed|done again)", after) == ["duty done again"] * 2


def test_a_full_server_is_told_once_for_a_duty_whichever_of_its_writes_is_refused(
    service: Service, pipe: int, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    """Where that is, it tells in other words for a script, and redis-py for a pipeline: a duty meets all of them."""
    ours, redis = Keeper(pipe), service.redis
    writes = iter(
        [
            lambda: redis.set("key", 1),
            lambda: redis.eval("return redis.call('set', KEYS[1], 1)", 1, "key"),
            lambda: redis.pipeline(transaction=True).set("key", 1).execute(),
        ]
    )

    def duty() -> None:
        next(writes)()

    redis.config_set("maxmemory", 1)
    for _ in range(3):
        ours._due.clear()
        ours._round([(duty, 0.0)])
    redis.config_set("maxmemory", 0)

    assert next(writes, None) is None, "all were tried"
    assert _told(capsys, caplog).count("redis refuses") == 1


def _told(capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture) -> str:
    told = capsys.readouterr().out + caplog.text  # the other, where a test before has set up the log of a program
    caplog.clear()
    return told


def test_a_keeper_leaves_the_reconciling_to_a_worker_that_knows_what_it_lacks(service: Service, pipe: int) -> None:
    """As in the middle of a deploy: a kind that only the new workers know can't be pushed by an old one."""
    put_row(kind="of_a_release_to_come", queue="sms", created_at=now() - timedelta(minutes=1))
    older = Keeper(pipe)
    duty = [(older._reconcile, 0.0)]

    older._round(duty)
    alone = service.redis.get("sira:duty:reconciler")
    service.redis.sadd("rq:workers:sms", "rq:worker:newer")
    service.redis.hset("rq:worker:newer", KINDS, "add,of_a_release_to_come")
    older._reconcile_from = 0.0
    older._round(duty)

    assert alone == older.me.encode(), "where nobody knows it, nobody could do better"
    assert service.redis.get("sira:duty:reconciler") is None
    assert older._reconcile_from > time.monotonic() + 1, "the other one gets its turn first"


def test_a_backlog_without_an_end_keeps_no_other_duty_waiting(
    service: Service, pipe: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "record", lambda: events.BATCH)
    due = enqueue("nothing", due_at=now() + timedelta(seconds=1))

    with working(Keeper(pipe)):
        wait_until(lambda: service.redis.lrange("rq:queue:maintenance", 0, -1) == [due.id.encode()])


def test_a_recorder_that_is_behind_goes_on_without_a_pause(
    service: Service, pipe: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keeper, "RECORD_FOR_S", 0.0)
    for _ in range(3 * events.BATCH + 1):
        last = service.redis.xadd(events.STREAM, {"c1": f"{queues.new_id()}\tSTARTED\t\tsms\t1\tw"})

    with working(Keeper(pipe, Periods(record_s=3_600.0))):
        wait_until(lambda: service.redis.get(events.RECORDED) == last)


def test_what_a_dead_child_held_is_given_back_as_soon_as_the_fleet_tells(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keeper, "PAUSE_S", 3_600.0)
    told, tell = os.pipe()
    asleep = Keeper(told, Periods(promote_s=3_600.0, rescue_s=3_600.0, record_s=3_600.0, reconcile_s=3_600.0))
    task = enqueue("add", {"a": 1})
    _, execution = claim("sms")

    with working(asleep):
        wait_until(lambda: asleep._reconcile in asleep._due, what="a first round of duties")
        os.write(tell, f"{json.dumps(['dead', 'by-hand', 1, 'killed', execution])}\n".encode())
        asleep._listen(60)
        wait_until(lambda: not service.redis.hget(f"rq:job:{task.id}", "sira_execution"))

    assert service.redis.zscore("rq:scheduled:sms", task.id), "it waits for its second attempt"
    os.close(told)
    os.close(tell)


def test_what_a_dead_child_held_stays_its_keepers_until_that_is_settled(service: Service, pipe: int) -> None:
    """Without a database that may take long, and others would take it for the work of a dead machine."""
    enqueue("fail")
    job_id, execution = claim("email", "mine")
    service.redis.zadd("sira:leases", {f"email:{job_id}:{execution}": 1})
    ours = Keeper(pipe)
    ours._unsettled.append(("mine", outcome.child_lost("killed"), None, execution))

    with no_database(service):
        ours._renew()

    assert service.redis.zscore("sira:leases", f"email:{job_id}:{execution}") > time.time() * 1000


def test_a_redis_that_goes_away_behind_a_jump_of_its_clock_is_told_once(
    service: Service, pipe: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    monkeypatch.setattr(keeper, "RETRY_S", 0.0)
    monkeypatch.setattr(keeper.log, "warning", lambda what, **_: told.append(what))
    time_of_redis, ours = clock.time_of_redis, Keeper(pipe)
    ours._rescue()
    monkeypatch.setattr(clock, "time_of_redis", lambda: time_of_redis() + timedelta(hours=1))
    ours._rescue()

    with redis_away(monkeypatch):
        for _ in range(3):
            ours._round([(ours._promote, 0.0)])

    assert told == ["redis is away"]


@pytest.mark.parametrize("jump_s", [3_600, -3_600])
def test_a_clock_of_redis_that_jumps_neither_ends_a_job_nor_lets_it_run_on(
    service: Service, pipe: int, jump_s: int
) -> None:
    """So does that of a machine which has slept, and its jobs with it."""
    enqueue("hang")
    job_id, _ = claim("maintenance", "mine")
    ours = Keeper(pipe)
    ours._alive["mine"] = NO_PROCESS
    ours._renew()

    service.redis.hincrby(f"rq:job:{job_id}", "sira_claimed", -jump_s * 1_000)
    ours._renew()
    before = dict(ours._ended_by)
    wait_until(lambda: ours._renew() or ours._ended_by, what="the end of its second")

    assert before == {}
    assert ours._ended_by["mine"][0] == job_id


def test_a_clock_of_redis_that_jumps_gives_no_living_work_away(
    service: Service, pipe: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor does a machine that wakes take away what its other fleets go on with."""
    task, time_of_redis, ours = enqueue("add", {"a": 1}), clock.time_of_redis, Keeper(pipe)
    claim("sms", "of another fleet")
    ours._rescue()

    expire_leases(service)
    monkeypatch.setattr(clock, "time_of_redis", lambda: time_of_redis() + timedelta(seconds=LEASE_MS / 1000))
    ours._rescue()

    assert service.redis.hget(f"rq:job:{task.id}", "status") == b"started"
    ours._rescue_from = 0.0
    ours._rescue()
    assert service.redis.hget(f"rq:job:{task.id}", "status") == b"queued", "who has not renewed it by then is dead"


def test_a_keeper_sleeps_while_it_has_nothing_to_do_also_when_the_server_has_hung_up_on_it(service: Service) -> None:
    worker = service.run_worker()
    wait_until(lambda: service.redis.client_list(_type="pubsub"), what="a keeper that listens")
    born = Path(f"/proc/{worker.pid}/task/{worker.pid}/children").read_text().split()
    (pid,) = [pid for pid in born if "keeper" in title_of(pid)]

    began_s = busy_s(pid)
    service.redis.client_kill_filter(_type="pubsub")
    wait_until(lambda: service.redis.client_list(_type="pubsub"), what="a keeper that listens again")
    enqueue("sleep", {"seconds": 1.5, "path": str(service.data_dir / "lines")}).get(timeout=60)

    assert busy_s(pid) - began_s < 0.75


def busy_s(pid: str) -> float:
    """The processor time that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
