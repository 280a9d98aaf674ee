"""The last mails that the sandbox took, whole, as files: their headers and attachments are read from there.

They lie below DATA_DIR/logs, so that house-keeping takes them with the other logs; the database has the rest.
"""

import hashlib
from contextlib import suppress
from email.errors import HeaderParseError
from email.header import decode_header, make_header
from pathlib import Path

from workers import settings

KEPT = 1000  # mails; a letter's PDF is some 50 kB
TRIM_EVERY = 100
_written = 0


def keep(key: str, content: bytes) -> None:
    """Keep a mail by its Message-ID; now and then the oldest go. A full disk is no reason to refuse the mail: the
    database has it by now, and its sender would send it once more."""
    global _written
    path = _path(key)
    with suppress(OSError):
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.write_bytes(content)
        _written += 1
        if _written % TRIM_EVERY == 0:
            for old in sorted(path.parent.glob("*.eml"), key=lambda one: one.stat().st_mtime)[:-KEPT]:
                old.unlink(missing_ok=True)


def read(key: str) -> bytes | None:
    """The mail of that Message-ID as it came; None if it is not kept (any more)."""
    with suppress(OSError):
        return _path(key).read_bytes()
    return None


def decoded(raw: str) -> str:
    """A header as people read it, by the older half of `email`: the newer reads spaces into names of several encoded
    words, and fails on some that are none."""
    try:
        return str(make_header(decode_header(raw)))
    except (HeaderParseError, LookupError, UnicodeError):
        return raw


def clear() -> None:
    for path in _folder().glob("*.eml"):
        path.unlink(missing_ok=True)


def _path(key: str) -> Path:
    return _folder() / f"{hashlib.sha256(key.encode(errors='replace')).hexdigest()[:32]}.eml"


def _folder() -> Path:
    return settings.current().data_dir / "logs" / "sandbox"
