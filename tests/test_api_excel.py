"""Uploads at the door: what is taken, what is refused before it is stored, and for whom."""

import io
from typing import Any

import openpyxl
import pytest
from openpyxl.utils import get_column_letter
from sqlalchemy import func, select

from tests import face as faces
from tests.conftest import Service
from tests.face import Face, open_face
from tests.imports_made import ACCOUNT_HEAD, account_rows, ended, read_back, upload, xlsx
from workers import db, settings
from workers.engine import find
from workers.models import File
from workers.services.columns import COLUMNS

face = faces.face

SHEET = xlsx(ACCOUNT_HEAD, *account_rows(range(2)))
CSV = "Cari Kodu;Unvan\n120.1;Çınar\n"


def stored() -> int:
    with db.reading() as session:
        return session.scalar(select(func.count()).select_from(File)) or 0


def wrong_fields(answer: Any) -> list[str]:
    assert answer.status_code == 422, answer.text
    return [error["field"] for error in answer.json["errors"]]


def test_an_upload_is_stored_and_accepted(face: Face) -> None:
    answer = upload(face.ayse, SHEET, "accounts")

    assert answer.status_code == 202
    assert set(answer.json) == {"task_id", "status_url", "status"}
    assert answer.json["status"] == "Dosya içe aktarılıyor..."
    assert face.ayse.status(answer.json["task_id"])["kind"] == "process_excel_upload"
    assert face.bora.get(answer.json["status_url"]).status_code == 404
    with db.reading() as session:
        file = session.query(File).one()
    assert (file.purpose, file.filename, file.company_id) == ("upload", "cari.xlsx", face.ayse.company_id)
    assert file.size == len(SHEET)


def test_a_key_holds_for_the_same_bytes_and_no_others(face: Face) -> None:
    first, again, other, also = (
        upload(face.ayse, content, "accounts", headers={"Idempotency-Key": "k"}, **more)
        for content, more in ((SHEET, {}), (SHEET, {}), (xlsx(ACCOUNT_HEAD), {}), (SHEET, {"dry_run": "true"}))
    )

    assert first.json == again.json
    assert again.headers["Idempotent-Replayed"] == "true"
    assert [other.status_code, also.status_code] == [422, 422]


@pytest.mark.parametrize("name", ["a.xlsx", "a.xls", "a.csv", "a"])
@pytest.mark.parametrize(
    "content",
    [
        b"MZ\x90\x00\x03" + b"\0" * 50,
        b"%PDF-1.7\n",
        b"\x89PNG\r\n\x1a\n",
        b"\x7fELF\x02",
        b"<html><table>",
        b"{\\rtf1 x}",
    ],
)
def test_what_is_no_sheet_is_refused_by_its_first_bytes(face: Face, name: str, content: bytes) -> None:
    assert upload(face.ayse, content, "accounts", name=name).status_code == 415
    assert stored() == 0


@pytest.mark.parametrize(
    ("content", "name", "status"),
    [
        (CSV.encode(), "a.csv", 202),
        (CSV.encode("cp1254"), "A.CSV", 202),
        (CSV.encode("utf-16"), "a.txt", 202),
        (CSV.encode(), "a.xlsx", 415),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 512, "a.xls", 202),
    ],
)
def test_text_counts_as_a_sheet_only_by_its_name(face: Face, content: bytes, name: str, status: int) -> None:
    assert upload(face.ayse, content, "accounts", name=name).status_code == status


@pytest.mark.parametrize(
    "name",
    ["../../etc/passwd", "/etc/passwd", "..", "a\tb.xlsx", "x" * 300 + ".xlsx"],
)
def test_a_file_name_that_is_a_path_is_refused(face: Face, name: str) -> None:
    assert wrong_fields(upload(face.ayse, SHEET, "accounts", name=name)) == ["file"]
    assert stored() == 0


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"import": "letters"}, "import"),
        ({"import": None}, "import"),
        ({"file": None}, "file"),
        ({"file": "text"}, "file"),
        ({"file": (io.BytesIO(b""), "a.xlsx")}, "file"),
        ({"mode": "some"}, "mode"),
        ({"dry_run": "perhaps"}, "dry_run"),
        ({"mapping": "[]"}, "mapping"),
        ({"mapping": "{"}, "mapping"),
        ({"mapping": '{"nope": "Unvan"}'}, "mapping.nope"),
        ({"as_of": "31.12.2025"}, "as_of"),
        ({"as_of": "9999-12-31"}, "as_of"),
        ({"language": "de"}, "language"),
        ({"unknown": "1"}, "unknown"),
        ({"sheet_name": "x" * 101}, "sheet_name"),
    ],
)
def test_each_wrong_field_is_named_before_anything_is_stored(face: Face, given: dict[str, Any], field: str) -> None:
    data = {"file": (io.BytesIO(SHEET), "a.xlsx"), "import": "accounts", **given}
    data = {name: value for name, value in data.items() if value is not None}

    answer = face.ayse.call("POST", "/api/excel/upload-async", data=data, content_type="multipart/form-data")

    assert wrong_fields(answer) == [field]
    assert stored() == 0


