"""Where files are kept: a folder (`file://`) or S3-compatible storage (`s3://bucket?endpoint=…`), behind one interface.

A key (`files/12/uuid.pdf`) shows a whole file or none: it appears, durable, when its writer ends, and never before.
Only what can be made anew (`scratch`) is not durable.
S3 can't clean up after a killed process: give the bucket a lifecycle rule `AbortIncompleteMultipartUpload` (7 days).
"""

import errno
import hashlib
import io
import os
import re
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from itertools import islice
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit

from workers.errors import BadSettings, MissingRecord, SiraError, StorageFailed
from workers.places import PART_BYTES, Bucket, Draft, Folder, Upload

BLOCK_BYTES = 1 << 20
BLOCKS_AHEAD = 4  # that wait to be stored while the next is made
REASONS = {
    "ENOSPC|EDQUOT|507 |StorageFull|QuotaExceeded": "the disk is full",
    "EFBIG": "the file is larger than this system allows",
    "EACCES|EPERM|EROFS|EEXIST|ENOTDIR": "the folder is not writable",
    "ELOOP": "a symbolic link stands in the way",
    "NoSuchBucket|404 Not Found": "the bucket of STORAGE_URL does not exist there",
    r"169\.254\.169\.254": "credentials are missing (set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY)",
    "401 Unauthorized|403 Forbidden": "access is denied (check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY)",
    "412 Precondition": "the file was replaced while it was read",
    "error sending request|timed? ?out": "no connection to the endpoint of STORAGE_URL",
}


@dataclass(frozen=True)
class Stored:
    """What was written: `size` in bytes, `sha256` in hexadecimal, "" of a scratch file."""

    key: str
    size: int
    sha256: str


class Writer:
    """A file in the making, enough for zipfile and pikepdf. `stored` is there after a clean exit.

    What is written is gathered first: a zip consists of seven small pieces for each of its files. Of a large file each
    block is stored, and counted into its digest, beside the making of the next one.
    """

    stored: Stored

    def __init__(self, key: str, draft: Draft | Upload, *, scratch: bool) -> None:
        self._key, self._draft, self._scratch = key, draft, scratch
        self._size, self._hash = 0, None if scratch else hashlib.sha256()
        self._pieces, self._gathered = list[bytes](), 0
        self._beside: ThreadPoolExecutor | None = None
        self._passed = deque[Future[None]]()

    def write(self, data: bytes | bytearray | memoryview) -> int:
        data = bytes(data)  # who wrote it may change it meanwhile
        self._pieces.append(data)
        self._size += len(data)
        self._gathered += len(data)
        if self._gathered >= BLOCK_BYTES:
            self._beside = self._beside or ThreadPoolExecutor(1, "writer")
            self._passed.append(self._beside.submit(self._pass_on, self._block()))
            if len(self._passed) > BLOCKS_AHEAD:
                self._passed.popleft().result()
        return len(data)

    def _block(self) -> bytes:
        pieces, self._pieces, self._gathered = self._pieces, [], 0
        return b"".join(pieces)

    def _pass_on(self, block: bytes) -> None:
        with _plainly(self._key):
            self._draft.write(block)
        if self._hash:
            self._hash.update(block)

    def tell(self) -> int:
        return self._size

    def flush(self) -> None:
        """Nothing, as `close`: only the clean exit makes a file."""

    close = flush

    def seek(self, offset: int, whence: int = 0) -> int:
        """Never; but pikepdf takes only streams that have a `seek`, and zipfile learns from the error."""
        raise io.UnsupportedOperation("seek")

    def finish(self) -> None:
        """Called by `Storage.writer` at the clean exit."""
        while self._passed:
            self._passed.popleft().result()
        self._pass_on(self._block())
        with _plainly(self._key):
            self._draft.commit(lasting=not self._scratch)
        self.stored = Stored(self._key, self._size, self._hash.hexdigest() if self._hash else "")

    def end(self) -> None:
        """Called by `Storage.writer` in any case: behind it nothing is written any more."""
        if self._beside:
            self._beside.shutdown()


