"""The company's settings: who is told by mail or webhook, and what became of it; operators change, members see."""

import re
from typing import Any

import pytest

from tests import desk as desks
from tests.conftest import Service
from tests.desk import Desk, Visitor
from tests.hands import work_off
from tests.receiver import SECRET, receiving, say
from tests.telling import allow_loopback
from workers import tellings

face, desk = desks.face, desks.desk
URL = "https://erp.example.com/hooks/sira?key=1"


def post(visitor: Visitor, path: str, **fields: Any) -> Any:
    return visitor.post(f"/company{path}", fields)


def test_an_operator_sets_a_webhook_and_sees_its_secret_once(desk: Desk) -> None:
    answer = post(desk.operator, "/webhook", url=URL, secret="")
    made = re.search(r"whsec_[A-Za-z0-9+/=]{40,}", answer.text)
    assert (answer.status_code, made is not None) == (200, True)

    page = desk.operator.get("/company").text
    assert "erp.example.com" in page
    assert made is not None
    assert made[0] not in page
    post(desk.operator, "/webhook", url=URL + "2", secret="")
    hook = tellings.wish(desk.member.company_id or 0, tellings.HOOK)
    assert hook is not None
    assert hook.options == {"url": URL + "2", "secret": made[0]}, "without a new one the secret stays"


def test_members_see_it_and_change_nothing(desk: Desk) -> None:
    post(desk.operator, "/webhook", url=URL, secret=SECRET)
    post(desk.operator, "/notices", emails="muhasebe@example.com")

    page = desk.member.get("/company").text
    assert "erp.example.com" in page
    assert "key=1" not in page
    assert "muhasebe@example.com" in page
    assert "<textarea" not in page
    for path in ("/notices", "/webhook", "/webhook/test", "/webhook/on", "/log/1/again"):
        assert post(desk.member, path, url="", emails="").status_code == 403
    assert "erp.example.com" not in desk.stranger.get("/company").text


def test_addresses_are_read_one_a_line_and_bad_ones_lose_nothing(desk: Desk) -> None:
    typed = "muhasebe@example.com\r\n\r\nmuhasebe@example.com\r\nayse@çınar.example\r\n"
    assert post(desk.operator, "/notices", emails=typed).status_code == 302
    note = tellings.wish(desk.member.company_id or 0, tellings.NOTE)
    assert note is not None
    assert len(note.options["emails"]) == 2

    refused = post(desk.operator, "/notices", emails="a@example.com\nno address <script>alert(1)</script>")
    assert refused.status_code == 422
    assert "&lt;script&gt;" in refused.text
    assert "<script>alert" not in refused.text
    assert len(tellings.wish(desk.member.company_id or 0, tellings.NOTE).options["emails"]) == 2  # type: ignore[union-attr]
    assert post(desk.operator, "/notices", emails="\n".join(f"a{n}@example.com" for n in range(21))).status_code == 422

    post(desk.operator, "/notices", emails="")
    assert tellings.wish(desk.member.company_id or 0, tellings.NOTE) is None


@pytest.mark.parametrize("url", ["http://erp.example.com/", "https://10.0.0.1/", "https://[::ffff:127.0.0.1]/", "erp"])
def test_a_webhook_that_would_lead_inside_is_refused_with_what_was_typed(desk: Desk, url: str) -> None:
    refused = post(desk.operator, "/webhook", url=url, secret=SECRET)
    assert refused.status_code == 422
    assert url in refused.text
    assert SECRET not in refused.text
    assert tellings.wish(desk.member.company_id or 0, tellings.HOOK) is None


def test_the_log_shows_a_test_and_sends_it_again(desk: Desk, service: Service) -> None:
    allow_loopback(service)
    with receiving() as receiver:
        receiver.answer = lambda handler: say(handler, 500, b"<b>full</b>")
        post(desk.operator, "/webhook", url=receiver.url, secret=SECRET)
        assert post(desk.operator, "/webhook/test").status_code == 302
        work_off()
        assert "&lt;b&gt;full&lt;/b&gt;" in desk.operator.get("/company").text

        receiver.answer = lambda handler: say(handler, 200, b"ok")
        [row] = tellings.log(desk.member.company_id or 0)
        assert post(desk.operator, f"/log/{row.id}/again").status_code == 302
        assert post(desk.operator, f"/log/{row.id}/again").status_code == 409, "it is on its way"
        work_off()

    assert [got.json["kind"] for got in receiver.got] == ["test", "test"]
    assert "iletildi" in desk.member.get("/company").text
    assert post(desk.operator, "/log/999/again").status_code == 404
    assert post(desk.operator, f"/log/{row.id}/again", company_id=desk.stranger.company_id).status_code == 404


def test_a_webhook_that_was_switched_off_says_why_and_is_switched_on_again(desk: Desk) -> None:
    post(desk.operator, "/webhook", url=URL, secret=SECRET)
    tellings.switch_off(desk.member.company_id or 0, "nothing was taken for three days")

    assert "üç gündür hiçbir gönderim alınmadı" in desk.member.get("/company").text
    assert post(desk.operator, "/webhook/test").status_code == 409
    assert post(desk.operator, "/webhook/on").status_code == 302
    assert "üç gündür" not in desk.member.get("/company").text


def test_operators_choose_the_company(desk: Desk) -> None:
    other = desk.stranger.company_id
    assert (
        post(desk.operator, "/webhook", url=URL, secret=SECRET, company_id=other)
        .headers["Location"]
        .endswith(f"={other}")
    )
    assert "erp.example.com" in desk.operator.get(f"/company?company_id={other}").text
    assert "erp.example.com" not in desk.operator.get("/company").text
    nobodys = desks.sign_in(desk.face, "genel@ornek.example", None, "operator")
    assert nobodys.get("/company").status_code == 200
    assert post(nobodys, "/webhook", url=URL).status_code == 422


def test_programs_set_it_too_and_never_read_the_secret(desk: Desk) -> None:
    path = f"/api/companies/{desk.member.company_id}"
    body = {"webhook": {"url": URL, "secret": SECRET}, "notice_emails": ["muhasebe@example.com"]}
    answer = desk.face.operator.call("PATCH", path, json=body)
    assert answer.status_code == 200, answer.text
    assert (answer.json["webhook_host"], answer.json["notice_emails"]) == ("erp.example.com", ["muhasebe@example.com"])
    assert SECRET not in answer.text
    assert desk.face.ayse.call("PATCH", path, json=body).status_code == 403

    inside = {"name": "Başka", "webhook": {"url": "https://169.254.169.254/", "secret": SECRET}}
    refused = desk.face.operator.call("PATCH", path, json=inside)
    assert (refused.status_code, refused.json["errors"][0]["field"]) == (422, "webhook")
    assert desk.face.operator.get(path).json["name"] != "Başka", "refused as a whole"

    assert (
        desk.face.operator.call("PATCH", path, json={"webhook": None, "notice_emails": []}).json["webhook_host"] is None
    )
    assert tellings.wish(desk.member.company_id or 0, tellings.NOTE) is None
