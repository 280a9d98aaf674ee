"""Every sentence of the desk has its Turkish, and what is compiled is what was translated."""

import io
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from babel.messages.extract import DEFAULT_KEYWORDS, extract_from_dir
from babel.messages.mofile import read_mo
from babel.messages.pofile import read_po

from app.desk import told
from app.errors import STATUSES
from tests import face as faces
from tests.conftest import ROOT
from tests.face import Face
from workers.errors import NotFound

face = faces.face
FOLDER = ROOT / "workers/wording/translations/tr/LC_MESSAGES"
METHODS = [("**.py", "python"), ("templates/**.html", "jinja2")]
KEYWORDS = {**DEFAULT_KEYWORDS, "lazy": None}
HOLES = re.compile(r"%\(\w+\)[sd]|%%|\{\w[^}]*\}")


def first(text: Any) -> str:
    """The sentence itself, where there is one for each number too."""
    return str(text[0] if isinstance(text, list | tuple) else text)


def named(message: Any, context: str | bytes | None) -> str:
    """The sentence, and where one word means two things its context before it (which `read_mo` leaves as bytes)."""
    context = context.decode() if isinstance(context, bytes) else context
    return f"{context}: {first(message)}" if context else first(message)


def said() -> Iterator[str]:
    """The sentences of the code and of the templates."""
    for folder in ("app", "workers/wording"):
        for _, _, message, _, context in extract_from_dir(ROOT / folder, METHODS, keywords=KEYWORDS):
            yield named(message, context)


def strings(catalogue: Any) -> dict[str, str]:
    return {named(message.id, message.context): first(message.string) for message in catalogue if message.id}


@pytest.fixture(scope="module")
def turkish() -> dict[str, str]:
    """What stands in the catalogue."""
    with (FOLDER / "messages.po").open("rb") as file:
        catalogue = read_po(file, locale="tr")
    assert [first(message.id) for message in catalogue if message.id and message.fuzzy] == []
    return strings(catalogue)


def test_no_sentence_lacks_its_turkish_and_none_is_translated_in_vain(turkish: dict[str, str]) -> None:
    needed = set(said())

    assert len(needed) > 300
    assert sorted(sentence for sentence in needed if not turkish.get(sentence)) == []
    assert sorted(turkish.keys() - needed) == []


def holes(text: Any) -> set[str]:
    """Where something is filled in, in a sentence or in the one and the many of it."""
    return {hole for form in ([text] if isinstance(text, str) else text) for hole in HOLES.findall(form)}


def test_a_translation_has_the_same_holes_to_fill() -> None:
    with (FOLDER / "messages.po").open("rb") as file:
        catalogue = [message for message in read_po(file, locale="tr") if message.id]

    assert [first(message.id) for message in catalogue if holes(message.id) != holes(message.string)] == []


def test_what_is_compiled_is_what_was_translated(turkish: dict[str, str]) -> None:
    compiled = read_mo(io.BytesIO((FOLDER / "messages.mo").read_bytes()))

    assert strings(compiled) == turkish
    assert [path.name for path in Path(FOLDER).iterdir() if path.suffix == ".mo"] == ["messages.mo"]


def test_the_errors_that_people_meet_are_in_the_catalogue(turkish: dict[str, str]) -> None:
    met = [NotFound, *(cls for cls, status in STATUSES.items() if status != 404)]  # any 404 is told as this one

    assert {" ".join((cls.__doc__ or "").split()) for cls in met} - turkish.keys() == set()


def test_an_error_is_told_in_the_readers_language(face: Face) -> None:
    with face.app.test_request_context("/"):
        assert told.told(NotFound()) == "Burada böyle bir kayıt yok. Numarayı denetleyin."
    with face.app.test_request_context("/", headers={"Accept-Language": "en"}):
        assert told.told(NotFound()) == "There is no such thing here. Check the id."
