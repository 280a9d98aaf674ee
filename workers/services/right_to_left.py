"""Arabic and Hebrew on a line of Turkish: letters in the forms that they join in, and in the order they are drawn.

A drawing library puts glyph beside glyph from left to right. So Arabic letters are replaced by their presentation forms
first (Unicode keeps them for this), and each line's right-to-left parts are turned round last: UAX 9 for a paragraph
that runs from left to right, without embeddings.
"""

import functools
import itertools
import re
import unicodedata

_ANY = re.compile("[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc]")
_FORMS = re.compile("<(isolated|initial|medial|final)> ([0-9A-F]{4}(?: [0-9A-F]{4})?)")
_LAM_ALEF = re.compile("\u0644([\u0622\u0623\u0625\u0627])")
_CAUSES = {"\u0640": "\u0640", "\u200d": "\u200d"}  # tatweel and the joiner join on both sides, and stay as they are
_MIRRORED = str.maketrans("()[]{}<>«»‹›", ")(][}{><»«›‹")


def joined(text: str) -> str:
    """`text` with its Arabic letters in the forms that they take beside each other; in the order it is read."""
    if not _ANY.search(text):
        return text
    forms = _forms()
    text = _LAM_ALEF.sub(lambda found: forms.get(found[0], {}).get("isolated", found[0]), text)
    places = [n for n, char in enumerate(text) if unicodedata.category(char) != "Mn"]
    before = {n: _joins_next(text[last]) for last, n in itertools.pairwise(places)}
    after = {n: _joins_last(text[following]) for n, following in itertools.pairwise(places)}
    return "".join(_formed(char, before.get(n, False), after.get(n, False)) for n, char in enumerate(text))


def visual(line: str) -> str:
    """One line in the order in which it is drawn, from left to right."""
    if not _ANY.search(line):
        return line
    clusters = re.findall(r".[\u0300-\u036f\u0591-\u05c7\u0610-\u061a\u064b-\u065f\u0670]*", line, re.DOTALL)
    levels = _levels([unicodedata.bidirectional(cluster[0]) for cluster in clusters])
    placed = [*zip(clusters, levels, strict=True)]
    placed = _turned(_turned(placed, 2), 1)
    return "".join(each.translate(_MIRRORED) if level == 1 else each for each, level in placed)


@functools.cache
def letter_of(form: int) -> int:
    """The code of the letter of which `form` is a presentation form, for who copies the text; else `form` itself."""
    found = _FORMS.fullmatch(unicodedata.decomposition(chr(form)))
    return int(found[2], 16) if found and " " not in found[2] else form


@functools.cache
def _forms() -> dict[str, dict[str, str]]:
    """By letter, and for lam and alef by both of them: what it looks like where."""
    forms: dict[str, dict[str, str]] = {}
    for code in (*range(0xFB50, 0xFE00), *range(0xFE70, 0xFEFD)):
        if found := _FORMS.fullmatch(unicodedata.decomposition(chr(code))):
            letters = "".join(chr(int(each, 16)) for each in found[2].split())
            forms.setdefault(letters, {}).setdefault(found[1], chr(code))
            if len(letters) == 2:
                forms.setdefault(chr(code), {})[found[1]] = chr(code)
    for letters in [letters for letters in forms if len(letters) == 2 and "isolated" in forms[letters]]:
        forms[forms[letters]["isolated"]] = forms[letters]
    return forms


def _joins_next(char: str) -> bool:
    return char in _CAUSES or "initial" in _forms().get(char, {})


def _joins_last(char: str) -> bool:
    return char in _CAUSES or "final" in _forms().get(char, {})


def _formed(char: str, before: bool, after: bool) -> str:
    forms = _forms().get(char)
    if forms is None:
        return char
    back, on = before and "final" in forms, after and "initial" in forms
    name = ("medial" if on else "final") if back else ("initial" if on else "isolated")
    return forms.get(name, char)


def _levels(kinds: list[str]) -> list[int]:
    """1 for what runs to the left, 2 for numbers in it, 0 for all else; what is between two of one level is of it."""
    levels: list[int | None] = []
    strong = 0
    for kind in kinds:
        if kind in ("L", "R", "AL"):
            strong = int(kind != "L")
            levels.append(strong)
        else:
            levels.append((2 if strong else 0) if kind in ("EN", "AN") else None)
    for n, level in enumerate(levels):
        if level is None:
            last = levels[n - 1] if n else 0
            following = next((each for each in levels[n:] if each is not None), 0)
            numbers = last == following == 2 and kinds[n] in ("CS", "ES", "ET")
            levels[n] = 2 if numbers else int(bool(last) and bool(following))
    return [level or 0 for level in levels]


def _turned(placed: list[tuple[str, int]], lowest: int) -> list[tuple[str, int]]:
    """Each stretch of `lowest` and above in the opposite order."""
    stretches = itertools.groupby(placed, lambda one: one[1] >= lowest)
    return [one for turns, stretch in stretches for one in ([*stretch][::-1] if turns else stretch)]
