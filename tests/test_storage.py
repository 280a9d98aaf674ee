"""Storage: the same promises over a folder and over S3 (a real moto server)."""

import io
import json
import os
import signal
import subprocess
import sys
import zipfile
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path

import openpyxl
import pytest

from tests import buckets
from tests.buckets import leftovers, run, write
from tests.conftest import ROOT
from workers.errors import BadSettings, MissingRecord, StorageFailed
from workers.storage import BLOCK_BYTES, Storage, Stored, open_storage

s3 = buckets.s3
bucket = buckets.bucket


@pytest.fixture(params=["file", "s3"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return (tmp_path / "files").as_uri() if request.param == "file" else request.getfixturevalue("bucket")


@pytest.fixture
def storage(url: str) -> Storage:
    return open_storage(url)


def test_what_was_put_is_read_back_whole_in_ranges_and_in_chunks(storage: Storage) -> None:
    data = os.urandom(700_000)
    stored = storage.put("files/12/a.pdf", data)
    assert (stored.key, stored.size, stored.sha256) == ("files/12/a.pdf", len(data), sha256(data).hexdigest())
    assert storage.read("files/12/a.pdf") == data
    assert storage.read("files/12/a.pdf", 10, 5) == data[10:15]
    assert storage.read("files/12/a.pdf", 699_990) == data[-10:]
    assert storage.read("files/12/a.pdf", 699_990, 500) == data[-10:]
    assert storage.read("files/12/a.pdf", 700_000, 5) == b""
    assert storage.read("files/12/a.pdf", 5, 0) == b""
    chunks = list(storage.stream("files/12/a.pdf", 1 << 18))
    assert b"".join(chunks) == data
    assert max(map(len, chunks)) == 1 << 18
    assert storage.size("files/12/a.pdf") == 700_000
    assert storage.exists("files/12/a.pdf")


def test_an_empty_file_is_a_file(storage: Storage) -> None:
    assert storage.put("files/empty", b"").size == 0
    assert storage.read("files/empty") == b""
    assert list(storage.stream("files/empty")) == []
    assert storage.exists("files/empty")


def test_a_second_put_replaces_the_first(storage: Storage) -> None:
    storage.put("files/a", b"first")
    storage.put("files/a", b"second")
    assert storage.read("files/a") == b"second"
    assert list(storage.list("")) == [("files/a", 6)]


def test_a_reader_never_gets_a_mix_of_two_versions(storage: Storage) -> None:
    storage.put("files/a", b"a" * (9 << 20))
    chunks = storage.stream("files/a")
    got = next(chunks)
    storage.put("files/a", b"b" * (9 << 20))
    with suppress(StorageFailed):
        got += b"".join(chunks)
    assert set(got) == {ord("a")}


def test_names_may_be_turkish_and_have_spaces(storage: Storage) -> None:
    storage.put("files/Şule Öz çğıİ.pdf", b"x")
    assert list(storage.list("files")) == [("files/Şule Öz çğıİ.pdf", 1)]


@pytest.mark.parametrize("key", ["files/none.pdf", "files", "files/a.pdf/b"])
def test_a_missing_file_is_a_missing_record(storage: Storage, key: str) -> None:
    storage.put("files/a.pdf", b"x")
    for ask in (storage.read, storage.stream, storage.size):
        with pytest.raises(MissingRecord) as caught:
            ask(key)
        assert caught.value.fields == {"what": "file", "id": key}
    assert not storage.exists(key)


def test_deleting_takes_what_is_there_and_minds_nothing_else(storage: Storage) -> None:
    for name in ("a", "b", "c"):
        storage.put(f"files/{name}", b"x")
    storage.delete(key for key in ("files/a", "files/none", "files/b", "other/none"))
    storage.delete([])
    assert list(storage.list("")) == [("files/c", 1)]


def test_listing_goes_by_folder_not_by_letters(storage: Storage) -> None:
    for key in ("files/1/a", "files/1/b/c", "files/12/d"):
        storage.put(key, b"xy")
    assert sorted(storage.list("files/1")) == [("files/1/a", 2), ("files/1/b/c", 2)]
    assert sorted(storage.list("files/1/")) == sorted(storage.list("files/1"))
    assert len(list(storage.list(""))) == 3
    assert list(storage.list("nothing/here")) == []
    an_hour = timedelta(hours=1)
    assert len(list(storage.list("", before=datetime.now(UTC) + an_hour))) == 3
    assert list(storage.list("", before=datetime.now(UTC) - an_hour)) == []


BAD_KEYS = [
    "",
    "/etc/passwd",
    "../a",
    "a/../../b",
    "a/./b",
    "a//b",
    "a/",
    "a\\b",
    "a\0b",
    "a\nb",
    ".hidden",
    "a/.drafts/b",
]


@pytest.mark.parametrize("key", BAD_KEYS)
def test_keys_that_could_lead_elsewhere_are_refused_everywhere(storage: Storage, key: str) -> None:
    asks: list[Callable[[], object]] = [
        lambda: storage.read(key),
        lambda: storage.stream(key),
        lambda: storage.size(key),
        lambda: storage.exists(key),
        lambda: storage.put(key, b"x"),
        lambda: storage.delete([key]),
        lambda: list(storage.list(key or "/")),
    ]
    for ask in asks if key != "a/" else asks[:-1]:  # a folder may be listed with a slash behind it
        with pytest.raises(StorageFailed, match="no relative path"):
            ask()


def test_a_writer_takes_a_zip_with_all_its_members(storage: Storage, tmp_path: Path) -> None:
    with storage.writer("files/all.zip") as writer:
        with zipfile.ZipFile(writer, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("manifest.csv", "ünvan;tutar\n")
            archive.writestr("letter.pdf", b"%PDF" * 10_000)
        assert writer.tell() > 0
    local = tmp_path / "all.zip"
    local.write_bytes(storage.read("files/all.zip"))
    assert writer.stored.size == local.stat().st_size
    assert writer.stored.sha256 == sha256(local.read_bytes()).hexdigest()
    with zipfile.ZipFile(local) as archive:
        assert archive.testzip() is None
        assert archive.read("manifest.csv").decode() == "ünvan;tutar\n"


def test_a_writer_takes_a_workbook(storage: Storage, tmp_path: Path) -> None:
    with storage.writer("files/errors.xlsx") as writer:
        openpyxl.Workbook().save(writer)
    (tmp_path / "book.xlsx").write_bytes(storage.read("files/errors.xlsx"))
    assert openpyxl.load_workbook(tmp_path / "book.xlsx").sheetnames == ["Sheet"]


def test_a_writer_takes_a_pdf_from_pikepdf(storage: Storage) -> None:
    pikepdf = pytest.importorskip("pikepdf")
    pdf = pikepdf.new()
    for _ in range(20):
        pdf.add_blank_page()
    with storage.writer("files/all.pdf") as writer:
        pdf.save(writer, deterministic_id=True)
    assert len(pikepdf.open(io.BytesIO(storage.read("files/all.pdf"))).pages) == 20


def test_what_a_caller_changes_after_writing_is_not_what_is_stored(storage: Storage) -> None:
    with storage.writer("files/a") as writer:
        page = bytearray(b"one")
        assert writer.write(page) == 3
        page[:] = b"two"
        writer.write(memoryview(page))
    assert storage.read("files/a") == b"onetwo"


def test_pieces_of_any_size_come_in_their_order_and_are_digested_unless_scratch(storage: Storage) -> None:
    sizes = (1, BLOCK_BYTES - 1, BLOCK_BYTES, 3 * BLOCK_BYTES + 5, 0, 7, BLOCK_BYTES - 7)
    pieces = list(map(os.urandom, sizes))
    for scratch in (False, True):
        with storage.writer("files/a", scratch=scratch) as writer:
            for piece in pieces:
                writer.write(piece)
        whole = b"".join(pieces)
        assert storage.read("files/a") == whole
        assert writer.stored == Stored("files/a", len(whole), "" if scratch else sha256(whole).hexdigest())


@pytest.mark.parametrize("error", [KeyError, KeyboardInterrupt, FileNotFoundError])
def test_a_body_that_raises_leaves_nothing_and_its_error_is_its_own(
    storage: Storage, url: str, s3: str, error: type[BaseException]
) -> None:
    with pytest.raises(error, match="of the job"):
        write(storage, "files/half.zip", [b"x" * (8 << 20)] * 3, then=error("of the job"))
    assert not storage.exists("files/half.zip")
    assert leftovers(url, s3) == 0


def test_a_body_that_raises_keeps_the_former_file(storage: Storage) -> None:
    storage.put("files/a", b"former")
    with pytest.raises(KeyError):
        write(storage, "files/a", [b"new"], then=KeyError())
    assert storage.read("files/a") == b"former"


KILLED = """
import sys
from workers.storage import open_storage
with open_storage(sys.argv[1]).writer("files/half.zip") as writer:
    for _ in range(3):
        writer.write(b"x" * (8 << 20))
    print("written", flush=True)
    sys.stdin.read()
"""


def test_a_process_killed_while_it_writes_shows_nothing(storage: Storage, url: str) -> None:
    command = [sys.executable, "-c", KILLED, url]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"written\n"
        child.kill()
    assert child.returncode == -signal.SIGKILL
    assert not storage.exists("files/half.zip")
    assert list(storage.list("")) == []


BIG = """
import json, os, sys
from tests.peak import peak_kb
from workers.storage import open_storage
storage = open_storage(sys.argv[1])
storage.put("files/warm", b"x")
storage.read("files/warm")
before = peak_kb()
with storage.writer("files/big") as writer:
    for _ in range(100):
        writer.write(os.urandom(1 << 20))
written = peak_kb() - before
total = sum(map(len, storage.stream("files/big")))
print(json.dumps({"written_kb": written, "streamed_kb": peak_kb() - before, "total": total}))
"""


def test_100_mb_go_through_in_less_than_40_mb_of_memory(url: str) -> None:
    done = run(BIG, url)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["total"] == 100 << 20
    assert told["written_kb"] < 40 << 10
    assert told["streamed_kb"] < 40 << 10


def test_the_same_url_gives_the_same_client(bucket: str) -> None:
    assert open_storage(bucket) is open_storage(bucket)


def test_importing_storage_does_not_load_obstore() -> None:
    done = run("import sys, workers.storage; print('obstore' in sys.modules)")
    assert done.stdout == "False\n", done.stderr


BAD_URLS = [
    "",
    "files",
    "file://",
    "file://host/files",
    "s3://",
    "s3://bucket/prefix",
    "s3://user:password@bucket",
    "s3://bucket?endpoint=nonsense",
    "s3://bucket?endpoint=http://host:port",
    "s3://bucket?endpoint=http://",
    "s3://bucket?secret=x",
]


@pytest.mark.parametrize("url", BAD_URLS)
def test_a_url_that_can_not_work_is_refused_without_showing_it(url: str) -> None:
    with pytest.raises(BadSettings, match="STORAGE_URL") as caught:
        open_storage(url)
    assert "password" not in str(caught.value)
