"""Workers on the desk: what they run, how they restart and pause."""

import os
import re
import signal
import time
from pathlib import Path
from threading import Timer

from app.desk import crew
from tests import desk as desks
from tests.conftest import Service, lines, title_of, wait_until
from tests.desk import Desk, acts
from workers.engine import enqueue, find

face, desk = desks.face, desks.english_desk


def test_workers_are_listed_with_what_they_run_and_restart_after_it(desk: Desk, service: Service) -> None:
    worker = service.run_worker()
    release = service.data_dir / "release"
    task = enqueue("linger", {"path": str(service.data_dir / "lines"), "release": str(release)})
    wait_until(lambda: lines(service.data_dir / "lines"))
    (before,) = worker.children()
    text = desk.operator.get("/admin/workers").text
    (name,) = workers_of(service)

    assert (name in text, f"/tasks/{task.id}" in text, os.uname().nodename in text) == (True, True, True)
    assert (
        "Asked to restart"
        in desk.operator.get(desk.operator.post("/admin/workers/restart", {"worker": name}).location).text
    )

    release.touch()
    wait_until(lambda: worker.children() not in ([], [before]), what="a fresh child")
    assert find(task.id).state == "SUCCESS"
    assert acts() == [("workers restart", name)]


def test_the_workers_of_one_process_stand_together(desk: Desk, service: Service) -> None:
    first, second = service.run_worker(concurrency=2), service.run_worker()
    wait_until(lambda: len(workers_of(service)) == 3, what="workers that are registered")

    text = desk.operator.get("/admin/workers").text

    host = os.uname().nodename
    headings = sorted(re.findall(r"<h2[^>]*>([^<]+?) <small", text))
    assert headings == sorted(f"{host} · {worker.pid}" for worker in (first, second))
    assert text.count("Restart all of this process") == 1
    assert "2 worker processes" in desk.operator.get("/admin").text


def test_two_containers_of_one_name_are_two_processes(desk: Desk, service: Service) -> None:
    for name in ("box-7-0a1f-1-1", "box-7-0a1f-2-1", "box-7-1234-1-1", "named"):
        service.redis.hset(f"rq:worker:{name}", mapping={"birth": "2026-01-01T00:00:00.000000Z", "hostname": "box"})
        service.redis.sadd("rq:workers", f"rq:worker:{name}")

    assert [(process.pid, len(process.slots)) for process in crew.processes()] == [("7", 2), ("7", 1), ("named", 1)]


def test_a_worker_whose_keeper_does_not_listen_yet_restarts_all_the_same(desk: Desk, service: Service) -> None:
    worker = service.run_worker()
    (before,) = wait_until(worker.children)
    (name,) = wait_until(lambda: workers_of(service))
    wait_until(lambda: service.redis.client_list(_type="pubsub"), what="a keeper that listens")
    (keeper,) = [int(pid) for pid in born_of(worker.pid) if "keeper" in title_of(pid)]
    os.kill(keeper, signal.SIGSTOP)
    service.redis.execute_command("CLIENT", "KILL", "TYPE", "pubsub")  # as before it has come so far
    on = Timer(1.0, os.kill, (keeper, signal.SIGCONT))
    on.start()

    desk.operator.post("/admin/workers/restart", {"worker": name})

    wait_until(lambda: worker.children() not in ([], [before]), what="a fresh child")
    on.join()


def test_what_nobody_listens_for_is_said(desk: Desk, service: Service) -> None:
    lost = [f"lost-{number}" for number in range(12)]
    service.redis.sadd("rq:workers", *(f"rq:worker:{name}" for name in lost))
    began = time.monotonic()

    answer = desk.operator.post("/admin/workers/restart", {"worker": lost})

    assert time.monotonic() - began < 20, "it waits for all at once: the web server would end a request of 36 s"
    assert (answer.status_code, acts()) == (303, [("workers restart", None)])
    assert f"Nobody listens for {', '.join(lost)}." in desk.operator.get("/admin/workers").text


def born_of(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/task/{pid}/children").read_text().split()


def workers_of(service: Service) -> list[str]:
    return [key.decode().removeprefix("rq:worker:") for key in service.redis.smembers("rq:workers")]


def test_a_worker_that_is_gone_is_no_error(desk: Desk) -> None:
    answer = desk.operator.post("/admin/workers/restart", {"worker": "nobody"})

    assert (answer.status_code, acts()) == (303, [("workers restart", None)])
    assert "That worker is gone already." in desk.operator.get("/admin/workers").text


def test_all_workers_pause_and_go_on_and_pause_what_has_drained(desk: Desk, service: Service) -> None:
    desk.operator.post("/admin/workers/suspend")
    service.run_worker()
    tasks = [enqueue("add", {"a": number}) for number in range(20)]
    desk.operator.post("/admin/queues/sms/drain")
    assert "All workers are paused" in desk.operator.get("/admin").text
    assert {find(task.id).state for task in tasks} == {"PENDING"}

    desk.operator.post("/admin/workers/wake")

    assert tasks[-1].get(timeout=60) == {"sum": 21}
    wait_until(lambda: service.redis.sismember("sira:paused", "sms"), what="a queue that has drained")
    assert {find(task.id).state for task in tasks} == {"SUCCESS"}
