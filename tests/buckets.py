"""What the tests of storage share: a real S3 (moto's server) with a bucket, and processes of their own."""

import secrets
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.request import Request, urlopen

import pytest

from tests.conftest import ROOT
from workers.storage import Storage

AWS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_REGION": "eu-central-1"}


@pytest.fixture(scope="session")
def s3() -> Iterator[str]:
    """The address of a moto server of this test process."""
    from moto.server import ThreadedMotoServer  # it takes a second, and every process of a run imports this file

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def bucket(s3: str, monkeypatch: pytest.MonkeyPatch) -> str:
    for name, value in AWS.items():
        monkeypatch.setenv(name, value)
    name = f"sira-{secrets.token_hex(4)}"
    urlopen(Request(f"{s3}/{name}", method="PUT")).close()
    return f"s3://{name}?endpoint={s3}"


def leftovers(url: str, s3: str) -> int:
    """Drafts in the folder, or uploads in the bucket, that were begun and not ended."""
    if url.startswith("file:"):
        return len([path for path in Path(url[7:]).rglob("*") if path.is_file()])
    bucket = url[5:].partition("?")[0]
    with urlopen(f"{s3}/{bucket}?uploads") as answer:
        return answer.read().count(b"<Upload>")


def write(storage: Storage, key: str, pieces: list[bytes], then: BaseException | None = None) -> None:
    with storage.writer(key) as writer:
        for piece in pieces:
            writer.write(piece)
        if then:
            raise then


def run(script: str, *args: str) -> "subprocess.CompletedProcess[str]":
    """A script in a process of its own, with the project importable."""
    command = [sys.executable, "-c", script, *args]
    return subprocess.run(command, cwd=ROOT, text=True, timeout=120, capture_output=True)
