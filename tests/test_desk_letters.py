"""Letters at the desk: found, looked at, made, reviewed, sent; nobody else's, and each click once."""

import re
from datetime import timedelta
from html import unescape
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import select, update

from app.desk import accounts, reach, selection
from app.desk.selection import Filter
from tests import desk as desks
from tests.desk import Desk, Visitor
from tests.face import Person
from workers import db
from workers.db import now
from workers.engine import find, ledger
from workers.engine.tasks import params_of
from workers.errors import InvalidInput
from workers.models import Account, Act
from workers.services import pictures

face, desk, face_anywhere, desk_anywhere = desks.face, desks.desk, desks.face_anywhere, desks.desk_anywhere
SCRIPT = "<script>alert('x')</script>"


def letter(person: Person, code: str, title: str = "Çınar Ltd.", **more: Any) -> int:
    account = {"code": code, "title": title, **{name: more.pop(name) for name in ("email", "phone") if name in more}}
    return person.letter(account=account, **more)


def shown(visitor: Visitor, **query: str) -> list[str]:
    """The codes of the letters on the page."""
    page = visitor.get("/letters", query_string=query)
    assert page.status_code == 200
    return [unescape(code) for code in re.findall(r'<td class="code">(.*?)</td>', page.text)]


def values_of(task_id: str) -> list[Any]:
    return [int(row["ref"]) if row["ref"] else row["position"] for row in ledger.page(task_id, limit=1000)[0]]


def test_a_company_with_no_letters_reads_what_to_do_first(desk: Desk) -> None:
    page = desk.member.get("/letters")

    assert page.status_code == 200
    assert "/upload?import=mutabakat" in page.text
    assert desk.operator.get("/letters", query_string={"company_id": desk.stranger.company_id}).status_code == 200


def test_filters_narrow_on_each_kind_of_database(desk_anywhere: Desk) -> None:
    ayse, member = desk_anywhere.face.ayse, desk_anywhere.member
    usd = [{"currency": "USD", "amount": "5", "side": "alacak"}]
    letter(ayse, "120.01", "ÇINAR IĞDIR A.Ş.", email="a@ornek.com", phone="0555 000 00 01")
    letter(ayse, "120.02", 'Adı "currency":"USD" olan', variant="negatif")
    letter(ayse, "320.01", "Şule İnşaat", lines=usd, email="b@ornek.com")
    letter(ayse, "320.02", "Eski", as_of="2024-12-31")
    letter(desk_anywhere.face.bora, "999.01")

    assert shown(member) == ["120.01", "120.02", "320.01"], "the newest day, in the order of the codes"
    assert shown(member, as_of="") == ["120.01", "120.02", "320.01", "320.02"]
    assert shown(member, as_of="2024-12-31") == ["320.02"]
    assert shown(member, q="çınar ığdır") == shown(member, q="CINAR igdir") == ["120.01"]
    assert shown(member, q="320") == ["320.01"]
    assert shown(member, q="%") == []
    assert shown(member, currency="USD") == shown(member, currency=" usd") == ["320.01"]
    assert shown(member, variant="negatif") == ["120.02"]
    assert shown(member, email="yes") == ["120.01", "320.01"]
    assert shown(member, phone="no") == ["120.02", "320.01"]
    assert shown(member, state="sent") == []
    assert shown(member, state="nonsense", as_of="") == shown(member, as_of="")
    assert shown(member, currency="'") == shown(member, as_of="yesterday") == []


@pytest.mark.parametrize(("name", "typed"), [("currency", "US$"), ("as_of", "31.12.2025")])
def test_given_no_currency_or_no_day_when_letters_are_chosen_by_it_then_none_are_and_it_says_why(
    desk: Desk, name: str, typed: str
) -> None:
    letter(desk.face.ayse, "120.1", email="a@ornek.com")
    form = {"which": "all", "as_of": "", "format": "zip", name: typed}

    pages = [desk.member.get("/letters", query_string={name: typed})]
    pages += [desk.member.post(path, form) for path in ("/letters", "/letters/review")]

    assert [page.status_code for page in pages] == [200, 422, 422]
    assert [f'value="{typed}"' in page.text and f"“{typed}”" in page.text for page in pages] == [True] * 3


