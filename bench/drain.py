"""How fast two processes empty a queue of no-op tasks, beside every peer: jobs, CPU and commands of the server.

`python -m bench.drain [--jobs N] [--rounds N] [SYSTEM …]` measures some of them, with a line for each round.
"""

import argparse
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

from sqlalchemy import delete, func, select

from bench import contest, systems
from bench.service import Service, service, wait_until
from bench.systems import System, cpu_s, tree
from bench.table import Measured, Row, alternate, cost, gain
from workers import db, embedded, settings
from workers.engine import wire
from workers.engine.tables import history, tasks

JOBS, ROUNDS, WARM = 20_000, 3, 0.1
POLL_S, POLL_AT_MOST_S, STUCK_S = 0.02, 0.5, 30.0


@dataclass(frozen=True)
class Point:
    """Where a drain stands: how many are done, when, and what it has cost so far. `asked` counts the benchmark's own
    questions to the server since the point before, which are no part of that."""

    done: int
    at_s: float
    worker_s: float
    server_s: float
    commands: int
    reads: int
    asked: int


def drains() -> list[Row]:
    """Ours with the recorder on and off and every peer take turns. No peer writes SQL or events."""
    contestants = (contest.OURS, contest.UNRECORDED, *contest.PEERS)
    with arena() as own:
        found = alternate(
            *(partial(drain, own, each, "nothing", JOBS // each.slower) for each in contestants), rounds=ROUNDS
        )
        recorder = _recorder(own)
    rates, fastest = found["rate"], max(range(2, len(contestants)), key=lambda n: found["rate"][n])
    rows = [row for n, peer in enumerate(contest.PEERS, 2) for row in _beside(peer.name, found, n)]
    for n, wanted in ((2, 40.0), (fastest, 1.0)):
        what, cpu = f"no-op drain, recorder off, to {contestants[n].name}:", _cpu(found, 1, n)
        rows.append(gain(f"{what} jobs", [rates[1], rates[n]], "/s", at_least=wanted, more_is_better=True))
        rows.append(cost(f"{what} CPU of a job, all processes and the server", cpu, "ms"))
    trips = found["trips"][0]
    rows.append(Row("round trips to Redis of a no-op job", f"{trips:.2f}", "", "", "<= 1.1", trips <= 1.1))
    return [*rows, recorder]


def _beside(peer: str, found: dict[str, list[float]], n: int) -> list[Row]:
    what, wanted = f"no-op drain, to {peer}:", 40.0 if n == 2 else 1.0
    ours, theirs = (f"{found['commands'][side]:.1f} · {found['trips'][side]:.2f}" for side in (0, n))
    return [
        gain(f"{what} jobs", [found["rate"][0], found["rate"][n]], "/s", at_least=wanted, more_is_better=True),
        cost(f"{what} CPU of a job, all processes and the server", _cpu(found, 0, n), "ms"),
        Row(f"{what} server commands · round trips of a job", ours, theirs, ""),
    ]


def _cpu(found: dict[str, list[float]], *sides: int) -> list[float]:
    return [found["cpu"][side] + found["server"][side] for side in sides]


def _recorder(own: Service) -> Row:
    """How far behind the workers the recorder is."""
    empty()
    contest.OURS.fill("nothing", JOBS)
    with contest.OURS.running(systems.log(own)) as started:
        reached(own, contest.OURS, started, JOBS, JOBS)
        ended, written = time.monotonic(), _written()
        wait_until(lambda: _written() == JOBS)
        late_s = time.monotonic() - ended
    what = f"recorder, when the last of {JOBS:,} no-op jobs has ended"
    return Row(what, f"{written / JOBS:.0%} in SQL", f"all {late_s:.1f} s later", "")


def _written() -> int:
    with db.reading() as session:
        return session.scalar(select(func.count()).where(tasks.c.state == "SUCCESS")) or 0


def drain(own: Service, system: System, task: str, count: int) -> Measured:
    """Fill, start, and measure from the first tenth, when all processes work, to the last."""
    empty()
    system.fill(task, count)
    with system.running(systems.log(own)) as started:
        first = reached(own, system, started, count, int(count * WARM))
        last = reached(own, system, started, count, count)
    return per_job(first, last)


def reached(own: Service, system: System, started: list[int], count: int, wanted: int) -> Point:
    """Where the drain stands once so many of `count` are done. The farther away that is, the less often it is asked:
    asking all the time would take a hundredth of both cores from who is measured."""
    redis, seen, stuck_at, asked = wire.connect(), 0, time.monotonic() + STUCK_S, 3
    began_s, before = time.monotonic(), system.done(redis, count)
    while (done := system.done(redis, count)) < wanted:
        if done > seen:
            seen, stuck_at = done, time.monotonic() + STUCK_S
        if time.monotonic() > stuck_at:
            raise SystemExit(f"{system.name} stopped at {done:,} of {wanted:,}: {systems.log(own).read_text()[-2000:]}")
        left_s = (wanted - done) * (time.monotonic() - began_s) / (done - before) if done > before else 0.0
        time.sleep(min(max(left_s / 3, POLL_S), POLL_AT_MOST_S))
        asked += 1
    at_s, counters = time.monotonic(), redis.info("stats")
    pids = [pid for each in started for pid in tree(each)]
    commands, reads = counters["total_commands_processed"], counters["total_reads_processed"]
    return Point(done, at_s, cpu_s(pids), cpu_s(own.pids[:1]), commands, reads, asked)


def per_job(first: Point, last: Point) -> Measured:
    """`rate` in jobs a second. For a job: `cpu` and `server` ms, `commands` (those of scripts too), round `trips`."""
    jobs = last.done - first.done
    return {
        "rate": jobs / (last.at_s - first.at_s),
        "cpu": (last.worker_s - first.worker_s) * 1000 / jobs,
        "server": (last.server_s - first.server_s) * 1000 / jobs,
        "commands": (last.commands - first.commands - last.asked) / jobs,
        "trips": (last.reads - first.reads - last.asked) / jobs,
    }


def empty() -> None:
    """A server and tables with nothing in them, so that the reconciler finds no task of an earlier round."""
    wire.connect().flushall()
    with db.writing() as session:
        session.execute(delete(tasks))
        session.execute(delete(history))
    compact()


def compact() -> None:
    """Have the server rewrite its file now, so that it does not begin to in the middle of a measurement."""
    redis = wire.connect()
    wait_until(lambda: not redis.info("persistence")["aof_rewrite_in_progress"])
    redis.bgrewriteaof()
    wait_until(lambda: not redis.info("persistence")["aof_rewrite_in_progress"])


@contextmanager
def arena() -> Iterator[Service]:
    """The service's server and database, and in the environment what the peers need: address and length of 5 ms."""
    with service(1) as own:
        url = embedded.redis_url(settings.current())
        os.environ |= {"BENCH_REDIS_URL": url, "RQ_REDIS_URL": url, "BENCH_STAMPS": str(own.folder / "stamps")}
        os.environ["BENCH_SPIN"] = str(_turns_of_5ms())
        yield own


def _turns_of_5ms() -> int:
    from bench.peers.work import cpu_5ms

    os.environ["BENCH_SPIN"] = "5000"
    taken = []
    for _ in range(20):
        began = time.process_time()
        cpu_5ms()
        taken.append(time.process_time() - began)
    return int(5_000 * 0.005 / min(taken))


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.drain", description=__doc__)
    parser.add_argument("systems", nargs="*", metavar="SYSTEM", help=f"default: all; {', '.join(contest.BY_NAME)}")
    parser.add_argument("--jobs", type=int, default=5_000, help="slow ones get fewer")
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    with arena() as own:
        for _ in range(given.rounds):
            for name in given.systems or contest.BY_NAME:
                system = contest.BY_NAME[name]
                measured = drain(own, system, "nothing", given.jobs // system.slower)
                figures = "   ".join(f"{what} {figure:,.3f}" for what, figure in measured.items())
                print(f"{system.name:20}  {figures}", flush=True)


if __name__ == "__main__":
    main()