class Storage:
    """Files by key. Raises StorageFailed with a plain reason, and MissingRecord where a key has no file."""

    def __init__(self, place: Folder | Bucket) -> None:
        self._place = place

    def put(self, key: str, data: bytes) -> Stored:
        with self.writer(key) as writer:
            writer.write(data)
        return writer.stored

    @contextmanager
    def writer(self, key: str, *, scratch: bool = False) -> Iterator[Writer]:
        """Write a file of any size piece by piece; if the body raises, the key stays as it was and no draft is left.
        `scratch`: it can be made anew, so nobody waits for its SHA-256 nor for the disk; behind a power cut it may be
        shorter than it was, or gone."""
        with _plainly(key):
            draft = self._place.begin(_checked(key))
        writer = Writer(key, draft, scratch=scratch)
        try:
            try:
                yield writer
                writer.finish()
            finally:
                writer.end()
        except BaseException:
            with suppress(Exception):
                draft.abort()
            raise

    def read(self, key: str, start: int = 0, length: int | None = None) -> bytes:
        """`length` bytes from `start`: fewer at the end of the file, none behind it."""
        with _plainly(key, reading=True), self._place.open(_checked(key)) as (size, pull):
            end = size if length is None else min(size, start + length)
            return pull(start, end) if start < end else b""

    def stream(self, key: str, chunk_bytes: int = 1 << 18) -> Iterator[bytes]:
        """The file in chunks, for readers of any speed; a missing one is told at once, not at the first chunk."""
        chunks = self._chunks(_checked(key), chunk_bytes)
        next(chunks)
        return chunks

    def _chunks(self, key: str, chunk_bytes: int) -> Iterator[bytes]:
        with _plainly(key, reading=True), self._place.open(key) as (size, pull):
            yield b""
            for start in range(0, size, PART_BYTES):
                part = pull(start, min(start + PART_BYTES, size))
                yield from (part[at : at + chunk_bytes] for at in range(0, len(part), chunk_bytes))

    def size(self, key: str) -> int:
        with _plainly(key, reading=True), self._place.open(_checked(key)) as (size, _):
            return size

    def exists(self, key: str) -> bool:
        try:
            return self.size(key) >= 0
        except MissingRecord:
            return False

    def delete(self, keys: Iterable[str]) -> None:
        """Missing ones are no error."""
        rest = map(_checked, keys)
        while batch := [*islice(rest, 1000)]:
            with _plainly(batch[0]):
                self._place.delete(batch)

    def list(self, prefix: str, *, before: datetime | None = None) -> Iterator[tuple[str, int]]:
        """Key and size of every file below the folder `prefix` ("" for all), in no promised order; with `before` only
        of those that were last written earlier."""
        with _plainly(prefix):
            for key, size, written_at in self._place.list(_checked(prefix.rstrip("/")) if prefix else ""):
                if before is None or written_at < before:
                    yield key, size


def open_storage(url: str) -> Storage:
    """`file:///folder` or `s3://bucket[?endpoint=…&region=…]`; raises BadSettings. One client per process and URL."""
    return _opened(url, os.getpid())


@lru_cache(maxsize=8)
def _opened(url: str, pid: int) -> Storage:
    parts, options = urlsplit(url), dict(parse_qsl(urlsplit(url).query))
    if parts.scheme == "file" and parts.netloc in ("", "localhost") and parts.path[:1] == "/":
        return Storage(Folder(Path(unquote(parts.path))))
    named = re.fullmatch(r"[\w.-]+", parts.netloc) and parts.path in ("", "/")
    known = options.keys() <= {"endpoint", "region"} and _usable(options.get("endpoint", "https://aws"))
    if parts.scheme == "s3" and named and known:
        return Storage(Bucket(parts.netloc, options))
    raise BadSettings(reason="STORAGE_URL is neither file:///folder nor s3://bucket?endpoint=https://…&region=…")


def _usable(endpoint: str) -> bool:
    """obstore panics on an endpoint that is no URL."""
    try:
        parts = urlsplit(endpoint)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def _checked(key: str) -> str:
    if not key.isprintable() or "\\" in key or any(not part or part[0] == "." for part in key.split("/")):
        raise StorageFailed(what=f"the key {key!r}", reason="it is no relative path of plain names")
    return key


@contextmanager
def _plainly(key: str, *, reading: bool = False) -> Iterator[None]:
    """Say in plain words what the system said."""
    try:
        yield
    except SiraError:
        raise
    except Exception as error:
        missing = isinstance(error, FileNotFoundError | IsADirectoryError | NotADirectoryError)
        if reading and missing and "NoSuchBucket" not in str(error):
            raise MissingRecord(what="file", id=key) from error
        said = f"{errno.errorcode.get(getattr(error, 'errno', None) or 0, '')} {error}".strip()
        plain = (reason for pattern, reason in REASONS.items() if re.search(pattern, said))
        raise StorageFailed(what=f"the file {key}", reason=next(plain, said.splitlines()[0][:200])) from error
