"""Reading sheets: ours reads and validates every row, openpyxl in read-only mode only reads them.

Each measurement is a process of its own, which prints its figures: `python -m bench.sheets ours|openpyxl FILE`.
"""

import json
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.table import Measured, Row, alternate, cost, gain
from workers.services import sheets
from workers.services.sheets import Field

ROOT = Path(__file__).resolve().parent.parent
FEW, SOME, MANY = 50_000, 200_000, 500_000
AT_MOST_MB = 400
COLUMNS = (
    ("code", "Cari Kodu", "code"),
    ("title", "Cari Ünvanı", "text"),
    ("tax_number", "Vergi No", "tax_number"),
    ("tax_office", "Vergi Dairesi", "text"),
    ("email", "E-posta", "email"),
    ("phone", "Telefon", "phone"),
    ("as_of", "Tarih", "date"),
    ("amount", "Bakiye", "money"),
    ("side", "B/A", "side"),
    ("currency", "Para Birimi", "currency"),
)
FIELDS = {name: Field(name, (header,), kind) for name, header, kind in COLUMNS}  # type: ignore[arg-type]


def reading() -> list[Row]:
    """200,000 rows × 10 columns beside openpyxl, the peak of memory, and the cost of a row of 500,000."""
    with TemporaryDirectory() as folder:
        files = {count: str(Path(folder, f"{count}.xlsx")) for count in (FEW, SOME, MANY)}
        for count, path in files.items():
            _apart("workbook", path, str(count))
        beside = alternate(lambda: _apart("ours", files[SOME]), lambda: _apart("openpyxl", files[SOME]), rounds=3)
        sizes = alternate(lambda: _apart("ours", files[MANY]), lambda: _apart("ours", files[FEW]), rounds=3)
    return [
        gain(f"reading and validating {SOME:,} rows to openpyxl that only reads", beside["s"], "s", at_least=5),
        *(_peak(count, mb) for count, mb in ((SOME, beside["mb"][0]), (MANY, sizes["mb"][0]))),
        cost(f"cost of a row of {MANY:,} to one of {FEW:,}", sizes["us"], "us", at_most=1.15),
    ]


def _peak(rows: int, mb: float) -> Row:
    what = f"peak memory while reading {rows:,} rows, reader included"
    return Row(what, f"{mb:.0f} MB", "", "", f"<= {AT_MOST_MB} MB", mb <= AT_MOST_MB)


def _apart(*argv: str) -> Measured:
    ended = subprocess.run([sys.executable, "-m", "bench.sheets", *argv], cwd=ROOT, check=True, stdout=subprocess.PIPE)
    return dict(json.loads(ended.stdout))


def ours(path: Path) -> Measured:
    """Seconds, µs per row, and the peak of this process and of the one that parses."""
    began, rows, bad = time.perf_counter(), 0, 0
    with sheets.read(path, filename=path.name, fields=FIELDS) as sheet:
        for chunk in sheet.rows():
            rows += len(chunk)
            bad += sum(bool(row.reasons) for row in chunk)
    took_s = time.perf_counter() - began
    assert (rows, bad) == (int(path.stem), 0), "the rows of the benchmark are all there, and good"
    peaks_kb = [resource.getrusage(whose).ru_maxrss for whose in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return {"s": took_s, "us": took_s / rows * 1e6, "mb": sum(peaks_kb) / 1024}


def openpyxl_only_reads(path: Path) -> Measured:
    import openpyxl

    began, rows = time.perf_counter(), 0
    for _ in openpyxl.load_workbook(path, read_only=True, data_only=True).worksheets[0].iter_rows(values_only=True):
        rows += 1
    took_s = time.perf_counter() - began
    peak_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {"s": took_s, "us": took_s / rows * 1e6, "mb": peak_kb / 1024}


def workbook(path: Path, count: int) -> None:
    """Texts that differ from row to row and some that don't, a day and an amount, as a ledger has them."""
    import xlsxwriter

    with xlsxwriter.Workbook(path) as book:
        page = book.add_worksheet("Cari")
        page.write_row(0, 0, [header for _, header, _ in COLUMNS])
        day, money = book.add_format({"num_format": "dd.mm.yyyy"}), book.add_format({"num_format": "#,##0.00"})
        for number, texts in enumerate(_texts(count), 1):
            for column, text in texts.items():
                page.write_string(number, column, text)
            page.write_datetime(number, 6, datetime(2025, 12, 31), day)
            page.write_number(number, 7, number * 7919 % 10**8 / 100, money)


def _texts(count: int) -> Iterator[dict[int, str]]:
    for n in range(1, count + 1):
        yield {
            **{0: f"120.01.{n:07}", 1: f"Çınar Gıda {n} Sanayi ve Ticaret A.Ş.", 2: "4540536920", 3: "Kadıköy"},
            **{4: f"muhasebe{n}@ornek.example", 5: f"0532{n:07}", 8: "BA"[n % 2], 9: "TRY"},
        }


if __name__ == "__main__":
    what, file, *more = sys.argv[1:]
    if what == "workbook":
        workbook(Path(file), int(more[0]))
        print("{}")
    else:
        print(json.dumps({"ours": ours, "openpyxl": openpyxl_only_reads}[what](Path(file))))
