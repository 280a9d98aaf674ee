"""Our Job class: whatever somebody plants in Redis, only the catalogue's functions ever run."""

import json
import subprocess
import sys
import threading
from base64 import b64encode
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
import rq
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st
from rq.exceptions import DeserializationError

from tests.conftest import ROOT, SECRET, Service
from tests.hands import work_off
from workers.engine import enqueue, find
from workers.engine.job import Job, sealed_data
from workers.engine.seal import Seal
from workers.errors import NotHere, NotInCatalogue, SealBroken

CLI = "import sys; import tests.kinds; from rq.cli import main; sys.exit(main())"
OURS = ("-S", "workers.engine.seal.Seal", "-j", "workers.engine.job.Job")


def fetch(service: Service, task_id: str) -> Job:
    job = Job.fetch(task_id, connection=service.redis)
    assert isinstance(job, Job)
    return job


def plant(service: Service, task_id: str, **fields: Any) -> None:
    service.redis.hset(f"rq:job:{task_id}", mapping=fields)


def pickle_that_makes(path: Path) -> bytes:
    """A pickle (protocol 0) whose loading runs `touch path`."""
    return f"cos\nsystem\n(S'touch {path}'\ntR.".encode()


def stock_worker(service: Service, *options: str) -> str:
    """RQ's own `rq worker --burst` over all that waits; what it says."""
    command = [sys.executable, "-c", CLI, "worker", "--burst", "--url", service.settings.redis_url, *options]
    queues = ("sms", "email", "excel", "maintenance")
    ended = subprocess.run([*command, *queues], cwd=ROOT, env=service.env, capture_output=True, text=True, timeout=180)
    assert ended.returncode == 0, ended.stderr
    return ended.stderr


def test_the_function_is_the_one_of_the_catalogue(service: Service) -> None:
    from tests.kinds import add

    job = fetch(service, enqueue("add", {"a": 40}).id)

    assert job.func is add
    assert (job.func_name, job.instance, job.args, job.kwargs) == ("add", None, [], {"a": 40, "b": 2})
    assert job.perform() == {"sum": 42}


@examples(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=50)
@given(data=st.data())
def test_data_that_was_changed_anywhere_gives_no_function(service: Service, data: st.DataObject) -> None:
    task_id = "01900000-0000-7000-8000-000000000000"
    sealed = bytearray(sealed_data(task_id, "add", {"a": 1}))
    sealed[data.draw(st.integers(0, len(sealed) - 1))] ^= data.draw(st.integers(1, 255))
    plant(service, task_id, data=bytes(sealed))

    with pytest.raises(DeserializationError):
        _ = fetch(service, task_id).func


def test_the_data_of_one_task_gives_no_function_under_another_id(service: Service) -> None:
    cheap, dear = enqueue("nothing"), enqueue("add", {"a": 40})
    plant(service, cheap.id, data=service.redis.hget(f"rq:job:{dear.id}", "data"))

    with pytest.raises(DeserializationError, match="sealed for another task"):
        _ = fetch(service, cheap.id).func


@pytest.mark.parametrize("value", [{"current": 1}, ["os.system", None, ["true"], {}], "text", None, 7])
def test_what_we_sealed_for_another_purpose_gives_no_function(service: Service, value: Any) -> None:
    task = enqueue("nothing")
    plant(service, task.id, data=Seal.dumps(value))

    with pytest.raises(DeserializationError):
        _ = fetch(service, task.id).func


@pytest.mark.parametrize("name", ["os.system", "subprocess.getoutput", "tests.kinds.add", "", "os system"])
def test_a_name_outside_the_catalogue_gives_no_function(service: Service, name: str) -> None:
    task = enqueue("nothing")
    plant(service, task.id, data=sealed_data(task.id, name, {}))

    with pytest.raises(NotInCatalogue, match="Nothing was run"):
        _ = fetch(service, task.id).func


def test_a_kind_of_a_later_release_gives_no_function_but_may_wait_for_who_knows_it(service: Service) -> None:
    task = enqueue("nothing")
    plant(service, task.id, data=sealed_data(task.id, "of_a_later_release", {}))

    with pytest.raises(NotHere, match="of_a_later_release") as refused:
        _ = fetch(service, task.id).func
    assert not refused.value.final


def test_callbacks_named_in_the_plain_hash_are_no_callbacks(service: Service) -> None:
    task = enqueue("nothing")
    names = ("success_callback_name", "failure_callback_name", "stopped_callback_name")
    plant(service, task.id, **dict.fromkeys(names, "subprocess.getoutput"))

    job = fetch(service, task.id)

    assert (job.success_callback, job.failure_callback, job.stopped_callback) == (None, None, None)


