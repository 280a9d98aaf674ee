"""Who may call what: tokens, companies, roles, and the rate limit in front of it all."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from app import create_app
from app.auth import digest_of, owned, record_id
from tests import face as faces
from tests.face import UNKNOWN_TASK, Face, new_token, open_face
from workers import db, settings
from workers.engine import queues
from workers.errors import NotFound
from workers.models import Token

face, face_anywhere = faces.face, faces.face_anywhere

PUBLIC = {"/api/openapi.json", "/api/docs"}


def api_routes(face: Face) -> list[tuple[str, str]]:
    rules = [
        rule for rule in face.app.url_map.iter_rules() if rule.rule.startswith("/api/") and rule.rule not in PUBLIC
    ]
    return [(method, rule.rule) for rule in rules for method in rule.methods - {"HEAD", "OPTIONS"}]


def test_every_api_route_refuses_callers_without_a_token(face: Face) -> None:
    routes = api_routes(face)
    assert len(routes) > 12
    for method, rule in routes:
        answer = face.client.open(
            rule.replace("<", "").replace(">", ""), method=method, json={} if method != "GET" else None
        )
        assert answer.status_code == 401, (method, rule)
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")
        assert answer.content_type == "application/problem+json"


@pytest.mark.parametrize(
    "header",
    ["", "Bearer", "Bearer ", "Bearer wrong", "Basic ayse-token", "ayse-token", "Bearer ayse-token x", "Bearer ÿÿ"],
)
def test_what_is_no_valid_token_is_refused(face: Face, header: str) -> None:
    assert face.client.get("/api/tasks", headers={"Authorization": header}).status_code == 401


def test_a_token_in_the_query_string_does_not_count(face: Face) -> None:
    for name in ("token", "access_token", "Authorization", "bearer"):
        assert face.client.get("/api/tasks", query_string={name: "ayse-token"}).status_code == 401


def status_with(face: Face, token: str) -> int:
    return face.client.get("/api/tasks", headers={"Authorization": f"bearer {token}"}).status_code


def test_expired_and_revoked_tokens_are_refused_at_once(face_anywhere: Face) -> None:
    new_token("old", face_anywhere.ayse.company_id, expires_at=db.now() - timedelta(seconds=1))
    new_token("young", face_anywhere.ayse.company_id, expires_at=db.now() + timedelta(hours=1))
    assert [status_with(face_anywhere, token) for token in ("old", "young")] == [401, 200]

    with db.writing() as session:
        session.scalars(select(Token).where(Token.digest == digest_of("young"))).one().revoked_at = db.now()

    assert status_with(face_anywhere, "young") == 401


def test_only_the_digest_of_a_token_is_kept(face: Face) -> None:
    with db.reading() as session:
        kept = session.scalars(select(Token)).all()
    assert all("token" not in row.digest and len(row.digest) == 64 for row in kept)


def test_an_unknown_path_tells_nothing_to_strangers(face: Face) -> None:
    assert face.client.get("/api/no/such").status_code == 401
    assert face.ayse.get("/api/no/such").status_code == 404
    assert face.client.get("/no/such").status_code == 404


def filled(path: str, ids: dict[str, Any]) -> str:
    for name, value in ids.items():
        path = path.replace(f"{{{name}}}", str(value))
    return path


NO_IDS = ("", "kind", "target", "name")  # of no company: kinds, imports, queues, schedules


def test_no_route_with_an_id_tells_another_company_more_than_an_unknown_id_does(face: Face) -> None:
    ids = {
        "task_id": face.ayse.enqueue("add", a=1),
        "mutabakat_id": face.ayse.letter(),
        "company_id": face.ayse.company_id,
        "kind": "add",
    }
    unknown = {"task_id": UNKNOWN_TASK, "mutabakat_id": 999_999, "company_id": 999_999, "kind": "no_such"}
    tried = 0
    for path, item in face.client.get("/api/openapi.json").json["paths"].items():
        parameter = path.partition("{")[2].partition("}")[0]
        assert parameter in ids or parameter in NO_IDS, path
        if parameter in NO_IDS:
            continue
        for method in item:
            body = {"json": {}} if method in ("post", "patch") else {}
            foreign = face.bora.call(method.upper(), filled(path, ids), **body)
            missing = face.bora.call(method.upper(), filled(path, unknown), **body)
            assert foreign.status_code == missing.status_code == 404, (method, path)
            assert foreign.data == missing.data
            tried += 1
    assert tried >= 9
    assert face.ayse.status(ids["task_id"])["state"] == "PENDING"


def test_lists_and_streams_show_the_own_company_only(face_anywhere: Face) -> None:
    mine, theirs = face_anywhere.ayse.enqueue("add", a=1), face_anywhere.bora.enqueue("add", a=1)

    listed = [row["task_id"] for row in face_anywhere.ayse.get("/api/tasks").json["items"]]

    assert listed == [mine]
    assert face_anywhere.ayse.get(f"/api/tasks?company={face_anywhere.bora.company_id}").status_code == 403
    assert face_anywhere.ayse.get(f"/api/tasks?q={theirs}").json["items"] == []
    everything = [row["task_id"] for row in face_anywhere.operator.get("/api/tasks").json["items"]]
    assert everything == [theirs, mine]
    only = face_anywhere.operator.get(f"/api/tasks?company={face_anywhere.bora.company_id}").json["items"]
    assert [row["task_id"] for row in only] == [theirs]


def test_tasks_without_a_company_are_for_operators(face: Face) -> None:
    task_id = queues.enqueue("add", {"a": 1}).id
    assert face.ayse.get(f"/api/tasks/{task_id}/status").status_code == 404
    assert face.operator.status(task_id)["kind"] == "add"


def test_maintenance_is_for_operators(face: Face) -> None:
    assert face.ayse.post("/api/jobs/nothing", {}).status_code == 403
    assert face.operator.post("/api/jobs/nothing").status_code == 202


def test_members_work_for_their_own_company(face: Face) -> None:
    foreign = {"company_id": face.bora.company_id}
    assert face.ayse.post("/api/jobs/of_company", foreign).status_code == 403
    assert face.ayse.post("/api/jobs/add", {"a": 1, **foreign}).status_code == 403
    assert face.ayse.post("/api/jobs/add", {"a": 1, "company_id": 999_999}).status_code == 403
    assert queues.find(face.ayse.enqueue("of_company")).scope == str(face.ayse.company_id)
    assert queues.find(face.ayse.enqueue("add", a=1, company_id=face.ayse.company_id)).scope == str(
        face.ayse.company_id
    )


def test_operators_may_name_the_company_and_else_work_for_none_or_where_one_is_needed_for_their_own(face: Face) -> None:
    bora = face.bora.company_id
    assert queues.find(face.operator.enqueue("add", a=1)).scope is None
    assert queues.find(face.operator.enqueue("of_company")).scope == str(face.operator.company_id)
    assert face.operator.post("/api/jobs/add", {"a": 1, "company_id": 999_999}).status_code == 404
    assert face.operator.post("/api/jobs/add", {"a": 1, "company_id": 2**63}).status_code == 404
    assert face.operator.post("/api/jobs/add", {"a": 1, "company_id": "1"}).status_code == 422
    assert face.operator.post("/api/jobs/add", {"a": 1, "company_id": True}).status_code == 422
    assert face.bora.status(face.operator.enqueue("add", a=1, company_id=bora))["state"] == "PENDING"
    assert queues.find(face.operator.enqueue("add", a=1)).scope is None


def test_records_of_another_company_do_not_exist(face_anywhere: Face) -> None:
    mine, theirs = face_anywhere.ayse.letter(), face_anywhere.bora.letter()
    for ids in ([theirs], [mine, theirs], [999_999], [0], [-1], [2**63], [2**64 - 1]):
        assert face_anywhere.ayse.post("/api/jobs/touch", {"mutabakat_ids": ids}).status_code == 404, ids
    assert face_anywhere.ayse.post("/api/jobs/touch", {"mutabakat_ids": [mine, mine]}).status_code == 202


def test_an_operators_task_for_one_company_takes_the_records_of_that_one(face: Face) -> None:
    mine, theirs = face.ayse.letter(), face.bora.letter()

    def touch(**body: Any) -> int:
        return face.operator.post("/api/jobs/touch", body).status_code

    assert touch(mutabakat_ids=[mine, theirs]) == 202
    assert touch(mutabakat_ids=[theirs], company_id=face.bora.company_id) == 202
    assert touch(mutabakat_ids=[mine, theirs], company_id=face.bora.company_id) == 404


def test_ownership_is_checked_in_chunks(face: Face) -> None:
    ids = [face.ayse.letter() for _ in range(3)]
    with db.writing() as session:
        session.connection().exec_driver_sql(
            "INSERT INTO mutabakat (id, company_id, account_id, as_of, variant, state, snapshot, created_at)"
            " WITH RECURSIVE n(i) AS (SELECT 1000 UNION ALL SELECT i + 1 FROM n WHERE i < 2200)"
            " SELECT i, company_id, account_id, as_of, variant, state, snapshot, created_at FROM n, mutabakat"
            f" WHERE mutabakat.id = {ids[0]}"
        )
    with face.app.app_context():
        owned({"mutabakat": [*ids, *range(1000, 2201)]}, face.ayse.company_id)
        with pytest.raises(NotFound):
            owned({"mutabakat": [*ids, *range(1000, 2202)]}, face.ayse.company_id)


@pytest.mark.parametrize("text", ["", "0x1", "1.0", " 1", "-1", "+1", "١", "01", "9" * 19, "9" * 5000, "1e3", "None"])
def test_what_is_no_number_of_ours_is_no_id(text: str) -> None:
    with pytest.raises(NotFound):
        record_id(text)


def limited(service: Any, rate: str) -> Face:
    settings.use(service.settings.model_copy(update={"rate_limit": rate}))
    return open_face()


def test_a_token_over_its_rate_waits(service: Any) -> None:
    face = limited(service, "3/minute")

    answers = [face.ayse.get("/api/tasks") for _ in range(4)]

    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    assert 1 <= int(answers[3].headers["Retry-After"]) <= 60
    assert answers[3].content_type == "application/problem+json"
    assert face.bora.get("/api/tasks").status_code == 200
    assert face.client.get("/healthz").status_code == 200


def test_who_waits_as_long_as_a_refusal_says_is_not_refused_again(service: Any) -> None:
    face = limited(service, "1/minute")
    face.ayse.get("/api/tasks")
    [counted] = service.redis.keys("LIMITS*")
    service.redis.pexpire(counted, 33_490)

    refused = face.ayse.get("/api/tasks")

    assert refused.status_code == 429
    assert 1_000 * int(refused.headers["Retry-After"]) >= service.redis.pttl(counted)


def test_the_rate_is_shared_by_all_processes(service: Any) -> None:
    face = limited(service, "2/minute")
    other = replace(face.ayse, client=create_app().test_client())
    answers = [who.get("/api/tasks") for who in (face.ayse, other, face.ayse, other)]
    assert [answer.status_code for answer in answers] == [200, 200, 429, 429]


def test_guessing_tokens_is_limited_by_address(service: Any) -> None:
    face = limited(service, "3/minute")
    guesses = [face.client.get("/api/tasks", headers={"Authorization": f"Bearer guess{n}"}) for n in range(5)]
    assert [guess.status_code for guess in guesses] == [401, 401, 401, 429, 429]
    assert face.ayse.get("/api/tasks").status_code == 200


def test_health_is_never_limited(service: Any) -> None:
    face = limited(service, "1/hour")
    assert [face.client.get("/healthz").status_code for _ in range(5)] == [200] * 5


def test_without_redis_the_rate_is_counted_in_memory(service: Any) -> None:
    settings.use(service.settings.model_copy(update={"redis_url": "redis://127.0.0.1:1/0", "rate_limit": "2/minute"}))
    face = open_face()
    assert [face.ayse.get("/api/companies/1").status_code for _ in range(3)] == [200, 200, 429]
