"""What the fault tests share: two sizes of each, a crew of workers that is killed and replaced, counts of what ran.

A test is told its seed, and the terminal's last lines show the seed and the figures of each run. Choose the seed with
FAULTS_SEED to see a run again.
"""

import json
import os
import random
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from tests.conftest import Service, WorkerProcess, lines, wait_until
from tests.fault_kinds import EFFECTS
from workers import db, embedded, settings
from workers.db import reading
from workers.engine import enqueue, queues
from workers.engine.tables import tasks
from workers.engine.tasks import ENDED, Task

QUEUES = tuple(EFFECTS)
LEASE_S, RESCUE_S = 30.0, 5.0
QUICK = {
    **{"lease_s": 2.0, "back_off_s": 0.2, "missing_for_s": 2.0},
    "periods": {
        **{"renew_s": 0.3, "rescue_s": 0.3, "promote_s": 0.1, "record_s": 0.1, "reconcile_s": 0.5},
        "duty_lease_s": 1.0,
    },
}


def sized(short: Any, full: Any) -> Any:
    """The same test in two sizes: short in `make test`, in full length in `make test-faults`; a list is several runs.
    The test gets one as `size`."""
    params = [pytest.param(size, id=_id("short", size)) for size in _listed(short)]
    params += [pytest.param(size, id=_id("full", size), marks=[pytest.mark.faults]) for size in _listed(full)]
    return pytest.mark.parametrize("size", params)


def _listed(sizes: Any) -> list[Any]:
    return sizes if isinstance(sizes, list) else [sizes]


def _id(name: str, size: Any) -> str:
    return " ".join([name, *(value for value in size.values() if isinstance(value, str))])


def runs(path: Path) -> Counter[int]:
    """How often each job had its effect."""
    return Counter(map(int, lines(path)))


def family(pid: int) -> list[int]:
    """A process and its children."""
    with suppress(FileNotFoundError, ProcessLookupError):
        return [pid, *map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())]
    return []


