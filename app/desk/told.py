"""What went wrong, in the reader's language: sentences that others wrote (the engine, jobs, pydantic), found again in
the catalogue, long after the error that they came with is gone."""

import re
from collections.abc import Callable
from dataclasses import replace
from functools import cache, lru_cache

from flask_babel import get_domain, get_locale

from app.desk import wording
from app.desk.english import ENGLISH
from workers.engine.tasks import Task
from workers.errors import SiraError

HOLE = re.compile(r"\{(\w+)[^}]*\}")
PART = re.compile(r"'[^']*'|\"[^\"]*\"|\d[\d.,]*\d|\d")
THOUSANDS = re.compile(r"\d{1,3}(,\d{3})+")
LONGEST_CHARS = 2000
Translate = Callable[[str], str]


def told(error: SiraError) -> str:
    """The error's message in the reader's language."""
    return worded(error.message)


def of_task(task: Task, translate: Translate | None = None) -> Task:
    """The task with its error in the reader's language, and so all that is said of it."""
    if not task.error:
        return task
    return replace(task, error={**task.error, "message": worded(task.error["message"], translate)})


def reader() -> Translate:
    """How this request's reader is spoken to; also when the request is over."""
    if str(get_locale()) == "en":
        return lambda sentence: ENGLISH.get(sentence, sentence)
    return get_domain().get_translations().ugettext


def worded(message: str, translate: Translate | None = None) -> str:
    """The message in the reader's language, where the catalogue has it: as it is, as the sentence of an error whose
    holes were filled, or with {} for each number and quoted word.

    "Input should be 'zip' or 'pdf'" is looked up as "Input should be {} or {}".
    """
    translate = translate or reader()
    message = message.removeprefix("Value error, ")
    whole = translate(message) if message else ""
    if whole != message:
        return whole
    if found := _error(message[:LONGEST_CHARS]):
        return _filled(*found, translate)
    parts = PART.findall(message)
    shape = PART.sub("{}", message) if parts else message
    translated = translate(shape) if parts else message
    if translated == shape or translated.count("{}") != len(parts):
        return message
    for part in parts:
        translated = translated.replace("{}", part, 1)
    return translated


def _filled(sentence: str, parts: dict[str, str], translate: Translate) -> str:
    """What fills the holes is translated too: mostly it is a reason."""
    translated = translate(sentence)
    turkish = translated != sentence and sentence not in ENGLISH

    def part(hole: re.Match[str]) -> str:
        text = parts[hole[1]]
        return text.replace(",", ".") if turkish and THOUSANDS.fullmatch(text) else worded(text, translate)

    return HOLE.sub(part, translated)


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
    holed = [sentence for sentence in (*wording.ERRORS, *ENGLISH) if HOLE.search(sentence)]
    return [(one, max(HOLE.split(one)[::2], key=len), _pattern(one)) for one in holed]


def _pattern(sentence: str) -> re.Pattern[str]:
    plain, names = HOLE.split(sentence)[::2], HOLE.findall(sentence)
    holes = [f"(?P<{name}>.+?)" for name in names]
    return re.compile(
        "".join(re.escape(text) + hole for text, hole in zip(plain, [*holes, ""], strict=True)), re.DOTALL
    )
