"""rq-dashboard behind the desk's gate: it shows RQ's keys without their contents, and changes nothing by itself."""

import json
import zlib
from base64 import b64encode
from typing import Any

import pytest

from tests import desk as desks
from tests.conftest import Service, lines, wait_until
from tests.desk import Desk
from tests.hands import claim, redis_away, settle, work_off
from workers.engine import enqueue, find, outcome
from workers.engine.queues import new_id

face, desk = desks.face, desks.desk
RQ = "/admin/rq"
NOT_READ = ["/", "/0/view/queues", "/0/view/workers", "/0/view/jobs/sms/queued/8/asc/1", "/0/view/jobs"]


def data(desk: Desk, path: str) -> Any:
    answer = desk.operator.get(f"{RQ}/0/data/{path}.json")
    assert answer.status_code == 200, answer.text
    return answer.json


def foreign_job(service: Service, **fields: Any) -> str:
    """A job that another program put into a queue of ours."""
    job_id = new_id()
    given = {"status": "queued", "origin": "sms", "created_at": "2026-01-01T00:00:00.000000Z", "data": b"\x80pickle"}
    service.redis.hset(f"rq:job:{job_id}", mapping={**given, **fields})
    service.redis.sadd("rq:queues", "rq:queue:sms")
    service.redis.rpush("rq:queue:sms", job_id)
    return job_id


def jobs_in(service: Service) -> dict[bytes, bytes]:
    """All of RQ's keys and ours (the rate limit counts in others)."""
    keys = [key for pattern in ("rq:*", "sira:*") for key in service.redis.keys(pattern)]
    return {key: service.redis.dump(key) for key in keys}


@pytest.mark.parametrize("path", [*NOT_READ, "/0/data/queues.json", "/static/css/main.css"])
def test_members_are_refused_and_strangers_sent_to_the_login(desk: Desk, path: str) -> None:
    assert desk.member.get(RQ + path).status_code == 403
    assert desk.face.client.get(RQ + path).headers["Location"].startswith("/login")


def test_an_operator_may_come_with_a_token_as_well(desk: Desk) -> None:
    assert desk.face.operator.get(f"{RQ}/").status_code == 200
    assert desk.face.ayse.get(f"{RQ}/").status_code == 403


def test_every_page_opens_while_a_worker_is_busy_with_a_job_that_nobody_can_read(desk: Desk, service: Service) -> None:
    service.run_worker()
    done = enqueue("add", {"a": 1})
    done.get(timeout=60)
    running = enqueue("sleep", {"seconds": 30, "path": str(service.data_dir / "lines")})
    wait_until(lambda: lines(service.data_dir / "lines"))

    pages = [desk.operator.get(RQ + path) for path in (*NOT_READ, f"/0/view/job/{done.id}", "/static/css/main.css")]
    (worker,) = data(desk, "workers")["workers"]

    assert [page.status_code for page in pages] == [200, 200, 200, 200, 302, 200, 200]
    assert (worker["state"], worker["current_job"]["job_id"]) == ("busy", running.id)
    assert worker["current_job"]["call_string"] == "sleep"
    assert data(desk, f"job/{running.id}")["status"] == "started"


def test_neither_parameters_nor_results_nor_reports_are_shown(desk: Desk) -> None:
    secret = "gizli-telefon-5551234567"
    enqueue("fail", {"message": secret})
    job_id, execution = claim("email")
    settle(job_id, execution, "email", outcome.finished({"to": secret}))

    answer = desk.operator.get(f"{RQ}/0/data/job/{job_id}.json")

    assert secret not in answer.text
    assert (answer.json["description"], answer.json["result"].partition(";")[0]) == ("fail", "sealed")


