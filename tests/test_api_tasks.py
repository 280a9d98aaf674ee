"""Tasks over HTTP: watch, wait, list, cancel, retry, and fetch what came of them."""

import time
from urllib.parse import unquote

import pytest

from app.api.downloads import disposition
from tests import face as faces
from tests.conftest import Service, wait_until
from tests.face import UNKNOWN_TASK, Face
from tests.hands import put_row, work_off
from workers import db, files

face, face_anywhere = faces.face, faces.face_anywhere

STATUS_KEYS = {
    *(
        "task_id",
        "kind",
        "queue",
        "state",
        "current",
        "total",
        "percent",
        "status",
        "eta_seconds",
        "counts",
        "position",
    ),
    *("next_run_at", "created_at", "started_at", "ended_at", "attempts", "max_attempts", "result", "error", "links"),
}
ENGLISH = {"Accept-Language": "en-GB,en;q=0.8"}
STRANGE_IDS = [
    "x",
    "a b",
    "a/b",
    "..%2F..",
    "%00",
    "%20",
    "ç",
    "x" * 36,
    "x" * 5000,
    "0" * 36,
    "%F0%9F%98%80",
    "'--",
    "null",
]


def test_a_letter_becomes_a_download(face: Face, service: Service) -> None:
    answer = face.ayse.post("/api/mutabakat/generate-pdf-async", {"mutabakat_id": face.ayse.letter()})
    service.run_worker()

    status = face.ayse.get(answer.json["status_url"] + "?wait=30").json

    assert (status["state"], status["status"], status["percent"]) == ("SUCCESS", "Tamamlandı", 100)
    assert set(status["result"]) == {"file_id", "filename", "size", "sha256", "download_url"}
    download = face.ayse.get(status["result"]["download_url"])
    assert download.data.startswith(b"%PDF-")
    assert len(download.data) == status["result"]["size"] == download.content_length
    assert download.headers["Content-Disposition"].startswith("attachment; ")
    assert download.headers["X-Content-Type-Options"] == "nosniff"
    assert unquote(download.headers["Content-Disposition"]).endswith(status["result"]["filename"])
    assert status["links"]["result"] == status["result"]["download_url"]
    assert face.bora.get(status["result"]["download_url"]).status_code == 404


def test_a_result_that_is_no_file_is_json(face: Face, service: Service) -> None:
    task_id = face.ayse.enqueue("add", a=40)
    early = face.ayse.get(f"/api/tasks/{task_id}/result")
    assert (early.status_code, early.content_type) == (409, "application/problem+json")

    service.run_worker()
    assert face.ayse.status(task_id, query_string={"wait": 30})["result"] == {"sum": 42}

    assert face.ayse.get(f"/api/tasks/{task_id}/result").json == {"sum": 42}


def test_a_result_that_only_looks_like_a_file_is_json(face: Face, service: Service) -> None:
    values = [{"file_id": 5}, {"file_id": "x", "download_url": "/x"}, {"error_file": "x"}, 0, ""]
    task_ids = [face.ayse.enqueue("echo", value=value) for value in values]
    service.run_worker("--burst")

    for task_id, value in zip(task_ids, values, strict=True):
        face.ayse.status(task_id, query_string={"wait": 30})
        answer = face.ayse.get(f"/api/tasks/{task_id}/result")
        assert (answer.status_code, answer.json) == (200, value)


def test_a_task_that_ended_without_a_result_says_so(face: Face, service: Service) -> None:
    failed, empty = face.ayse.enqueue("fail"), face.operator.enqueue("nothing")
    service.run_worker()
    for task_id in (failed, empty):
        assert face.operator.status(task_id, query_string={"wait": 30})["links"]["result"] is None
        assert face.operator.get(f"/api/tasks/{task_id}/result").status_code == 409


def test_a_failure_shows_its_message_to_all_and_its_traceback_to_operators(face: Face, service: Service) -> None:
    task_id = face.ayse.enqueue("fail", message="kağıt bitti")
    service.run_worker()

    seen = face.ayse.status(task_id, query_string={"wait": 30})

    assert (seen["state"], seen["status"]) == ("FAILURE", "kağıt bitti")
    assert seen["error"] == {"type": "ValueError", "message": "kağıt bitti"}
    assert seen["links"]["retry"] == f"/api/tasks/{task_id}/retry"
    wait_until(lambda: "in fail" in face.operator.status(task_id)["error"].get("traceback", ""), what="the traceback")
    assert "traceback" not in face.ayse.get(f"/api/tasks/{task_id}/status").text.lower()


