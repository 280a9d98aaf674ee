"""rq-dashboard's pages in a browser: they work behind our policy, and nothing that was stored runs."""

import re
from typing import Any

from tests import browser as browsers

live, browser, signed_in, page = browsers.live, browsers.browser, browsers.signed_in, browsers.page
RQ = "/admin/rq"
NASTY = "<img src=x onerror=alert(1)>"


def test_its_pages_work_in_a_browser(page: Any, live: Any) -> None:
    task_id = live.flask("enqueue", "cleanup_old_logs", '{"days": 4000}', "--wait")

    page.goto("/admin/rq/")
    page.wait_for_selector("#queues td:has-text('maintenance')")
    page.goto("/admin/rq/0/view/workers")
    page.wait_for_selector("#workers td:has-text('pdf')")
    page.goto("/admin/rq/0/view/jobs/maintenance/finished/8/dsc/1")  # the newest first: the clock has its own there
    page.click(f"a:has-text('{task_id}')")
    page.wait_for_selector("#job-data:has-text('cleanup_old_logs')")
    page.click("#delete-job-btn")
    page.click("#confirmation-modal-yes")

    page.wait_for_selector("[role=alert]:has-text('zaten bitmiş')")


def test_nothing_that_was_stored_runs(page: Any, live: Any) -> None:
    """Whatever an answer holds, in each of its fields."""
    fired: list[str] = []
    page.on("dialog", lambda dialog: (fired.append(dialog.message), dialog.dismiss()))
    page.route(re.compile("/admin/rq/0/data/"), lambda route: route.fulfill(json=poisoned()))
    task_id = live.flask("enqueue", "cleanup_old_logs", '{"days": 4000}')
    paths = {"#job-data": f"job/{task_id}", "#jobs": "jobs/pdf/failed/8/asc/1", "#workers": "workers"}

    for where, path in paths.items():
        page.goto(f"{RQ}/0/view/{path}")
        page.wait_for_selector(f"{where}:has-text('{NASTY}')")

        assert page.locator(f"{where} img").count() == 0, where
    assert fired == []


def poisoned() -> dict[str, Any]:
    """A job, jobs and workers as rq-dashboard answers them, with an attack in each text."""
    texts = dict.fromkeys(("description", "exc_info", "metadata", "origin", "status", "id", "result"), NASTY)
    times = dict.fromkeys(("created_at", "enqueued_at", "started_at", "ended_at"), "2026-01-01T00:00:00+00:00")
    job = {**texts, **times, "depends_on": [NASTY], "depends_on_status": ["active"]}
    current = {"job_id": NASTY, "description": NASTY, "created_at": times["created_at"], "call_string": NASTY}
    worker = {"name": NASTY, "queues": [NASTY], "state": "busy", "current_job": current}
    pages = {"first_page": {"url": "/"}, "last_page": {"url": "/"}, "current_page": 1, "num_pages": 1}
    pagination = {**pages, "pages_in_window": []}
    return {
        **job,
        "jobs": [job],
        "pagination": pagination,
        "workers": [{**worker, "version": "1", "python_version": NASTY}],
    }
