"""Redis comes back with what it had a while ago, as after a failover to a replica that lagged behind."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.conftest import Service, lines, wait_until
from tests.hands import row_of
from workers.engine import control, enqueue, find


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
    enqueue("add", {"a": 1}).get(timeout=60)  # a worker that comes later has no line that could break
    path = tmp_path / "runs"
    service.redis.sadd("sira:paused", "email")
    task_id = enqueue("sleep_and_count", {"path": str(path)}).id
    with rolled_back(service):
        control.cancel(task_id)

    service.redis.srem("sira:paused", "email")

    wait_until(lambda: service.redis.hget(f"rq:job:{task_id}", "status") == b"canceled", what="the end in Redis again")
    assert not path.exists()
    assert find(task_id).state == "REVOKED"
