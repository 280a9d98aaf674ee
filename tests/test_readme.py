"""What the README says is so: its job kind runs, its map names what is there."""

import ast
import re
import sys
import types
from pathlib import Path

import pytest

from tests.conftest import ROOT
from workers.engine import registry

README = (ROOT / "README.md").read_text()


def test_the_readmes_job_kind_is_all_that_a_new_kind_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    source = re.search(r"```python\n(from workers\.engine.*?)```", README, re.DOTALL)
    assert source, "the README shows how to add a kind"
    module = types.ModuleType("workers.jobs.readme_example")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setattr(registry, "_kinds", dict(registry.kinds()))

    exec(compile(source[1], "README.md", "exec"), module.__dict__)

    kind = registry.get("count_words")
    assert kind.check({"texts": ["bir iki", "üç"]}) == {"texts": ["bir iki", "üç"]}
    assert module.count_words(["bir iki", "üç"]) == {"words": 3}
    assert len([line for line in source[1].splitlines() if line.strip()]) <= 10


def test_the_map_names_only_what_is_there() -> None:
    tree = README.partition("## The map of the house")[2].partition("```")[2].partition("```")[0]
    named = re.findall(r"[\w./]+(?:\.py|/)(?=[\s;]|$)", tree)

    def exists(name: str) -> bool:
        return any((ROOT / folder / name).exists() for folder in ("", "app", "workers", "workers/engine"))

    assert len(named) > 15
    assert [name for name in named if not exists(name)] == []


@pytest.mark.parametrize("package", [path.parent for path in (ROOT / "workers").rglob("__init__.py")])
def test_the_map_of_a_package_has_a_word_for_every_module(package: Path) -> None:
    told = ast.get_docstring(ast.parse((package / "__init__.py").read_text())) or ""
    modules = {path.stem for path in package.glob("*.py")} - {"__init__", "__main__"}

    assert modules - set(re.findall(r"\w+", told)) == set()


def test_every_dependency_is_pinned_and_has_its_reason() -> None:
    pins = [line for line in (ROOT / "requirements.txt").read_text().splitlines() if line]
    reasons = (ROOT / "docs" / "dependencies.md").read_text()

    assert all(re.fullmatch(r"[\w\[\]-]+==[\w.]+( ; .*)?", pin) for pin in pins)
    assert [pin for pin in pins if f"`{re.split(r'[=[]', pin)[0]}`" not in reasons] == []


def test_every_setting_of_the_example_file_is_one() -> None:
    from workers.settings import Settings

    named = re.findall(r"^([A-Z_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE)

    assert [name for name in named if name.lower() not in Settings.model_fields] == []


def test_the_procfile_has_the_four_processes() -> None:
    lines = dict(line.split(": ", 1) for line in Path(ROOT / "Procfile").read_text().splitlines())

    assert set(lines) == {"web", "worker", "clock", "release"}
