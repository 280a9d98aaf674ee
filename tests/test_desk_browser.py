"""The desk in a real browser: logging in, languages and looks, the keyboard, a telephone, and who can use it at all."""

import re
from typing import Any

import pytest

from tests import browser as browsers
from tests.browser import Live, serious_faults, shot

live, browser, signed_in = browsers.live, browsers.browser, browsers.signed_in
page, visitor = browsers.page, browsers.visitor


def test_a_wrong_password_is_told_and_the_right_one_leads_where_one_was_going(visitor: Any, live: Live) -> None:
    visitor.goto("/tasks?state=FAILURE")
    visitor.wait_for_function("document.activeElement.name === 'email'")
    visitor.keyboard.type(live.email)
    visitor.keyboard.press("Tab")
    visitor.keyboard.type("wrong password")
    visitor.keyboard.press("Enter")
    assert visitor.inner_text("[role=alert]") == "E-posta ya da parola yanlış."
    assert visitor.input_value("input[name=email]") == live.email

    visitor.fill("input[name=password]", live.password)
    visitor.keyboard.press("Enter")
    visitor.wait_for_url("**/tasks?state=FAILURE")

    visitor.click(".menu > summary")
    visitor.click("form[action='/logout'] button:first-of-type")
    visitor.wait_for_url("**/login")
    visitor.go_back()
    visitor.wait_for_url("**/login**")


def test_language_and_look_stay_chosen_from_page_to_page(page: Any) -> None:
    page.goto("/")
    assert page.get_attribute("html", "lang") == "tr"
    light = page.evaluate("getComputedStyle(document.documentElement).backgroundColor")
    for name, value in (("lang", "en"), ("theme", "dark")):
        page.click(".menu > summary")
        page.click(f"button[name={name}][value={value}]")
        page.wait_for_load_state()

    page.goto("/password")

    assert page.get_attribute("html", "lang") == "en"
    assert page.inner_text("h1") == "Change password"
    assert page.evaluate("getComputedStyle(document.documentElement).backgroundColor") != light
    page.click(".menu > summary")
    assert page.get_attribute("button[name=theme][value=dark]", "aria-pressed") == "true"
    page.click("button[name=lang][value=tr]")  # the person's, so the next tests would read English
    page.wait_for_selector("html[lang=tr]")


def test_the_first_tab_skips_to_the_content(page: Any) -> None:
    page.goto("/")
    page.keyboard.press("Tab")
    page.wait_for_function("document.activeElement.className === 'skip'")
    page.keyboard.press("Enter")
    page.wait_for_function("document.activeElement.id === 'main'")


def test_in_a_narrow_window_the_menu_shows_where_one_is(page: Any) -> None:
    page.set_viewport_size({"width": 760, "height": 640})
    page.goto("/admin")
    assert page.evaluate("(menu => menu.scrollWidth > menu.clientWidth)(document.querySelector('.top nav'))")

    here, menu = (page.locator(which).first.bounding_box() for which in (".top nav [aria-current]", ".top nav"))

    assert menu["x"] <= here["x"]
    assert here["x"] + here["width"] <= menu["x"] + menu["width"] + 1


def test_the_home_page_moves_by_itself_and_draws_its_charts(page: Any, live: Live) -> None:
    live.post("/api/jobs/generate_mutabakat_pdf", {"mutabakat_id": 1, "company_id": 1})
    page.goto("/")
    page.evaluate("window.stayed = true")

    messages = [{"phone": f"0555 100 {n // 100:02d} {n % 100:02d}", "message": "Merhaba"} for n in range(6000)]  # 60 s
    task_id = live.post("/api/jobs/send_bulk_sms", {"messages": messages, "company_id": 1})["task_id"]

    bar = page.locator(f".home-now sira-progress[task='{task_id}']")
    bar.wait_for()
    assert "Toplu SMS" in page.inner_text(".home-now .wide")
    live.post(f"/api/tasks/{task_id}/cancel", {})
    bar.wait_for(state="detached", timeout=60_000)
    assert page.evaluate("window.stayed")

    page.goto("/")
    page.wait_for_selector(".chart canvas")
    assert page.locator(".chart canvas").count() == 4
    page.click("#pace-hour ~ details > summary")
    assert re.search(r"\d\d:\d\d", page.inner_text("#pace-hour ~ details tbody tr:last-child th"))


@pytest.mark.parametrize("look", ["light", "dark"])
def test_nothing_serious_keeps_people_out(page: Any, visitor: Any, look: str) -> None:
    for who, path, name in ((visitor, "/login", "login"), (page, "/", "home"), (page, "/password", "password")):
        who.emulate_media(color_scheme=look)
        who.goto(path)
        shot(who, f"{name}-{look}")
        assert serious_faults(who) == [], path


def test_a_telephone_shows_every_page_without_scrolling_sideways(page: Any, visitor: Any) -> None:
    mine = (
        "/",
        "/password",
        "/no-such-page",
        "/letters",
        "/notices",
        "/admin/users",
        "/admin/settings",
        "/admin/companies",
    )
    for who, path in ((visitor, "/login"), *((page, path) for path in mine)):
        who.set_viewport_size({"width": 360, "height": 740})
        who.goto(path)
        shot(who, f"phone-{path.strip('/') or 'home'}")
        assert who.evaluate("document.documentElement.scrollWidth") <= 360, path
    assert serious_faults(page) == [], "what scrolls can be reached by keyboard"
