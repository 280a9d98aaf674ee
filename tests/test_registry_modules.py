"""The modules of jobs: one that can't be imported is left out and named, with all it declares, and stops no other."""

import re
import sys
from pathlib import Path

import pytest

from workers.engine import registry
from workers.errors import BadSettings

KIND = """
from workers.engine import job

@job(queue="pdf")
def {name}() -> None: ...
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package of jobs that nobody has read yet, with one sound module after all others."""
    made = tmp_path / f"jobs_of_{tmp_path.name}"
    made.mkdir()
    (made / "__init__.py").touch()
    (made / "sound.py").write_text(KIND.format(name="sound"))
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(registry, "JOBS_PACKAGE", made.name)
    monkeypatch.setattr(registry, "_kinds", {})
    monkeypatch.setattr(registry, "_left_out", {})
    monkeypatch.setattr(registry, "_loaded", False)
    return made


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("def half(:", "SyntaxError: .*faulty.py, line 7"),
        ('{}["missing"]', "KeyError: 'missing'"),
        ("import no_such_library", "ModuleNotFoundError: .*no_such_library"),
        ("1 / 0", "ZeroDivisionError"),
        ("raise SystemExit(3)", "SystemExit: 3"),
    ],
)
def test_a_module_that_can_not_be_imported_is_left_out_with_all_it_declares(
    folder: Path, fault: str, reason: str
) -> None:
    (folder / "faulty.py").write_text(f"{KIND.format(name='declared_above')}\n{fault}\n")

    assert list(registry.kinds()) == ["sound"]

    assert list(registry.left_out()) == ["module faulty"]
    assert re.match(reason, registry.left_out()["module faulty"])
    assert f"{folder.name}.faulty" not in sys.modules


def test_a_declaration_that_is_refused_ends_the_process_with_advice(folder: Path) -> None:
    (folder / "faulty.py").write_text(KIND.format(name="faulty").replace("pdf", "fax"))

    with pytest.raises(BadSettings, match=f"job kind faulty in {folder.name}.faulty: queue must be one of"):
        registry.kinds()


@pytest.mark.parametrize(
    "parameter",
    [
        "day: 'datetime.dat'",
        "numbers: 'list['",
        "either: 'int | \"Foo\"'",
        "word: Annotated[str, Field(pattern='[')]",
        "call: Callable[[int], int] = print",
        "anything: object = object()",
    ],
)
def test_a_kind_that_nobody_could_enqueue_is_left_out_and_stops_no_other(folder: Path, parameter: str) -> None:
    uses = "import datetime\nfrom collections.abc import Callable\nfrom typing import Annotated\n"
    uses += "from pydantic import Field\n"
    (folder / "faulty.py").write_text(uses + KIND.format(name="odd").replace("()", f"({parameter})"))

    assert list(registry.kinds()) == ["sound"]

    assert list(registry.left_out()) == ["kind odd"]
    assert registry.left_out()["kind odd"]


@pytest.mark.parametrize(
    ("declaration", "advice"),
    [
        ("def odd(_hidden: int)", "call no parameter _… or like"),
        ("def odd(model_dump: int)", "call no parameter _… or like"),
    ],
)
def test_a_parameter_that_can_not_be_passed_is_refused(folder: Path, declaration: str, advice: str) -> None:
    (folder / "faulty.py").write_text(KIND.format(name="odd").replace("def odd()", declaration))

    with pytest.raises(BadSettings, match=advice):
        registry.kinds()
