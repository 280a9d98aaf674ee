"""What only a folder or only a bucket can do wrong: links, full disks, missing buckets, forks."""

import os
import stat
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests import buckets
from tests.buckets import leftovers, run, write
from workers.errors import StorageFailed
from workers.storage import open_storage

s3 = buckets.s3
bucket = buckets.bucket


def test_drafts_of_killed_processes_are_swept_after_a_day(tmp_path: Path) -> None:
    old, fresh = tmp_path / ".drafts/old", tmp_path / ".drafts/fresh"
    old.parent.mkdir()
    for draft in (old, fresh):
        draft.touch()
    os.utime(old, (time.time() - 90_000,) * 2)
    open_storage(tmp_path.as_uri())
    assert (old.exists(), fresh.exists()) == (False, True)


def test_a_folder_and_its_files_are_for_the_service_alone(tmp_path: Path) -> None:
    open_storage((tmp_path / "files").as_uri()).put("files/12/a.pdf", b"x")
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "files").rglob("*")}
    assert modes == {"files": 0o700, "12": 0o700, "a.pdf": 0o600, ".drafts": 0o700}


def test_the_folder_of_the_last_file_goes_with_it(tmp_path: Path) -> None:
    storage = open_storage(tmp_path.as_uri())
    for key in ("parts/7/1", "parts/7/2", "parts/8/1"):
        storage.put(key, b"x")

    storage.delete(["parts/7/1", "parts/8/1"])
    assert sorted(path.name for path in (tmp_path / "parts").iterdir()) == ["7"]
    storage.delete(["parts/7/2", "parts/9/1"])
    assert not list((tmp_path / "parts").iterdir())


def test_who_writes_into_a_folder_that_is_just_deleted_does_not_notice(tmp_path: Path) -> None:
    storage = open_storage(tmp_path.as_uri())
    stop = threading.Event()

    def empty() -> None:
        while not stop.is_set():
            storage.delete(["parts/7/other"])

    deleting = threading.Thread(target=empty)
    deleting.start()
    try:
        for number in range(300):
            storage.put(f"parts/7/{number}", b"x")
            list(storage.list("parts"))
            storage.delete([f"parts/7/{number}"])
    finally:
        stop.set()
        deleting.join()


def test_a_link_never_leads_out_of_the_folder(tmp_path: Path) -> None:
    outside, root = tmp_path / "outside", tmp_path / "root"
    outside.mkdir()
    root.mkdir()
    (outside / "secret").write_bytes(b"secret")
    (root / "link").symlink_to(outside)
    (root / "file").symlink_to(outside / "secret")
    storage = open_storage(root.as_uri())
    for key in ("link/secret", "file"):
        for ask in (storage.read, storage.size, storage.stream, lambda key: storage.put(key, b"x")):
            with pytest.raises(StorageFailed, match="symbolic link"):
                ask(key)
        with pytest.raises(StorageFailed, match="symbolic link"):
            storage.delete([key])
    assert list(storage.list("")) == []
    assert (outside / "secret").read_bytes() == b"secret"


FULL = """
import resource, sys
from workers.storage import open_storage
storage = open_storage(sys.argv[1])
storage.put("files/small", b"x" * 1000)
resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))
try:
    storage.put("files/big", b"x" * (2 << 20))
except Exception as error:
    print(type(error).__name__, error)
print(sorted(storage.list("")))
"""


def test_a_file_over_the_limit_of_the_system_fails_plainly_and_leaves_the_rest(tmp_path: Path) -> None:
    done = run(FULL, tmp_path.as_uri())
    assert "StorageFailed The file storage refused the file files/big: the file is larger" in done.stdout, done.stderr
    assert "[('files/small', 1000)]" in done.stdout
    assert leftovers(tmp_path.as_uri(), "") == 1


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 1 MB."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(place)], capture_output=True)
    if mounted.returncode:
        pytest.skip("only root can mount a small disk")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def test_a_full_disk_is_told_plainly_and_takes_nothing_with_it(small_disk: Path) -> None:
    storage = open_storage(small_disk.as_uri())
    storage.put("files/first", b"x" * 1000)
    with pytest.raises(StorageFailed, match="refused the file files/big: the disk is full"):
        storage.put("files/big", b"x" * (2 << 20))
    with pytest.raises(StorageFailed, match="the disk is full"):
        write(storage, "files/slow", [b"x" * 50_000] * 100)
    assert list(storage.list("")) == [("files/first", 1000)]
    assert storage.put("files/second", b"x" * 500_000).size == 500_000


def test_a_disk_that_is_read_only_is_told_plainly(small_disk: Path) -> None:
    storage = open_storage(small_disk.as_uri())
    storage.put("files/first", b"x")
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    with pytest.raises(StorageFailed, match="the folder is not writable"):
        storage.put("files/second", b"x")
    with pytest.raises(StorageFailed, match="the folder is not writable"):
        storage.delete(["files/first"])
    assert storage.read("files/first") == b"x"


def test_a_file_where_the_folder_should_be_is_told_plainly(tmp_path: Path) -> None:
    (tmp_path / "files").write_bytes(b"")
    with pytest.raises(StorageFailed, match="the folder is not writable"):
        open_storage((tmp_path / "files").as_uri()).put("files/a", b"x")


def test_a_missing_bucket_is_no_missing_file(bucket: str, s3: str) -> None:
    storage = open_storage(f"s3://no-such-bucket?endpoint={s3}")
    asks: list[Callable[[], object]] = [
        lambda: storage.put("files/a", b"x"),
        lambda: storage.read("files/a"),
        lambda: storage.exists("files/a"),
        lambda: storage.delete(["files/a"]),
        lambda: list(storage.list("")),
    ]
    for ask in asks:
        with pytest.raises(StorageFailed, match="the bucket of STORAGE_URL does not exist"):
            ask()


def test_an_endpoint_that_does_not_answer_is_told_plainly(bucket: str) -> None:
    storage = open_storage("s3://bucket?endpoint=http://127.0.0.1:1")
    with pytest.raises(StorageFailed, match="no connection to the endpoint"):
        storage.put("files/a", b"x")


def test_a_file_replaced_while_it_is_read_from_s3_is_told_plainly(bucket: str) -> None:
    storage = open_storage(bucket)
    storage.put("files/a", b"a" * (9 << 20))
    chunks = storage.stream("files/a")
    storage.put("files/a", b"b" * (9 << 20))
    with pytest.raises(StorageFailed, match="the file was replaced while it was read"):
        list(chunks)


FORKED = """
import os, signal, sys
from workers.storage import open_storage
open_storage(sys.argv[1]).put("files/a", b"x")
if not os.fork():
    signal.alarm(20)
    try:
        open_storage(sys.argv[1]).read("files/a")
    except Exception as error:
        print(type(error).__name__, error, flush=True)
    os._exit(0)
os.wait()
"""


def test_a_child_of_a_process_that_used_s3_is_told_so_instead_of_hanging(bucket: str) -> None:
    done = run(FORKED, bucket)
    assert "StorageFailed" in done.stdout, done.stderr
    assert "used S3 before the fork" in done.stdout


def test_a_child_of_a_process_that_only_opened_s3_may_use_it(bucket: str) -> None:
    done = run(FORKED.replace('.put("files/a", b"x")', ""), bucket)
    assert "MissingRecord file files/a does not exist" in done.stdout, done.stderr
