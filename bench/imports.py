"""Imports of 200,000 balances, beside a loop that only reads them with openpyxl; and the workbook of as many bad rows.

Each measurement is a process of its own, which prints its figures: `python -m bench.imports import|refuse|read FILE`.
"""

import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

from bench.service import freeze
from bench.table import Measured, Row, alternate, cost, gain

ROOT = Path(__file__).resolve().parent.parent
ROWS, FEW, SMALL, LARGE = 200_000, 100, 50_000, 500_000
AT_LEAST, AT_MOST_MB, REFUSED_AT_MOST_MB, STEADY = 1.5, 400, 64, 1.15
HEAD = (
    "Cari Kodu",
    "Cari Ünvanı",
    "Vergi No",
    "Vergi Dairesi",
    "E-posta",
    "Telefon",
    "Tarih",
    "Bakiye",
    "B/A",
    "Döviz",
)


def imports() -> list[Row]:
    """How long an import takes and what memory it needs, the process that reads the file included."""
    with tempfile.TemporaryDirectory(prefix="sira-bench-") as folder:
        sheet, small, large = (_sheet(Path(folder), rows) for rows in (ROWS, SMALL, LARGE))
        pair = alternate(lambda: _measured("import", sheet), lambda: _measured("read", sheet), rounds=2)
        ours = _measured("import", sheet)
        each = [_measured("import", path)["seconds"] / rows * 1e6 for path, rows in ((large, LARGE), (small, SMALL))]
    what = f"importing {ROWS:,} balances of {len(HEAD)} columns into SQLite; a read-only loop of openpyxl"
    memory = ours["own_mb"] + ours["reader_mb"]
    wanted = f"<= {AT_MOST_MB} MB"
    told = f"{ours['own_mb']:.0f} + {ours['reader_mb']:.0f}"
    return [
        gain(what, pair["seconds"], "s", at_least=AT_LEAST),
        Row(
            "  its peak memory (importing + reading process)",
            f"{memory:.0f} MB",
            "",
            told,
            wanted,
            memory <= AT_MOST_MB,
        ),
        cost(f"  a row of {LARGE:,}, beside a row of {SMALL:,}", each, "µs", at_most=STEADY),
    ]


def refusals() -> list[Row]:
    """How much memory grows while the workbook of the refused rows is written."""
    with tempfile.TemporaryDirectory(prefix="sira-bench-") as folder:
        told = _measured("refuse", _sheet(Path(folder), ROWS, code=""))
    what = (
        f"peak memory over an error workbook of {ROWS:,} rows ({told['seconds']:.0f} s in all), after its first {FEW}"
    )
    grown, wanted = told["grown_mb"], f"<= +{REFUSED_AT_MOST_MB} MB"
    return [Row(what, f"{told['own_mb']:.0f} MB", "", f"{grown:+.1f} MB", wanted, grown <= REFUSED_AT_MOST_MB)]


def _measured(what: str, path: Path) -> Measured:
    command = [sys.executable, "-m", "bench.imports", what, str(path)]
    ended = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
    measured: Measured = json.loads(ended.stdout)
    return measured


def _sheet(folder: Path, rows: int, *, code: str = "120.01.{:07d}") -> Path:
    from workers.services.workbooks import Workbook

    path = folder / f"{rows}.xlsx"
    with path.open("wb") as file, Workbook(file) as book:
        page = book.page("Cari")
        page.head(HEAD)
        page.rows(_rows(rows, code))
    return path


def _rows(rows: int, code: str) -> Iterator[tuple[Any, ...]]:
    day = date(2025, 12, 31)
    for n in range(rows):
        title, mail = f"Çınar Gıda {n} Sanayi ve Ticaret A.Ş.", f"muhasebe{n}@ornek.example"
        known = ("4540536920", "Kadıköy", mail, f"0532{n:07d}", day)
        yield (code.format(n), title, *known, n * 7_919 % 10**8 / 100, "BA"[n % 2], "TRY")


def _import(path: Path) -> Measured:
    return {
        "seconds": _imported(path),
        "own_mb": _peak_mb(),
        "reader_mb": _peak_mb(resource.RUSAGE_CHILDREN),
    }


def _refuse(path: Path) -> Measured:
    _imported(_sheet(path.parent, FEW, code=""))
    base = _peak_mb()
    return {"seconds": _imported(path), "own_mb": _peak_mb(), "grown_mb": _peak_mb() - base}


def _imported(path: Path) -> float:
    """Import a file in a service of its own, as a worker would; the seconds from the upload to the result."""
    from workers import db, files, migrations, settings
    from workers.imports import orders, runs
    from workers.models import Company

    freeze()
    settings.use(settings.load(data_dir=path.parent / f"data-{path.stem}-{time.monotonic_ns()}"))
    migrations.upgrade()
    with db.writing() as session:
        company = Company(name="Sıra Örnek A.Ş.", vkn="9990001006")
        session.add(company)
        session.flush()
    began = time.monotonic()
    with path.open("rb") as file:
        file_id = files.keep_upload(file, path.name, "", company.id)
    order = orders.Order(files.uploaded(file_id, company.id), "mutabakat")
    runs.run(order, tell=lambda *_: None, pause=lambda: None)
    return time.monotonic() - began


def _read(path: Path) -> Measured:
    import openpyxl

    freeze()
    began = time.monotonic()
    for _ in openpyxl.load_workbook(path, read_only=True).worksheets[0].iter_rows(values_only=True):
        pass
    return {"seconds": time.monotonic() - began}


def _peak_mb(whose: int = resource.RUSAGE_SELF) -> float:
    return resource.getrusage(whose).ru_maxrss / 1024


MODES: dict[str, Callable[[Path], Measured]] = {"import": _import, "refuse": _refuse, "read": _read}

if __name__ == "__main__":
    print(json.dumps(MODES[sys.argv[1]](Path(sys.argv[2]))))