def test_a_retry_says_what_went_wrong_and_when_it_goes_on(face: Face, service: Service) -> None:
    task_id = face.ayse.enqueue("fail_once_more")
    work_off()  # and no clock runs, so it stays between its attempts

    status = face.ayse.status(task_id, headers=ENGLISH)

    assert status["state"] == "RETRY"
    assert status["status"].startswith("not this time either Will be tried again: ")
    assert status["next_run_at"] > status["created_at"]
    assert status["attempts"] == 1
    assert status["links"]["cancel"]


def test_waiting_ends_with_the_task_or_with_the_time(face: Face, service: Service) -> None:
    task_id = face.ayse.enqueue("add", a=1)
    began = time.monotonic()
    assert face.ayse.status(task_id, query_string={"wait": 0.3})["state"] == "PENDING"
    assert 0.3 <= time.monotonic() - began < 5
    service.run_worker()
    assert face.ayse.status(task_id, query_string={"wait": 30})["state"] == "SUCCESS"


@pytest.mark.parametrize("wait", ["-1", "31", "nan", "inf", "soon", "", "1e9"])
def test_impossible_waits_are_refused(face: Face, wait: str) -> None:
    answer = face.ayse.get(f"/api/tasks/{face.ayse.enqueue('add', a=1)}/status?wait={wait}")
    assert answer.status_code == 422
    assert answer.json["errors"][0]["field"] == "wait"


def test_a_waiting_task_can_be_cancelled_once(face: Face) -> None:
    task_id = face.ayse.enqueue("add", a=1)

    answer = face.ayse.post(f"/api/tasks/{task_id}/cancel")

    assert answer.status_code == 202
    assert (answer.json["state"], answer.json["status"]) == ("REVOKED", "İptal edildi")
    assert answer.json["links"]["cancel"] is None
    assert face.ayse.post(f"/api/tasks/{task_id}/cancel").status_code == 409


def test_what_failed_can_be_run_again_under_its_id(face: Face, service: Service) -> None:
    failed, done = face.ayse.enqueue("fail"), face.ayse.enqueue("add", a=1)
    assert face.ayse.post(f"/api/tasks/{failed}/retry").status_code == 409
    service.run_worker()
    for task_id in (failed, done):
        face.ayse.status(task_id, query_string={"wait": 30})

    again = face.ayse.post(f"/api/tasks/{failed}/retry")

    assert (again.status_code, again.json["task_id"]) == (202, failed)
    assert face.ayse.post(f"/api/tasks/{done}/retry", {"only": "failed"}).status_code == 409
    assert face.ayse.post(f"/api/tasks/{done}/retry", {}).status_code == 409
    assert face.ayse.post(f"/api/tasks/{failed}/retry", {"only": "some"}).status_code == 422
    assert face.ayse.post(f"/api/tasks/{failed}/retry", {"all": True}).status_code == 422


def test_the_items_of_a_bulk_tell_who_got_what(face: Face, service: Service) -> None:
    task_id = face.ayse.enqueue("square_all", numbers=[1, -2, 3])
    service.run_worker()
    status = face.ayse.status(task_id, query_string={"wait": 30})
    assert status["counts"] == {"pending": 0, "done": 2, "failed": 1, "skipped": 0, "unknown": 0}

    page = face.ayse.get(status["links"]["items"], query_string={"limit": 2}).json
    rest = face.ayse.get(status["links"]["items"], query_string={"limit": 2, "cursor": page["next_cursor"]}).json

    assert [item["state"] for item in page["items"] + rest["items"]] == ["done", "failed", "done"]
    assert rest["next_cursor"] is None
    assert set(page["items"][0]) == {
        *("id", "position", "ref", "state", "attempts", "error", "provider_id", "updated_at")
    }
    failed = face.ayse.get(status["links"]["items"], query_string={"state": "failed"}).json["items"]
    assert [(item["position"], item["error"]) for item in failed] == [(2, "negative")]
    for query in ("state=lost", "cursor=x", "cursor=%00", "limit=0", "limit=101"):
        assert face.ayse.get(f"{status['links']['items']}?{query}").status_code == 422, query
    assert face.ayse.post(f"/api/tasks/{task_id}/retry", {"only": "failed"}).status_code == 202


