"""People as operators keep them: a password is shown once, and who is shut out is out at once."""

import re

from sqlalchemy import select

from app.passwords import matches
from tests import desk as desks
from tests.desk import Desk, acts
from workers import db
from workers.models import User

face, desk = desks.face, desks.english_desk
PASSWORD = re.compile(r"[a-z2-9]{5}(-[a-z2-9]{5}){3}")


def person(email: str) -> User:
    with db.reading() as session:
        return session.scalars(select(User).where(User.email == email)).one()


def test_a_person_is_added_with_a_password_that_is_shown_once(desk: Desk) -> None:
    form = {"email": "Yeni@Ornek.example", "company_id": desk.member.company_id, "role": "member"}

    added = desk.operator.post("/admin/users", form)

    password = PASSWORD.search(added.text)
    assert password is not None
    assert matches(person("yeni@ornek.example").password_hash, password[0])
    listed = desk.operator.get("/admin/users?q=YENİ").text
    assert PASSWORD.search(listed) is None
    assert password[0] not in str(acts())
    again = desk.operator.post("/admin/users", form)
    assert (again.status_code, "Yeni@Ornek.example" in again.text) == (409, True)
    assert desk.operator.post("/admin/users", {**form, "email": "x@y.example", "role": "root"}).status_code == 422


def test_a_new_password_ends_the_sessions_and_gives_imported_people_one(desk: Desk) -> None:
    answer = desk.operator.post(f"/admin/users/{desk.member.user_id}/password")

    password = PASSWORD.search(answer.text)
    assert password is not None
    assert matches(person(desk.member.email).password_hash, password[0])
    assert desk.member.get("/").location.startswith("/login")


def test_who_is_shut_out_is_out_at_once_and_may_be_let_in_again(desk: Desk) -> None:
    path = f"/admin/users/{desk.member.user_id}"

    desk.operator.post(f"{path}/shut_out")
    assert (person(desk.member.email).active, desk.member.get("/").status_code) == (False, 302)
    assert "shut out" in desk.operator.get("/admin/users").text

    desk.operator.post(f"{path}/let_in")
    assert person(desk.member.email).active


def test_who_is_signed_out_everywhere_may_sign_in_again(desk: Desk) -> None:
    desk.operator.post(f"/admin/users/{desk.member.user_id}/sign_out")

    assert desk.member.get("/").location.startswith("/login")
    assert person(desk.member.email).active


def test_nobody_shuts_out_oneself(desk: Desk) -> None:
    answer = desk.operator.post(f"/admin/users/{desk.operator.user_id}/shut_out")

    assert (answer.status_code, person(desk.operator.email).active) == (409, True)


def test_people_are_found_by_company_and_name(desk: Desk) -> None:
    by_name = desk.operator.get("/admin/users?q=bora").text
    by_company = desk.operator.get(f"/admin/users?of={desk.stranger.company_id}").text

    for text in (by_name, by_company):
        assert (desk.stranger.email in text, desk.member.email in text) == (True, False)
    assert desk.operator.get("/admin/users?of=x").status_code == 404
