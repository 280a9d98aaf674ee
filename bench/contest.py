"""Who is compared: ours and the peers, each with two processes, results stored, on the service's own embedded Valkey.

Each is started as its manual has it. Logs of single jobs are off where a system has a switch for it; ours has none.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from bench.systems import System


def _finished(queue: str) -> Callable[[Any, int], int]:
    return lambda redis, _: int(redis.zcard(f"rq:finished:{queue}"))


def _expiring(redis: Any, _: int) -> int:
    """Where each result is a key that will expire, and nothing else is."""
    return int(redis.info("keyspace").get("db0", {}).get("expires", 0))


def _out_of_queue(redis: Any, filled: int) -> int:
    """arq takes a job out of its queue only when its result is stored."""
    return filled - int(redis.zcard("arq:queue"))


def _sum(*keys: str) -> Callable[[Any], int]:
    """What these lists, hashes and sorted sets hold together."""
    counts = {b"list": "llen", b"hash": "hlen", b"zset": "zcard"}
    return lambda redis: sum(int(getattr(redis, counts.get(redis.type(key), "exists"))(key)) for key in keys)


FLEET = "python -m bench.worker --concurrency 2"
STOCK = "rq worker --quiet"
TASKIQ = "taskiq worker --workers 2 --log-level WARNING"

OURS = System(
    "Sıra",
    "sira",
    (FLEET,),
    _finished("sms"),
    _sum("rq:queue:sms", "rq:wip:sms"),
    after_kill="A claim is a lease of 30 s; when it ends, another worker gives the task back.",
    back_s=60,
)
LASTING = replace(OURS, commands=(f"{FLEET} --max-jobs-per-child 1000000",))
UNRECORDED = replace(OURS, name="Sıra, recorder off", env={"BENCH_RECORDER": "off"})
RQ = System(
    "rq worker",
    "rq",
    (STOCK, STOCK),
    _finished("default"),
    _sum("rq:queue:default", "rq:queue:default:intermediate", "rq:wip:default"),
    slower=50,
    after_kill="What it ran is found after up to 812 s, then failed, not run again, unless it has a Retry. On several "
    "queues it pops with BLPOP, and what was not yet started is lost.",
)
SIMPLE = replace(RQ, name="rq SimpleWorker", commands=(f"{STOCK} -w rq.worker.SimpleWorker",) * 2, slower=10)
CELERY = System(
    "Celery",
    "celery",
    ("celery -A bench.peers.celery worker -c 2",),
    _expiring,
    _sum("celery", "unacked"),
    venv="peers",
    slower=5,
    after_kill="With acks_late what was fetched waits in `unacked` for the visibility timeout, an hour; what BRPOP "
    "took and was not yet written there is lost. Without acks_late, the default, what a killed process ran is lost.",
)
DRAMATIQ = System(
    "Dramatiq",
    "dramatiq",
    ("dramatiq bench.peers.dramatiq --processes 2",),
    _expiring,
    _sum("dramatiq:default.msgs"),
    venv="peers",
    after_kill="What was fetched stays in a set of its worker; a minute after its last heartbeat one call in 1,000 "
    "gives it back.",
    back_s=90,
)
HUEY = System(
    "Huey",
    "huey",
    ("huey_consumer bench.peers.huey.huey -w 2 -k process -q",),
    lambda redis, _: int(redis.hlen("huey.results.bench")),
    _sum("huey.redis.bench"),
    venv="peers",
    after_kill="Gives up durability: BRPOP takes the only copy of a task, which a killed process loses.",
)
ARQ = System(
    "arq",
    "arq",
    ("arq bench.peers.arq.WorkerSettings",) * 2,
    _out_of_queue,
    _sum("arq:queue"),
    venv="arq",
    slower=4,
    after_kill="A job stays in the queue until it ends; what was running waits for its in-progress key, 310 s.",
)
TASKIQ_LIST = System(
    "taskiq, list",
    "taskiq",
    (f"{TASKIQ} bench.peers.taskiq:broker",),
    _expiring,
    _sum("taskiq"),
    venv="peers",
    after_kill="Gives up durability: BRPOP takes the only copy of a task; a killed process loses all that it fetched.",
)
TASKIQ_STREAM = System(
    "taskiq, stream",
    "taskiq_stream",
    (f"{TASKIQ} bench.peers.taskiq_stream:broker",),
    _expiring,
    lambda redis: int(redis.xinfo_groups("taskiq")[0]["pending"]) + int(redis.xinfo_groups("taskiq")[0]["lag"] or 0),
    venv="peers",
    after_kill="What was read stays pending in its consumer group and is claimed after 10 minutes.",
)
PEERS = (RQ, SIMPLE, CELERY, DRAMATIQ, HUEY, ARQ, TASKIQ_LIST, TASKIQ_STREAM)
SHORT = ("ours", "unrecorded", "rq", "simple", "celery", "dramatiq", "huey", "arq", "taskiq", "taskiq-stream")
BY_NAME = dict(zip(SHORT, (OURS, UNRECORDED, *PEERS), strict=True))
