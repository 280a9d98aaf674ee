"""Companies and their people, as operators keep them: by the rules of the API, and nothing secret is shown twice."""

import re

from sqlalchemy import update

from tests import desk as desks
from tests.desk import Desk, acts
from workers import db, messages
from workers.models import Company, User

face, desk = desks.face, desks.english_desk
PASSWORD = re.compile(r"[a-z2-9]{5}(-[a-z2-9]{5}){3}")
NEW = {"name": "Öz Işık A.Ş.", "vkn": "1112223339", "tax_office": "Beşiktaş"}
NETGSM = {"netgsm.usercode": "8501112233", "netgsm.password": "parola-42", "netgsm.header": "SIRKET"}


def chosen_in(page: str) -> str:
    """The gateway that the form shows as chosen; "" is the service's own."""
    chosen = re.search(
        r'<option value="([^"]*)" selected>', page.partition('name="provider"')[2].partition("</select>")[0]
    )
    return chosen[1] if chosen else ""


def test_a_company_is_added_and_what_is_wrong_stays_typed(desk: Desk) -> None:
    refused = desk.operator.post("/admin/companies", {**NEW, "vkn": "123"})
    assert (refused.status_code, "Öz Işık A.Ş." in refused.text, 'aria-invalid="true"' in refused.text) == (
        422,
        True,
        True,
    )

    added = desk.operator.post("/admin/companies", NEW)

    assert added.status_code == 303
    shown = desk.operator.get(added.location).text
    assert ("Öz Işık A.Ş." in shown, "1112223339" in shown, "Beşiktaş" in shown) == (True, True, True)
    assert "Öz Işık A.Ş." in desk.operator.get("/admin/companies").text
    assert desk.operator.post("/admin/companies", NEW).status_code == 409
    assert desk.operator.post("/admin/companies", {**NEW, "name": "Öz Işık Anonim Şirketi"}).status_code == 409


def test_the_letterhead_and_the_limits_are_changed_by_the_apis_rules(desk: Desk) -> None:
    path = f"/admin/companies/{desk.member.company_id}"
    about = {"part": "about", "name": "Yeni Ad", "legal_text": "bir\r\niki", "phone": ""}
    limits = {"part": "limits", "sms_daily_cap": "100", "sms_per_number": "2/hour", "k": ""}

    assert [desk.operator.post(path, form).status_code for form in (about, limits)] == [303, 303]
    refused = desk.operator.post(path, {**limits, "sms_per_number": "now and then", "k": "0"})

    company = desk.face.operator.get(f"/api/companies/{desk.member.company_id}").json
    assert (company["name"], company["legal_text"], company["phone"]) == ("Yeni Ad", "bir\niki", None)
    assert (company["sms_daily_cap"], company["sms_per_number"], company["k"]) == (100, "2/hour", None)
    assert (refused.status_code, "now and then" in refused.text) == (422, True)


def test_credentials_are_written_and_never_shown(desk: Desk) -> None:
    path = f"/admin/companies/{desk.member.company_id}"
    mail = {"part": "mail", "url": "smtp://u:gizli-7@mail.example:587?tls=starttls", "mail_from": "a@ornek.example"}

    assert desk.operator.post(path, {"part": "sms", "provider": "netgsm", **NETGSM}).status_code == 303
    assert desk.operator.post(path, mail).status_code == 303
    lacking = desk.operator.post(path, {"part": "sms", "provider": "netgsm", "netgsm.usercode": "8501112233"})

    shown = desk.operator.get(path).text
    assert messages.way(int(desk.member.company_id or 0), "sms").provider == "netgsm"
    assert ("parola-42" in shown, "gizli-7" in shown, "8501112233" in shown) == (False, False, False)
    assert (lacking.status_code, "8501112233" in lacking.text) == (422, False)
    assert chosen_in(lacking.text) == "netgsm", "what is no secret stays as it was chosen"
    assert "parola-42" not in str(acts())
    assert "gizli-7" not in str(acts())
    assert "sms_gateway" in str(acts())


def test_given_no_gateway_of_its_own_when_the_untouched_form_is_saved_then_it_still_has_none(desk: Desk) -> None:
    path, company_id = f"/admin/companies/{desk.member.company_id}", int(desk.member.company_id or 0)

    shown = desk.operator.get(path).text
    saved = desk.operator.post(path, {"part": "sms", "provider": chosen_in(shown)})

    assert "Now: the service's own." in shown
    assert (saved.status_code, messages.way(company_id, "sms").own, acts()) == (303, "", [])


def test_given_a_gateway_of_its_own_when_the_untouched_form_is_saved_then_it_stays_until_it_is_taken_away(
    desk: Desk,
) -> None:
    path, company_id = f"/admin/companies/{desk.member.company_id}", int(desk.member.company_id or 0)
    desk.operator.post(path, {"part": "sms", "provider": "netgsm", **NETGSM})

    provider = chosen_in(desk.operator.get(path).text)
    desk.operator.post(path, {"part": "sms", "provider": provider, "netgsm.usercode": "", "netgsm.password": ""})

    kept = messages.way(company_id, "sms")
    assert (provider, kept.own, kept.options["password"]) == ("netgsm", "netgsm", "parola-42")
    desk.operator.post(path, {"part": "sms", "provider": ""})
    assert messages.way(company_id, "sms").own == ""


def test_given_a_refused_part_of_the_page_then_it_opens_at_that_part_which_says_first_that_nothing_was_saved(
    desk: Desk,
) -> None:
    path = f"/admin/companies/{desk.member.company_id}"

    page = desk.operator.post(path, {"part": "limits", "k": "0"}).text

    parts = re.findall(r'<form method="post" action="#part-(\w+)".*?<h2 id="part-\1">(.*?)</form>', page, re.DOTALL)
    assert [name for name, _ in parts] == ["about", "limits", "sms", "mail"]
    assert [name for name, text in parts if "Nothing was saved" in text.partition("<label")[0]] == ["limits"]


def test_given_turkish_names_when_companies_are_listed_then_they_stand_in_the_order_of_the_turkish_alphabet(
    desk: Desk,
) -> None:
    names = ["Başka", "Çınar", "Öztürk", "Sıra", "Şule"]
    with db.writing() as session:
        session.execute(update(Company).values(name="Zeki"))
        session.add_all(Company(name=name, vkn="1112223339") for name in sorted(names))

    pages = [desk.operator.get(path).text for path in ("/admin/companies", "/tasks", "/letters", "/company")]

    assert [sorted(names, key=lambda name: page.index(f">{name}</")) for page in pages] == [names] * 4


def test_a_form_that_names_no_part_of_the_page_changes_nothing(desk: Desk) -> None:
    path = f"/admin/companies/{desk.member.company_id}"

    assert [desk.operator.post(path, {"part": part}).status_code for part in ("", "vkn")] == [422, 422]
    assert desk.operator.post("/admin/companies/999", {"part": "about"}).status_code == 404


def test_a_stored_script_shows_as_text(desk: Desk) -> None:
    nasty = "<script>alert(1)</script>"
    with db.writing() as session:
        session.execute(update(Company).values(name=nasty, legal_text=nasty, address=nasty))
        session.execute(update(User).values(name=nasty))

    pages = ("/admin/companies", f"/admin/companies/{desk.member.company_id}", "/admin/users")
    texts = [desk.operator.get(page).text for page in pages]

    assert [nasty in text for text in texts] == [False] * 3
    assert all("&lt;script&gt;alert(1)" in text for text in texts)
