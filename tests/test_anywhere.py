"""Web and worker share a database, a Redis and a storage, nothing else: here PostgreSQL and S3, as in production."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.conftest import SECRET, Service
from tests.face import open_face
from tests.postgres import fresh_database
from tests.test_pdf import ask, download, text_of
from workers import db, settings
from workers.engine import find, wire
from workers.migrations import upgrade


@pytest.fixture
def elsewhere(valkey: str, postgres: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    """A service on PostgreSQL and S3; its worker has a DATA_DIR of its own, as on another machine."""
    from moto.server import ThreadedMotoServer  # it takes a second, and every process of a run imports this file

    s3 = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    s3.start()
    for name, text in {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}.items():
        monkeypatch.setenv(name, text)
    address = f"http://127.0.0.1:{s3.get_host_and_port()[1]}"
    requests.put(f"{address}/sira-files", timeout=60).raise_for_status()
    given = {"DATABASE_URL": fresh_database(postgres), "REDIS_URL": valkey, "SECRET_KEY": SECRET}
    given["STORAGE_URL"] = f"s3://sira-files?endpoint={address}&region=us-east-1"
    chosen = settings.load(**{name.lower(): text for name, text in given.items()}, data_dir=tmp_path / "web")
    settings.use(chosen)
    upgrade()
    wire.connect().flushall()
    service = Service(chosen, {**os.environ, **given, "DATA_DIR": str(tmp_path / "worker")}, tmp_path)
    yield service
    service.end()
    db.close()
    s3.stop()
    settings.use(None)


def test_letters_go_all_the_way_on_postgresql_and_s3(elsewhere: Service) -> None:
    face = open_face()
    elsewhere.run_worker(concurrency=2)
    ids = [face.ayse.letter(account={"code": f"120.{n}", "title": f"Şırnak İnşaat {n}"}) for n in range(60)]

    one = ask(face.ayse, "generate-pdf-async", {"mutabakat_id": ids[0]})
    many = ask(face.ayse, "generate-bulk-pdfs-async", {"mutabakat_ids": ids, "format": "zip"})
    book = ask(face.ayse, "generate-bulk-pdfs-async", {"mutabakat_ids": ids, "format": "pdf"})

    assert "Şırnak İnşaat 0" in text_of(download(face.ayse, one))
    assert many["counts"]["done"] == 60
    assert len(download(face.ayse, many)) == many["result"]["size"]
    assert text_of(download(face.ayse, book)).count("Sayın Şırnak İnşaat") == 60
    assert face.bora.get(one["links"]["self"]).status_code == 404
    assert find(one["task_id"]).attempts == 1
    assert not list((elsewhere.data_dir / "web").rglob("*.pdf"))
