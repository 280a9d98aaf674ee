"""The house: who may import whom, how large a file may grow, and that no module stands without a test."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from fnmatch import fnmatch
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.tested_in import TESTED_IN

FILES = sorted(
    path.relative_to(ROOT)
    for path in [
        *ROOT.glob("*.py"),
        *(found for top in ("app", "workers", "tests", "bench") for found in ROOT.glob(f"{top}/**/*.py")),
    ]
)
CODE = [path for path in FILES if path.parts[0] not in ("tests", "bench")]
SCRIPTS = sorted((ROOT / "workers/engine/lua").glob("*.lua"))
MAX_LINES, MAX_FUNCTION_LINES = 300, 40

# What a layer may import of ours, besides itself. A layer is named by the longest prefix of its module's name.
RECORDS = {"workers.db", "workers.models", "workers.settings", "workers.errors"}
ARROWS: dict[str, set[str]] = {
    "app": {"workers.engine", "workers.models", "workers.storage", "workers.db", "workers.settings", "workers.errors"}
    | {"workers.logs", "workers.migrations", "workers.embedded", "workers.processes", "workers.services"}
    | {"workers.messages", "workers.files", "workers.records", "workers.housekeeping.passwords"}
    | {"workers.statuses", "workers.tellings", "workers.lettered", "workers.wording"},
    "wsgi": {"app", "workers.settings", "workers.logs"},
    "gunicorn.conf": {"app", "workers.settings", "workers.logs"},
    "scheduler": {"workers.engine", "workers.settings", "workers.errors", "workers.logs"},
    "workers.__main__": {"workers.engine", "workers.migrations", "workers.db", "workers.settings", "workers.errors"}
    | {"workers.logs"},
    "workers.engine": {"workers.db", "workers.settings", "workers.errors", "workers.logs", "workers.embedded"}
    | {"workers.processes", "workers.retry_after"},
    "workers.jobs": {"workers.engine", "workers.services", "workers.files", "workers.records", "workers.storage"}
    | {"workers.messages", "workers.imports", "workers.housekeeping", "workers.statuses", "workers.tellings"}
    | {"workers.wording", "workers.lettered"}
    | RECORDS,
    "workers.imports": {"workers.services", "workers.files", "workers.records", "workers.pace"} | RECORDS,
    "workers.housekeeping": {"workers.engine.tables", "workers.files", "workers.storage", "workers.pace"} | RECORDS,
    "workers.services": {"workers.errors", "workers.retry_after"},
    "workers.files": {"workers.storage", "workers.records"} | RECORDS,
    "workers.statuses": {"workers.engine.tasks", "workers.settings", "workers.wording"},
    "workers.tellings": {"workers.records", "workers.statuses", "workers.engine"} | RECORDS,
    "workers.lettered": {"workers.records", "workers.engine", "workers.db", "workers.errors"},
    "workers.records": RECORDS,
    "workers.messages": {"workers.records", "workers.engine.ledger", "workers.engine.seal", "workers.engine.tables"}
    | RECORDS,
    "workers.migrations": {"workers.engine.tables"} | RECORDS,
    "workers.storage": {"workers.places", "workers.settings", "workers.errors"},
    "workers.places": {"workers.settings", "workers.errors"},
    "workers.models": {"workers.db", "workers.settings", "workers.errors"},
    "workers.db": {"workers.settings", "workers.errors", "workers.silence"},
    "workers.silence": set(),
    "workers.embedded": {"workers.processes", "workers.settings", "workers.errors"},
    "workers.processes": set(),
    "workers.settings": {"workers.errors"},
    "workers.errors": set(),
    "workers.logs": set(),
    "workers.pace": set(),
    "workers.retry_after": set(),
    "workers.wording": set(),
    "workers": set(),
}
RECORD_KEEPERS = ("workers/db.py", "workers/models.py", "workers/records.py", "workers/files.py", "workers/messages.py")
RECORD_KEEPERS += ("workers/tellings.py", "workers/lettered.py")
# The only files in which a foreign package may be imported.
HOMES = {
    "rq": ["workers/engine/*.py"],
    "redis": ["workers/engine/*.py", "workers/embedded.py"],
    "rq_scheduler": ["workers/engine/clock.py"],
    "rq_dashboard": ["app/*.py"],
    "flask": ["app/*.py", "wsgi.py"],
    "limits": ["app/*.py", "workers/engine/limits.py"],
    "flask_openapi3": ["app/*.py"],
    "werkzeug": ["app/*.py"],
    "click": ["app/*.py"],
    "aiosmtpd": ["app/sandbox*.py"],
    "alembic": ["workers/migrations/*.py"],
    "obstore": ["workers/places.py"],
    "sqlalchemy": [
        *("app/*.py", "workers/engine/*.py", "workers/migrations/*.py", *RECORD_KEEPERS),
        *("workers/imports/*.py", "workers/housekeeping/*.py"),
    ],
}
PURE_SERVICES = {
    "workers.services.addresses",
    "workers.services.alerts",  # by `flask check` alone
    "workers.services.mail_servers",
    "workers.services.mail_text",
    "workers.services.phones",
    "workers.services.sms_gateways",
    "workers.services.sms_rows",
    "workers.services.sms_text",
    "workers.services.letters",  # these three: one letter, its size is bounded, some 15 ms
    "workers.services.pictures",
    "workers.services.snapshots",
    "workers.services.tax_numbers",
    "workers.services.turkish",
    "workers.services.webhooks",
}
PURE_SERVICES |= {"workers.services.columns", "workers.services.currencies", "workers.services.workbooks"}
BY_NAME = {"workers/engine/registry.py": "workers.jobs", "workers/engine/fleet.py": "workers.services"}
UNSAFE = {"pickle", "cPickle", "dill", "cloudpickle", "shelve", "marshal", "jsonpickle"}
HEAVY = ("reportlab", "pikepdf", "openpyxl", "obstore", "alembic", "sentry_sdk")


def module_of(path: Path) -> str:
    """`workers.engine.job` of workers/engine/job.py; a package by its own name."""
    parts = path.with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def tree(path: Path) -> ast.Module:
    return ast.parse((ROOT / path).read_text())


def imports(nodes: Iterator[ast.AST]) -> Iterator[str]:
    """The full names that these nodes import; `from package import module` names the module."""
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            names = (f"{node.module}.{alias.name}" for alias in node.names)
            yield from (name if is_module(name) else str(node.module) for name in names)


def is_module(name: str) -> bool:
    path = ROOT / Path(*name.split("."))
    return path.with_suffix(".py").exists() or (path / "__init__.py").exists()


def layer_of(module: str) -> str:
    return max((layer for layer in ARROWS if f"{module}.".startswith(f"{layer}.")), key=len, default="")


def lies_in(module: str, layers: set[str]) -> bool:
    return any(f"{module}.".startswith(f"{layer}.") for layer in layers)


def functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    return (node for node in ast.walk(tree(path)) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


def test_the_check_sees_the_whole_house() -> None:
    assert {module_of(path) for path in CODE} >= {"app", "wsgi", "scheduler", "workers", "workers.engine.worker"}
    assert len(CODE) > 60
    assert len(SCRIPTS) >= 10
    assert list(imports(ast.walk(tree(Path("workers/engine/rescue.py"))))).count("workers.engine.outcome") == 1


@pytest.mark.parametrize("path", CODE, ids=str)
def test_a_module_imports_only_what_the_arrows_allow(path: Path) -> None:
    layer = layer_of(module_of(path))
    ours = {
        name for name in imports(ast.walk(tree(path))) if name.split(".")[0] in ("app", "workers", "tests", "bench")
    }

    assert {
        name for name in ours if not lies_in(name, {layer} | ARROWS[layer] if layer != "workers" else set())
    } == set()


@pytest.mark.parametrize("path", CODE, ids=str)
def test_a_foreign_package_is_imported_only_at_home(path: Path) -> None:
    packages = {name.split(".")[0] for name in imports(ast.walk(tree(path)))}
    strangers = {
        package for package in packages & set(HOMES) if not any(fnmatch(str(path), home) for home in HOMES[package])
    }

    assert strangers == set()


def test_the_face_uses_only_services_that_are_pure_and_quick() -> None:
    used = {name for path in CODE if path.parts[0] == "app" for name in imports(ast.walk(tree(path)))}

    assert {name for name in used if lies_in(name, {"workers.services"})} <= PURE_SERVICES


def test_the_engine_names_jobs_and_services_only_where_it_loads_them() -> None:
    named = {
        (str(path), node.value)
        for path in CODE
        if path.parts[:2] == ("workers", "engine")
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Constant)
        and node.value in ("workers.jobs", "workers.services", "workers.models", "app")
    }

    assert named == set(BY_NAME.items())


def test_the_modules_of_the_engine_form_no_circle() -> None:
    engine = [path for path in CODE if path.parts[:2] == ("workers", "engine") and path.stem != "__init__"]
    graph = {module_of(path): {*imports(iter(tree(path).body))} for path in engine}

    order = list(TopologicalSorter(graph).static_order())

    below = ("seal", "tables", "registry", "events", "progress", "ledger", "queues")
    above = ("worker", "rescue", "clock", "keeper", "fleet")
    for low in below:
        mine = {*imports(ast.walk(tree(Path(f"workers/engine/{low}.py"))))}
        assert mine & {f"workers.engine.{high}" for high in above} == set()
    assert order.index("workers.engine.seal") < order.index("workers.engine.worker")


@pytest.mark.parametrize("path", FILES, ids=str)
def test_nothing_that_runs_what_it_reads_is_imported(path: Path) -> None:
    assert {name.split(".")[0] for name in imports(ast.walk(tree(path)))} & UNSAFE == set()


@pytest.mark.parametrize("path", FILES, ids=str)
def test_files_and_functions_stay_small(path: Path) -> None:
    assert len((ROOT / path).read_text().splitlines()) <= MAX_LINES
    long = {f.name for f in functions(path) if (f.end_lineno or 0) - f.lineno + 1 > MAX_FUNCTION_LINES}
    assert long == set()


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_a_lua_script_says_first_what_it_takes_and_gives(script: Path) -> None:
    text = script.read_text()
    told = "\n".join(line for line in text.splitlines() if line.startswith("--"))

    assert text.startswith("-- ")
    assert text.startswith("-- Prelude: ") or ("-- ARGV: " in told and "-- Returns" in told)
    assert len(text.splitlines()) <= MAX_LINES


def has_test(path: Path) -> bool:
    """`test_login.py`, `test_login_….py`, or with its package's name before it: `test_desk_login.py`."""
    names = (f"test_{path.stem}.py", f"test_{path.stem}_*.py", f"test_{path.parent.name}_{path.stem}.py")
    return any(found for name in names for found in (ROOT / "tests").glob(name))


