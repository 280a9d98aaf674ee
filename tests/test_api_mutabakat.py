"""Recording letters: what is taken, what is kept, and every way to get it wrong."""

import copy
import unicodedata
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import func, select

from tests import face as faces
from tests.face import LETTER, Face, at_once
from workers import db
from workers.models import Account, Mutabakat

face, face_anywhere = faces.face, faces.face_anywhere

VKN, TCKN = "4540536920", "17291716060"
FORBIDDEN = ["\x00", "\x1b[2J", "a\nb", "a\rb", "a\tb", "\x7f", "\u2028", "\u202e", "\x85"]


def changed(path: str, value: Any) -> dict[str, Any]:
    """The sample letter with one place changed: `lines.0.amount`."""
    letter: Any = copy.deepcopy(LETTER)
    *way, last = path.split(".")
    place = letter
    for step in way:
        place = place[int(step) if step.isdigit() else step]
    place[int(last) if last.isdigit() else last] = value
    return letter


def without(path: str) -> dict[str, Any]:
    letter: Any = copy.deepcopy(LETTER)
    *way, last = path.split(".")
    place = letter
    for step in way:
        place = place[int(step) if step.isdigit() else step]
    del place[last]
    return letter


def test_a_letter_is_recorded_and_shown(face_anywhere: Face) -> None:
    account = {
        "code": " 120.01 ",
        "title": "  Çınar Ticaret  ",
        "tckn": TCKN,
        "tax_office": "Beşiktaş",
        "email": "ad@örnek.com.tr",
        "phone": "0212 555 00 00",
    }
    lines = [{"currency": "TL", "amount": "10", "side": "borc"}, {"currency": "USD", "amount": 0.5, "side": "alacak"}]
    letter = {"account": account, "as_of": "2025-12-31", "reply_by": "2026-01-31", "variant": "negatif", "lines": lines}

    answer = face_anywhere.ayse.post("/api/mutabakat", letter)

    assert answer.status_code == 201
    assert set(answer.json) == {"id"}
    seen = face_anywhere.ayse.get(answer.headers["Location"]).json
    assert seen == {
        "id": answer.json["id"],
        "company_id": face_anywhere.ayse.company_id,
        "account": {**account, "code": "120.01", "title": "Çınar Ticaret", "vkn": None},
        "as_of": "2025-12-31",
        "reply_by": "2026-01-31",
        "variant": "negatif",
        "state": "draft",
        "lines": [
            {"currency": "TRY", "amount": "10.00", "side": "borc"},
            {"currency": "USD", "amount": "0.50", "side": "alacak"},
        ],
        "created_at": seen["created_at"],
    }
    assert seen["created_at"].endswith("Z")


def test_every_post_is_a_new_letter_of_one_account(face: Face) -> None:
    first, second = face.ayse.letter(), face.ayse.letter()
    foreign = face.bora.letter()
    assert len({first, second, foreign}) == 3
    with db.reading() as session:
        assert session.scalar(select(func.count()).select_from(Account)) == 2


def test_a_letter_keeps_what_it_was_made_with(face: Face) -> None:
    first = face.ayse.letter()
    later = {**LETTER["account"], "title": "Çınar Holding", "email": "yeni@cinar.com.tr"}
    second = face.ayse.letter(account=later)
    face.operator.call("PATCH", f"/api/companies/{face.ayse.company_id}", json={"name": "Başka Ad", "legal_text": "m."})

    assert face.ayse.get(f"/api/mutabakat/{first}").json["account"]["title"] == LETTER["account"]["title"]
    assert face.ayse.get(f"/api/mutabakat/{second}").json["account"]["email"] == "yeni@cinar.com.tr"
    with db.reading() as session:
        snapshot = session.get_one(Mutabakat, first).snapshot
    assert set(snapshot) == {"sender", "receiver", "lines", "legal_text"}
    assert set(snapshot["sender"]) == {"name", "vkn", "tax_office", "address", "phone", "email"}
    assert set(snapshot["receiver"]) == {"name", "vkn", "tckn", "tax_office", "email", "phone"}
    assert snapshot["sender"]["name"].startswith("Şirket ")
    assert snapshot["legal_text"] is None


def test_fields_of_an_account_that_are_left_out_stay_and_null_clears_them(face_anywhere: Face) -> None:
    known = {"code": "1", "title": "A", "email": "a@b.co", "phone": "1"}
    face_anywhere.ayse.letter(account=known)

    def seen(letter: int) -> Any:
        return face_anywhere.ayse.get(f"/api/mutabakat/{letter}").json["account"]

    assert seen(face_anywhere.ayse.letter(account={"code": "1", "title": "B"}))["email"] == "a@b.co"
    assert seen(face_anywhere.ayse.letter(account={"code": "1", "title": "B", "email": None}))["email"] is None
    company = face_anywhere.ayse.letter(account={"code": "1", "title": "B", "vkn": VKN})
    person = face_anywhere.ayse.letter(account={"code": "1", "title": "B", "tckn": TCKN})
    assert (seen(company)["vkn"], seen(person)["vkn"], seen(person)["tckn"]) == (VKN, None, TCKN)


