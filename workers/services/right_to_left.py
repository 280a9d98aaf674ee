"""Arabic and Hebrew on a line of Turkish: letters in the forms that they join in, and in the order they are drawn.

A drawing library puts glyph beside glyph from left to right. So Arabic letters are replaced by their presentation forms
first (Unicode keeps them for this), and each line's right-to-left parts are turned round last, by UAX 9 for a paragraph
that runs from left to right.
"""

import functools
import re
import unicodedata
from typing import Any

_ANY = re.compile("[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc]")
_FORM = re.compile("<(?:isolated|initial|medial|final)> ([0-9A-F]{4})")
_TURNED_MARKS = re.compile("([\u0591-\u05c7\u0610-\u061a\u064b-\u065f\u0670]+)(.)", re.DOTALL)
_OPENING = dict(zip(")]}»›", "([{«‹", strict=True))
_CLOSING = {opening: closing for closing, opening in _OPENING.items()}


def joined(text: str) -> str:
    """`text` with its Arabic letters in the forms that they take beside each other; in the order it is read."""
    return str(_reshaper().reshape(text)) if _ANY.search(text) else text


def visual(line: str) -> str:
    """One line in the order in which it is drawn, from left to right."""
    if not _ANY.search(line):
        return line
    from bidi import get_display

    placed = str(get_display(line, base_dir="L"))
    return _facing(_TURNED_MARKS.sub(lambda turned: turned[2] + turned[1][::-1], placed))


@functools.cache
def letter_of(form: int) -> int:
    """The code of the letter of which `form` is a presentation form, for who copies the text; else `form` itself."""
    found = _FORM.fullmatch(unicodedata.decomposition(chr(form)))
    return int(found[1], 16) if found else form


@functools.cache
def _reshaper() -> Any:
    from arabic_reshaper import ArabicReshaper

    return ArabicReshaper({"delete_harakat": False, "ARABIC LIGATURE ALLAH": False})


def _facing(line: str) -> str:
    """Brackets that were turned round with what they hold face it again (UAX 9 L4): the closing one now comes first."""
    chars, open_ones, turned = [*line], dict[str, list[int]](), dict[str, list[int]]()
    for n, char in enumerate(line):
        if char in _CLOSING:
            if back := turned.get(char):
                chars[back.pop()], chars[n] = char, _CLOSING[char]
            else:
                open_ones.setdefault(char, []).append(n)
        elif opening := _OPENING.get(char):
            if open_ones.get(opening):
                open_ones[opening].pop()
            else:
                turned.setdefault(opening, []).append(n)
    return "".join(chars)
