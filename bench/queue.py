"""What the queue adds to a letter: in a bulk and as a task of its own."""

import time
from typing import Any

from rq.suspension import resume, suspend

from bench.service import Service, cpu_ms, service
from bench.table import Measured, Row, alternate, cost
from workers import records, settings
from workers.engine import enqueue, find, wire
from workers.engine.tasks import Task
from workers.services import letters, snapshots

BULK, SINGLES, WARM = 1_000, 300, 50
ROUNDS = 9
WITHIN_S = 300.0


def bulk() -> list[Row]:
    """A letter in a bulk on one child, and the service alone on records in memory."""
    with service(BULK) as own, own.workers(1) as (child,):
        found = list(records.mutabakat(own.letter_ids).values())
        run_bulk(own, WARM)
        pairs = alternate(lambda: _bulk_round(own, child), lambda: _alone(found), rounds=ROUNDS)
    what = f"letter in a bulk of {BULK:,} on 1 child, to the service alone:"
    return [
        cost(f"{what} wall", pairs["wall"], "ms", at_most=1.3),
        cost(f"{what} CPU of the child", pairs["child"], "ms", at_most=1.3),
        cost(f"{what} CPU with keeper, Valkey and enqueue", pairs["all"], "ms"),
    ]


def singles() -> list[Row]:
    """Letters as tasks of their own, enqueued beforehand and drained by one child."""
    with service(SINGLES) as own, own.workers(1) as (child,):
        found = list(records.mutabakat(own.letter_ids).values())
        _singles_round(own, child)
        pairs = alternate(lambda: _singles_round(own, child), lambda: _alone(found), rounds=ROUNDS)
    what = f"letter as one of {SINGLES} single tasks on 1 child, to the service alone:"
    return [
        cost(f"{what} wall", pairs["wall"], "ms", at_most=1.3),
        cost(f"{what} CPU of the child", pairs["child"], "ms", at_most=1.3),
        cost(f"{what} CPU with keeper and Valkey", pairs["all"], "ms"),
    ]


def run_bulk(own: Service, count: int, format: str = "zip") -> Measured:
    """`wall`: seconds from the call of `enqueue` to the end as Redis wrote it; `size` of the result in bytes."""
    began = time.time()
    params = {"mutabakat_ids": own.letter_ids[:count], "format": format}
    ended = _success(enqueue("generate_bulk_pdfs", params, scope=own.scope))
    assert ended.ended_at
    return {"wall": ended.ended_at.timestamp() - began, "size": ended.result["size"]}


def _success(task: Task) -> Task:
    ended = task.wait(WITHIN_S)
    if ended.state != "SUCCESS":
        raise SystemExit(f"{ended.kind} ended as {ended.state}: {ended.error}")
    return ended


def _alone(found: list[dict[str, Any]]) -> Measured:
    zone, wall_s, cpu_s = settings.current().timezone, time.perf_counter(), time.process_time()
    for record in found:
        letters.draw(snapshots.letter(record, zone=zone))
    wall_ms = (time.perf_counter() - wall_s) * 1000 / len(found)
    own_ms = (time.process_time() - cpu_s) * 1000 / len(found)
    return {"wall": wall_ms, "child": own_ms, "all": own_ms}


def _bulk_round(own: Service, child: int) -> Measured:
    child_ms, all_ms = cpu_ms(child), own.cpu_ms() + time.process_time() * 1000
    wall_s = run_bulk(own, BULK)["wall"]
    child_ms, all_ms = cpu_ms(child) - child_ms, own.cpu_ms() + time.process_time() * 1000 - all_ms
    return {"wall": wall_s * 1000 / BULK, "child": child_ms / BULK, "all": all_ms / BULK}


def _singles_round(own: Service, child: int) -> Measured:
    """From the claim of the first to the end of the last; they were all waiting before."""
    suspend(wire.connect())
    waiting = [enqueue("generate_mutabakat_pdf", {"mutabakat_id": i}, scope=own.scope) for i in own.letter_ids]
    child_ms, all_ms = cpu_ms(child), own.cpu_ms()
    resume(wire.connect())
    last, first = _success(waiting[-1]), find(waiting[0].id)
    child_ms, all_ms = cpu_ms(child) - child_ms, own.cpu_ms() - all_ms
    assert last.ended_at
    assert first.started_at
    wall_s = (last.ended_at - first.started_at).total_seconds()
    return {"wall": wall_s * 1000 / SINGLES, "child": child_ms / SINGLES, "all": all_ms / SINGLES}
