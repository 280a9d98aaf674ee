"""What every test may ask for: a service of its own, real Valkey, real workers, and patience with a deadline."""

import gc
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings as examples
from sqlalchemy import text

from tests.postgres import fresh_database, running_postgres
from tests.template import Forked, Template, serves
from workers import db, embedded, settings
from workers.engine import queues, wire

ROOT = Path(__file__).parent.parent
BARE = ROOT / "tests" / "bare"
IN_BROWSER = re.compile(r"^from tests(\.browser import| import .*\bbrowser\b)", re.M)
SECRET = "a secret of the tests long enough to seal with"
IN_MEMORY, ENOUGH_BYTES = Path("/dev/shm"), 8 << 30
if "TMPDIR" not in os.environ and IN_MEMORY.is_dir() and shutil.disk_usage(IN_MEMORY).free > ENOUGH_BYTES:
    # A killed process leaves the same behind in memory as on a disk, and no neighbour of ours keeps a test waiting.
    os.environ["TMPDIR"], tempfile.tempdir = str(IN_MEMORY), None
# Hypothesis' own for such runs: the same examples each time, and none that fails because its process stood still for
# 0.2 s. `--hypothesis-profile=default` looks for others.
examples.load_profile("ci")
# A machine that others keep busy for a moment has no server that is away; so the product's own patience is too short.
HURRIED_S = {"PUSH_TIMEOUT_S": wire.PUSH_TIMEOUT_S, "LOOK_TIMEOUT_S": wire.LOOK_TIMEOUT_S}
wire.PUSH_TIMEOUT_S = wire.LOOK_TIMEOUT_S = wire.SOCKET_TIMEOUT_S


def pytest_collection_finish() -> None:
    """What is loaded by now is never garbage: looking through it, time and again, took a quarter of a test's time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


def wait_until(condition: Callable[[], Any], *, timeout_s: float = 60.0, what: str = "the condition") -> Any:
    """The condition's first true value; fails the test after the deadline."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        if value := condition():
            return value
        time.sleep(0.02)
    pytest.fail(f"{what} did not come true within {timeout_s} s")


def lines(path: Path) -> list[str]:
    """What others have written into a file so far; none where it is not there yet."""
    return path.read_text().splitlines() if path.exists() else []


def title_of(pid: str) -> str:
    """What the process is called; nothing once it has died."""
    with suppress(FileNotFoundError, ProcessLookupError):
        return Path(f"/proc/{pid}/cmdline").read_text()
    return ""


@dataclass
class WorkerProcess:
    """A real `python -m workers` with the kinds of tests/kinds.py and tests/fault_kinds.py in its catalogue."""

    process: subprocess.Popen[str] | Forked
    log: Path

    @property
    def pid(self) -> int:
        return self.process.pid

    def children(self) -> list[int]:
        """The process ids of its working children (not of its keeper, nor of one that has just been born)."""
        listed = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()
        return [int(pid) for pid in listed if "slot" in title_of(pid)]

    def stop(self, *, timeout_s: float = 30.0) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout_s)


@dataclass
class Service:
    """Settings, environment and processes of one test's own service."""

    settings: settings.Settings
    env: dict[str, str]
    data_dir: Path
    workers: list[WorkerProcess] = field(default_factory=list)

    @property
    def redis(self) -> Any:
        return wire.connect()

    def run_worker(self, *arguments: str, concurrency: int = 1) -> WorkerProcess:
        """Start a worker and wait until it says that it is ready."""
        log, orders = self.data_dir / f"worker-{len(self.workers)}.log", ["--concurrency", str(concurrency), *arguments]
        log.touch()
        process: Any
        if serves(self.env, BARE):
            process = _template().fork(orders, self.env, log)
        else:
            command = [sys.executable, "-m", "tests.worker", *orders]
            process = subprocess.Popen(command, cwd=ROOT, env=self.env, stdout=log.open("w"), stderr=subprocess.STDOUT)
        worker = WorkerProcess(process, log)
        self.workers.append(worker)
        wait_until(
            lambda: "\nready" in log.read_text() or process.poll() is not None, timeout_s=180, what="a ready worker"
        )
        return worker

    def end(self) -> None:
        for worker in self.workers:
            if worker.process.poll() is None:
                worker.process.kill()
                worker.process.wait()


@cache
def _template() -> Template:
    """Of which this test process forks its workers."""
    return Template(ROOT, {**os.environ, "PYTHONPATH": str(BARE)})


def pytest_unconfigure() -> None:
    if _template.cache_info().currsize:
        _template().close()


