"""Fault 21: RQ's own worker, `rq info` and rq-dashboard beside our workers, all of them right."""

import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask
from rq import Worker
from sqlalchemy import func, select

from tests import faults
from tests.conftest import ROOT, Service, lines, wait_until
from tests.faults import LEASE_S, QUEUES, Crew, sized
from workers.db import reading
from workers.engine.tables import tasks

crew = faults.crew
STOCK = "import sys, tests.kinds, tests.fault_kinds; from rq.cli import main; sys.argv[0] = 'rq'; sys.exit(main())"
OURS = ("-S", "workers.engine.seal.Seal", "-j", "workers.engine.job.Job")


@pytest.fixture
def stock_worker(service: Service) -> Iterator["subprocess.Popen[bytes]"]:
    """A plain `rq worker` over all queues, with our serializer and Job class."""
    command = [sys.executable, "-c", STOCK, "worker", "-u", service.settings.redis_url, *OURS, *QUEUES]
    log = (service.data_dir / "stock.log").open("w")
    process = subprocess.Popen(command, cwd=ROOT, env=service.env, stdout=log, stderr=log)
    wait_until(lambda: len(Worker.all(service.redis)) == 1, timeout_s=180, what="a stock worker")
    yield process
    if process.poll() is None:
        process.kill()
    process.wait()


def info(service: Service) -> str:
    command = [sys.executable, "-m", "rq.cli", "info", "-u", service.settings.redis_url, "--raw"]
    shown = subprocess.run(command, cwd=ROOT, env=service.env, capture_output=True, text=True, timeout=180)
    assert shown.returncode == 0, shown.stderr
    return shown.stdout


def dashboard(service: Service) -> Any:
    """A client of rq-dashboard as its own documentation mounts it."""
    import rq_dashboard

    from workers.engine.seal import Seal

    app = Flask(__name__)
    app.config["RQ_DASHBOARD_REDIS_URL"] = service.settings.redis_url
    rq_dashboard.web.config.serializer = Seal
    rq_dashboard.web.setup_rq_connection(app)
    app.register_blueprint(rq_dashboard.blueprint, url_prefix="/rq")
    return app.test_client()


def shown_by(client: Any, registry: str) -> Counter[str]:
    """How many jobs the dashboard counts in each queue's registry."""
    listed = client.get("/rq/0/data/queues.json").json["queues"]
    field = "count" if registry == "queued" else f"{registry}_job_registry_count"
    return +Counter({queue["name"]: queue[field] for queue in listed})


def in_sql(state: str) -> Counter[str]:
    with reading() as session:
        query = select(tasks.c.queue, func.count()).where(tasks.c.state == state).group_by(tasks.c.queue)
        return Counter(dict(map(tuple, session.execute(query))))


@sized(short={"jobs": 120, "looks": 2}, full={"jobs": 1_000, "looks": 20})
def test_21_rqs_own_worker_and_tools_beside_ours_count_the_same_and_disturb_nothing(
    crew: Crew, size: dict[str, Any], stock_worker: "subprocess.Popen[bytes]"
) -> None:
    client = dashboard(crew.service)
    crew.sabotage["lease_s"] = LEASE_S
    crew.enqueue(size["jobs"] // 2, seconds=0.05)
    wait_until(lambda: lines(crew.effects), timeout_s=180, what="the share of the stock worker")
    crew.start()
    wait_until(lambda: len(Worker.all(crew.service.redis)) == 2, what="ours beside it")
    crew.enqueue(size["jobs"] - size["jobs"] // 2, seconds=0.05)
    for number in range(size["looks"]):
        wanted = size["jobs"] * (number + 1) // (size["looks"] + 2)
        wait_until(lambda wanted=wanted: len(lines(crew.effects)) >= wanted, timeout_s=120)
        assert "queue sms" in info(crew.service)
        for path in ("data/queues.json", "view/queues", "view/workers", "data/jobs/sms/started/10/asc/1.json"):
            assert client.get(f"/rq/0/{path}", follow_redirects=True).status_code == 200, path
    settled_s = crew.settle(120)
    stock_worker.send_signal(signal.SIGTERM)

    by_stock = (crew.service.data_dir / "stock.log").read_text().count(": Job OK")
    lost, twice = crew.count()
    crew.note(by_stock_worker=by_stock, settled_s=settled_s, states=dict(crew.states()))
    assert stock_worker.wait(60) == 0
    assert (lost, twice, crew.leftovers()) == (0, 0, {})
    assert 0 < by_stock < size["jobs"], "both had a share"
    assert crew.states() == {"SUCCESS": size["jobs"]}
    assert shown_by(client, "finished") == in_sql("SUCCESS")
    for registry in ("queued", "failed", "started", "scheduled", "canceled", "deferred"):
        assert shown_by(client, registry) == Counter(), registry
