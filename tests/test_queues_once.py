"""Accepting work once and whole: idempotency keys, double clicks, bulks that nobody sees half."""

import os
import signal
import time
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import timedelta
from itertools import count
from threading import Barrier
from typing import Any

import pytest
from sqlalchemy import func, select

from tests.conftest import Service, wait_until
from tests.hands import FORK
from workers.db import now, reading
from workers.engine import enqueue, find, ledger, queues, reconcile, registry
from workers.engine.seal import Seal
from workers.engine.tables import items, keys, tasks
from workers.engine.tasks import params_of, search
from workers.errors import KeyReused, UnknownTask

ALREADY = timedelta(0)


def how_many(table: Any) -> int:
    with reading() as session:
        return session.scalar(select(func.count()).select_from(table)) or 0


@pytest.mark.parametrize(("kind", "params"), [("add", {"a": 1}), ("square_all", {"numbers": [1, 2, 3]})])
def test_the_same_key_and_request_give_the_same_task(anywhere: Service, kind: str, params: dict[str, Any]) -> None:
    first = enqueue(kind, params, scope="7", key="k")
    again = enqueue(kind, params, scope="7", key="k")

    assert (first.replayed, again.replayed) == (False, True)
    assert again.id == first.id
    assert (how_many(tasks), anywhere.redis.llen(f"rq:queue:{first.queue}")) == (1, 1)


def test_a_default_that_is_spelled_out_is_the_same_request(service: Service) -> None:
    first = enqueue("add", {"a": 1}, key="k")

    assert enqueue("add", {"b": 2, "a": 1}, key="k").id == first.id


def test_the_same_key_for_another_request_is_refused(anywhere: Service) -> None:
    enqueue("add", {"a": 1}, key="k")
    enqueue("square_all", {"numbers": [1]}, key="bulk")

    for kind, params, due_at in (
        ("add", {"a": 2}, None),
        ("of_company", {"company_id": 1}, None),
        ("add", {"a": 1}, now()),
    ):
        with pytest.raises(KeyReused):
            enqueue(kind, params, key="k", due_at=due_at)
    with pytest.raises(KeyReused):
        enqueue("square_all", {"numbers": [2]}, key="bulk")
    assert (how_many(tasks), how_many(items)) == (2, 1)


def test_two_companies_may_use_the_same_key(service: Service) -> None:
    ids = {enqueue("add", {"a": 1}, scope=scope, key="k").id for scope in ("1", "2", None)}

    assert len(ids) == 3


@pytest.mark.parametrize(("kind", "params"), [("add", {"a": 1}), ("square_all", {"numbers": list(range(30))})])
def test_twenty_clicks_at_once_with_one_key_make_one_task(anywhere: Service, kind: str, params: dict[str, Any]) -> None:
    barrier = Barrier(20)

    def click(_: int) -> Any:
        barrier.wait()
        return enqueue(kind, params, scope="7", key="k")

    with ThreadPoolExecutor(20) as pool:
        given = list(pool.map(click, range(20)))

    assert len({task.id for task in given}) == 1
    assert sum(task.replayed for task in given) == 19
    assert (how_many(tasks), how_many(keys)) == (1, 1)
    assert how_many(items) == len(params.get("numbers", []))
    assert anywhere.redis.llen(f"rq:queue:{given[0].queue}") == 1


def test_the_items_of_a_bulk_are_rows_in_posted_order_from_position_one(anywhere: Service) -> None:
    numbers = list(range(1200, 0, -1))

    task = enqueue("square_all", {"numbers": numbers})

    with reading() as session:
        rows = session.execute(select(items).where(items.c.task_id == task.id).order_by(items.c.position)).all()
    assert [row.position for row in rows] == list(range(1, 1201))
    assert [Seal.loads(row.value) for row in rows] == numbers
    assert {row.state for row in rows} == {"pending"}
    assert "numbers" not in params_of(task.id)
    assert find(task.id).counts == {"pending": 1200, "done": 0, "failed": 0, "skipped": 0, "unknown": 0}


def test_a_bulk_is_seen_by_nobody_before_its_last_item_is_written(
    anywhere: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Any] = []
    fill = ledger.fill

    def look_while_filling(task_id: str, rows: list[Any]) -> None:
        fill(task_id, rows)
        with pytest.raises(UnknownTask):
            find(task_id)
        seen.extend([search(), anywhere.redis.dbsize(), reconcile.reconcile()])

    monkeypatch.setattr(ledger, "fill", look_while_filling)
    task = enqueue("square_all", {"numbers": [1, 2]})

    assert seen == [([], None), 0, 0]
    assert find(task.id).state == "PENDING"


def test_a_crash_in_the_middle_of_a_bulk_leaves_nothing_visible_and_is_tidied_up(
    anywhere: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    write, chunks = ledger.many, count(1)

    def stand_still_in_the_third(*given: Any) -> None:
        write(*given)
        if next(chunks) == 3:
            time.sleep(600)

    monkeypatch.setattr(ledger, "many", stand_still_in_the_third)
    child = FORK.Process(target=lambda: enqueue("square_all", {"numbers": list(range(100_000))}))
    child.start()
    wait_until(lambda: how_many(items) == 2 * ledger.CHUNK_ROWS)

    os.kill(child.pid, signal.SIGKILL)  # type: ignore[arg-type]
    child.join()

    assert (how_many(tasks), how_many(items)) == (1, 2 * ledger.CHUNK_ROWS)
    assert search() == ([], None)
    assert anywhere.redis.dbsize() == 0
    assert reconcile.drop_unreleased() == 0, "a bulk that is still being written looks the same"

    monkeypatch.setattr(reconcile, "UNRELEASED_FOR", ALREADY)
    assert reconcile.drop_unreleased() == 1
    assert (how_many(tasks), how_many(items)) == (0, 0)


def test_of_rows_committed_together_only_the_one_with_a_taken_key_is_refused(service: Service) -> None:
    queues.enqueue("nothing", key="taken")
    rows = [queues._new_row(registry.get("add"), {"a": n}, None, scope=None, due_at=None) for n in range(3)]
    key_rows = [
        {"scope": "", "key": key, "request_hash": "", "task_id": row["id"], "created_at": row["created_at"]}
        for key, row in zip(("first", "taken", "free"), rows, strict=True)
    ]
    waiting = [queues._Waiting(row, key_row, Future()) for row, key_row in zip(rows, key_rows, strict=True)]

    queues._commit(waiting)

    assert [one.outcome.exception() is None for one in waiting] == [True, False, True]
    with reading() as session:
        kept = set(session.scalars(select(tasks.c.id).where(tasks.c.kind == "add")))
    assert kept == {rows[0]["id"], rows[2]["id"]}


def test_an_enqueue_that_is_interrupted_leaves_nothing_for_others_to_commit(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Interrupted(BaseException):
        pass

    def interrupt(_: Any) -> None:
        raise Interrupted

    monkeypatch.setattr(queues, "_commit", interrupt)
    with pytest.raises(Interrupted):
        enqueue("nothing")
    monkeypatch.undo()

    enqueue("add", {"a": 1})

    assert not queues._waiting
    with reading() as session:
        assert session.scalar(select(func.count()).select_from(tasks)) == 1