@pytest.mark.parametrize("worker", ["ours", "stock"])
def test_planted_callbacks_and_pickles_run_nowhere(
    service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, worker: str
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    made = tmp_path / "made"
    script = tmp_path / "planted.py"
    script.write_text(f"def run(*_):\n    open({str(made)!r}, 'w').close()\n")
    service.env["PYTHONPATH"] = str(tmp_path)
    tasks = [enqueue("nothing"), enqueue("fail"), enqueue("of_company", {"company_id": 1})]
    for task in tasks:
        callbacks = {f"{name}_callback_name": "planted.run" for name in ("success", "failure", "stopped")}
        plant(service, task.id, **callbacks, meta=pickle_that_makes(made), result=pickle_that_makes(made))
    plant(service, tasks[2].id, data=pickle_that_makes(made))

    stock_worker(service, *OURS) if worker == "stock" else work_off()

    assert [find(task.id).state for task in tasks] == ["SUCCESS", "FAILURE", "FAILURE"]
    assert not made.exists()


def test_reading_a_job_full_of_pickles_runs_nothing(service: Service, tmp_path: Path) -> None:
    made, task = tmp_path / "made", enqueue("nothing")
    evil = pickle_that_makes(made)
    plant(service, task.id, data=evil, meta=evil, result=evil, exc_info=evil, sira_error=evil, status="finished")
    service.redis.xadd(f"rq:results:{task.id}", {"type": 1, "return_value": b64encode(evil)})

    job = fetch(service, task.id)
    with pytest.raises(DeserializationError):
        _ = job.kwargs
    for read in (job.get_meta, job.return_value):
        with pytest.raises(SealBroken):
            read()
    assert find(task.id).state == "SUCCESS"
    assert not made.exists()


@pytest.fixture
def listener() -> Any:
    """A web server that notes who called."""
    calls: list[str] = []

    class Note(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            calls.append(self.path)
            self.send_response(204)
            self.end_headers()

        do_POST = do_GET

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    server = HTTPServer(("127.0.0.1", 0), Note)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server.server_port, calls
    server.shutdown()
    server.server_close()


def test_a_webhook_in_the_plain_hash_calls_nobody(service: Service, listener: Any) -> None:
    port, calls = listener
    hooks = [
        {"url": f"http://127.0.0.1:{port}/{status}", "job_status": status, "method": "POST"}
        for status in ("finished", "failed")
    ]
    good, bad = enqueue("add", {"a": 1}), enqueue("fail")
    for task in (good, bad):
        plant(service, task.id, webhooks=json.dumps(hooks))

    stock_worker(service, *OURS)

    assert [find(task.id).state for task in (good, bad)] == ["SUCCESS", "FAILURE"]
    assert calls == []


def test_rqs_own_worker_does_our_tasks_when_it_is_given_our_classes(service: Service) -> None:
    task, failing = enqueue("add", {"a": 40}), enqueue("fail", {"message": "kâğıt bitti"})

    stock_worker(service, *OURS)

    ended, failed = find(task.id), find(failing.id)
    assert (ended.state, ended.result, ended.current, ended.total) == ("SUCCESS", {"sum": 42}, 100, 100)
    assert failed.state == "FAILURE"
    assert task.get(timeout=1) == {"sum": 42}


def test_a_stock_worker_without_our_classes_is_refused_the_work(service: Service) -> None:
    task = enqueue("nothing")

    said = stock_worker(service)

    assert "DeserializationError" in said
    assert find(task.id).state == "FAILURE"


def test_rqs_tools_can_cancel_and_requeue_what_waits(service: Service) -> None:
    task = enqueue("add", {"a": 40})
    job = fetch(service, task.id)

    job.cancel()
    assert find(task.id).state == "REVOKED"
    assert service.redis.llen("rq:queue:sms") == 0

    rq.registry.CanceledJobRegistry("sms", connection=service.redis, job_class=Job, serializer=Seal).requeue(task.id)
    work_off()
    assert find(task.id).result == {"sum": 42}


def test_saving_a_job_keeps_its_data_readable_and_sealed(service: Service) -> None:
    task = enqueue("add", {"a": 40})
    job = fetch(service, task.id)
    job.meta["note"] = SECRET

    job.save()

    assert SECRET.encode() not in b"".join(service.redis.hgetall(f"rq:job:{task.id}").values())
    assert fetch(service, task.id).kwargs == {"a": 40, "b": 2}
    assert fetch(service, task.id).meta == {"note": SECRET}
