"""In a real browser: bars move, toasts and notifications come, and one stream serves however many tabs are open."""

import json
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from tests import browser as browsers
from tests.browser import Live, serious_faults, shot
from tests.test_sira_js import block

live, browser, signed_in, page = (browsers.live, browsers.browser, browsers.signed_in, browsers.page)
TOAST = "#toasts .toast"
NOTIFICATION = """
window.told = []; window.asked = 0;
window.Notification = class { static permission = "default";
  static async requestPermission() { window.asked += 1; return (Notification.permission = "granted"); }
  constructor(title, options) { window.told.push([title, options.tag]); } };
"""
HIDES = """hidden => {
  Object.defineProperty(document, "hidden", { value: hidden, configurable: true });
  document.dispatchEvent(new Event("visibilitychange"));
}"""
WATCHES = """() => {
  window.seen = []; window.done = null;
  const bar = document.createElement("sira-progress");
  document.body.addEventListener("sira-done", event => { window.done = event.detail; });
  document.body.addEventListener("sira:status", ({ detail }) => {
    if (detail.kind !== "generate_bulk_pdfs") return; // of another test, or of the clock
    if (!bar.isConnected) {
      bar.setAttribute("task", detail.task_id);
      document.querySelector("main").append(bar);
      bar.show(detail);
    }
    window.seen.push(bar.querySelector("progress").value);
  });
}"""


@pytest.fixture(scope="module")
def token(live: Live) -> str:
    return live.flask("tokens", "create", "--company", "1", "--role", "operator")


@pytest.fixture
def begin(live: Live, token: str) -> Any:
    """Begins a task of the sample company; its id."""

    def post(kind: str = "generate_mutabakat_pdf", **params: Any) -> str:
        body = json.dumps({**(params or {"mutabakat_id": 1}), "company_id": 1}).encode()
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        request = urllib.request.Request(f"{live.url}/api/jobs/{kind}", body, headers)
        with urllib.request.urlopen(request, timeout=60) as answer:
            return str(json.load(answer)["task_id"])

    return post


def streams_of(context: Any) -> list[str]:
    """The addresses of the streams that the context asks for, as it goes on."""
    asked: list[str] = []
    context.on(
        "request",
        lambda request: asked.append(request.url) if request.url.split("?")[0].endswith("/api/events") else None,
    )
    return asked


def listening(page: Any) -> None:
    page.wait_for_function("() => siraLive.source && siraLive.source.readyState === 1")


def test_an_end_is_told_by_a_toast_and_the_bell_until_somebody_looks(page: Any, begin: Any) -> None:
    page.goto("/notices")
    listening(page)
    page.goto("/company")
    listening(page)
    task_id = begin()

    page.locator(f'{TOAST} a[href="/tasks/{task_id}"]', has_text="PDF hazır!").wait_for()
    unread = page.locator("#bell .unread")
    unread.wait_for(state="visible")
    page.reload()
    unread.wait_for(state="visible")
    label, count = page.evaluate("[bell.getAttribute('aria-label'), bell.querySelector('.unread').textContent]")
    assert label == f"Bildirimler: {count} yeni"
    second = page.context.new_page()
    second.goto("/notices")
    assert second.locator("tr", has=second.locator(f'a[href="/tasks/{task_id}"]')).locator("mark").count() == 1
    unread.wait_for(state="hidden")


def test_two_tabs_share_one_stream_and_the_second_goes_on_when_the_first_is_closed(page: Any, begin: Any) -> None:
    asked = streams_of(page.context)
    page.goto("/company")
    listening(page)
    second = page.context.new_page()
    second.goto("/company")
    second.wait_for_function("async () => (await navigator.locks.query()).pending.length === 1")
    begin()
    for tab in (page, second):
        tab.locator(TOAST, has_text="PDF hazır!").first.wait_for()
    assert len(asked) == 1
    assert [tab.evaluate("siraLive.leads") for tab in (page, second)] == [True, False]

    page.close()
    listening(second)
    assert len(asked) == 2


