"""What people did, as the page of a task tells it: in the reader's language, also of rows from years ago."""

import html
import re

import pytest

from tests import desk as desks
from tests.conftest import ROOT
from tests.desk import Desk
from tests.hands import put_row
from workers import db
from workers.models import Act

face, desk = desks.face, desks.desk


def noted(desk: Desk, what: str, detail: str | None = None) -> str:
    """The path of a task of the member's company with which somebody did that."""
    task_id = put_row(scope=str(desk.member.company_id), state="SUCCESS")
    with db.writing() as session:
        session.add(Act(what=what, detail=detail, task_id=task_id, user_id=desk.member.user_id))
    return f"/tasks/{task_id}"


def deed(page: str) -> tuple[str, str]:
    """What the page says was done, and its detail."""
    [(what, rest)] = re.findall(r"<li><time.*?<strong>(.*?)</strong>(.*?)</li>", page.partition("<h3>")[2])
    detail = re.search(r'<small class="soft">(.*?)</small>', rest)
    return html.unescape(what), html.unescape(detail[1]) if detail else ""


@pytest.mark.parametrize(
    ("what", "detail", "turkish", "english"),
    [
        (
            *("letters sent", "300 letters by email, sms"),
            ("mektup gönderimini başlattı", "300 mektup (e-posta, SMS)"),
            ("began to send letters", "300 letters (email, sms)"),
        ),
        (
            *("letters made", "1 letters as zip"),
            ("mektupların hazırlanmasını başlattı", "1 mektup (zip)"),
            ("began to make letters", "1 letter (zip)"),
        ),
        (
            *("SMS sent", "3 messages"),
            ("SMS gönderimini başlattı", "3 mesaj"),
            ("began to send SMS", "3 messages"),
        ),
        ("mail sent", "1 mails", ("e-posta gönderimini başlattı", "1 e-posta"), ("began to send mail", "1 mail")),
        (
            *("sheet imported", "failed (2).xlsx (accounts)"),
            ("Excel dosyasının aktarımını başlattı", "failed (2).xlsx (cari hesaplar)"),
            ("began to import a sheet", "failed (2).xlsx (accounts)"),
        ),
        (
            *("schedule run", "tidy_up"),
            ("plan dışında çalıştırdı", "Yarım kalanların temizliği"),
            ("ran it beside its plan", "Tidying up after crashes"),
        ),
        (
            *("enqueued export_sheet", None),
            ("bu görevi başlattı", "Excel indirme"),
            ("began this task", "Excel download"),
        ),
        ("cancel many", "12", ("toplu iptal etti", "12 görev"), ("cancelled many tasks", "12 tasks")),
        ("retry", "failed", ("yeniden çalıştırdı", "başarısız"), ("run again", "failed")),
        (
            "said by a later release",
            "failed",
            ("said by a later release", "failed"),
            ("said by a later release", "failed"),
        ),
    ],
)
def test_what_somebody_did_is_told_in_the_readers_language(
    desk: Desk, what: str, detail: str | None, turkish: tuple[str, str], english: tuple[str, str]
) -> None:
    path = noted(desk, what, detail)

    in_turkish = deed(desk.member.get(path).text)
    desk.member.client.set_cookie("lang", "en")
    in_english = deed(desk.member.get(path).text)

    assert in_turkish == turkish
    assert in_english == english


def test_every_deed_of_a_task_has_its_turkish(desk: Desk) -> None:
    sources = "".join(path.read_text() for path in (ROOT / "app/desk").glob("*.py"))
    deeds = re.findall(r'(?:acts\.|_)note\("([^"]+)", task', sources)

    told = {what: deed(desk.member.get(noted(desk, what)).text)[0] for what in deeds}

    assert len(told) >= 9
    assert [what for what, turkish in told.items() if what == turkish] == []


def test_what_a_form_notes_is_read_again_by_the_page_of_its_task(desk: Desk) -> None:
    form = {"how": "one", "numbers": "0555 000 00 01", "message": "Merhaba", "form_id": "once"}

    sent = desk.member.post("/sms", form)

    assert deed(desk.member.get(sent.location).text) == ("SMS gönderimini başlattı", "1 mesaj")