def test_one_new_account_posted_many_times_at_once_is_made_once(face_anywhere: Face) -> None:
    answers = at_once(8, lambda: face_anywhere.ayse.elsewhere().post("/api/mutabakat", LETTER))
    assert [answer.status_code for answer in answers] == [201] * 8
    with db.reading() as session:
        assert session.scalar(select(func.count()).select_from(Account)) == 1


def test_a_balance_may_be_of_1990_and_of_a_day_within_a_year(face: Face) -> None:
    for as_of in ("1990-01-01", (date.today() + timedelta(days=364)).isoformat()):
        assert face.ayse.post("/api/mutabakat", {**LETTER, "as_of": as_of}).status_code == 201, as_of


def test_text_is_kept_composed(face: Face) -> None:
    letter = face.ayse.letter(account={"code": "1", "title": unicodedata.normalize("NFD", "Çığır Öğün")})
    assert face.ayse.get(f"/api/mutabakat/{letter}").json["account"]["title"] == "Çığır Öğün"


def test_companies_abroad_have_no_tax_number_of_ours(face: Face) -> None:
    assert face.ayse.post("/api/mutabakat", without("account.vkn")).status_code == 201


@pytest.mark.parametrize(
    ("path", "value"),
    [
        *(("account.title", value) for value in ("", "   ", "x" * 201, "ş" * 5000, 5, None, [], *FORBIDDEN)),
        *(("account.code", value) for value in ("", " ", "1" * 61, 120.01, None, "a\x00")),
        *(("account.vkn", value) for value in ("4540536921", "454053692", "45405369200", "", "abcdefghij", 4540536920)),
        *(("account.vkn", value) for value in ("0000000000", "٤٥٤٠٥٣٦٩٢٠", " 4540536920", "１２３４５６７８９０")),
        *(("account.tckn", value) for value in ("17291716061", "1", "", 17291716060)),
        *(
            ("account.email", value)
            for value in ("x", "x@", "@b.co", "a@b", "a b@c.de", "a@b.co, c@d.ef", "a@b.co\r\nBcc: x@y.z")
        ),
        *(
            ("account.email", value)
            for value in ("a@b.co\x00", "<a@b.co>", "a@-b.co", "a@b..co", "a@" + "b" * 64 + ".co", 1)
        ),
        *(("account.email", value) for value in ("a@b.co;c@d.ef", "A <a@b.co>", "a@1.2.3.4", "ş@b.co", "a@b.co\u2028")),
        *(("account.phone", value) for value in ("1" * 41, 5551234567, "0\n1")),
        *(("account.x", value) for value in (1,)),
        *(
            ("as_of", value)
            for value in ("", "2025-13-01", "2025-02-29", "31.12.2025", "2025-12-31T00:00:00", 1767139200, None)
        ),
        *(("as_of", value) for value in ("0000-01-01", "٢٠٢٥-١٢-٣١", "20251231", "2025-W01-1")),
        *(("as_of", value) for value in ("0001-01-01", "1989-12-31", "9999-12-31", f"{date.today().year + 2}-01-02")),
        *(("reply_by", value) for value in ("2025-12-30", "soon", 1)),
        *(("variant", value) for value in ("", "POZITIF", "other", 1, None)),
        *(("lines", value) for value in ([], LETTER["lines"] * 21, {}, "x", None)),
        *(("lines.0.currency", value) for value in ("", "TRL", "XXX", "ABC", "try", "TRY ", "₺", 949, None)),
        *(("lines.0.side", value) for value in ("", "BORC", "borç", "debit", 1, None)),
        *(
            ("lines.0.amount", value)
            for value in ("-1", "-0", "+1", "1.234", "1,50", "1e3", "NaN", "Infinity", "-Infinity", "")
        ),
        *(
            ("lines.0.amount", value)
            for value in (".5", "5.", "0x10", " 1", "1 ", "1_0", "１", "1000000000000000.01", "9" * 17)
        ),
        *(
            ("lines.0.amount", value)
            for value in (-1, -0.01, 0.001, 0.1 + 0.2, 1e15, 1e300, 10**15 + 1, True, None, [], {})
        ),
        *(("lines.0.x", value) for value in (1,)),
        *(("x", value) for value in (1,)),
        *(("company_id", value) for value in ("1", 1.5, True)),
    ],
)
def test_what_is_wrong_is_refused_and_named(face: Face, path: str, value: Any) -> None:
    answer = face.ayse.post("/api/mutabakat", changed(path, value))
    assert answer.status_code == 422, answer.text
    assert [error["field"] for error in answer.json["errors"]] == [path]
    assert answer.json["errors"][0]["message"]