def test_a_bar_moves_by_the_stream_and_says_when_it_is_done(page: Any, begin: Any) -> None:
    page.goto("/company")
    listening(page)
    page.evaluate(WATCHES)
    begin("generate_bulk_pdfs", mutabakat_ids=list(range(1, 60)))
    page.wait_for_function("() => window.done")

    assert page.evaluate("done.state") == "SUCCESS"
    bar = page.locator("sira-progress")
    assert bar.locator("progress").evaluate("bar => bar.value") == 100
    assert "✓ Tamamlandı" in bar.inner_text()
    seen = page.evaluate("seen")
    assert seen == sorted(seen)
    assert serious_faults(page) == []


def test_the_documents_way_to_listen_works_on_our_own_origin(page: Any, begin: Any) -> None:
    page.goto("/company")
    page.evaluate(f"() => {{ {block('listening')} window.watch = watch; window.states = []; }}")
    page.evaluate("id => watch(id, task => states.push(task.state))", begin())
    page.wait_for_function("() => states.at(-1) === 'SUCCESS'")


def test_a_browser_without_locks_listens_too_as_long_as_the_tab_is_seen(page: Any, begin: Any) -> None:
    """As over plain http from another machine."""
    page.add_init_script("Object.defineProperty(navigator, 'locks', { value: undefined })")
    page.goto("/company")
    listening(page)
    begin()
    page.locator(TOAST, has_text="PDF hazır!").first.wait_for()

    page.evaluate(HIDES, True)
    assert page.evaluate("[siraLive.source, siraLive.polls]") == [None, True]
    page.evaluate(HIDES, False)
    listening(page)
    assert page.evaluate("siraLive.polls") is False


def test_where_no_seat_is_free_the_desk_asks_politely(page: Any, begin: Any) -> None:
    full = {"status": 503, "headers": {"Retry-After": "5"}, "body": "{}"}
    page.context.route("**/api/events*", lambda route: route.fulfill(**full))
    page.goto("/company")
    page.wait_for_function("() => siraLive.polls")
    begin()
    page.locator(TOAST, has_text="PDF hazır!").first.wait_for()


def test_the_browsers_own_notifications_are_asked_for_by_a_button_alone(page: Any, begin: Any) -> None:
    page.add_init_script(NOTIFICATION)
    page.goto("/notices")
    listening(page)
    assert page.evaluate("asked") == 0
    begin()
    page.locator(TOAST, has_text="PDF hazır!").first.wait_for()
    assert page.evaluate("told") == []

    page.get_by_role("button", name="Sayfa dışında da bildirim göster").click()
    page.locator("[data-permission=granted]").wait_for(state="visible")
    assert page.evaluate("asked") == 1
    task_id = begin()
    page.wait_for_function("() => told.length")
    assert page.evaluate("told") == [["PDF hazır!", task_id]]


@contextmanager
def foreign_site(html: str) -> Iterator[str]:
    """A page of somebody else's, on another origin."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.end_headers()
            self.wfile.write(html.encode())

        def log_message(self, *_: Any) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://localhost:{server.server_port}/"
    finally:
        server.shutdown()
        thread.join()


def test_the_bar_stands_on_other_peoples_pages(page: Any, live: Live, token: str, begin: Any) -> None:
    task_id = begin()
    html = (
        '<!doctype html><html lang="en"><title>ERP</title><h1>ERP</h1>'
        f'<script src="{live.url}/static/sira.js" defer></script>'
        f'<sira-progress task="{task_id}" base="{live.url}" token="{token}" label="Letters"></sira-progress>'
        '<script>document.addEventListener("sira-done", event => { document.title = event.detail.state; })</script>'
    )
    with foreign_site(html) as url:
        page.goto(url)
        page.wait_for_function("() => document.title === 'SUCCESS'")
        said = page.locator("sira-progress").inner_text()
    assert "Letters" in said
    assert "100%" in said
    assert "✓ Done" in said


@pytest.mark.parametrize("path", ["/notices", "/company"])
def test_these_pages_keep_nobody_out_and_can_be_looked_at(page: Any, path: str) -> None:
    page.goto(path)
    assert serious_faults(page) == []
    shot(page, f"D{path.replace('/', '-')}-light")
    page.emulate_media(color_scheme="dark")
    page.reload()  # colours that are fading into each other have no contrast
    assert serious_faults(page) == []
    shot(page, f"D{path.replace('/', '-')}-dark")
    page.set_viewport_size({"width": 390, "height": 800})
    shot(page, f"D{path.replace('/', '-')}-390")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "nothing sticks out on a phone"
