"""Letters on their way: who is reached, who is not and why, and each click once."""

import re
from html import unescape

from sqlalchemy import select

from app.desk import selection
from tests import desk as desks
from tests.desk import Desk
from tests.test_desk_letters import letter, shown, values_of
from workers import db, messages
from workers.engine import find
from workers.models import Account, Mutabakat

face, desk = desks.face, desks.desk


def test_before_sending_it_says_who_is_not_reached_and_why(desk: Desk) -> None:
    ayse = desk.face.ayse
    letter(ayse, "1", email="a@ornek.com", phone="0555 000 00 01")
    letter(ayse, "2", email="b@ornek.com", phone="0212 000 00 00")
    letter(ayse, "3")
    with db.writing() as session:
        for row in session.scalars(select(Mutabakat)):
            if row.snapshot["receiver"]["email"] == "b@ornek.com":
                row.snapshot = {**row.snapshot, "receiver": {**row.snapshot["receiver"], "email": "no address"}}
    messages.unsubscribe(messages.unsubscribe_token(ayse.company_id, "a@ornek.com"))
    desk.member.client.set_cookie("lang", "en")

    text = " ".join(
        re.sub("<[^>]*>", " ", unescape(desk.member.post("/letters/review", {"which": "all"}).text)).split()
    )

    assert "0 of 3 can be reached" in text
    assert "1: The account has no e-mail address" in text
    assert "1: The e-mail address can't be used" in text
    assert "1: The recipient asked for no more mails" in text
    assert "1 of 3 can be reached" in text
    assert "1: The account has no telephone number" in text
    assert "a landline, no mobile" in text


def test_what_was_reviewed_is_sent_once_however_often_the_button_is_pressed(desk: Desk) -> None:
    ids = [letter(desk.face.ayse, str(n), email=f"a{n}@ornek.com") for n in range(3)]
    review = desk.member.post("/letters/review", {"which": "all"})
    packed = re.search(r'action="/letters/send".*?name="ids" value="([^"]*)"', review.text, re.DOTALL)[1]
    letter(desk.face.ayse, "later", email="later@ornek.com")

    form = {"ids": packed, "channels": ["email"], "form_id": "one"}
    first, second = desk.member.post("/letters/send", form), desk.member.post("/letters/send", form)

    assert first.status_code == 303
    assert first.location == second.location
    task = find(first.location.rpartition("/")[2])
    assert task.kind == "send_mutabakat"
    assert values_of(task.id) == ids, "not the one that came in between"
    other_tab = desk.member.post("/letters/review", {"which": "all"})
    assert f"/tasks/{task.id}" in other_tab.text, "a second tab is told that they are on their way"


def test_letters_that_were_sent_are_left_out_unless_asked_for(desk: Desk) -> None:
    sent, draft = (letter(desk.face.ayse, code, email="a@ornek.com") for code in ("1", "2"))
    with db.writing() as session:
        session.get_one(Mutabakat, sent).state = "sent"

    usual = desk.member.post("/letters/review", {"which": "all"}).text
    again = desk.member.post("/letters/review", {"ids": f"{sent}-{draft}", "again": "1"}).text

    assert f'name="ids" value="{draft}"' in usual
    assert f'name="ids" value="{sent}-{draft}"' in again


def test_sending_by_no_channel_is_refused_with_the_same_letters(desk: Desk) -> None:
    one = letter(desk.face.ayse, "1", email="a@ornek.com")

    answer = desk.member.post("/letters/send", {"ids": str(one)})

    assert answer.status_code == 422
    assert f'name="ids" value="{one}"' in answer.text


def test_given_a_refused_sending_when_none_was_sent_before_then_nothing_says_that_some_were(desk: Desk) -> None:
    fresh, sent = (letter(desk.face.ayse, code, email="a@ornek.com") for code in ("1", "2"))
    with db.writing() as session:
        session.get_one(Mutabakat, sent).state = "sent"
    desk.member.client.set_cookie("lang", "en")

    pages = [desk.member.post("/letters/send", {"ids": ids}).text for ids in (str(fresh), f"{fresh}-{sent}")]

    assert ["Letters that were sent already are among them." in page for page in pages] == [False, True]


def test_operators_choose_whose_letters_they_see_and_send(desk: Desk) -> None:
    theirs = letter(desk.face.bora, "777.1", email="b@ornek.com")
    company = {"company_id": str(desk.stranger.company_id)}

    assert shown(desk.operator, **company) == ["777.1"]
    answer = desk.operator.post("/letters/send", {**company, "ids": str(theirs), "channels": ["email"]})
    assert find(answer.location.rpartition("/")[2]).scope == company["company_id"]
    assert shown(desk.member, **company) == [], "a member's word about it does not count"


def test_four_thousand_letters_are_chosen_and_reviewed_at_once(desk: Desk) -> None:
    with db.writing() as session:
        made = [Account(company_id=desk.member.company_id, code=f"{n:05d}", title=f"Cari {n}") for n in range(4000)]
        session.add_all(made)
        session.flush()
        parties = {
            "sender": {"name": "S", "vkn": "4540536920"},
            "lines": [{"currency": "TRY", "amount": "1", "side": "borc"}],
        }
        session.add_all(
            Mutabakat(
                **{"company_id": one.company_id, "account_id": one.id, "as_of": selection.date(2025, 12, 31)},
                snapshot={**parties, "receiver": {"name": one.title, "email": f"a{one.id}@ornek.com", "phone": None}},
            )
            for one in made
        )

    review = desk.member.post("/letters/review", {"which": "all"})
    packed = re.search(r'action="/letters/send".*?name="ids" value="([^"]*)"', review.text, re.DOTALL)[1]
    answer = desk.member.post("/letters/send", {"ids": packed, "channels": ["email"], "form_id": "x"})

    assert len(review.text) < 20_000
    assert find(answer.location.rpartition("/")[2]).counts["pending"] == 4000