def test_twenty_lines_may_be_of_one_currency_and_stand_on_the_letter_as_they_are_given(face: Face) -> None:
    """As of the accounts 120 and 320: what is owed, and what is owed to the same firm."""
    lines = [{"currency": "TL", "amount": f"{n}.50", "side": ("borc", "alacak")[n % 2]} for n in range(20)]

    answer = face.ayse.post("/api/mutabakat", {**LETTER, "lines": lines})

    assert answer.status_code == 201, answer.text
    shown = face.ayse.get(f"/api/mutabakat/{answer.json['id']}").json["lines"]
    assert shown == [{**line, "currency": "TRY"} for line in lines]


@pytest.mark.parametrize(
    "path",
    [
        "account",
        "account.code",
        "account.title",
        "as_of",
        "lines",
        "lines.0.amount",
        "lines.0.currency",
        "lines.0.side",
    ],
)
def test_what_is_missing_is_named(face: Face, path: str) -> None:
    answer = face.ayse.post("/api/mutabakat", without(path))
    assert answer.status_code == 422
    assert [error["field"] for error in answer.json["errors"]] == [path]


def test_all_faults_are_named_at_once(face: Face) -> None:
    letter = changed("lines.0.amount", "-1") | {"as_of": "x", "variant": "y"}
    fields_named = {error["field"] for error in face.ayse.post("/api/mutabakat", letter).json["errors"]}
    assert fields_named == {"as_of", "variant", "lines.0.amount"}


@pytest.mark.parametrize(("title", "limit"), [("x" * 5000, "at most 200 characters"), (" ", "at least 1 character")])
def test_of_a_text_of_the_wrong_length_its_characters_are_told(face: Face, title: str, limit: str) -> None:
    answer = face.ayse.post("/api/mutabakat", {**LETTER, "account": {**LETTER["account"], "title": title}})

    assert answer.json["errors"] == [{"field": "account.title", "message": f"String should have {limit}"}]


def test_an_account_is_a_company_or_a_person(face: Face) -> None:
    answer = face.ayse.post("/api/mutabakat", changed("account.tckn", TCKN))
    assert (answer.status_code, answer.json["errors"][0]["field"]) == (422, "account.tckn")


@pytest.mark.parametrize(
    "amount", ["0", "0.00", "0.1", "1000000000000000", "999999999999999.99", 0, 10**15, 0.07, 9999999999999]
)
def test_exact_amounts_are_kept_to_the_kurus(face: Face, amount: Any) -> None:
    letter = face.ayse.letter(lines=[{"currency": "TRY", "amount": amount, "side": "borc"}])
    kept = face.ayse.get(f"/api/mutabakat/{letter}").json["lines"][0]["amount"]
    assert Decimal(kept) == Decimal(str(amount))


def test_members_record_for_their_own_company_and_operators_may_name_another(face: Face) -> None:
    own, other = face.ayse.company_id, face.bora.company_id
    assert face.ayse.post("/api/mutabakat", {**LETTER, "company_id": own}).status_code == 201
    assert face.ayse.post("/api/mutabakat", {**LETTER, "company_id": other}).status_code == 403
    unnamed = face.operator.letter()
    assert face.operator.get(f"/api/mutabakat/{unnamed}").json["company_id"] == face.operator.company_id
    assert face.operator.post("/api/mutabakat", {**LETTER, "company_id": 999_999}).status_code == 404
    assert face.operator.post("/api/mutabakat", {**LETTER, "company_id": 2**63}).status_code == 404
    made = face.operator.letter(company_id=other)
    assert face.bora.get(f"/api/mutabakat/{made}").json["company_id"] == other
    assert face.ayse.get(f"/api/mutabakat/{made}").status_code == 404
    assert face.operator.get(f"/api/mutabakat/{made}").status_code == 200


@pytest.mark.parametrize("text", ["0", "-1", "1.0", "x", "%00", "9" * 30, "1%20", "01", "generate-pdf-async"])
def test_what_is_no_id_is_not_found(face: Face, text: str) -> None:
    face.ayse.letter()
    assert face.ayse.get(f"/api/mutabakat/{text}").status_code == 404


@pytest.mark.parametrize("value", ["1", 1.5, None, True, [1], {}, "x" * 5000, 2**64])
def test_the_id_of_a_letter_to_draw_is_a_whole_number(face: Face, value: Any) -> None:
    answer = face.ayse.post("/api/mutabakat/generate-pdf-async", {"mutabakat_id": value})
    assert (answer.status_code, answer.json["errors"][0]["field"]) == (422, "mutabakat_id")


@pytest.mark.parametrize("value", [0, -1, 999_999, 2**62, 2**63 - 1, 2**63, -(2**63)])
def test_a_letter_that_does_not_exist_can_not_be_drawn(face_anywhere: Face, value: int) -> None:
    assert face_anywhere.ayse.post("/api/mutabakat/generate-pdf-async", {"mutabakat_id": value}).status_code == 404
    assert (
        face_anywhere.ayse.post("/api/mutabakat/generate-bulk-pdfs-async", {"mutabakat_ids": [value]}).status_code
        == 404
    )
