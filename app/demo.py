"""`flask demo`: the whole service for a minute, in a data folder of its own, doing its main job on the sample data."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests

from app.ports import held_port
from app.terminal import Progress, say
from workers.processes import end, spawn
from workers.settings import Settings

SINGLE, BULK = "/api/mutabakat/generate-pdf-async", "/api/mutabakat/generate-bulk-pdfs-async"
READY_WITHIN_S = 90
STOPPED_WITHIN_S = 35


def run(settings: Settings) -> int:
    """Start, make one letter and then all of them, say where they are, stop. The exit code."""
    folder = (settings.data_dir / "demo").resolve()
    results = folder / "results"
    shutil.rmtree(results, ignore_errors=True)
    results.mkdir(parents=True)
    with _service(folder) as (url, token, letters):
        say(f"Sıra runs at {url} with {len(letters)} letters of the sample company.\n")
        api = Api(url, token)
        one, all_letters = {"mutabakat_id": letters[0]}, {"mutabakat_ids": letters}
        made = [
            api.download(api.finish("one letter", SINGLE, one), results),
            *(
                api.download(api.finish(f"all letters, {form}", BULK, {**all_letters, "format": form}), results)
                for form in ("zip", "pdf")
            ),
        ]
    say("\nThe results:")
    for path in made:
        print(f"{path}  ({path.stat().st_size / 1024:,.0f} kB)")
    return 0


class Api:
    """The service as any front end sees it: three calls over HTTP."""

    def __init__(self, url: str, token: str) -> None:
        self._url, self._session = url, requests.Session()
        self._session.headers.update({"Authorization": f"Bearer {token}", "Accept-Language": "tr"})

    def finish(self, label: str, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """Ask for a task and watch it to its end; gives its last status."""
        accepted = self._called("POST", path, json=body)
        with Progress(label) as progress:
            while True:
                status = self._called("GET", accepted["status_url"], params={"wait": 0.3})
                progress.show(status["current"], status["total"])
                if status["ended_at"]:
                    break
        if status["state"] != "SUCCESS":
            raise SystemExit(f"{label}: {status['state']}: {status['status']}")
        return status

    def download(self, status: dict[str, Any], folder: Path) -> Path:
        """Fetch the result into the folder."""
        with self._session.get(self._url + status["links"]["result"], stream=True, timeout=60) as answer:
            answer.raise_for_status()
            path = folder / status["result"]["filename"]
            with path.open("wb") as file:
                shutil.copyfileobj(answer.raw, file)
        return path

    def _called(self, method: str, path: str, **options: Any) -> dict[str, Any]:
        answer = self._session.request(method, self._url + path, timeout=60, **options)
        if not answer.ok:
            raise SystemExit(f"{method} {path} answered {answer.status_code}: {answer.text[:500]}")
        return answer.json()


@contextmanager
def _service(folder: Path) -> Iterator[tuple[str, str, list[int]]]:
    """A real `flask up` in `folder`, stopped at the end: (its URL, a member's token, the sample's mutabakat ids)."""
    command = [sys.executable, "-m", "flask", "up", "--concurrency", "2"]
    log = (folder / "service.log").open("w")
    with held_port() as held:
        env = environment(folder, held.getsockname()[1])
        with spawn(command, env=env, stdout=subprocess.PIPE, stderr=log) as up:
            try:
                yield _ready(up, folder), *_sample(env)
            finally:
                code = end(up, STOPPED_WITHIN_S)
    if code:
        raise SystemExit(f"The service ended with exit code {code}; see {log.name}")


def environment(folder: Path, port: int) -> dict[str, str]:
    """Ours without any setting, and without `.env`: a demonstration touches nobody's stores and sends no messages."""
    inherited = {name: text for name, text in os.environ.items() if name.lower() not in Settings.model_fields}
    return {**inherited, "FLASK_SKIP_DOTENV": "1", "DATA_DIR": str(folder), "PORT": str(port)}


def _ready(up: "subprocess.Popen[bytes]", folder: Path) -> str:
    deadline = time.monotonic() + READY_WITHIN_S
    for line in up.stdout or ():
        if line.startswith(b"ready "):
            return line.split()[1].decode()
        if time.monotonic() > deadline:
            break
    raise SystemExit(f"The service did not start; see {folder / 'service.log'}")


def _sample(env: dict[str, str]) -> tuple[str, list[int]]:
    """A member's token and the ids of the sample's letters, asked of the service's own commands."""
    code = "from app import sample; s = sample.load(); print(s.company_id, *s.mutabakat_ids)"
    company, *letters = _output([sys.executable, "-c", code], env).split()
    command = [sys.executable, "-m", "flask", "tokens", "create", "--company", company, "--role", "member"]
    return _output(command, env).split()[-1], [int(letter) for letter in letters]


def _output(command: list[str], env: dict[str, str]) -> str:
    return subprocess.run(command, env=env, stdout=subprocess.PIPE, text=True, check=True).stdout