def test_a_letter_is_reached_by_what_its_account_has_got_since_where_it_has_nothing_itself(
    desk_anywhere: Desk,
) -> None:
    ayse, member = desk_anywhere.face.ayse, desk_anywhere.member
    ids = [letter(ayse, "120.01"), letter(ayse, "120.02", email="b@ornek.com")]
    assert shown(member, email="yes") == ["120.02"]

    with db.writing() as session:
        session.execute(update(Account).values(email="yeni@ornek.com"))

    assert shown(member, email="yes") == ["120.01", "120.02"]
    assert shown(member, email="no") == []
    found = reach.look(ids, ayse.company_id, again=False)
    assert [channel.reached for channel in found.channels] == [2, 0]


def test_one_letter_dated_far_ahead_is_not_the_day_that_the_list_opens_with(desk: Desk) -> None:
    ahead = (now() + timedelta(days=300)).date().isoformat()
    letter(desk.face.ayse, "120.01", as_of=ahead)
    assert shown(desk.member) == ["120.01"], "where there is no other"

    letter(desk.face.ayse, "120.02")

    assert shown(desk.member) == ["120.02"]
    assert shown(desk.member, as_of=ahead) == ["120.01"]


def test_a_long_list_comes_page_by_page_into_the_same_form(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(selection, "PAGE", 2)
    for code in ("1:1", "2", "3", "4", "5"):
        letter(desk.face.ayse, code)

    page, codes = desk.member.get("/letters"), []
    while True:
        codes += re.findall(r'<td class="code">(.*?)</td>', page.text)
        more = re.search(r'hx-get="(/letters\?[^"]+)"', page.text)
        if more is None:
            break
        page = desk.member.get(unescape(more[1]), htmx=True)
        assert "<html" not in page.text

    assert codes == ["1:1", "2", "3", "4", "5"]
    assert desk.member.get("/letters?cursor=nonsense").status_code == 200


def test_all_of_a_filter_are_made_without_their_ids_in_the_form(desk: Desk) -> None:
    ids = [letter(desk.face.ayse, f"120.{n}") for n in range(3)]
    letter(desk.face.ayse, "320.1")
    letter(desk.face.bora, "120.9")

    answer = desk.member.post("/letters", {"which": "all", "q": "120", "format": "zip", "form_id": "f"})

    task = find(answer.location.rpartition("/")[2])
    assert (answer.status_code, task.kind, task.scope) == (303, "generate_bulk_pdfs", str(desk.member.company_id))
    assert sum((task.counts or {}).values()) == len(ids)
    again = desk.member.post("/letters", {"which": "all", "q": "120", "format": "zip", "form_id": "f"})
    assert again.location == answer.location, "a double click is one task"
    with db.reading() as session:
        [act] = session.scalars(select(Act))
    assert (act.what, act.task_id, act.user_id) == ("letters made", task.id, desk.member.user_id)


def test_a_click_that_comes_late_to_a_changed_list_begins_nothing_twice(desk: Desk) -> None:
    letter(desk.face.ayse, "120.1")
    form = {"which": "all", "format": "zip", "form_id": "f"}
    first = desk.member.post("/letters", form)
    letter(desk.face.ayse, "120.2")

    late = desk.member.post("/letters", form)

    assert (first.status_code, late.status_code) == (303, 409)
    assert 'role="alert"' in late.text


def test_only_what_is_ticked_is_made_and_nothing_ticked_is_said(desk: Desk) -> None:
    ids = [letter(desk.face.ayse, f"120.{n}") for n in range(3)]

    one = desk.member.post("/letters", {"which": "some", "id": [str(ids[1])], "format": "pdf"})
    none = desk.member.post("/letters", {"which": "some", "format": "pdf"})

    assert find(one.location.rpartition("/")[2]).counts["pending"] == 1
    assert params_of(one.location.rpartition("/")[2]) == {"format": "pdf"}
    assert none.status_code == 422
    assert 'role="alert"' in none.text


def test_given_ticked_letters_when_the_choice_was_left_at_all_then_only_the_ticked_are_meant(desk: Desk) -> None:
    ids = [letter(desk.face.ayse, f"120.{n}", email="a@ornek.com") for n in range(3)]
    form = {"which": "all", "as_of": "", "id": [str(ids[1])]}

    made = desk.member.post("/letters", {**form, "format": "pdf"})
    review = desk.member.post("/letters/review", form)

    assert find(made.location.rpartition("/")[2]).counts["pending"] == 1
    assert f'name="ids" value="{ids[1]}"' in review.text


def test_given_a_refused_choice_of_ticked_letters_when_the_list_comes_back_then_it_is_still_so(desk: Desk) -> None:
    letter(desk.face.ayse, "120.1")

    refused = desk.member.post("/letters", {"which": "some", "format": "pdf"})

    assert 'value="some" checked' in refused.text
    assert 'value="all" checked' not in refused.text


def test_a_letter_of_another_company_is_never_made_shown_or_sent(desk: Desk) -> None:
    theirs = str(letter(desk.face.bora, "120.1", email="b@ornek.com"))

    assert desk.member.post("/letters", {"which": "some", "id": [theirs], "format": "zip"}).status_code == 422
    assert desk.member.post("/letters/send", {"ids": theirs, "channels": ["email"]}).status_code == 422
    for ending in ("", ".png", ".pdf"):
        assert desk.member.get(f"/letters/{theirs}{ending}").status_code == 404
        assert desk.operator.get(f"/letters/{theirs}{ending}").status_code == 200
    review = desk.member.post("/letters/review", {"which": "some", "id": [theirs]})
    assert "/letters/send" not in review.text


def test_the_first_page_is_a_picture_and_the_letter_a_download(desk: Desk) -> None:
    one = letter(desk.face.ayse, "120.1", SCRIPT)

    page, part = desk.member.get(f"/letters/{one}"), desk.member.get(f"/letters/{one}", htmx=True)
    assert "<html" in page.text
    assert "<html" not in part.text
    assert SCRIPT not in page.text + part.text
    assert f'src="/letters/{one}.png"' in part.text
    picture = desk.member.get(f"/letters/{one}.png")
    assert (picture.mimetype, picture.data[:8]) == ("image/png", b"\x89PNG\r\n\x1a\n")
    pdf = desk.member.get(f"/letters/{one}.pdf")
    assert pdf.data.startswith(b"%PDF")
    assert pdf.headers["Content-Disposition"].startswith("attachment")
    assert desk.member.get("/letters/0001").status_code == desk.member.get("/letters/x").status_code == 404


def test_who_waits_too_long_for_a_picture_is_told_when(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    one = letter(desk.face.ayse, "120.1")
    monkeypatch.setattr(pictures, "WAIT_S", 0.01)

    with pictures._turn:
        answer = desk.member.get(f"/letters/{one}.png")

    assert answer.status_code == 429
    assert answer.headers["Retry-After"]


def test_a_title_with_a_script_shows_as_text_everywhere(desk: Desk) -> None:
    letter(desk.face.ayse, f"<b>{SCRIPT}"[:60], SCRIPT, email="a@ornek.com", phone=SCRIPT)

    pages = [desk.member.get("/letters"), desk.member.post("/letters/review", {"which": "all"})]

    assert all(page.status_code == 200 for page in pages)
    assert SCRIPT not in "".join(page.text for page in pages)
    assert SCRIPT in unescape(pages[0].text)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(1, 300), max_size=60, unique=True))