def test_lists_go_page_by_page_newest_first(face_anywhere: Face) -> None:
    made = [face_anywhere.ayse.enqueue("add", a=n) for n in range(5)] + [face_anywhere.ayse.enqueue("fail")]

    seen, cursor = [], None
    while True:
        page = face_anywhere.ayse.get(
            "/api/tasks", query_string={"limit": 2, **({"cursor": cursor} if cursor else {})}
        ).json
        seen += [row["task_id"] for row in page["items"]]
        if (cursor := page["next_cursor"]) is None:
            break

    assert seen == made[::-1]
    row = face_anywhere.ayse.get("/api/tasks?kind=fail").json["items"]
    assert [one["task_id"] for one in row] == [made[-1]]
    assert set(row[0]) == STATUS_KEYS - {"result"}
    assert len(face_anywhere.ayse.get("/api/tasks?queue=sms&state=PENDING").json["items"]) == 5
    assert face_anywhere.ayse.get("/api/tasks?state=SUCCESS&q=50%25_").json == {"items": [], "next_cursor": None}


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=101", "limit=x", "state=GONE", "cursor=x", "company=x", "q=%00", "kind=" + "x" * 101]
)
def test_bad_queries_name_their_field(face: Face, query: str) -> None:
    answer = face.ayse.get(f"/api/tasks?{query}")
    assert answer.status_code == 422
    assert answer.json["errors"][0]["field"] == query.partition("=")[0]


def test_ids_of_any_shape_answer_with_one_and_the_same_body(face_anywhere: Face) -> None:
    own = face_anywhere.bora.enqueue("add", a=1)
    bodies = set()
    for task_id in [*STRANGE_IDS, UNKNOWN_TASK, own, own.upper()]:
        for method, what in [
            ("GET", "status"),
            ("GET", "events"),
            ("GET", "result"),
            ("GET", "items"),
            ("POST", "cancel"),
        ]:
            answer = face_anywhere.ayse.call(method, f"/api/tasks/{task_id}/{what}")
            assert answer.status_code == 404, (task_id, what)
            bodies.add(answer.data)
    for path in ("/api/mutabakat/x", "/api/mutabakat/1.0", "/api/companies/0", "/api/tasks//status", "/api/nothing"):
        bodies.add(face_anywhere.ayse.get(path).data)
    assert len(bodies) == 1


def test_downloads_keep_turkish_names_and_break_no_header() -> None:
    assert disposition("Mutabakat Çınar.pdf").endswith("filename*=UTF-8''Mutabakat%20%C3%87%C4%B1nar.pdf")
    assert 'filename="Igdir Cinar.pdf"' in disposition("Iğdır Çınar.pdf")
    for name in ('a"; x="b', "a\r\nSet-Cookie: x", "a\\b", "日本", ""):
        header = disposition(name)
        assert header.count('"') == 2
        assert header.isascii()
        assert header.isprintable()


@pytest.mark.parametrize("rows", ["", "DELETE FROM files"], ids=["its bytes alone so far", "wholly"])
def test_of_a_file_that_was_cleaned_up_it_is_told_that_it_has_expired(face: Face, service: Service, rows: str) -> None:
    answer = face.ayse.post("/api/mutabakat/generate-pdf-async", {"mutabakat_id": face.ayse.letter()})
    service.run_worker()
    result = face.ayse.get(answer.json["status_url"] + "?wait=30").json["result"]
    storage = files.storage()
    storage.delete([key for key, _ in storage.list("files")])
    with db.writing() as session:
        session.connection().exec_driver_sql(rows or "SELECT 1")
    answer = face.ayse.get(result["download_url"])
    assert (answer.status_code, "expired" in answer.json["detail"]) == (409, True)


def test_no_attempt_is_told_above_the_most_that_there_are(face: Face) -> None:
    """A job that raises its own Retry may be tried more often than its kind says."""
    own = str(face.ayse.company_id)
    often, once = (put_row(scope=own, state="RETRY", attempts=made, max_attempts=4) for made in (6, 1))

    told = [face.ayse.status(task_id) for task_id in (often, once)]

    assert [(each["attempts"], each["max_attempts"]) for each in told] == [(6, 6), (1, 4)]
