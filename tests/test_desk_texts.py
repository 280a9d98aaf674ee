"""SMS and mail at the desk: counted while they are written, sent once, kept when they are refused."""

from html import unescape
from typing import Any

import pytest
from sqlalchemy import select

from app.desk import mails, texts
from tests import desk as desks
from tests.desk import Desk, sign_in
from tests.face import Person
from workers import db, messages
from workers.engine import find, ledger
from workers.engine.tasks import params_of
from workers.models import Act, File

face, desk = desks.face, desks.desk
SCRIPT = "<script>alert('x')</script>"
TWO = "0555 000 00 01, 0555 000 00 02"


def account(person: Person, code: str, **more: Any) -> None:
    person.letter(account={"code": code, "title": f"Cari {code}", **more})


def said(page: str) -> str:
    return " ".join(unescape(page).split())


def task_of(answer: Any) -> Any:
    assert answer.status_code == 303, answer.text
    return find(answer.location.rpartition("/")[2])


def refs(task_id: str) -> list[Any]:
    return [row["ref"] for row in ledger.page(task_id, limit=100)[0]]


def new_file(company_id: int, name: str, size: int = 10) -> str:
    with db.writing() as session:
        row = {"id": f"file-{name}"[:36], "company_id": company_id, "purpose": "result", "filename": name, "size": size}
        session.add(File(**row, content_type="application/pdf", sha256="0" * 64, storage_key=f"files/{name}"))
    return str(row["id"])


def test_the_preview_counts_what_would_be_sent_and_says_why_the_rest_is_not(desk: Desk) -> None:
    desk.member.client.set_cookie("lang", "en")
    given = {"how": "one", "numbers": f"{TWO}\n0555 000 00 01; 0212 000 00 00", "message": "Şişe"}

    page = desk.member.post("/sms/preview", given, htmx=True)

    assert "<html" not in page.text
    told = said(page.text)
    for wanted in ("<dt>go out</dt><dd>2</dd>", "<dt>segments</dt><dd>2</dd>", "<dt>twice, sent once</dt><dd>1</dd>"):
        assert wanted in told
    assert "<dt>can't be sent</dt><dd>1</dd>" in told
    assert "GSM-7-TR" in told
    assert "<kbd>Ş</kbd>" in told
    assert "<td>4</td><td>0212 000 00 00</td>" in told


def test_spelling_plainly_is_offered_where_it_costs_less(desk: Desk) -> None:
    desk.member.client.set_cookie("lang", "en")
    given = {"how": "one", "numbers": TWO, "message": "ş" * 100}

    usual = said(desk.member.post("/sms/preview", given, htmx=True).text)
    plain = said(desk.member.post("/sms/preview", {**given, "plain": "1"}, htmx=True).text)

    assert "Spelled plainly it would be 2 segments." in usual
    assert "<dt>segments</dt><dd>2</dd>" in plain


