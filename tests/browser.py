"""The fixtures of tests in a real browser: one live service and one browser per process, a fresh context per test."""

import os
import re
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests

from app.auth import digest_of
from app.ports import held_port
from tests.conftest import ROOT, wait_until

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
SERIOUS = ("serious", "critical")
PATIENCE_MS = 30_000


@dataclass
class Live:
    """A whole service as `flask up` starts it: the sample company, its operator, sandbox mail and SMS."""

    url: str
    email: str
    password: str
    env: dict[str, str]
    token: str

    def post(self, path: str, json: Any) -> Any:
        """What the API answers to an operator's program."""
        answer = requests.post(
            self.url + path, json=json, headers={"Authorization": f"Bearer {self.token}"}, timeout=60
        )
        assert answer.ok, answer.text
        return answer.json()

    def flask(self, *arguments: str) -> str:
        """The last word that a command prints, such as an id or a password."""
        command = [sys.executable, "-m", "flask", *arguments]
        ended = subprocess.run(command, cwd=ROOT, env=self.env, capture_output=True, text=True, timeout=180)
        assert ended.returncode == 0, ended.stderr
        return ended.stdout.split()[-1]


_open: dict[Any, Any] = {}


@contextmanager
def _one(make: Callable[..., Iterator[Any]], *given: Any) -> Iterator[Any]:
    """What `make` yields, made once and ended with the last who uses it: pytest makes a fixture of the session anew for
    each module that imports it."""
    if make not in _open:
        manager = contextmanager(make)(*given)
        _open[make] = [manager, manager.__enter__(), 0]
    entry = _open[make]
    entry[2] += 1
    try:
        yield entry[1]
    finally:
        entry[2] -= 1
        if not entry[2]:
            del _open[make]
            entry[0].__exit__(None, None, None)


@pytest.fixture(scope="session")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    with _one(_live, tmp_path_factory) as one:
        yield one


def _live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    if CHROMIUM is None:
        pytest.skip("NO BROWSER: install chromium to run the tests of the desk in a real browser")
    folder = tmp_path_factory.mktemp("live")
    with held_port() as held:
        yield from _served(folder, held.getsockname()[1])


def _served(folder: Path, port: int) -> Iterator[Live]:
    unset = ("REDIS_URL", "DATABASE_URL", "SECRET_KEY", "APP_ENV", "PUBLIC_URL")
    env = {name: value for name, value in os.environ.items() if name not in unset}
    env |= {"DATA_DIR": str(folder), "FLASK_APP": "wsgi.py", "PORT": str(port), "WEB_CONCURRENCY": "1"}
    out, log = folder / "up.out", folder / "up.log"
    with out.open("w") as told, log.open("w") as logged:
        command = [sys.executable, "-m", "flask", "up", "--port", str(port), "--concurrency", "1"]
        up = subprocess.Popen(command, cwd=ROOT, env=env, stdout=told, stderr=logged)
    try:
        _wait_until_ready(up, out, log)
        login = re.search(r"login: (\S+) / (\S+)", out.read_text())
        assert login is not None
        yield Live(f"http://127.0.0.1:{port}", login[1], login[2], env, _token(folder))
    finally:
        up.terminate()
        up.wait(60)


def _wait_until_ready(up: "subprocess.Popen[bytes]", out: Path, log: Path) -> None:
    try:
        wait_until(lambda: "\nready" in out.read_text() or up.poll() is not None, timeout_s=180, what="a live service")
        assert up.poll() is None
    except BaseException as error:
        error.add_note(log.read_text()[-4000:])
        raise


def _token(folder: Path) -> str:
    """An operator's token of the sample company, straight into the database: a command takes seconds to start."""
    with sqlite3.connect(folder / "sira.db", timeout=20) as database:
        row = (1, "operator", digest_of("of-the-browser-tests"), "2026-01-01 00:00:00.000000")
        database.execute("INSERT INTO tokens (company_id, role, digest, created_at) VALUES (?, ?, ?, ?)", row)
    database.close()
    return "of-the-browser-tests"


@pytest.fixture(scope="session")
def browser(live: Live) -> Iterator[Any]:
    with _one(_browser) as one:
        yield one


def _browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        yield playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-dev-shm-usage"])


@pytest.fixture(scope="session")
def signed_in(browser: Any, live: Live) -> Iterator[dict[str, Any]]:
    """The cookies of the operator, got once through the login page."""
    with _one(_signed_in, browser, live) as one:
        yield one


def _signed_in(browser: Any, live: Live) -> Iterator[dict[str, Any]]:
    context = browser.new_context(base_url=live.url, locale="tr-TR")
    page = context.new_page()
    sign_in(page, live.email, live.password)
    state = context.storage_state()
    context.close()
    yield state


@pytest.fixture
def page(browser: Any, live: Live, signed_in: dict[str, Any], request: pytest.FixtureRequest) -> Iterator[Any]:
    """A page of the operator; the test fails on any error of a script or of the Content-Security-Policy."""
    yield from _fresh(browser, live, signed_in)


@pytest.fixture
def visitor(browser: Any, live: Live) -> Iterator[Any]:
    """A page of somebody who is not signed in."""
    yield from _fresh(browser, live, None)


def _fresh(browser: Any, live: Live, state: Any) -> Iterator[Any]:
    context = browser.new_context(base_url=live.url, locale="tr-TR", storage_state=state, accept_downloads=True)
    context.set_default_timeout(PATIENCE_MS)
    page = context.new_page()
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("console", lambda said: faults.append(said.text) if is_fault(said) else None)
    yield page
    context.close()
    assert faults == []


def is_fault(said: Any) -> bool:
    """Whether the console complains of us; an answer with an error status may be meant, so it is none."""
    return said.type == "error" and "Failed to load resource" not in said.text


def sign_in(page: Any, email: str, password: str) -> None:
    page.goto("/login")
    page.fill("input[name=email]", email)
    page.fill("input[name=password]", password)
    page.click("main button")
    page.wait_for_url(lambda url: "/login" not in url)


def serious_faults(page: Any) -> list[str]:
    """What axe-core finds that keeps people out, one line each."""
    from axe_playwright_python.sync_playwright import Axe

    found = Axe().run(page).response["violations"]
    return [
        f"{fault['id']}: {node['html'][:200]}"
        for fault in found
        if fault["impact"] in SERIOUS
        for node in fault["nodes"]
    ]


def shot(page: Any, name: str, folder: Path | None = None) -> None:
    """A screenshot into SHOTS (an environment variable), for looking at; nothing without it."""
    where = folder or os.environ.get("SHOTS")
    if where:
        page.screenshot(path=str(Path(where) / f"{name}.png"), full_page=True)