@pytest.fixture(scope="session")
def valkey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a Valkey server that this test process has for itself."""
    with embedded.EmbeddedValkey(tmp_path_factory.mktemp("valkey")) as server:
        yield server.url


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An SQLite file with all tables, as the migrations make them."""
    from workers.migrations import upgrade

    folder = tmp_path_factory.mktemp("database")
    settings.use(settings.load(data_dir=folder))
    upgrade()
    db.close()
    settings.use(None)
    return folder / "sira.db"


@pytest.fixture
def service(valkey: str, empty_database: Path, tmp_path: Path) -> Iterator[Service]:
    """A service with an empty database, an empty Redis and no workers yet."""
    import tests.fault_kinds
    import tests.kinds  # noqa: F401

    shutil.copy(empty_database, tmp_path / "sira.db")
    given = {"REDIS_URL": valkey, "SECRET_KEY": SECRET, "DATA_DIR": str(tmp_path), "PYTHONPATH": str(BARE)}
    chosen = settings.load(redis_url=valkey, secret_key=SECRET, data_dir=tmp_path)
    settings.use(chosen)
    wire.connect().flushall()
    queues._closed_until = 0.0  # what an earlier test learnt of a server that was away
    running = Service(chosen, {**os.environ, **given}, tmp_path)
    yield running
    running.end()
    db.close()
    settings.use(None)


@pytest.fixture
def run_worker(service: Service) -> Callable[..., WorkerProcess]:
    return service.run_worker


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a PostgreSQL server that this test process has for itself."""
    with running_postgres(tmp_path_factory.mktemp("postgres")) as url:
        yield url


@pytest.fixture(scope="session")
def postgres_database(postgres: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The URL of a PostgreSQL database with all tables, as the migrations make them."""
    from workers.migrations import upgrade

    url = fresh_database(postgres)
    settings.use(settings.load(data_dir=tmp_path_factory.mktemp("postgres"), database_url=url, secret_key=SECRET))
    upgrade()
    db.close()
    settings.use(None)
    return url


@pytest.fixture(params=["sqlite", "postgresql"])
def anywhere(request: pytest.FixtureRequest, service: Service) -> Service:
    """The service on each kind of database in turn, empty."""
    if request.param == "postgresql":
        url = request.getfixturevalue("postgres_database")
        db.close()
        chosen = {"redis_url": service.settings.redis_url, "data_dir": service.data_dir, "secret_key": SECRET}
        service.settings = settings.load(database_url=url, **chosen)
        service.env["DATABASE_URL"] = url
        settings.use(service.settings)
        with db.writing() as session:
            names = ", ".join(f'"{name}"' for name in db.metadata.tables)
            session.execute(text(f"TRUNCATE {names} RESTART IDENTITY"))
    return service


@pytest.hookimpl(tryfirst=True)
def pytest_collection(session: pytest.Session) -> None:
    """Of a run of all tests in several processes, each readies its share of the files: on a fresh checkout each would
    work on all of them, for longer than anything else takes before the first test."""
    mine = getattr(session.config, "workerinput", None)
    of_all = [ROOT / chosen for chosen in session.config.args] == [ROOT / "tests"]
    if mine and of_all and not sys.dont_write_bytecode:
        from tests import rewritten

        files = sorted((ROOT / "tests").glob("test_*.py"), key=lambda path: -path.stat().st_size)
        rewritten.ready(files[int(mine["workerid"].removeprefix("gw")) :: mine["workercount"]], session.config)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """What needs a browser runs in one process, so that one service and one browser serve it all. (xdist's own groups
    are lost on this pytest: it reads test ids elsewhere.)"""
    from xdist.scheduler import LoadScopeScheduling

    class OneBrowser(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return "browser" if nodeid.partition("::")[0] in in_browser else nodeid

    in_browser = {f"tests/{path.name}" for path in ROOT.glob("tests/test_*.py") if IN_BROWSER.search(path.read_text())}
    return OneBrowser(config, log)


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """The seed and the figures of each fault test, one line for each run."""
    reports = [report for found in terminalreporter.stats.values() for report in found if hasattr(report, "when")]
    for report in reports:
        told = dict(report.user_properties).get("figures") if report.when == "teardown" else None
        if told:
            said = " · ".join(f"{name} {value}" for name, value in told.items())
            terminalreporter.write_line(f"{report.nodeid.partition('::')[2]}: {said}")
    silent = [report for report in terminalreporter.stats.get("skipped", []) if "NO BROWSER" in str(report.longrepr)]
    if silent:
        terminalreporter.write_line(
            f"{len(silent)} tests of the desk were SKIPPED: install chromium", red=True, bold=True
        )
