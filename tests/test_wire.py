"""The wire: how each address of the settings leads to a server. With and without Redis: test_queues.py."""

import subprocess
from collections.abc import Iterator
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import quote

import pytest

from app.ports import held_port
from tests.conftest import SECRET, Service, wait_until
from workers import embedded, settings
from workers.engine import enqueue, queues, wire

PASSWORD = "p@ss/w%rd:ğ"


@pytest.fixture
def sentinel(tmp_path: Path) -> Iterator[int]:
    """The port of a Sentinel that watches over a server with a PASSWORD, called sira."""
    held = [held_port(), held_port()]
    server, watcher = (each.getsockname()[1] for each in held)
    (tmp_path / "sentinel.conf").write_text(
        f'port {watcher}\nsentinel monitor sira 127.0.0.1 {server} 1\nsentinel auth-pass sira "{PASSWORD}"\n'
    )
    orders = [
        ["--port", str(server), "--requirepass", PASSWORD, "--save", ""],
        [str(tmp_path / "sentinel.conf"), "--sentinel"],
    ]
    running = [
        subprocess.Popen([embedded.server(), *order], cwd=tmp_path, stdout=subprocess.DEVNULL) for order in orders
    ]
    yield watcher
    for each in held:
        each.close()
    for process in running:
        process.terminate()
        process.wait(timeout=20)


def test_a_server_is_found_by_sentinel_and_its_password_is_read_as_in_every_url(
    service: Service, sentinel: int
) -> None:
    url = f"redis+sentinel://:{quote(PASSWORD, safe='')}@127.0.0.1:{sentinel}/sira/0"
    settings.use(settings.load(redis_url=url, secret_key=SECRET, data_dir=service.data_dir))
    try:
        wait_until(queues.ping, timeout_s=20, what="the server that Sentinel names")
    finally:
        wire.connect().connection_pool.disconnect()


def test_sentinels_are_reached_by_name_and_by_either_kind_of_address(service: Service) -> None:
    url = "redis+sentinel://sira:pw@h1:26380,10.0.0.1,[::1]:26381/sira/0"
    settings.use(settings.load(redis_url=url, secret_key=SECRET, data_dir=service.data_dir))

    asked = [
        each.connection_pool.connection_kwargs for each in wire.connect().connection_pool.sentinel_manager.sentinels
    ]

    assert [(one["host"], one["port"]) for one in asked] == [("h1", 26380), ("10.0.0.1", 26379), ("::1", 26381)]


def test_a_thread_that_enqueues_has_its_line_to_redis_before_it_commits(service: Service) -> None:
    found: list[bool] = []

    def beside(_: Any, row: dict[str, Any]) -> None:
        found.append(wire._kept.push.is_open and not service.redis.exists(f"rq:job:{row['id']}"))

    thread = Thread(target=lambda: enqueue("add", {"a": 40}, beside=beside))
    thread.start()
    thread.join(60)

    assert found == [True]
    assert service.redis.llen("rq:queue:sms") == 1


def test_a_server_whose_disk_takes_nothing_is_told_from_one_that_takes_tasks(service: Service) -> None:
    held = held_port()
    port = held.getsockname()[1]
    orders = ["--port", str(port), "--dir", "/proc", "--save", "3600 1", "--logfile", ""]
    server = subprocess.Popen([embedded.server(), *orders], stdout=subprocess.DEVNULL)
    settings.use(settings.load(redis_url=f"redis://127.0.0.1:{port}/0", secret_key=SECRET, data_dir=service.data_dir))
    try:
        wait_until(queues.takes, timeout_s=20, what="a server")

        wire.connect().bgsave()

        wait_until(lambda: not queues.takes(), timeout_s=20, what="a word of the disk")
    finally:
        wire.connect().connection_pool.disconnect()
        server.kill()
        server.wait(timeout=20)
        held.close()
