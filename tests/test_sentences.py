"""No reason that the code gives lacks its other language: the code itself is read, so that none is forgotten."""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ROOT
from workers.services.sms_gateways import iletimerkezi, netgsm, twilio, verimor
from workers.services.sms_gateways.answers import Codes
from workers.wording.told import worded

FILLINGS = ("7", "'zzz'")  # a hole holds a number, or a quoted word
SPOKEN = ("reason", "what", "advice")
SETTLES = ("fail", "skip", "close")
REFUSES = ("refuse", "broken", "_bomb", "_lost")
# What is said before a service runs, to who starts or deploys it; the desk and mails never show it.
AT_START = ("workers/__main__.py", "workers/embedded.py", "workers/settings.py", "workers/migrations/*.py")
AT_START += ("workers/engine/wire.py", "workers/engine/clock.py")
SAME = {"mutabakat", "HTTP 7", "7:7: 7", "7 7"}  # in either language
DECLARED = "job kind "  # what is wrong with a declaration is told where it is imported


def filled(node: ast.AST, filling: str) -> str | None:
    """The text of a string or f-string, its holes filled; None for what is no text."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(str(part.value) if isinstance(part, ast.Constant) else filling for part in node.values)
    return None


def branches(node: ast.AST) -> Iterator[ast.AST]:
    """`a if b else c`, `a or b`: each that may be said."""
    if isinstance(node, ast.IfExp):
        yield from (node.body, node.orelse)
    elif isinstance(node, ast.BoolOp):
        yield from node.values
    else:
        yield node


def said_by(node: ast.AST) -> Iterator[ast.AST]:
    """What people are told by this call or dictionary."""
    if isinstance(node, ast.Call):
        yield from (word.value for word in node.keywords if word.arg in SPOKEN)
        if isinstance(node.func, ast.Attribute) and node.func.attr in SETTLES:
            yield from node.args
    elif isinstance(node, ast.Dict):
        keys = (key.value if isinstance(key, ast.Constant) else None for key in node.keys)
        yield from (value for key, value in zip(keys, node.values, strict=True) if key == "message")


def reasons() -> set[str]:
    """Where each is said, and in words as the code has them: `workers/jobs/pdf.py: …`."""
    found = set()
    for path in sorted((ROOT / "workers").rglob("*.py")):
        name = path.relative_to(ROOT)
        if any(name.match(pattern) for pattern in AT_START):
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            texts = [text for value in said_by(node) for text in branches(value) if filled(text, "7")]
            found |= {f"{name}: {ast.unparse(text)}" for text in texts if not is_told(text)}
    return found


def is_told(text: ast.AST) -> bool:
    """Whether one language has other words for it."""
    written = [str(filled(text, filling)) for filling in FILLINGS]
    if written[0] in SAME or written[0].startswith(DECLARED):
        return True
    return any(worded(one, language) != one for one in written for language in ("tr", "en"))


def test_every_reason_in_the_code_has_its_other_language() -> None:
    assert reasons() == set(), "English: mark it in workers/wording/sentences.py; Turkish: give its English there"


def refusals(path: Path) -> Iterator[tuple[str, str]]:
    """The Turkish and the English of each refusal of a sheet; names stand for what was last put into them."""
    for function in ast.walk(ast.parse(path.read_text())):
        if not isinstance(function, ast.FunctionDef) or function.name in REFUSES:
            continue
        known: dict[str, ast.AST] = {}
        for node in sorted(ast.walk(function), key=lambda each: getattr(each, "lineno", 0)):
            if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
                known[node.targets[0].id] = node.value
            elif isinstance(node, ast.Call) and getattr(node.func, "id", getattr(node.func, "attr", "")) in REFUSES:
                given = [known.get(getattr(arg, "id", ""), arg) for arg in node.args[:2]]
                texts = [filled(getattr(getattr(arg, "func", None), "value", arg), "7") for arg in given]
                if len(texts) == 2 and all(texts):
                    yield str(texts[0]), str(texts[1])


def test_who_reads_the_other_language_is_told_why_a_sheet_was_refused_as_the_code_says_it_there() -> None:
    pairs = {pair for path in (ROOT / "workers/services/sheets").rglob("*.py") for pair in refusals(path)}

    assert len(pairs) > 25
    assert {turkish: worded(turkish, "en") for turkish, english in pairs if worded(turkish, "en") != english} == {}
    assert {english: worded(english, "tr") for turkish, english in pairs if worded(english, "tr") != turkish} == {}


MODULES: tuple[Any, ...] = (netgsm, iletimerkezi, verimor, twilio)


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__.rpartition(".")[2])
def test_what_a_gateways_code_means_is_told_in_english_too(module: Any) -> None:
    tables = [table for one in vars(module).values() if isinstance(one, Codes) for table in (one.account, one.message)]
    words = {word for table in [*tables, getattr(module, "UNDELIVERED", {})] for word in table.values()}

    assert words
    assert {word for word in words if worded(word, "en") == word} == set()
    assert worded("Netgsm 40: gönderici adı (başlık) tanımlı değil", "en") == (
        "Netgsm 40: the sender's name (header) is not registered"
    )


def test_a_gateways_own_words_stay_as_they_came() -> None:
    refused = "Posta sunucusu kabul etmedi: 550 5.7.1 Bu hesap kapalı / closed"

    assert worded(refused, "tr") == refused
    assert worded(refused, "en") == "The mail server refused it: 550 5.7.1 Bu hesap kapalı / closed"


def refused(path: Path) -> Iterator[str]:
    """What the API says of a field: `ValueError("…")`, `{"field": …, "message": "…"}`."""
    for node in ast.walk(ast.parse(path.read_text())):
        said: list[Any] = []
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "ValueError":
            said = node.args
        elif isinstance(node, ast.Dict):
            pairs = zip(node.keys, node.values, strict=True)
            said = [value for key, value in pairs if isinstance(key, ast.Constant) and key.value == "message"]
        yield from filter(None, (filled(each, "7") for each in said))


@pytest.mark.parametrize(
    "module", ["fields.py", "face.py", *(f"api/{path.name}" for path in ROOT.glob("app/api/*.py"))]
)
def test_what_the_api_says_of_a_field_is_told_in_turkish_to_who_asks_for_it(module: str) -> None:
    assert [text for text in refused(ROOT / "app" / module) if worded(text, "tr") == text] == []


@pytest.mark.parametrize(
    "text",
    [
        "Input should be 'PENDING', 'STARTED', 'PROGRESS', 'RETRY', 'SUCCESS', 'FAILURE' or 'REVOKED'",
        "Input should be 'pending', 'sending', 'done', 'failed', 'skipped' or 'unknown'",
        "Input should be 'netgsm', 'iletimerkezi', 'verimor', 'twilio' or 'sandbox'",
        "Input should be a valid integer, unable to parse string as an integer",
        "Input should be a valid number, unable to parse string as a number",
    ],
)
def test_what_pydantic_says_of_our_queries_is_told_in_turkish(text: str) -> None:
    assert worded(text, "tr") != text