@pytest.mark.parametrize(
    "field", ["sheet_name", "mapping", "import", "mode", "dry_run", "as_of", "company_id", "other"]
)
@pytest.mark.parametrize("text", ["[" * 20_000, '{"a":' * 20_000, "9" * 6_000, "NaN"])
def test_a_text_that_json_readers_fall_over_is_a_wrong_field_like_any_other(face: Face, field: str, text: str) -> None:
    data = {"file": (io.BytesIO(SHEET), "a.xlsx"), "import": "accounts", field: text}

    answer = face.ayse.call("POST", "/api/excel/upload-async", data=data, content_type="multipart/form-data")

    if (field, text) == ("sheet_name", "NaN"):
        assert answer.status_code == 202, "a sheet may be called so"
    else:
        assert wrong_fields(answer) == [field]


@pytest.mark.parametrize("field", ["file", "import", "mode"])
def test_what_is_sent_twice_is_refused_and_never_half_taken(face: Face, field: str) -> None:
    data: dict[str, list[Any]] = {
        "file": [(io.BytesIO(SHEET), "a.xlsx"), (io.BytesIO(SHEET), "b.xlsx")],
        "import": ["accounts", "users"],
        "mode": ["skip-bad", "all-or-nothing"],
    }
    data = {name: values if name == field else values[:1] for name, values in data.items()}

    answer = face.ayse.call("POST", "/api/excel/upload-async", data=data, content_type="multipart/form-data")

    assert wrong_fields(answer) == [field]
    assert stored() == 0


def test_a_sheet_that_is_called_as_a_number_keeps_its_name(face: Face) -> None:
    assert (
        upload(face.ayse, SHEET, "accounts", sheet_name="2025", mapping='{"title": "Unvan", "phone": ""}').status_code
        == 202
    )


def test_a_body_that_is_no_form_is_refused(face: Face) -> None:
    assert face.ayse.post("/api/excel/upload-async", {"import": "accounts"}).status_code == 415
    assert wrong_fields(face.ayse.call("POST", "/api/excel/upload-async")) == ["file", "import"]


def test_without_a_token_no_byte_of_the_file_is_read(face: Face) -> None:
    sent = {"content_type": "multipart/form-data; boundary=b", "content_length": 1000}
    assert face.client.post("/api/excel/upload-async", input_stream=Unreadable(), **sent).status_code == 401


class Unreadable(io.BytesIO):
    def read(self, _: Any = -1) -> bytes:
        raise AssertionError("the body was read")


@pytest.mark.parametrize("chunked", [False, True])
def test_a_file_past_the_limit_is_refused_before_it_is_stored(service: Service, chunked: bool) -> None:
    settings.use(settings.current().model_copy(update={"max_upload_mb": 1}))
    face = open_face()

    assert upload(face.ayse, SHEET.ljust(2**20, b"\0"), "accounts").status_code == 202
    assert upload(face.ayse, SHEET.ljust(2**20 + 1, b"\0"), "accounts").status_code == 413
    form = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.xlsx"\r\n\r\n' + SHEET.ljust(3 * 2**20)
    length = {"headers": {"Transfer-Encoding": "chunked"}, "environ_overrides": {"wsgi.input_terminated": True}}
    more = length if chunked else {}
    stream = io.BytesIO(form + b"\r\n--b--\r\n") if chunked else form
    sent = {"input_stream": stream} if chunked else {"data": stream}
    answer = face.ayse.call(
        "POST", "/api/excel/upload-async", content_type="multipart/form-data; boundary=b", **sent, **more
    )
    assert answer.status_code == 413
    assert stored() == 1


