import json
import os
import signal
import subprocess
from pathlib import Path
from threading import Thread

import pytest
from rq.command import send_kill_horse_command, send_shutdown_command, send_stop_job_command

from tests.conftest import Service, wait_until
from tests.proxy import Proxy
from workers import settings
from workers.engine import commands, enqueue, find
from workers.engine.keeper import Keeper
from workers.engine.seal import Seal


def slot(service: Service) -> str:
    """The RQ name of the one worker there is."""
    (key,) = wait_until(lambda: service.redis.smembers("rq:workers"), what="a registered worker")
    return key.decode().removeprefix("rq:worker:")


def hears(service: Service, name: str) -> bool:
    return bool(service.redis.pubsub_numsub(f"rq:pubsub:{name}")[0][1])


def listening(service: Service) -> str:
    name = slot(service)
    wait_until(lambda: hears(service, name), what="a keeper that listens")
    return name


def begun(path: Path) -> None:
    wait_until(lambda: path.exists() and path.read_text().startswith("begin"), what="the job's first line")


def test_a_slot_that_is_shut_down_ends_its_job_first_and_is_replaced(service: Service, tmp_path: Path) -> None:
    service.run_worker()
    name, path = listening(service), tmp_path / "lines"
    task = enqueue("sleep", {"seconds": 1.0, "path": str(path)})
    begun(path)

    send_shutdown_command(service.redis, name)

    assert task.get(timeout=60) == "slept"
    assert wait_until(lambda: slot(service) != name and slot(service), what="a slot of another name")
    assert enqueue("add", {"a": 1}).get(timeout=60) == {"sum": 3}


def test_a_job_that_is_stopped_ends_as_cancelled(service: Service, tmp_path: Path) -> None:
    service.run_worker()
    listening(service)
    task = enqueue("sleep", {"seconds": 30, "path": str(tmp_path / "lines")})
    begun(tmp_path / "lines")

    send_stop_job_command(service.redis, task.id, serializer=Seal)

    assert task.wait(60).state == "REVOKED"
    assert (tmp_path / "lines").read_text() == "begin\n"


def test_a_killed_horse_is_a_lost_worker(service: Service, tmp_path: Path) -> None:
    service.run_worker()
    name = listening(service)
    task = enqueue("sleep", {"seconds": 30, "path": str(tmp_path / "lines")})
    begun(tmp_path / "lines")

    send_kill_horse_command(service.redis, name)

    ended = task.wait(60)
    assert (ended.state, ended.error and ended.error["type"]) == ("FAILURE", "WorkerLost")


def test_a_keeper_that_sleeps_is_woken_by_a_command(service: Service) -> None:
    told, tell = os.pipe()
    asleep, child = Keeper(told), subprocess.Popen(["sleep", "60"])
    try:
        asleep._alive["mine"] = child.pid
        asleep._obey()
        wait_until(lambda: hears(service, "mine"))
        asleep._obey()  # the answer to its own question has been read, too

        waits = Thread(target=asleep._listen, args=(3_600.0,), daemon=True)
        waits.start()
        send_shutdown_command(service.redis, "mine")
        waits.join(30)
        assert not waits.is_alive()
        asleep._obey()

        assert child.wait(30) == -signal.SIGTERM
    finally:
        child.kill()
        child.wait()
        asleep._ear.close()
        os.close(tell)  # which wakes whoever still waits
        os.close(told)


def test_what_is_no_command_is_left_alone(service: Service) -> None:
    service.run_worker()
    name = listening(service)

    for said in (b"\xff", b"[]", b"{}", b'{"command": 7}', b'{"command": "rm -rf"}', b'{"command": "stop-job"}'):
        service.redis.publish(f"rq:pubsub:{name}", said)

    assert enqueue("add", {"a": 1}).get(timeout=60) == {"sum": 3}
    assert find(enqueue("nothing").id).wait(60).state == "SUCCESS"
    assert slot(service) == name


def test_commands_are_heard_again_after_a_route_has_gone_silent(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(commands, "ASK_EVERY_S", 0.01)
    monkeypatch.setattr(commands, "SILENT_S", 0.05)
    ear = commands.Ear()
    with Proxy(service.settings.redis_url) as proxy:
        settings.use(service.settings.model_copy(update={"redis_url": proxy.url}))
        wait_until(lambda: list(ear.heard({"me"})) or service.redis.pubsub_numsub("rq:pubsub:me")[0][1])

        proxy.stall()
        wait_until(lambda: list(ear.heard({"me"})) or ear._line is None)
        settings.use(service.settings)

        said = json.dumps({"command": "shutdown"})
        heard = wait_until(lambda: [*ear.heard({"me"}), service.redis.publish("rq:pubsub:me", said)][:-1])
        ear.close()

    assert heard[0] == ("me", "shutdown", "")