def test_an_error_is_told_by_its_name_alone(desk: Desk) -> None:
    enqueue("add", {"a": 1})
    job_id, execution = claim("sms")
    settle(job_id, execution, "sms", outcome.failed(ValueError("5551234567"), retries_left=0, retries=0))

    told = data(desk, f"job/{job_id}")
    (listed,) = data(desk, "jobs/sms/failed/8/asc/1")["jobs"]

    assert told["exc_info"].startswith("ValueError (sealed")
    assert listed["exc_info"] == told["exc_info"]


def test_a_job_of_another_program_is_shown_with_what_it_depends_on(desk: Desk, service: Service) -> None:
    other = foreign_job(service, description="first()")
    failed = {"status": "failed", "dependency_ids": json.dumps([other, "gone"]), "meta": b"\x80no json"}
    job_id = foreign_job(service, description="second()", **failed)
    packed = b64encode(zlib.compress(b"Traceback: it broke"))
    service.redis.xadd(f"rq:results:{job_id}", {"type": 2, "exc_string": packed})

    told = data(desk, f"job/{job_id}")

    assert (told["depends_on"], told["depends_on_status"]) == ([other, "gone"], ["active", "expired"])
    assert (told["exc_info"], told["metadata"]) == ("Traceback: it broke", "{}")


@pytest.mark.parametrize(
    "path", ["/0/view/job/nope", "/0/data/job/nope.json", "/1/", "/0/data/jobs/sms/nope/8/asc/1.json"]
)
def test_what_is_not_there_is_404(desk: Desk, path: str) -> None:
    assert desk.operator.get(RQ + path).status_code == 404


def test_a_page_holds_its_own_jobs_and_no_more_than_200(desk: Desk, service: Service) -> None:
    ids = [enqueue("add", {"a": n}).id for n in range(5)]
    service.redis.zadd("rq:finished:sms", {one: number for number, one in enumerate(ids)})

    def shown(where: str) -> list[str]:
        return [job["id"] for job in data(desk, f"jobs/sms/{where}")["jobs"]]

    assert shown("finished/2/asc/2") == ids[2:4]
    assert shown("finished/2/dsc/1") == [ids[4], ids[3]]
    assert shown("queued/2/asc/3") == ids[4:]
    assert shown("queued/2/dsc/2") == [ids[2], ids[1]]
    assert desk.operator.get(f"{RQ}/0/data/jobs/sms/queued/201/asc/1.json").status_code == 404
    assert desk.operator.get(f"{RQ}/0/data/jobs/sms/queued/0/asc/1.json").status_code == 404


def test_reading_changes_nothing(desk: Desk, service: Service) -> None:
    foreign_job(service)
    task = enqueue("add", {"a": 1})
    before = jobs_in(service)

    for path in (*NOT_READ, f"/0/view/job/{task.id}", "/0/data/queues.json", "/0/data/workers.json"):
        desk.operator.get(RQ + path)
    answer = desk.operator.get(f"{RQ}/requeue/sms")

    assert answer.status_code == 405
    assert jobs_in(service) == before


def test_delete_cancels_the_task(desk: Desk) -> None:
    task = enqueue("add", {"a": 1})

    assert desk.operator.post(f"{RQ}/job/{task.id}/delete").json == {"status": "OK"}

    assert find(task.id).state == "REVOKED"
    again = desk.operator.post(f"{RQ}/job/{task.id}/delete")
    assert again.status_code == 409
    assert again.json["detail"] == "Şu anki durumda bu yapılamaz: görev zaten bitmiş (iptal edildi)."


def test_requeue_retries_the_task(desk: Desk, service: Service) -> None:
    task = enqueue("add", {"a": 1})
    job_id, execution = claim("sms")
    settle(job_id, execution, "sms", outcome.failed(ValueError("no"), retries_left=0, retries=0))

    assert desk.operator.post(f"{RQ}/job/{task.id}/requeue").status_code == 200

    work_off()
    assert find(task.id).result == {"sum": 3}


