"""Mail headers, written once and left alone.

The `email` package of Python 3.11 to 3.13 refolds what it is given: spaces of long Turkish subjects get lost, names get
spaces that they never had, and a long List-Unsubscribe becomes encoded words, which no mail program takes for a link.
"""

import re
from base64 import b64encode
from collections.abc import Iterator, Sequence
from email.headerregistry import HeaderRegistry
from email.policy import EmailPolicy
from functools import cache, lru_cache
from typing import Any
from urllib.parse import quote

LINE_CHARS = 76  # RFC 2047 section 2, for lines with encoded words
WORD_BYTES = 39  # 64 characters as an encoded word: it fits behind any name of a header of ours
LONGEST_PIECE = 60

_SINGLE_SPACE = re.compile(r"(?<=[^ ]) (?=[^ ])")
_LOOSE_BREAK = re.compile(r"\r(?!\n)|(?<!\r)\n|\n(?![ \t])|\0")
# Controls, halves of characters, U+2028 and U+2029, and the marks that make "fdp.exe" look like "exe.pdf".
_NOT_IN_A_LINE = re.compile("[\0-\x1f\x7f-\x9f\ud800-\udfff\u2028-\u202e\u2066-\u2069]")


def unbroken(name: str, value: str) -> str:
    """The value of a header, if no loose line break in it begins another header; else ValueError."""
    if _LOOSE_BREAK.search(value):
        raise ValueError(f"the header {name} must not hold line breaks")
    return value


class AsWritten(EmailPolicy):
    """Headers go out as they were set. `message["Subject"]` still reads as people do: it is decoded when asked for."""

    def header_store_parse(self, name: str, value: Any) -> tuple[str, Any]:
        return name, unbroken(name, str(value))

    def header_fetch_parse(self, name: str, value: str) -> Any:
        return _read(name, value)

    def fold_binary(self, name: str, value: Any) -> bytes:
        return f"{name}: {value}{self.linesep}".encode("ascii")


class Registry(HeaderRegistry):
    """The classes of headers. The library makes a new one for every header that is set or read, a third of the time."""

    @cache  # noqa: B019  # there is one registry
    def __getitem__(self, name: str) -> Any:
        return super().__getitem__(name)


AS_WRITTEN = AsWritten(linesep="\r\n", refold_source="none", cte_type="7bit", header_factory=Registry())


@lru_cache(maxsize=256)
def _read(name: str, value: str) -> Any:
    """The header as an object that can't be changed. From and most Content-Types are the same in all mails of a bulk,
    and take the library 0.2 ms to read."""
    return EmailPolicy.header_fetch_parse(AS_WRITTEN, name, value)


def is_line(text: str) -> bool:
    """Whether a header may hold it: no CR, LF, NUL, U+2028 or any other control, and nothing that turns text round."""
    return not _NOT_IN_A_LINE.search(text)


@lru_cache(maxsize=256)  # of a bulk, most subjects and the sender are the same
def text(name: str, value: str) -> str:
    """The value of an unstructured header such as Subject, folded (RFC 5322 section 2.2.3)."""
    return _folded(name, _pieces(value.strip(" ")))


@lru_cache(maxsize=256)
def address(name: str, address: str, shown: str = "") -> str:
    """The value of From, To or Reply-To with one checked address; `shown` is the name that people read."""
    if not shown:
        return address
    plain = shown.replace("\\", r"\\").replace('"', r"\"")
    phrase = [*_words(shown)] if _needs_words(plain) else _SINGLE_SPACE.split(f'"{plain}"')
    return _folded(name, [*phrase, f"<{address}>"])


def disposition(filename: str) -> str:
    """The value of Content-Disposition for an attachment, its name in any script (RFC 2231 section 4)."""
    if filename.isascii() and not set(filename) & set('"\\'):
        return f'attachment;\r\n filename="{filename}"'
    return f"attachment;\r\n filename*=utf-8''{quote(filename, safe='')}"


def _pieces(value: str) -> list[str]:
    """What a line may be folded between: the words of plain text, or encoded words, between which no space counts."""
    return [*_words(value)] if _needs_words(value) else _SINGLE_SPACE.split(value)


def _needs_words(value: str) -> bool:
    return not value.isascii() or "=?" in value or max(map(len, _SINGLE_SPACE.split(value))) > LONGEST_PIECE


def _words(value: str) -> Iterator[str]:
    """Encoded words of whole characters (RFC 2047 section 5)."""
    word = b""
    for char in map(str.encode, value):
        if len(word) + len(char) > WORD_BYTES:
            yield _word(word)
            word = b""
        word += char
    yield _word(word)


def _word(data: bytes) -> str:
    return f"=?utf-8?b?{b64encode(data).decode()}?="


def _folded(name: str, pieces: Sequence[str]) -> str:
    lines = [f"{name}: {pieces[0]}"]
    for piece in pieces[1:]:
        if len(lines[-1]) + 1 + len(piece) <= LINE_CHARS:
            lines[-1] += f" {piece}"
        else:
            lines.append(f" {piece}")
    return "\r\n".join(lines)[len(name) + 2 :]
