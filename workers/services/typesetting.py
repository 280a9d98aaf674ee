"""Text set in lines and drawn on a page: what a letter needs of typesetting, much faster than Platypus."""

import functools
import itertools
import re
import unicodedata
from collections.abc import Iterator
from typing import Any, NamedTuple

from reportlab.pdfbase import pdfmetrics

from workers.services.fonts import BOLD, MARK, NBSP, REGULAR
from workers.services.right_to_left import joined, visual

_BREAK = re.compile(r"(?<=[-/.,;:@_&])|(?=[A-ZÇĞİÖŞÜ])")

Ink = tuple[float, float, float]


class Style(NamedTuple):
    """A face with its size and leading in points and its colour in RGB from 0 to 1."""

    face: str
    size: float
    leading: float
    ink: Ink


class _Drawable(dict[int, int | str | None]):
    """For `str.translate`: what both faces can draw, MARK for what they can't, nothing for what is no character."""

    def __missing__(self, code: int) -> int | str | None:
        drawn = _drawable(chr(code))
        if code < 0x10000:  # a bound for what is kept
            self[code] = drawn
        return drawn


def _drawable(char: str) -> str | None:
    if char.isspace():
        return NBSP if char == NBSP else " "
    if unicodedata.category(char) in ("Cc", "Cf", "Cs") or "\ufe00" <= char <= "\ufe0f":
        return None
    faces = [pdfmetrics.getFont(name).face for name in (REGULAR, BOLD)]
    # Beyond 0xFFFF reportlab's map back to Unicode has no room.
    return char if char < "\U00010000" and all(ord(char) in face.charToGlyph for face in faces) else MARK


_DRAWABLE = _Drawable()


def drawable(text: str) -> str:
    """`text` on one line, composed and joined, with MARK for each character that the faces lack."""
    return joined(unicodedata.normalize("NFC", text)).translate(_DRAWABLE)


def width(text: str, style: Style) -> float:
    """Points that `text`, which came from `wrap`, takes."""
    units: float = sum(map(pdfmetrics.getFont(style.face).widths.__getitem__, text))
    return units * style.size / 1000


@functools.lru_cache(maxsize=4096)
def wrap(text: str, style: Style, room: float, most: int = 1000) -> tuple[str, ...]:
    """At most `most` lines no wider than `room` points, of characters that can be drawn; what is cut off shows as …"""
    widths = pdfmetrics.getFont(style.face).widths
    units = room * 1000 / style.size
    lines: list[str] = []
    used = units
    for word in _words(drawable(text), widths, units):
        length = sum(map(widths.__getitem__, word))
        if lines and used + widths[" "] + length <= units:
            lines[-1] += " " + word
            used += widths[" "] + length
        else:
            lines.append(word)
            used = length
    return tuple(lines) if len(lines) <= most else (*lines[: most - 1], _shortened(lines[most - 1], widths, units))


def _words(text: str, widths: dict[str, float], units: float) -> Iterator[str]:
    """The words of a text, those that are too long in pieces that fit."""
    for word in filter(None, text.split(" ")):
        while (fits := max(1, _fitting(word, widths, units))) < len(word):
            cut = _cut(word, fits)
            yield word[:cut]
            word = word[cut:]
        yield word


def _cut(word: str, fits: int) -> int:
    """Where to break a word of which `fits` letters fit: after a sign or before a capital in their second half."""
    places = (match.start() for match in _BREAK.finditer(word, fits // 2 + 1))
    return max(itertools.takewhile(lambda place: place <= fits, places), default=fits)


def _fitting(text: str, widths: dict[str, float], units: float) -> int:
    for n, char in enumerate(text):
        units -= widths[char]
        if units < 0:
            return n
    return len(text)


def _shortened(line: str, widths: dict[str, float], units: float) -> str:
    return line[: _fitting(line, widths, units - widths["…"])].rstrip() + "…"


class Pen:
    """Draws one page of a canvas. All places are in points from the lower left corner."""

    def __init__(self, canvas: Any) -> None:
        self.canvas, self.lines = canvas, canvas.beginText()
        self.face: tuple[str, float] | None = None
        self.ink: Ink | None = None

    def write(self, x: float, y: float, text: str, style: Style) -> None:
        """One line that came from `wrap`, its baseline at `y`."""
        if self.face != style[:2]:
            self.face = style[:2]
            self.lines.setFont(*self.face)
        if self.ink != style.ink:
            self.ink = style.ink
            self.lines.setFillColorRGB(*self.ink)
        self.lines.setTextOrigin(x, y)
        self.lines.textLine(visual(text))

    def write_right(self, x: float, y: float, text: str, style: Style) -> None:
        self.write(x - width(text, style), y, text, style)

    def rule(self, x: float, y: float, length: float, weight: float, ink: Ink) -> None:
        """A horizontal line to the right of `x`."""
        self._stroke(weight, ink)
        self.canvas.line(x, y, x + length, y)

    def box(self, x: float, y: float, size: tuple[float, float], weight: float, ink: Ink) -> None:
        """A frame whose lower left corner is at `x` and `y`."""
        self._stroke(weight, ink)
        self.canvas.rect(x, y, *size)

    def _stroke(self, weight: float, ink: Ink) -> None:
        self.canvas.setLineWidth(weight)
        self.canvas.setStrokeColorRGB(*ink)

    def finish(self) -> None:
        self.canvas.drawText(self.lines)
        self.canvas.showPage()
