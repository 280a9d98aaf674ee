"""One writer at a time on SQLite: all get their turn, and who is frozen in its own holds nobody up for long."""

import fcntl
import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from sqlalchemy import insert, select, update

from tests.conftest import Service, wait_until
from tests.hands import FORK, at_once, waiters
from workers import db
from workers.engine.queues import new_id
from workers.engine.tables import history, keys
from workers.errors import DatabaseDown

WRITERS, TRANSACTIONS = 4, 50
ROW: dict[str, Any] = {"scope": "", "key": "k", "request_hash": "0", "task_id": new_id(), "created_at": db.now()}


def write_row(number: int) -> None:
    with db.writing() as session:
        session.execute(insert(keys), {**ROW, "key": str(number)})


def rows() -> int:
    with db.reading() as session:
        return len(session.execute(select(keys)).all())


def test_writers_in_four_processes_all_get_their_turn(anywhere: Service) -> None:
    with db.writing() as session:
        session.execute(insert(keys), ROW)

    def write(writer: int) -> float:
        longest_s = 0.0
        for number in range(TRANSACTIONS):
            began = time.monotonic()
            with db.writing() as session:
                told = {"task_id": ROW["task_id"], "event_id": f"{writer}-{number}", "state": "STARTED", "at": db.now()}
                session.execute(insert(history).values(**told))
                read = session.scalars(select(keys.c.request_hash).with_for_update()).one()
                session.execute(update(keys).values(request_hash=str(int(read) + 1)))
            longest_s = max(longest_s, time.monotonic() - began)
        return longest_s

    at_once(WRITERS, write)

    with db.reading() as session:
        assert session.scalars(select(keys.c.request_hash)).one() == str(WRITERS * TRANSACTIONS), "no write was lost"
        assert len(session.execute(select(history.c.id)).all()) == WRITERS * TRANSACTIONS


def test_writers_of_sqlite_queue_at_one_lock_in_the_kernel_while_readers_go_on(service: Service) -> None:
    lock = service.data_dir / "sira.db.lock"
    with lock.open("w") as holder, ThreadPoolExecutor(2) as pool:
        fcntl.flock(holder, fcntl.LOCK_EX)
        writers = [pool.submit(write_row, number) for number in range(2)]
        wait_until(lambda: waiters(lock) == 2)
        assert rows() == 0

        fcntl.flock(holder, fcntl.LOCK_UN)
        for writer in writers:
            writer.result(timeout=60)

    assert rows() == 2


def test_who_is_frozen_in_a_transaction_of_sqlite_holds_nobody_up_for_long_and_the_next_turn_comes(
    service: Service,
) -> None:
    def holds_it() -> None:
        with db.writing():
            os.kill(os.getpid(), signal.SIGSTOP)

    frozen = FORK.Process(target=holds_it)
    frozen.start()
    assert frozen.pid
    os.waitpid(frozen.pid, os.WUNTRACED)
    with ThreadPoolExecutor(1) as pool:
        refused = pool.submit(write_row, 1)
        try:
            wait_until(refused.done)
        finally:
            os.kill(frozen.pid, signal.SIGCONT)
    frozen.join()

    assert isinstance(refused.exception(), DatabaseDown)
    write_row(2)
    assert rows() == 1, "the turn that came too late was given back, and nothing was written in it"
