"""Redis comes back with what it had a while ago, as after a failover to a replica that lagged behind."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.conftest import Service, lines, wait_until
from tests.hands import row_of
from workers.engine import control, enqueue, find, rollback, wire


@contextmanager
def rolled_back(service: Service) -> Iterator[None]:
    """Behind the block Redis has what it had before it, and has hung up on everybody."""
    kept = {key: service.redis.dump(key) for key in service.redis.scan_iter()}
    yield
    with service.redis.pipeline() as all_at_once:
        all_at_once.flushall()
        all_at_once.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
        for key, value in kept.items():
            all_at_once.restore(key, 0, value)
        all_at_once.execute()


def test_what_has_ended_is_not_done_again_and_what_has_not_is(service: Service, tmp_path: Path) -> None:
    done, undone = tmp_path / "done", tmp_path / "undone"
    ended = enqueue("sleep_and_count", {"path": str(done), "seconds": 0.0}).id
    with rolled_back(service):
        service.run_worker()
        wait_until(lambda: row_of(ended)["state"] == "SUCCESS", what="its end in SQL")

    fresh = enqueue("sleep_and_count", {"path": str(undone), "seconds": 0.0})

    assert fresh.wait(60).state == "SUCCESS"
    wait_until(lambda: service.redis.hget(f"rq:job:{ended}", "status") == b"finished", what="the end in Redis again")
    assert len(lines(done)) == 1
    assert len(lines(undone)) == 1
    assert find(ended).state == "SUCCESS"


def test_what_was_cancelled_stays_so(service: Service, tmp_path: Path) -> None:
    service.run_worker()
    enqueue("add", {"a": 1}).get(
        timeout=60
    )  # one that starts in this moment sees neither a broken line nor a newer event
    path = tmp_path / "runs"
    service.redis.sadd("sira:paused", "email")
    task_id = enqueue("sleep_and_count", {"path": str(path)}).id
    with rolled_back(service):
        control.cancel(task_id)

    service.redis.srem("sira:paused", "email")

    wait_until(lambda: service.redis.hget(f"rq:job:{task_id}", "status") == b"canceled", what="the end in Redis again")
    assert not path.exists()
    assert find(task_id).state == "REVOKED"


def test_a_worker_that_comes_later_does_not_do_again_what_has_ended(service: Service, tmp_path: Path) -> None:
    done = tmp_path / "done"
    ended = enqueue("sleep_and_count", {"path": str(done), "seconds": 0.0}).id
    with rolled_back(service):
        _run_to_its_end(service, ended)

    service.run_worker()

    wait_until(lambda: service.redis.hget(f"rq:job:{ended}", "status") == b"finished", what="the end in Redis again")
    assert len(lines(done)) == 1


def test_nor_does_one_that_comes_when_the_stream_has_gone_on(service: Service, tmp_path: Path) -> None:
    done = tmp_path / "done"
    ended = enqueue("sleep_and_count", {"path": str(done), "seconds": 0.0}).id
    with rolled_back(service):
        _run_to_its_end(service, ended)
    _run_to_its_end(service, enqueue("add", {"a": 1}).id, "sms")
    newest = service.redis.xrevrange("sira:events", count=1)[0][0]
    assert service.redis.get("sira:recorded") == newest

    service.run_worker()

    wait_until(lambda: service.redis.hget(f"rq:job:{ended}", "status") == b"finished", what="the end in Redis again")
    assert len(lines(done)) == 1


def test_a_worker_that_was_only_listening_for_its_turn_notices(service: Service) -> None:
    sayer = wire.Sayer(wire.connect(), "exchange")
    sayer.open()
    sayer.elsewhere("w")
    assert sayer.broke_at == 0.0
    killed = service.redis.client_kill_filter(skipme=True, _type="normal")

    sayer.elsewhere("w")

    assert killed > 0
    assert sayer.broke_at > 0.0


def test_what_a_flush_took_and_what_was_trimmed_is_no_way_back(service: Service) -> None:
    """Only a stream that has older events than the newest of SQL, and not that one, has gone back."""
    _run_to_its_end(service, enqueue("add", {"a": 1}).id)
    for lost in (lambda: None, lambda: service.redis.xtrim("sira:events", maxlen=0), service.redis.flushall):
        lost()
        rollback.note()

        assert not service.redis.exists(rollback.SEEN_AT)


def _run_to_its_end(service: Service, task_id: str, *queues: str) -> None:
    """By a worker that has left again when that end stands in SQL."""
    worker = service.run_worker(*queues)
    wait_until(lambda: row_of(task_id)["state"] == "SUCCESS", what="its end in SQL")
    assert worker.stop() == 0
