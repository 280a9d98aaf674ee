"""The pages of tasks in a real browser: the bar moves by itself, what failed is run again, a filter is steered."""

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest

from tests import browser as browsers
from tests.browser import Live, serious_faults, shot
from tests.conftest import wait_until
from tests.messaging import phone

live, browser, signed_in, page = browsers.live, browsers.browser, browsers.signed_in, browsers.page
LANDLINE = "0212 555 12 34"


@pytest.fixture(scope="module")
def send(live: Live) -> Callable[[int], str]:
    """Enqueues a bulk whose first message can't be sent and gives its id; a hundred of them take a second."""
    headers = {"Authorization": f"Bearer {live.flask('tokens', 'create', '--company', '1', '--role', 'member')}"}

    def post(count: int) -> str:
        rows = [LANDLINE, *(phone(number) for number in range(count))]
        body = json.dumps({"messages": [{"phone": row, "message": "Borcunuz var"} for row in rows]}).encode()
        url = f"{live.url}/api/sms/send-bulk-async"
        asked = Request(url, body, {**headers, "Content-Type": "application/json"})
        with urlopen(asked, timeout=60) as answer:
            return str(json.load(answer)["task_id"])

    return post


@pytest.fixture(scope="module")
def bulk(send: Callable[[int], str]) -> str:
    return send(20)


def test_a_bar_moves_and_counts_come_without_a_reload(page: Any, live: Live, send: Callable[[int], str]) -> None:
    live.post("/api/queues/sms/pause", {})  # until the page is there to see it
    page.goto(f"/tasks/{send(400)}")
    page.evaluate("window.neverLoadedAnew = true")
    live.post("/api/queues/sms/resume", {})
    seen = set()

    def moved() -> bool:
        seen.add(page.locator("#live progress").get_attribute("value"))
        return page.locator(".now .state.success").count() == 1

    wait_until(moved, timeout_s=60, what="the end of the bulk")

    assert len(seen) > 2, seen
    assert page.locator("#count-done strong").inner_text() == "400"
    assert page.evaluate("window.neverLoadedAnew") is True
    assert serious_faults(page) == []
    shot(page, "task-light")


def test_the_list_lives_and_says_when_there_are_newer_tasks(page: Any, send: Callable[[int], str]) -> None:
    row = f"tr[data-task='{send(200)}']"
    page.goto("/tasks")
    page.locator(f"{row} .state.success").wait_for(timeout=30_000)
    assert page.locator(row).count() == 1

    send(1)

    page.locator("#newer").wait_for()


def test_what_failed_is_run_again_by_a_click(page: Any, bulk: str, live: Live) -> None:
    page.goto(f"/tasks/{bulk}")
    page.locator(".now .state.success").wait_for(timeout=30_000)
    page.click("#count-failed")
    wait_until(lambda: page.locator("table.items tbody tr").count() == 1)

    page.click("#do-retry-failed")

    page.locator("#live .attempts tbody tr").nth(1).wait_for(timeout=20_000)
    page.locator(".now .state.success").wait_for(timeout=20_000)
    assert page.locator("#count-failed strong").inner_text() == "1"
    assert live.email.split("@")[0] in page.content()


def test_a_person_says_that_an_unknown_message_arrived(page: Any, bulk: str, live: Live) -> None:
    page.goto(f"/tasks/{bulk}")
    page.locator(".now .state.success").wait_for(timeout=30_000)
    with closing(sqlite3.connect(Path(live.env["DATA_DIR"]) / "sira.db")) as database, database:
        unknown = "UPDATE task_items SET state = 'unknown', error = '?' WHERE task_id = ? AND position IN (2, 3)"
        database.execute(unknown, [bulk])
    page.goto(f"/tasks/{bulk}?state=unknown")
    assert serious_faults(page) == []
    shot(page, "verdict")

    page.locator("button[value^='arrived:']").first.click()

    page.locator("table.items tbody tr").nth(1).wait_for(state="detached")
    assert page.locator("#count-unknown strong").inner_text() == "1"
    page.check("table.items input[name=item]")
    page.click("button[name=verdict][value=arrived]")
    page.locator("table.items").wait_for(state="detached")
    assert page.locator("#count-done strong").inner_text() == "20"


@pytest.mark.parametrize(("theme", "width"), [("light", 1280), ("dark", 390)])
def test_the_pages_of_tasks_keep_nobody_out(page: Any, bulk: str, theme: str, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    page.emulate_media(color_scheme=theme)
    for name, path in (
        *(("tasks", "/tasks?state=SUCCESS"), ("task", f"/tasks/{bulk}"), ("causes", "/tasks/causes")),
        ("steer", "/tasks/steer?action=cancel"),
    ):
        page.goto(path)
        assert serious_faults(page) == [], (name, theme, width)
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), (name, width)
        shot(page, f"{name}-{theme}-{width}")