def test_what_would_empty_a_queue_or_requeue_all_names_the_desk(desk: Desk) -> None:
    task = enqueue("add", {"a": 1})

    emptied = desk.operator.post(f"{RQ}/queue/sms/queued/empty")
    requeued = desk.operator.post(f"{RQ}/requeue/sms")

    assert (emptied.status_code, "/tasks?state=PENDING&queue=sms" in emptied.json["detail"]) == (409, True)
    assert (requeued.status_code, "/tasks?state=FAILURE&queue=sms" in requeued.json["detail"]) == (409, True)
    assert find(task.id).state == "PENDING"


def test_jobs_of_other_programs_are_left_alone(desk: Desk, service: Service) -> None:
    job_id = foreign_job(service)

    answers = [desk.operator.post(f"{RQ}/job/{job_id}/{verb}") for verb in ("delete", "requeue")]

    assert [answer.status_code for answer in answers] == [409, 409]
    assert service.redis.exists(f"rq:job:{job_id}")


def test_compact_takes_stale_ids_out_of_a_queue_and_an_empty_one_is_no_error(desk: Desk, service: Service) -> None:
    assert desk.operator.post(f"{RQ}/queue/sms/compact").status_code == 200
    task = enqueue("add", {"a": 1})
    service.redis.rpush("rq:queue:sms", "stale", "stale")

    assert desk.operator.post(f"{RQ}/queue/sms/compact").status_code == 200

    assert service.redis.lrange("rq:queue:sms", 0, -1) == [task.id.encode()]
    assert desk.operator.post(f"{RQ}/queue/nope/compact").status_code == 404


@pytest.mark.parametrize("headers", [{"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://evil.example"}])
def test_another_site_can_post_nothing(desk: Desk, headers: dict[str, str]) -> None:
    task = enqueue("add", {"a": 1})

    answer = desk.operator.client.post(
        f"{RQ}/job/{task.id}/delete", data={"csrf_token": desks.token()}, headers=headers
    )
    tokenless = desk.operator.client.post(f"{RQ}/job/{task.id}/delete", headers={"Sec-Fetch-Site": "same-origin"})

    assert answer.status_code == 403
    assert tokenless.mimetype == "text/html"
    assert find(task.id).state == "PENDING"


def test_only_scripts_with_the_nonce_of_the_answer_run(desk: Desk) -> None:
    first, second = (desk.operator.get(f"{RQ}/") for _ in range(2))
    policy = first.headers["Content-Security-Policy"]
    nonce = policy.partition("'nonce-")[2].partition("'")[0]

    assert first.headers.getlist("Content-Security-Policy") == [policy]
    scripts = policy.partition("script-src ")[2].split(";")[0]
    assert scripts == f"'self' 'nonce-{nonce}' 'unsafe-eval'"
    assert f'<script nonce="{nonce}">' in first.text
    assert policy != second.headers["Content-Security-Policy"]


def test_no_template_prints_anything_unescaped(desk: Desk, service: Service) -> None:
    """Also a queue's name, which rq-dashboard writes into a script as it stands."""
    path = "/0/view/jobs/x');alert(1);('/queued/8/asc/1"
    job_id = foreign_job(service)

    pages = [desk.operator.get(f"{RQ}{where}").text for where in (*NOT_READ, f"/0/view/job/{job_id}", path)]

    assert not any("<%=" in text for text in pages)
    assert "');alert(1)" not in pages[-1]


def test_the_address_of_redis_stands_nowhere(desk: Desk, service: Service) -> None:
    text = "".join(desk.operator.get(f"{RQ}{path}").text for path in NOT_READ)

    assert service.settings.redis_url not in text
    assert "[0] Sıra" in text


def test_without_redis_it_says_so(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    with redis_away(monkeypatch):
        assert desk.operator.get(f"{RQ}/").status_code == 503


def test_it_is_loaded_when_it_is_first_opened() -> None:
    import subprocess
    import sys

    script = "import sys; from app import create_app; create_app(); create_app(); print('rq_dashboard' in sys.modules)"
    told = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=180, check=True)

    assert told.stdout.strip() == "False"
