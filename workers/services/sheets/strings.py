"""The shared strings of an xlsx file, each as the text that a person sees."""

import html
import re
from collections.abc import Iterator
from typing import IO
from xml.etree import ElementTree

READ_BYTES, MAX_ITEM_BYTES = 2**20, 2**24
_ITEM_START = re.compile(rb"<(\w+:)?si[\s/>]")
_ESCAPED = re.compile("_x([0-9A-Fa-f]{4})_")
_HIDDEN = ("rPh", "phoneticPr")  # how a Japanese reading is noted: not part of the text


def read_strings(part: IO[bytes]) -> list[str]:
    """In their order. Plain items (all but text with several fonts) go without an XML parser, ten times as fast; where
    all of a piece are plain, which is usual, they are cut apart at once."""
    found: list[str] = []
    prefix, plain_item = b"", _plain_item(b"")
    for piece, now in _pieces(part):
        if now != prefix:
            prefix, plain_item = now, _plain_item(now)
        if (b"!" in piece and b"<!" in piece) or b"\0" in piece:  # comments and CDATA may hold items; UTF-16
            part.seek(0)
            return _parsed(part)
        if cut := _plain_texts(piece, prefix):
            found += cut
            continue
        plain = plain_item.findall(piece)
        if len(plain) == piece.count(b"<" + prefix + b"si"):
            found += texts(plain)
        else:
            found += [_text_of(item[0], prefix, plain_item) for item in _any_item(prefix).finditer(piece)]
    return found


def _plain_item(prefix: bytes) -> re.Pattern[bytes]:
    si, t = prefix + b"si", prefix + b"t"
    return re.compile(b'<%b><%b(?: xml:space="preserve")?>([^<]*)</%b></%b>' % (si, t, t, si))


def _plain_texts(piece: bytes, prefix: bytes) -> list[str]:
    """The texts of a piece whose items are all plain; none if one isn't, which shows in the number of its tags."""
    si, t = prefix + b"si>", prefix + b"t>"
    start, end = b"<%b<%b" % (si, t), b"</%b</%b" % (t, si)
    at, to = piece.find(start), piece.rfind(end)
    if at < 0 or to < at:
        return []
    plain = piece[at + len(start) : to].replace(b'<%b xml:space="preserve">' % t[:-1], b"<" + t)
    gap = end + start
    around = piece[:at] + piece[to + len(end) :]
    if plain.count(b"<") != 4 * plain.count(gap) or b"<" + si[:-1] in around:
        return []
    return _texts_between(plain, gap)


def _any_item(prefix: bytes) -> re.Pattern[bytes]:
    si = prefix + b"si"
    return re.compile(rb"<%b(?:\s[^>]*)?(?:(?<=/)>|(?<!/)>.*?</%b>|/>)" % (si, si), re.DOTALL)


def _pieces(part: IO[bytes]) -> Iterator[tuple[bytes, bytes]]:
    """The XML in pieces of whole items, and the prefix of its names."""
    rest, prefix, end = b"", b"", b""
    while block := part.read(READ_BYTES):
        rest += block
        if not end and (first := _ITEM_START.search(rest)):
            prefix = first[1] or b""
            end = b"</" + prefix + b"si>"
        cut = rest.rfind(end) + len(end) if end else 0
        if cut > len(end):
            yield rest[:cut], prefix
            rest = rest[cut:]
        if len(rest) > MAX_ITEM_BYTES:
            raise ValueError("a shared string is too long")
    yield rest, prefix


def texts(items: list[bytes]) -> list[str]:
    """Texts of XML, decoded and unescaped together: XML text holds no NUL."""
    if not items:
        return []
    texts = _texts_between(b"\0".join(items), b"\0")
    if len(texts) != len(items):
        raise ValueError("a NUL in a shared string")
    return texts


def _texts_between(joined: bytes, gap: bytes) -> list[str]:
    text = joined.decode()
    texts = text.replace("\r\n", "\n").split(gap.decode())
    if "&" in text or "_x" in text:
        return [unescape(html.unescape(one)) if "&" in one or "_x" in one else one for one in texts]
    return texts


def unescape(text: str) -> str:
    """What Excel writes for characters that XML can't hold (_x000D_)."""
    return _ESCAPED.sub(_character, text) if "_x" in text else text


def _character(found: re.Match[str]) -> str:
    code = int(found[1], 16)
    return found[0] if 0xD800 <= code < 0xE000 else chr(code)  # half a character can't be stored anywhere


def _text_of(item: bytes, prefix: bytes, plain_item: re.Pattern[bytes]) -> str:
    if plain := plain_item.fullmatch(item):
        return texts([plain[1]])[0]
    name = prefix[:-1].decode() or "x"
    root = ElementTree.fromstring(f'<r xmlns:{name}="m" xmlns="m">{item.decode()}</r>')
    return unescape("".join(runs(root[0])))


def _parsed(part: IO[bytes]) -> list[str]:
    found = []
    for _, element in ElementTree.iterparse(part):
        if element.tag.rpartition("}")[2] == "si":
            found.append(unescape("".join(runs(element))))
            element.clear()
    return found


def runs(item: ElementTree.Element) -> Iterator[str]:
    """The pieces of a text of several fonts, without how it is pronounced."""
    for child in item:
        name = child.tag.rpartition("}")[2]
        if name == "t":
            yield child.text or ""
        elif name not in _HIDDEN:
            yield from runs(child)
