"""In a real browser: a sheet is uploaded, tried and imported, its wrong rows come back, letters are made."""

import re
from pathlib import Path
from typing import Any

from tests import browser as browsers
from tests.browser import Live, serious_faults, shot
from tests.conftest import wait_until
from tests.imports_made import BALANCE_HEAD, DAY, read_back, xlsx

live, browser, signed_in, page = browsers.live, browsers.browser, browsers.signed_in, browsers.page
SCRIPT = "<script>alert(1)</script>"
WAIT_MS = 60_000


def a_sheet(folder: Path) -> Path:
    rows = [(f"700.{n:03d}", SCRIPT if n == 1 else f"Tarayıcı {n}", "", DAY, "TRY", 100 + n, None) for n in range(60)]
    path = folder / "bakiyeler.xlsx"
    path.write_bytes(xlsx(BALANCE_HEAD, *rows, ("700.999", "", "12", "31.13.2025", "TRY", "x", None)))
    return path


def test_from_a_sheet_to_letters(page: Any, live: Live, tmp_path: Path) -> None:
    page.goto("/upload")
    shot(page, "upload")
    assert serious_faults(page) == []
    page.set_input_files("input[name=file]", a_sheet(tmp_path))
    page.click("main form button:not(.quiet)")

    page.wait_for_selector("#import .counts", timeout=WAIT_MS)
    shot(page, "upload_trial")
    assert serious_faults(page) == []
    with page.expect_download() as begun:
        page.click("a[href$='/result']")
    wrong = read_back(Path(begun.value.path()).read_bytes())
    assert wrong[1][0] == "700.999"
    with page.expect_navigation():
        page.click("form[action$='/import'] button")
    page.wait_for_selector("a[href='/letters']:visible >> nth=-1", timeout=WAIT_MS)
    page.wait_for_selector("#import .counts", timeout=WAIT_MS)

    page.goto("/letters?q=700.")
    wait_until(lambda: page.locator("tbody tr").count() == 60)
    page.click(f"text={SCRIPT}")
    page.wait_for_selector("#preview img")
    assert page.locator("#preview img").evaluate("img => img.decode().then(() => img.naturalWidth)") == 900
    shot(page, "letters")
    assert serious_faults(page) == []
    page.check("[name=id] >> nth=2")
    assert page.is_checked("[name=which][value=some]"), "a tick chooses the ticked ones"
    page.check("[name=which][value=all]")
    assert page.locator("[name=id]:checked").count() == 0, "all is shown as all"
    page.click("button[value=zip]")
    page.wait_for_url(re.compile(r"/tasks/[0-9a-f-]{36}$"))
    page.wait_for_selector("sira-progress[state=SUCCESS], .state.success", timeout=WAIT_MS)


def test_the_pages_that_send_can_be_used_by_everybody(page: Any, live: Live) -> None:
    page.goto("/sms")
    page.fill("#f-numbers", "0555 000 00 01\n0212 000 00 00")
    page.fill("#f-message", f"Şişe {SCRIPT}")
    page.wait_for_selector("#preview kbd")
    wait_until(lambda: page.locator("#preview td").nth(1).inner_text() == "0212 000 00 00")
    wait_until(lambda: not page.is_visible("#f-lines"))
    page.check("input[value=each]")
    wait_until(lambda: page.is_visible("#f-lines"))
    page.check("input[value=one]")
    shot(page, "sms")
    assert serious_faults(page) == []
    for path in ("/mail", "/new", "/new/process_excel_upload"):
        page.goto(path)
        shot(page, path.strip("/").replace("/", "_"))
        assert serious_faults(page) == [], path
    page.goto("/letters")
    page.keyboard.press("Tab")
    page.click("button[formaction='/letters/review']")
    page.wait_for_selector("form[action='/letters/send']")
    shot(page, "letters_review")
    assert serious_faults(page) == []