def alive(pid: int) -> bool:
    """Whether the process runs; one that is dead and not yet waited for does not."""
    with suppress(FileNotFoundError, ProcessLookupError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


def overlaps(beats: list[str]) -> int:
    """How many beats of one process fall between two beats of another."""
    by_pid: dict[str, list[float]] = {}
    for beat in beats:
        pid, at = beat.split()
        by_pid.setdefault(pid, []).append(float(at))
    spans = sorted((min(times), max(times)) for times in by_pid.values())
    return sum(later[0] < earlier[1] for earlier, later in pairwise(spans))


@dataclass
class Crew:
    """The workers of one run, their sabotage, their losses, and what becomes known of the run."""

    service: Service
    figures: dict[str, Any]
    seed: int
    sabotage: dict[str, Any] = field(default_factory=dict)
    workers: list[WorkerProcess] = field(default_factory=list)
    tasks: list[Task] = field(default_factory=list)
    started: int = 0

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)
        self.starters = ThreadPoolExecutor(4)
        self.effects = self.service.data_dir / "effects"

    @property
    def lease_s(self) -> float:
        """What it takes at most until the work of a dead machine is given back."""
        return float(self.sabotage["lease_s"] + 0.3 if "lease_s" in self.sabotage else LEASE_S + RESCUE_S)

    def start(self, count: int = 1, *orders: str, **more: Any) -> WorkerProcess:
        """Start workers side by side; `orders` is their command line, `more` the sabotage of these alone."""
        given = [self.start_later(*orders, **more) for _ in range(count)]
        return [one.result() for one in given][-1]

    def start_later(self, *orders: str, **more: Any) -> "Future[WorkerProcess]":
        """Start a worker and do not wait until it is ready; it counts as one of the crew from then on."""
        url = more.pop("redis_url", self.service.settings.redis_url)
        told = {"TESTS_SABOTAGE": json.dumps({**self.sabotage, **more}), "REDIS_URL": url}
        self.started += 1
        own = replace(
            self.service, env={**self.service.env, **told}, data_dir=self.service.data_dir / f"crew-{self.started}"
        )
        own.data_dir.mkdir()

        def start() -> WorkerProcess:
            self.workers.append(own.run_worker(*orders))
            return self.workers[-1]

        return self.starters.submit(start)

    def enqueue(self, count: int, queues: tuple[str, ...] = QUEUES, seconds: float = 0.02) -> list[Task]:
        """As many effects, spread over the queues; sixteen at a time, so that commits are shared."""

        def one(number: int) -> Task:
            params = {"path": str(self.effects), "number": number, "seconds": seconds}
            return enqueue(EFFECTS[queues[number % len(queues)]], params)

        first = len(self.tasks)
        with ThreadPoolExecutor(16) as pool:
            made = list(pool.map(one, range(first, first + count)))
        self.tasks += made
        return made

    def kill(self, worker: WorkerProcess, *, wait: bool = True) -> None:
        """The whole machine at once: every process of the worker, without a word."""
        for pid in family(worker.pid):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.workers.remove(worker)
        if wait:
            worker.process.wait()

    def light(self, point: str, victim: str) -> Path:
        fuse = Path(self.sabotage["fuses"], point)
        fuse.with_suffix(".new").write_text(victim)
        return fuse.with_suffix(".new").rename(fuse)

    def replace_dead(self, *orders: str) -> int:
        """A new worker for each that has died; how many."""
        dead = [worker for worker in self.workers if worker.process.poll() is not None]
        for worker in dead:
            self.workers.remove(worker)
        if dead:
            self.start(len(dead), *orders)
        return len(dead)

    def settle(self, timeout_s: float) -> float:
        """Wait until SQL says of every task that it has ended; how long that took, in seconds."""
        began = time.monotonic()
        wait_until(lambda: open_rows() == 0, timeout_s=timeout_s, what="the end of all tasks")
        return round(time.monotonic() - began, 1)

    def states(self) -> Counter[str]:
        with reading() as session:
            query = select(tasks.c.state, func.count()).group_by(tasks.c.state)
            return Counter(dict(map(tuple, session.execute(query))))

    def note(self, **figures: Any) -> None:
        self.figures.update(figures)

    def count(self) -> tuple[int, int]:
        """(lost, run more than once) among the effects; noted as figures."""
        ran = runs(self.effects)
        lost = [number for number in range(len(self.tasks)) if not ran[number]]
        twice = sum(times - 1 for times in ran.values())
        self.note(jobs=len(self.tasks), lost=len(lost), run_twice=twice)
        return len(lost), twice

    def leftovers(self) -> dict[str, int]:
        """What no ended task may leave behind: leases, work in progress, executions, waiting ids."""
        redis = self.service.redis
        found = {"leases": redis.zcard("sira:leases"), "executions": len(list(redis.scan_iter("rq:execution*")))}
        found |= {f"wip {queue}": redis.zcard(f"rq:wip:{queue}") for queue in QUEUES}
        found |= {f"queue {queue}": redis.llen(f"rq:queue:{queue}") for queue in QUEUES}
        return {name: count for name, count in found.items() if count}


def open_rows() -> int:
    with reading() as session:
        query = select(func.count()).select_from(tasks).where(tasks.c.state.not_in(ENDED))
        return session.scalar(query) or 0


@pytest.fixture
def crew(service: Service, request: pytest.FixtureRequest) -> Iterator[Crew]:
    """Workers of one's own. In the short size leases, pauses and periods are a fraction of the real ones."""
    seed = int(os.environ.get("FAULTS_SEED") or random.SystemRandom().randrange(10**6))
    figures: dict[str, Any] = {"seed": seed}
    request.node.user_properties.append(("figures", figures))
    fuses = service.data_dir / "fuses"
    fuses.mkdir()
    full = any(mark.name == "faults" for mark in request.node.iter_markers())
    crew = Crew(service, figures, seed, {"fuses": str(fuses), **({} if full else QUICK)})
    yield crew
    crew.starters.shutdown()


@pytest.fixture
def own_server(service: Service, tmp_path: Path) -> Iterator[embedded.EmbeddedValkey]:
    """A server that this test may kill: the service uses it instead of the common one."""
    with embedded.EmbeddedValkey(tmp_path / "server") as server:
        use_redis(service, server.url)
        yield server


def use_redis(service: Service, url: str) -> None:
    service.settings = service.settings.model_copy(update={"redis_url": url})
    service.env["REDIS_URL"] = url
    db.close()
    settings.use(service.settings)
    queues._closed_until = 0.0


def until(condition: Callable[[], Any], timeout_s: float, what: str) -> float:
    """Wait for a condition; the seconds that it took."""
    began = time.monotonic()
    wait_until(condition, timeout_s=timeout_s, what=what)
    return round(time.monotonic() - began, 2)