def test_members_upload_for_their_own_company_and_operators_may_name_another(face: Face) -> None:
    own, other = face.ayse.company_id, face.bora.company_id
    assert upload(face.ayse, SHEET, "accounts", company_id=str(own)).status_code == 202
    assert upload(face.ayse, SHEET, "accounts", company_id=str(other)).status_code == 403
    unnamed = upload(face.operator, SHEET, "accounts")
    assert find(unnamed.json["task_id"]).scope == str(face.operator.company_id)
    assert upload(face.operator, SHEET, "accounts", company_id="99999").status_code == 404
    made = upload(face.operator, SHEET, "accounts", company_id=str(other))
    assert face.bora.get(made.json["status_url"]).status_code == 200


@pytest.mark.parametrize("target", sorted(COLUMNS))
@pytest.mark.parametrize("lang", ["tr", "en"])
def test_a_template_has_every_column_and_explains_it(face: Face, target: str, lang: str) -> None:
    answer = face.ayse.get(f"/api/excel/templates/{target}", headers={"Accept-Language": lang})

    assert answer.headers["Content-Disposition"].startswith(f'attachment; filename="{target}.xlsx"')
    assert read_back(answer.data)[0] == [column.heading(lang) for column in COLUMNS[target]]
    to_fill_in, explained = openpyxl.load_workbook(io.BytesIO(answer.data)).worksheets
    typed = [to_fill_in.column_dimensions[get_column_letter(n + 1)].number_format for n in range(len(COLUMNS[target]))]
    numerals = [column.kind in ("code", "tax_number", "phone") for column in COLUMNS[target]]
    assert [format == "@" for format in typed] == numerals, "a zero in front of what is typed there stays"
    assert [cell.value for cell in explained["A"]][1:] == [column.heading(lang) for column in COLUMNS[target]]


def test_a_template_that_nobody_filled_in_has_no_rows(service: Service, face: Face) -> None:
    service.run_worker()
    empty = {target: face.ayse.get(f"/api/excel/templates/{target}").data for target in COLUMNS}

    tasks = [upload(face.ayse, template, target).json["task_id"] for target, template in empty.items()]

    for told in (ended(face.ayse, task_id)["error"]["message"] for task_id in tasks):
        assert "“Veri” sayfasında başlığın altında satır yok" in told


def test_there_is_no_template_of_anything_else(face: Face) -> None:
    assert face.ayse.get("/api/excel/templates/letters").status_code == 404
    assert face.client.get("/api/excel/templates/users").status_code == 401


def test_a_mapping_is_kept_for_one_company(face: Face) -> None:
    path = "/api/excel/mappings/accounts"
    left_out = {"title": "Kim", "phone": ""}
    assert face.ayse.call("PUT", path, json={"mapping": left_out}).json == {"mappings": {"accounts": left_out}}
    assert face.ayse.call("PUT", path, json={"mapping": {"title": "Kim"}}).status_code == 200
    assert face.ayse.call("PUT", "/api/excel/mappings/users", json={"mapping": {}}).status_code == 200
    assert face.ayse.get("/api/excel/mappings").json["mappings"] == {"accounts": {"title": "Kim"}, "users": {}}
    assert face.bora.get("/api/excel/mappings").json == {"mappings": {}}
    assert wrong_fields(face.ayse.call("PUT", path, json={"mapping": {"nope": "x"}})) == ["mapping.nope"]
    assert face.ayse.call("PUT", "/api/excel/mappings/nope", json={"mapping": {}}).status_code == 404
    assert face.ayse.call("PUT", f"{path}?company_id={face.bora.company_id}", json={"mapping": {}}).status_code == 403
    theirs = {"query_string": {"company_id": face.bora.company_id}}
    assert face.operator.call("PUT", path, json={"mapping": {"code": "Kod"}}, **theirs).status_code == 200
    assert face.bora.get("/api/excel/mappings").json["mappings"]["accounts"] == {"code": "Kod"}


def test_operators_patch_the_same_mappings_at_the_company(face: Face) -> None:
    path, mine = f"/api/companies/{face.ayse.company_id}", "/api/excel/mappings"
    changed = face.operator.call("PATCH", path, json={"excel_mappings": {"accounts": {"title": "Kim"}}})

    assert changed.json["excel_mappings"] == face.ayse.get(mine).json["mappings"] == {"accounts": {"title": "Kim"}}
    wrong = face.operator.call("PATCH", path, json={"excel_mappings": {"accounts": {"nope": "x"}}})
    assert wrong_fields(wrong) == ["excel_mappings.accounts.nope"]
    assert face.operator.call("PATCH", path, json={"excel_mappings": {"letters": {}}}).status_code == 422
    face.operator.call("PATCH", path, json={"excel_mappings": None})
    assert face.ayse.get(mine).json["mappings"] == {}
