"""A service of the benchmarks' own, with the embedded defaults, in a folder that is deleted afterwards."""

import gc
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import select

from workers import db, settings
from workers.db import Base
from workers.embedded import EmbeddedValkey
from workers.engine import wire
from workers.models import Account, Mutabakat

ROOT = Path(__file__).resolve().parent.parent
READY_S, STOPPED_S = 60.0, 30.0
ROWS_AT_ONCE = 200
TICK_S = 1 / os.sysconf("SC_CLK_TCK")


@dataclass
class Service:
    """Where it lies, whose letters it holds, and which processes beside ours belong to it."""

    folder: Path
    company_id: int
    letter_ids: list[int]
    pids: list[int] = field(default_factory=list)

    @property
    def scope(self) -> str:
        return str(self.company_id)

    def cpu_ms(self) -> float:
        """CPU time so far of Valkey, the workers and their children, in milliseconds."""
        return sum(cpu_ms(pid) for pid in self.pids)

    @contextmanager
    def run(self, *arguments: str, ready: Callable[[], object]) -> Iterator[int]:
        """A Python process of this service while the block runs; gives its id once `ready()` is true."""
        log = (self.folder / "processes.log").open("a")
        process = subprocess.Popen([sys.executable, *arguments], cwd=ROOT, stdout=log, stderr=subprocess.STDOUT)
        try:
            wait_until(lambda: process.poll() is not None or ready())
            if process.poll() is not None:
                raise SystemExit(f"{arguments} ended: {(self.folder / 'processes.log').read_text()[-2000:]}")
            yield process.pid
        finally:
            process.terminate()
            try:
                process.wait(STOPPED_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            log.close()

    @contextmanager
    def workers(self, concurrency: int) -> Iterator[list[int]]:
        """`python -m workers --concurrency N`; gives the process ids of its children, who are never replaced."""
        redis, options = wire.connect(), ("--concurrency", str(concurrency), "--max-jobs-per-child", "1000000")
        with self.run("-m", "workers", *options, ready=lambda: redis.scard("rq:workers")) as pid:
            wait_until(lambda: redis.scard("rq:workers") == concurrency)
            born = children(pid)
            self.pids += [pid, *born]
            yield [child for child in born if b"slot" in Path(f"/proc/{child}/cmdline").read_bytes()]
            self.pids = self.pids[:1]


def freeze() -> None:
    """What is loaded is never garbage: so the fleet does before it forks its children and gunicorn's processes before
    they serve, and so all sides do here."""
    gc.collect()
    gc.freeze()


@contextmanager
def service(letters: int) -> Iterator[Service]:
    """A service that holds so many letters. Settings of the environment do not count: no benchmark meets real data."""
    from app import sample
    from workers import migrations

    (ROOT / "var").mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=ROOT / "var", prefix="bench-") as folder:
        for name in settings.Settings.model_fields:
            os.environ.pop(name.upper(), None)
        os.environ |= {"DATA_DIR": folder, "RATE_LIMIT": "1000000000/minute"}
        settings.use(None)
        try:
            with EmbeddedValkey(Path(folder)) as valkey:
                migrations.upgrade()
                company_id = sample.load().company_id
                _multiply(letters)
                with db.reading() as session:
                    ids = list(session.scalars(select(Mutabakat.id).order_by(Mutabakat.id).limit(letters)))
                assert valkey.process
                freeze()
                yield Service(Path(folder), company_id, ids, [valkey.process.pid])
        finally:
            db.close()
            settings.use(None)


def _multiply(letters: int) -> None:
    """Copy the sample's letters, each for an account of its own, until there are so many."""
    with db.reading() as session:
        pairs = session.execute(select(Mutabakat, Account).join(Account, Account.id == Mutabakat.account_id)).all()
    for start in range(len(pairs), letters, ROWS_AT_ONCE):
        with db.writing() as session:
            for number in range(start, min(start + ROWS_AT_ONCE, letters)):
                letter, account = pairs[number % len(pairs)]
                copied = Account(**_fields(account, code=f"120.99.{number:05d}"))
                session.add(copied)
                session.flush()  # gives it its id
                session.add(Mutabakat(**_fields(letter, account_id=copied.id)))


def _fields(record: Base, **changes: object) -> dict[str, object]:
    names = (column.name for column in record.__table__.columns if column.name != "id")
    return {name: getattr(record, name) for name in names} | changes


def cpu_ms(pid: int) -> float:
    """CPU time of a living process and its threads, in milliseconds."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) * TICK_S * 1000


def peak_mb(pid: int) -> float:
    """The largest resident size that a living process ever had (VmHWM), in MB."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def wait_until(condition: Callable[[], object], *, timeout_s: float = READY_S) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            raise SystemExit("the benchmark waited in vain; is the machine too busy?")
        time.sleep(0.02)