def test_ids_survive_the_form_in_their_order(ids: list[int]) -> None:
    assert selection.unpacked(selection.packed(ids)) == ids


@pytest.mark.parametrize("text", ["x", "1-2-3", "-1", "1-", "99999999999", "1-100000000", "²"])
def test_ids_that_we_never_wrote_are_refused(text: str) -> None:
    with pytest.raises(InvalidInput):
        selection.unpacked(text)


def test_a_filter_names_in_a_form_only_what_narrows() -> None:
    assert Filter(3, q="a").fields == {"company_id": 3, "q": "a"}


def test_accounts_are_listed_found_and_paged(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "/upload?import=accounts" in desk.member.get("/letters/accounts").text
    for number in range(5):
        letter(desk.face.ayse, f"120.{number}", SCRIPT, **({"email": "a@ornek.com"} if number < 2 else {}))
    letter(desk.face.bora, "999")
    monkeypatch.setattr(accounts, "PAGE", 3)

    first = desk.member.get("/letters/accounts").text
    more = desk.member.get(unescape(re.search(r'hx-get="([^"]+)"', first)[1]), htmx=True).text
    some = desk.member.get("/letters/accounts?email=yes&q=120").text

    codes = [re.findall(r'<td class="code">(.*?)</td>', page) for page in (first, more, some)]
    assert codes == [["120.0", "120.1", "120.2"], ["120.3", "120.4"], ["120.0", "120.1"]]
    assert SCRIPT not in first + more + some
    assert "<html" not in more
