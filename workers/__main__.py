"""`python -m workers [QUEUE …]`: prints its kinds, then `ready`, and works until SIGTERM."""

import argparse
import contextlib
import sys
from mmap import mmap

from workers import logs, settings
from workers.errors import BadSettings, DatabaseDown, SiraError


def main(arguments: list[str] | None = None) -> int:
    try:
        chosen = settings.current()
        # a job may go to another folder
        settings.use(chosen.model_copy(update={"data_dir": chosen.data_dir.absolute()}))
        logs.setup(production=chosen.app_env == "production", sentry_dsn=chosen.sentry_dsn)
        return _work(_parser(chosen.max_jobs_per_child).parse_args(arguments))
    except SiraError as error:
        print(f"workers: {error.message}", file=sys.stderr)
        return 2 if isinstance(error, BadSettings) else 1


def _parser(max_jobs_per_child: int) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m workers", description=__doc__)
    parser.add_argument("queues", nargs="*", metavar="QUEUE", help="default: all, by priority")
    parser.add_argument("--concurrency", type=_positive, default=1, help="children that work side by side (1)")
    parser.add_argument("--max-jobs-per-child", type=_positive, default=max_jobs_per_child)
    parser.add_argument("--max-memory-mb", type=_positive, default=0, help="replace a child past this resident size")
    parser.add_argument("--burst", action="store_true", help="end when nothing waits")
    return parser


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError("must be a whole number of at least 1")
    return int(text)


def _work(given: argparse.Namespace) -> int:
    from workers.engine import registry, wire
    from workers.engine.fleet import Fleet, Orders
    from workers.engine.waiting import Turn
    from workers.engine.worker import Worker

    unknown = [name for name in given.queues if name not in registry.QUEUES]
    if unknown:
        raise BadSettings(reason=f"unknown queue {', '.join(unknown)}; there are {', '.join(registry.QUEUES)}")
    wire.refuse_unsafe_server()
    _prepare_database()
    queues = given.queues or registry.QUEUES
    max_jobs, turn = None if given.burst else given.max_jobs_per_child, Turn()

    def work(name: str, begun: mmap) -> None:
        worker = Worker(queues, name, max_memory_mb=given.max_memory_mb, turn=turn, begun=begun)
        worker.work_kept(given.burst, max_jobs)

    orders = Orders(work, concurrency=given.concurrency, once=given.burst, buried=turn.hand_on)
    return Fleet(orders).run(_prepare)


def _prepare() -> None:
    from workers.engine import registry
    from workers.engine.fleet import preload
    from workers.engine.seal import Seal

    preload()
    Seal.loads(Seal.dumps(None))  # the first takes 4 ms, which each child would add to the first job that it is given
    for name, kind in sorted(registry.kinds().items()):
        print(f"  . {name} ({kind.queue})")
    print("ready", flush=True)


def _prepare_database() -> None:
    """The embedded database gets its tables; a server must have them. One that is away is waited for while working."""
    from workers import db, migrations

    with contextlib.suppress(DatabaseDown):
        migrations.ready()
    db.close()


if __name__ == "__main__":
    logs.never_fail()
    sys.exit(main())
