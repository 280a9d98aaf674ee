"""A company's own mail server at the desk: seen without its login, kept by an untouched form, taken away on purpose."""

import pytest

from tests import desk as desks
from tests.desk import Desk, acts
from workers import messages

face, desk = desks.face, desks.english_desk
MAIL = {"part": "mail", "url": "smtp://mail.example:587?tls=starttls", "user": "api-41", "password": "gizli-7"}


def own_server(desk: Desk) -> dict[str, str]:
    way = messages.way(int(desk.member.company_id or 0), "email")
    return way.options if way.own else {}


def test_given_a_mail_server_when_its_form_is_saved_empty_or_untouched_then_it_stays(desk: Desk) -> None:
    path = f"/admin/companies/{desk.member.company_id}"
    desk.operator.post(path, {**MAIL, "mail_from": "a@ornek.example"})

    shown = desk.operator.get(path).text
    desk.operator.post(path, {"part": "mail", "url": "", "user": "", "password": "", "mail_from": ""})
    desk.operator.post(path, {"part": "mail", "url": MAIL["url"], "mail_from": "a@ornek.example"})

    assert f"Now: {MAIL['url']}, sender: a@ornek.example." in shown
    assert ("gizli-7" in shown, "api-41" in shown) == (False, False)
    kept = {"url": "smtp://api-41:gizli-7@mail.example:587?tls=starttls", "mail_from": "a@ornek.example"}
    assert (own_server(desk), len(acts())) == (kept, 1)


def test_given_a_mail_server_when_its_sender_is_emptied_or_it_is_taken_away_then_only_that_goes(desk: Desk) -> None:
    path = f"/admin/companies/{desk.member.company_id}"
    desk.operator.post(path, {**MAIL, "mail_from": "a@ornek.example"})

    desk.operator.post(path, {"part": "mail", "url": MAIL["url"], "mail_from": ""})
    without_sender = own_server(desk)
    desk.operator.post(path, {"part": "mail", "url": MAIL["url"], "remove": "1"})

    assert without_sender == {"url": "smtp://api-41:gizli-7@mail.example:587?tls=starttls"}
    assert own_server(desk) == {}


def test_given_another_address_when_no_login_is_typed_with_it_then_the_stored_one_does_not_go_there(desk: Desk) -> None:
    path = f"/admin/companies/{desk.member.company_id}"
    desk.operator.post(path, MAIL)

    refused = desk.operator.post(path, {"part": "mail", "url": "smtp://elsewhere.example"})

    assert (refused.status_code, 'id="f-user-fault"' in refused.text) == (422, True)
    assert "elsewhere" not in own_server(desk)["url"]


@pytest.mark.parametrize(
    ("wrong", "field"), [({"url": "mail.example"}, "url"), ({"mail_from": "x"}, "mail_from"), ({"user": ""}, "user")]
)
def test_given_a_wrong_field_of_the_mail_server_when_it_is_saved_then_it_says_which_and_keeps_what_is_no_secret(
    desk: Desk, wrong: dict[str, str], field: str
) -> None:
    typed = {**MAIL, "user": "", "password": "", "mail_from": "a@ornek.example", **wrong}
    if field == "user":
        typed |= {"password": "gizli-7"}

    refused = desk.operator.post(f"/admin/companies/{desk.member.company_id}", typed)

    assert (refused.status_code, f'id="f-{field}-fault"' in refused.text) == (422, True)
    assert [f'value="{typed[name]}"' in refused.text for name in ("url", "mail_from")] == [True, True]
    assert "gizli-7" not in refused.text
    assert own_server(desk) == {}
