"""The OpenAPI document: valid, complete, and true of what the API answers."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from tests import face as faces
from tests.face import Face

face = faces.face

PAGES = {"/api/docs"}


@pytest.fixture
def document(face: Face) -> Any:
    return face.client.get("/api/openapi.json").json


def templated(rule: str) -> str:
    return re.sub(r"<(?:[^<:]+:)?([^>]+)>", r"{\1}", rule)


def test_the_document_is_valid_openapi_3_1(face: Face, document: Any) -> None:
    import schemathesis  # it takes a second, and every process of a run imports this file

    assert document["openapi"] == "3.1.0"
    schemathesis.openapi.from_dict(document).validate()


def test_every_reference_has_a_target(document: Any) -> None:
    def references(part: Any) -> set[str]:
        inner = part.values() if isinstance(part, dict) else part if isinstance(part, list) else []
        own = {part["$ref"]} if isinstance(part, dict) and isinstance(part.get("$ref"), str) else set()
        return own.union(*map(references, inner))

    schemas = {f"#/components/schemas/{name}" for name in document["components"]["schemas"]}
    assert references(document) <= schemas


def test_every_route_that_is_no_page_is_listed(face: Face, document: Any) -> None:
    routes = {
        (templated(rule.rule), method.lower())
        for rule in face.app.url_map.iter_rules()
        if (rule.rule.startswith("/api/") and rule.rule not in PAGES)
        or rule.rule in ("/healthz", "/readyz", "/metrics")
        for method in rule.methods - {"HEAD", "OPTIONS"}
    }
    listed = {(path, method) for path, item in document["paths"].items() for method in item}
    assert routes <= listed
    assert all(path.startswith("/api/jobs/") for path, _ in listed - routes)


def test_operations_have_unique_readable_names_and_a_summary(document: Any) -> None:
    operations = [operation for item in document["paths"].values() for operation in item.values()]
    names = [operation["operationId"] for operation in operations]
    assert len(set(names)) == len(names)
    assert all(re.fullmatch(r"[a-z_]+", name) for name in names)
    assert [one["operationId"] for one in operations if not (one["summary"] and one["tags"])] == []


def test_every_operation_needs_a_token_but_health_and_the_document(document: Any) -> None:
    free = {
        path for path, item in document["paths"].items() for operation in item.values() if not operation.get("security")
    }
    assert free == {"/healthz", "/readyz", "/api/openapi.json"}
    assert document["components"]["securitySchemes"]["token"]["scheme"] == "bearer"


def test_every_kind_is_documented_from_its_declaration(face: Face, document: Any) -> None:
    listed = face.ayse.get("/api/jobs").json
    kinds = {row["kind"]: row for row in listed["items"]}
    assert {"generate_mutabakat_pdf", "generate_bulk_pdfs", "add"} <= set(kinds)
    assert set(kinds["add"]) == {"kind", "queue", "summary", "retries", "schema"}
    assert (kinds["add"]["queue"], kinds["add"]["retries"], kinds["add"]["summary"]) == ("sms", 3, "Add two numbers.")
    assert kinds["add"]["schema"]["required"] == ["a"]
    assert kinds["add"]["schema"]["additionalProperties"] is False
    assert kinds["of_company"]["schema"]["required"] == []
    assert listed["next_cursor"] is None
    for name in kinds:
        body = document["paths"][f"/api/jobs/{name}"]["post"]["requestBody"]["content"]["application/json"]["schema"]
        assert body == {"$ref": f"#/components/schemas/{name}"}
    shortcut = document["paths"]["/api/mutabakat/generate-pdf-async"]["post"]["requestBody"]
    assert shortcut["content"]["application/json"]["schema"] == {"$ref": "#/components/schemas/generate_mutabakat_pdf"}


def test_whatever_may_have_a_body_tells_what_is_refused_of_one(face: Face, document: Any) -> None:
    writing = [one for item in document["paths"].values() for method, one in item.items() if method != "get"]
    assert len(writing) > 20
    for operation in writing:
        assert {"400", "413", "415", "422"} <= set(operation["responses"]), operation["operationId"]
    for data, content_type, status in (
        (b"{", "application/json", 400),
        (b"{}", "text/plain", 415),
        (b"[]", "application/json", 422),
        (b" " * (face.app.config["MAX_CONTENT_LENGTH"] + 1), "application/json", 413),
    ):
        for path in (
            "/api/queues/sms/pause",
            "/api/schedules/tidy_up/run",
            "/api/tasks/x/cancel",
            "/api/tasks/x/retry",
        ):
            answer = face.operator.call("POST", path, data=data, content_type=content_type)
            assert answer.status_code == status, (path, answer.text)


def test_what_honours_the_idempotency_key_says_so(document: Any) -> None:
    keyed = {
        path
        for path, item in document["paths"].items()
        for operation in item.values()
        if any(one["name"] == "Idempotency-Key" for one in operation.get("parameters", []))
    }
    accepting = {path for path, item in document["paths"].items() if "schemas/Accepted'" in str(item)}
    assert keyed == accepting
    assert {"/api/excel/upload-async", "/api/schedules/{name}/run", "/api/sms/send-async"} <= keyed


def test_results_are_documented_as_the_types_that_are_sent(document: Any) -> None:
    result = document["paths"]["/api/tasks/{task_id}/result"]["get"]["responses"]["200"]["content"]
    sheet = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
    assert set(result) == {"application/pdf", "application/zip", sheet, "application/json"}
    assert "422" in document["paths"]["/api/tasks/{task_id}/events"]["get"]["responses"]


def test_the_pages_need_nothing_from_elsewhere(face: Face) -> None:
    for path in ("/login", "/api/docs"):
        page = face.client.get(path)
        assert page.status_code == 200
        assert page.content_type.startswith("text/html")
        assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\bstyle=|\bon\w+=|javascript:", page.text)
        for link in re.findall(r'(?:src|href)="([^"#]+)', page.text):
            assert link.startswith("/"), link
            assert not link.startswith("//"), link
            assert face.client.get(link, follow_redirects=True).status_code == 200, link


def test_the_pages_speak_turkish_and_english(face: Face) -> None:
    assert '<html lang="tr">' in face.client.get("/login").text
    assert '<html lang="en">' in face.client.get("/login", headers={"Accept-Language": "en"}).text
    assert '<html lang="tr">' in face.client.get("/api/docs").text


def operations(face: Face) -> Iterator[Any]:
    """The operations as schemathesis sees them; event streams don't end, so it stays away from them."""
    import schemathesis

    schema = schemathesis.openapi.from_wsgi("/api/openapi.json", face.app)
    for found in schema.exclude(path_regex=r"/events$").get_all_operations():
        yield found.ok()


def test_no_generated_request_breaks_it_or_gets_an_undocumented_answer(face: Face) -> None:
    from schemathesis.checks import not_a_server_error
    from schemathesis.specs.openapi.checks import (
        content_type_conformance,
        response_schema_conformance,
        status_code_conformance,
    )

    known = {
        "task_id": face.ayse.enqueue("add", a=1),
        "mutabakat_id": str(face.ayse.letter()),
        "company_id": str(face.ayse.company_id),
    }
    face.ayse.post(f"/api/tasks/{known['task_id']}/cancel")  # an ended task keeps nobody waiting
    checks = (not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance)
    tried = 0
    for operation in operations(face):

        @given(case=operation.as_strategy())
        @settings(max_examples=15, deadline=None, database=None, suppress_health_check=list(HealthCheck))
        def holds(case: Any) -> None:
            case.path_parameters.update({name: known[name] for name in case.path_parameters if name in known})
            answer = case.call(headers={"Authorization": "Bearer operator-token"})
            case.validate_response(answer, checks=checks)

        holds()
        tried += 1
    assert tried > 20