def test_nothing_yet_and_too_much_at_once_are_previews_too(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    empty = desk.member.post("/sms/preview", {"how": "one"}, htmx=True)
    monkeypatch.setattr(texts, "LIVE_ROWS", 1)
    many = desk.member.post("/sms/preview", {"how": "one", "numbers": TWO, "message": "a"}, htmx=True)
    whole = desk.member.post("/sms/preview", {"how": "one", "numbers": TWO, "message": "a", "whole": "1"}, htmx=True)

    assert empty.status_code == many.status_code == whole.status_code == 200
    assert "<dl" not in empty.text + many.text
    assert 'hx-vals=\'{"whole": "1"}\'' in many.text
    assert "<dl" in whole.text


def test_one_message_goes_to_many_numbers_and_a_double_click_is_one_task(desk: Desk) -> None:
    form = {"how": "one", "numbers": TWO, "message": "Merhaba", "plain": "1", "form_id": "f"}

    first, second = desk.member.post("/sms", form), desk.member.post("/sms", form)

    task = task_of(first)
    assert first.location == second.location
    assert (task.kind, task.scope, refs(task.id)) == ("send_bulk_sms", "1", ["+90…0001", "+90…0002"])
    assert params_of(task.id) == {"company_id": 1, "plain": True}
    with db.reading() as session:
        [act] = session.scalars(select(Act))
    assert (act.what, act.detail) == ("SMS sent", "2 messages")


def test_each_number_may_have_a_message_of_its_own(desk: Desk) -> None:
    pasted = "0555 000 00 01\tBir; iki\n0555 000 00 02\tÜç\n"

    task = task_of(desk.member.post("/sms", {"how": "each", "lines": pasted, "numbers": "unused", "message": "unused"}))

    assert refs(task.id) == ["+90…0001", "+90…0002"]
    broken = desk.member.post("/sms", {"how": "each", "lines": "[1]"})
    assert broken.status_code == 422


def test_the_accounts_of_a_filter_get_one_each(desk: Desk) -> None:
    for code, number in (("120.1", 1), ("120.2", 1), ("120.3", 3), ("320.1", 4)):
        account(desk.face.ayse, code, phone=f"0555 000 00 0{number}", email=f"m{number}@ornek.com")
    account(desk.face.bora, "120.9", phone="0555 000 00 09", email="m9@ornek.com")

    task = task_of(desk.member.post("/sms", {"how": "accounts", "q": "CARI 120", "message": "Merhaba"}))
    mails = task_of(
        desk.member.post("/mail", {"how": "accounts", "q": "120", "subject": "Konu", "body": "Metin", "to": "x"})
    )

    assert refs(task.id) == ["+90…0001", "+90…0003"]
    assert (mails.kind, refs(mails.id)) == ("send_bulk_emails", ["m***@ornek.com", "m***@ornek.com"])


def test_a_refused_message_is_kept_with_its_reason(desk: Desk) -> None:
    for form in (
        {"how": "one", "numbers": "0212 000 00 00", "message": SCRIPT},
        {"how": "one", "numbers": "0212 000 00 00, 0850 000 00 00", "message": SCRIPT},
        {"how": "one", "numbers": "", "message": SCRIPT},
    ):
        answer = desk.member.post("/sms", form)
        assert answer.status_code == 422
        assert 'role="alert"' in answer.text
        assert SCRIPT not in answer.text
        assert SCRIPT in unescape(answer.text)


def test_a_message_that_goes_too_often_to_one_number_is_refused_and_kept(desk: Desk) -> None:
    form = {"how": "one", "numbers": "0555 000 00 01", "message": "Merhaba"}

    answers = [desk.member.post("/sms", {**form, "form_id": str(n)}) for n in range(4)]

    assert [answer.status_code for answer in answers] == [303, 303, 303, 429]
    assert "Merhaba</textarea>" in answers[-1].text


def test_a_gateway_that_rests_is_told_before_sending(desk: Desk) -> None:
    messages.pause(messages.way(1, "sms"), "kod 30")
    messages.pause(messages.way(1, "email"), "535")

    preview = desk.member.post("/sms/preview", {"how": "one", "numbers": TWO, "message": "a"}, htmx=True)

    assert "kod 30" in preview.text
    assert "535" in desk.member.get("/mail").text


def test_operators_choose_for_whom(desk: Desk) -> None:
    theirs = str(desk.stranger.company_id)

    assert 'name="company_id"' in desk.operator.get("/sms").text
    task = task_of(desk.operator.post("/sms", {"how": "one", "numbers": TWO, "message": "a", "company_id": theirs}))
    mail = {"to": "a@ornek.com", "subject": "s", "body": "b", "company_id": theirs}
    assert task.scope == task_of(desk.operator.post("/mail", mail)).scope == theirs
    assert task_of(desk.member.post("/mail", mail)).scope == str(desk.member.company_id)


@pytest.mark.parametrize(("lang", "heading"), [("tr", "Sıra"), ("en", "Position")])
def test_a_number_that_gets_nothing_is_named_by_its_position_not_as_a_row_of_the_box(
    desk: Desk, lang: str, heading: str
) -> None:
    desk.member.client.set_cookie("lang", lang)

    page = desk.member.post("/sms/preview", {"how": "one", "numbers": f"{TWO}\nyok", "message": "a"}, htmx=True)

    assert f'<th scope="col">{heading}</th>' in page.text
    assert "<td>3</td><td>yok</td>" in said(page.text)


def test_a_mail_goes_to_one_or_to_each_of_many_with_files_attached(desk: Desk) -> None:
    file = new_file(desk.member.company_id, "mektup.pdf")
    form = {"subject": "Konu", "body": "Satır\r\nSatır", "file": [file], "form_id": "f"}

    one = desk.member.post("/mail", {**form, "to": " a@ornek.com "})
    again = desk.member.post("/mail", {**form, "to": " a@ornek.com "})
    many = task_of(desk.member.post("/mail", {**form, "to": "a@ornek.com;b@ornek.com\nc@ornek.com"}))

    task = task_of(one)
    assert one.location == again.location
    assert task.kind == "send_email"
    assert params_of(task.id)["attachments"] == [file]
    assert params_of(task.id)["body"] == "Satır\nSatır"
    assert (many.kind, len(refs(many.id))) == ("send_bulk_emails", 3)


@pytest.mark.parametrize(
    ("to", "meant"),
    [
        ("Ali Veli <ali@x.example>; b@y.example", ["ali@x.example", "b@y.example"]),
        (
            '"Can, Ö." <can@z.example>, Ali <a@x.example>\r\nb@y.example',
            ["can@z.example", "a@x.example", "b@y.example"],
        ),
        (
            "a@x.example b@y.example\tc@z.example,,d@x.example ",
            [f"{name}.example" for name in ("a@x", "b@y", "c@z", "d@x")],
        ),
        (
            "a@x.example A@x.example <a@X.example> Ali <c@z.example> b@y.example",
            ["a@X.example", "c@z.example", "b@y.example"],
        ),
        ("b@y.example Ali <a@x.example>", ["b@y.example", "a@x.example"]),
        (r'"Ali \"Bay\" Veli; Oğlu" <a@x.example>', ["a@x.example"]),
        ('Ali <> "a@x.example"', ["Ali", "<>", '"a@x.example"']),
        ("Ali <a@x.example", ["Ali", "<a@x.example"]),
        (" \n;, ", []),
    ],
)
def test_recipients_are_taken_as_mail_programs_copy_them_and_none_is_lost(to: str, meant: list[str]) -> None:
    assert list(mails._addresses(to)) == meant


def test_a_mail_goes_to_the_addresses_behind_names(desk: Desk) -> None:
    to = '"Can, Ö." <can@z.example>; Ali Veli <ali@x.example>'

    task = task_of(desk.member.post("/mail", {"to": to, "subject": "s", "body": "b"}))

    assert refs(task.id) == ["c***@z.example", "a***@x.example"]


def test_files_are_the_companys_found_by_name_and_stay_ticked(desk: Desk) -> None:
    mine = new_file(desk.member.company_id, f"{SCRIPT}.pdf")
    other = new_file(desk.member.company_id, "rapor.pdf")
    theirs = new_file(desk.stranger.company_id, "gizli.pdf")

    page = desk.member.get("/mail").text
    assert SCRIPT not in page
    assert mine in unescape(page)
    assert theirs not in page
    part = desk.member.get("/mail/files", query_string={"name": "RAPOR", "file": mine}, htmx=True).text
    assert other in part
    assert "checked" in part
    mail = {"to": "a@ornek.com", "subject": "s", "body": "b"}
    assert desk.member.post("/mail", {**mail, "file": [theirs]}).status_code == 422
    large = new_file(desk.member.company_id, "large.pdf", 21 * 2**20)
    refused = desk.member.post("/mail", {**mail, "file": [large]})
    assert refused.status_code == 422
    assert "20 MB" in refused.text


def test_a_refused_mail_says_why_at_its_field_and_keeps_the_rest(desk: Desk) -> None:
    answer = desk.member.post("/mail", {"to": "nobody", "subject": SCRIPT, "body": "Uzun metin"})
    empty = desk.member.post("/mail", {"to": "a@ornek.com", "subject": " ", "body": ""})
    nobody = desk.member.post("/mail", {"to": "", "subject": "s", "body": "b"})

    assert [answer.status_code, empty.status_code, nobody.status_code] == [422, 422, 422]
    assert "Uzun metin</textarea>" in answer.text
    assert SCRIPT not in answer.text
    assert answer.text.count('aria-invalid="true"') == 1
    assert empty.text.count('aria-invalid="true"') == 2


def test_a_session_that_ended_keeps_the_whole_message(desk: Desk) -> None:
    desk.member.client.delete_cookie("sira")
    headers = {"Sec-Fetch-Site": "same-origin", "Accept": "text/html"}

    for path, form in (("/sms", {"message": "Uzun metin", "numbers": TWO}), ("/mail", {"body": "Uzun metin"})):
        answer = desk.member.client.post(path, data={**form, "form_id": "f"}, headers=headers)
        assert 'name="password"' in answer.text
        assert "Uzun metin" in unescape(answer.text)


def test_an_operator_of_the_whole_service_must_say_for_whom(desk: Desk) -> None:
    boss = sign_in(desk.face, "all@sira.example", None, "operator")
    forms = {"/sms": {"numbers": TWO, "message": "a"}, "/mail": {"to": "a@ornek.com", "subject": "s", "body": "b"}}

    for path in ("/new", "/new/send_sms", "/letters", "/letters/accounts", "/upload", "/sms", "/mail"):
        assert boss.get(path).status_code == 200, path
    for path, form in forms.items():
        assert boss.post(path, form).status_code == 422
        assert task_of(boss.post(path, {**form, "company_id": "1"})).scope == "1"
    assert boss.post("/sms/preview", {"numbers": TWO, "message": "a"}, htmx=True).text == ""
