"""What went wrong, in the reader's language: sentences that others wrote (the engine, jobs, pydantic), found again in
the catalogue, long after the error that they came with is gone."""

import gettext
import re
from collections.abc import Callable
from functools import cache, lru_cache
from pathlib import Path

from workers.wording import sentences
from workers.wording.english import ENGLISH
from workers.wording.sheets import SHEETS

TRANSLATIONS = Path(__file__).with_name("translations")
HOLE = re.compile(r"\{(\w+)[^}]*\}")
PART = re.compile(r"'[^']*'|\"[^\"]*\"|\d[\d.,]*\d|\d")
THOUSANDS = {"tr": (re.compile(r"\d{1,3}(,\d{3})+"), ",", "."), "en": (re.compile(r"\d{1,3}(\.\d{3})+"), ".", ",")}
LIST = "summary"  # the hole that holds several, as "field: message; field: message"
OURS = frozenset(("advice", "fault", "reason", "said", "state", "then", "what", "why"))  # holes that hold our own words
COUNTS = frozenset(("limit", "size"))  # holes that hold a number of bytes, rows, columns
LONGEST_CHARS = 2000


def worded(message: str, language: str) -> str:
    """The message in that language, where the catalogue has it: as it is, as the sentence of an error whose holes were
    filled, or with {} for each number and quoted word.

    "Input should be 'zip' or 'pdf'" is looked up as "Input should be {} or {}".
    """
    translate = _catalogue(language)
    message = message.removeprefix("Value error, ")
    whole = translate(message) if message else ""
    if whole != message:
        return whole
    if found := _error(message[:LONGEST_CHARS]):
        return _filled(*found, language)
    parts = PART.findall(message)
    shape = PART.sub("{}", message) if parts else message
    translated = translate(shape) if parts else message
    if translated == shape or translated.count("{}") != len(parts):
        return message
    for part in parts:
        translated = translated.replace("{}", _number(part, language), 1)
    return translated


@cache
def _catalogue(language: str) -> Callable[[str], str]:
    """Read when it is first needed. What stands in the other language stands in the one or the other list."""
    if language == "en":
        return lambda sentence: ENGLISH.get(sentence, sentence)
    turkish = {english: sentence for sentence, english in SHEETS.items()}
    found = gettext.translation("messages", TRANSLATIONS, [language]).gettext
    return lambda sentence: turkish.get(sentence) or found(sentence)


def _filled(sentence: str, parts: dict[str, str], language: str) -> str:
    """A reason that fills a hole is translated too. Names, headings and cell texts belong to the reader: a sheet called
    “Sheet” stays that, whatever the catalogue makes of the word."""

    def part(hole: re.Match[str]) -> str:
        name, text = hole[1], parts[hole[1]]
        if name == LIST:
            return "; ".join(_named(one, language) for one in text.split("; "))
        if name in COUNTS:
            return _number(text, language)
        return worded(text, language) if name in OURS else text

    return HOLE.sub(part, _catalogue(language)(sentence))


def _number(text: str, language: str) -> str:
    """A number of four digits and more as that language writes it; anything else as it is."""
    thousands, theirs, ours = THOUSANDS[language]
    return text.replace(theirs, ours) if thousands.fullmatch(text) else text


def _named(text: str, language: str) -> str:
    """`field: message`, the field as it is. Where several stand in a row they have lost their full stops."""
    field, colon, message = text.partition(": ")
    if not colon:
        return worded(text, language)
    told = worded(message, language)
    return f"{field}: {told if told != message else worded(f'{message}.', language).removesuffix('.')}"


@lru_cache(maxsize=4096)
def _error(message: str) -> tuple[str, dict[str, str]] | None:
    """The sentence that became this message, and what filled its holes."""
    for sentence, piece, pattern in _patterns():
        if piece in message and (found := pattern.fullmatch(message)):
            return sentence, found.groupdict()
    return None


@cache
def _patterns() -> list[tuple[str, str, re.Pattern[str]]]:
    """Sentences with holes, the longest piece between these (most messages lack it: soon seen), and their patterns."""
    known = (*sentences.ERRORS, *sentences.DOCTOR, *ENGLISH, *SHEETS.values())
    holed = [sentence for sentence in known if HOLE.search(sentence)]
    return [(one, max(HOLE.split(one)[::2], key=len), _pattern(one)) for one in holed]


def _pattern(sentence: str) -> re.Pattern[str]:
    plain, names = HOLE.split(sentence)[::2], HOLE.findall(sentence)
    holes = [f"(?P<{name}>.+?)" for name in names]
    return re.compile(
        "".join(re.escape(text) + hole for text, hole in zip(plain, [*holes, ""], strict=True)), re.DOTALL
    )
