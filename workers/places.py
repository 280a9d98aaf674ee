"""The two places where files can lie: a folder and an S3 bucket. storage.py puts their errors into words."""

import ctypes
import errno
import os
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from obstore.store import S3Store

PART_BYTES = 8 << 20  # S3 takes 10,000 parts, so 80 GB is the most a file can have
SENT_AT_ONCE_BYTES = 8 << 20
SYNC_FILE_RANGE_WRITE = 2  # sync_file_range(2): it begins, and waits for nothing; promises nothing either
_sync_file_range = getattr(ctypes.CDLL(None), "sync_file_range", None)
DRAFT_AGE_S = 24 * 3600
Source = tuple[int, Callable[[int, int], bytes]]
Found = tuple[str, int, datetime]  # key, size, when it was last written


class Draft:
    """A file that nobody sees before `commit` and that leaves nothing after `abort`."""

    def __init__(self, path: Path, draft: Path) -> None:
        self._path, self._draft, self._unsent = path, draft, 0
        handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        self._file = open(handle, "wb", buffering=1 << 18)  # noqa: SIM115 (closed by commit or abort)

    def write(self, data: bytes) -> None:
        """Now and then the disk is told to begin with what is written by now, so that little is left to the end."""
        self._file.write(data)
        self._unsent += len(data)
        if self._unsent >= SENT_AT_ONCE_BYTES and _sync_file_range:
            _sync_file_range(self._file.fileno(), ctypes.c_int64(0), ctypes.c_int64(0), SYNC_FILE_RANGE_WRITE)
            self._unsent = 0

    def commit(self, *, lasting: bool) -> None:
        self._file.flush()
        if lasting:
            os.fsync(self._file.fileno())
        self._file.close()
        while not self._named():
            pass
        if lasting:
            with suppress(FileNotFoundError):  # it was deleted already, and its folder with it
                _sync(self._path.parent)

    def _named(self) -> bool:
        """Let it have its name. False if its folder was just deleted, because it was empty."""
        _make_folder(self._path.parent)
        try:
            self._draft.rename(self._path)
        except FileNotFoundError:
            if self._draft.exists():
                return False
            raise
        return True

    def abort(self) -> None:
        self._draft.unlink(missing_ok=True)
        self._file.close()


class Folder:
    """Plain system calls: obstore's LocalStore does not fsync, so its files may not outlive a power cut."""

    def __init__(self, root: Path) -> None:
        self._root = root.resolve()
        self._drafts = self._root / ".drafts"
        for draft in self._drafts.glob("*"):  # what killed processes left
            with suppress(OSError):
                if draft.stat().st_mtime < time.time() - DRAFT_AGE_S:
                    draft.unlink()

    def begin(self, key: str) -> Draft:
        path = self._path(key)
        _make_folder(self._drafts)
        return Draft(path, self._drafts / secrets.token_hex(8))

    @contextmanager
    def open(self, key: str) -> Iterator[Source]:
        with self._path(key).open("rb") as file:

            def pull(start: int, end: int) -> bytes:
                file.seek(start)
                return file.read(end - start)

            yield os.fstat(file.fileno()).st_size, pull

    def delete(self, keys: list[str]) -> None:
        """And the folders of the last files in them: each bulk has one for its pieces."""
        paths = [self._path(key) for key in keys]
        for path in paths:
            with suppress(FileNotFoundError, IsADirectoryError, NotADirectoryError):
                path.unlink()
        for folder in {path.parent for path in paths} - {self._root}:
            with suppress(OSError):  # others lie in it
                folder.rmdir()

    def list(self, folder: str) -> Iterator[Found]:
        for parent, _, names in os.walk(self._path(folder) if folder else self._root):  # past what goes meanwhile
            for path in (Path(parent, name) for name in names):
                with suppress(FileNotFoundError):  # deleted since it was listed
                    if path.is_file() and not path.is_symlink() and path.parent != self._drafts:
                        seen = path.stat()
                        written_at = datetime.fromtimestamp(seen.st_mtime, UTC)
                        yield path.relative_to(self._root).as_posix(), seen.st_size, written_at

    def _path(self, key: str) -> Path:
        path = self._root / key
        if path.is_symlink() or not path.parent.resolve().is_relative_to(self._root):
            raise OSError(errno.ELOOP, "a symbolic link", str(path))
        return path


class Upload:
    """A draft in S3: the parts of a multipart upload (a single PUT if there is only one)."""

    def __init__(self, store: "S3Store", key: str) -> None:
        from obstore import open_writer

        self._parts = open_writer(store, key, buffer_size=PART_BYTES, max_concurrency=2)
        self.write = self._parts.write

    def commit(self, *, lasting: bool) -> None:
        self._parts.flush()  # waits for the parts on their way, while a failure can still be aborted
        self._parts.close()

    def abort(self) -> None:
        self._parts.__exit__(Exception, None, None)


class Bucket:
    """S3 through obstore, whose threads don't survive a fork: a child would wait for them for ever."""

    _used_by_pid = 0

    def __init__(self, name: str, options: dict[str, Any]) -> None:
        from obstore.store import S3Store

        self._own = S3Store(
            name,
            config=options,  # type: ignore[arg-type]  # its keys are S3Config's
            client_options={
                "allow_http": options.get("endpoint", "").startswith("http:"),
                "connect_timeout": "5s",
                "timeout": "60s",
            },
            retry_config={"max_retries": 4, "retry_timeout": timedelta(seconds=30)},
        )

    @property
    def _store(self) -> "S3Store":
        if Bucket._used_by_pid not in (0, os.getpid()):
            raise OSError("the parent of this process used S3 before the fork: only the child may")
        Bucket._used_by_pid = os.getpid()
        return self._own

    def begin(self, key: str) -> Upload:
        return Upload(self._store, key)

    @contextmanager
    def open(self, key: str) -> Iterator[Source]:
        store = self._store
        try:
            meta = store.head(key)
        except FileNotFoundError:
            meta = store.get(key).meta  # a HEAD has no body that tells a missing bucket from a missing key

        def pull(start: int, end: int) -> bytes:
            return bytes(store.get(key, options={"range": (start, end), "if_match": meta["e_tag"]}).bytes())

        yield meta["size"], pull

    def delete(self, keys: list[str]) -> None:
        self._store.delete(keys)

    def list(self, folder: str) -> Iterator[Found]:
        for batch in self._store.list(folder or None, chunk_size=1000):
            yield from ((each["path"], each["size"], each["last_modified"]) for each in batch)


def _make_folder(path: Path) -> None:
    if not path.is_dir():
        _make_folder(path.parent)
        path.mkdir(mode=0o700, exist_ok=True)
        _sync(path.parent)


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