def excuses(path: Path) -> list[str]:
    return [pattern for pattern in TESTED_IN if fnmatch(str(path), pattern)]


def test_every_module_has_a_test_file_of_its_name_or_a_place_where_it_is_tested() -> None:
    modules = [path for path in CODE if path.stem != "__init__"]

    assert [str(path) for path in modules if not has_test(path) and not excuses(path)] == []


def test_no_excuse_outlives_its_module_or_names_a_test_that_is_not_there() -> None:
    for pattern, reason in TESTED_IN.items():
        covered = [path for path in CODE if fnmatch(str(path), pattern)]
        assert [path for path in covered if not has_test(path)], f"{pattern} needs no excuse"
        assert (ROOT / "tests" / reason.partition(":")[0]).exists(), f"{reason} is not there"


def test_the_works_run_without_flask_and_load_nothing_heavy_before_it_is_needed() -> None:
    script = (
        "import sys; sys.modules['flask'] = sys.modules['werkzeug'] = None;"
        "import scheduler, workers.__main__, workers.engine.fleet, workers.engine.keeper;"
        "from workers.engine import registry; registry.kinds();"
        f"print([name for name in {HEAVY} if name in sys.modules]);"
        "workers.engine.fleet.preload()"
    )

    ended = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True)

    assert (ended.returncode, ended.stdout.strip()) == (0, "[]"), ended.stderr
