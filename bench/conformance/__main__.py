"""Run the suite and judge it: every test must hold but those of unheld.txt, and each of those must fail."""

import os
import re
import subprocess
import sys
import tarfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory

from redis import Redis
from redis.exceptions import RedisError

from workers.embedded import server
from workers.processes import end, spawn

ROOT = Path(__file__).resolve().parent.parent.parent
SUITES = ROOT / ".venv" / "rq-suite"
UNHELD = Path(__file__).with_name("unheld.txt")
PORT = 6379  # RQ's tests know no other


def main(arguments: list[str]) -> int:
    if _answers():
        print(f"conformance: a server listens on port {PORT}, and RQ's tests would write into it", file=sys.stderr)
        return 2
    with TemporaryDirectory() as folder, _running(folder):
        log = Path(folder) / "suite.log"
        _run(_suite(), log, arguments)
        return _judge(log.read_text(errors="replace"))


def _answers() -> bool:
    try:
        return bool(Redis(port=PORT).ping())
    except RedisError:
        return False


@contextmanager
def _running(folder: str) -> Iterator[None]:
    process = spawn([server(), "--port", str(PORT), "--save", "", "--dir", folder])
    try:
        deadline = time.monotonic() + 10
        while not _answers():
            if time.monotonic() > deadline:
                raise SystemExit("conformance: the server did not start")
            time.sleep(0.05)
        yield
    finally:
        end(process, 5)


def _suite() -> Path:
    """RQ's source package of the installed version, unpacked."""
    name = f"rq-{version('rq')}"
    if not (SUITES / name).is_dir():
        fetch = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary=:all:"]
        subprocess.run([*fetch, f"--dest={SUITES}", f"rq=={version('rq')}"], check=True)
        with tarfile.open(SUITES / f"{name}.tar.gz") as packed:
            packed.extractall(SUITES, filter="data")
    return SUITES / name


def _run(suite: Path, log: Path, arguments: list[str]) -> None:
    """Some of them start RQ's own commands, which are to be found, and to find this suite under the name of `tests`."""
    pytest = [sys.executable, "-m", "pytest", "-p", "bench.conformance.plugin", "-p", "no:cacheprovider"]
    paths = {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "PYTHONPATH": f"{suite}:{ROOT}"}
    with log.open("w") as out:
        subprocess.run(
            [*pytest, "-rA", "-q", "--tb=short", *(arguments or ["tests"])],
            cwd=suite,
            env=os.environ | paths,
            stdout=out,
            stderr=subprocess.STDOUT,
        )


def _judge(log: str) -> int:
    told = {name: how for how, name in re.findall(r"^(PASSED|FAILED|ERROR) (tests/\S+)", log, re.M)}
    failed = {name for name, how in told.items() if how != "PASSED"}
    unheld = {line.partition(" ")[0] for line in UNHELD.read_text().splitlines() if line.startswith("tests/")}
    held, known = len(told) - len(failed), len(failed & unheld)
    print(f"RQ's suite: {len(told)} ran, {held} held, {known} can't hold (unheld.txt)")
    for name in sorted(failed - unheld):
        print(f"fails and should hold: {name}")
    for name in sorted((unheld & told.keys()) - failed):
        print(f"holds and is listed: {name}")
    return 0 if told and failed == unheld & told.keys() else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
