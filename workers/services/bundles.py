"""Many letters in one file: a zip with its manifest, written as a stream."""

import csv
import io
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from workers.services.letters import Letter

MANIFEST = ("file", "account code", "title", "currency lines", "sha256")
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True)
class Entry:
    """One letter of a zip: its row in the manifest, and its bytes."""

    name: str
    account_code: str
    title: str
    lines: str
    sha256: str
    day: list[int]
    pdf: bytes


def manifest_lines(letter: Letter) -> str:
    """`TRY 1234.56 borc; USD 10.00 alacak`: the currency lines as one cell, for machines."""
    return "; ".join(f"{line.currency} {line.amount} {line.side}" for line in letter.lines)


def write_zip(entries: Iterable[Entry], out: Any) -> None:
    """Write the letters, uncompressed (PDFs don't shrink), and `manifest.csv` last; names are made unique."""
    rows, seen = io.StringIO(), dict[str, int]()
    table = csv.writer(rows)
    table.writerow(MANIFEST)
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
        last = [1980, 1, 1]
        for entry in entries:
            name, last = _unique(entry.name, seen), entry.day
            archive.writestr(_info(name, entry.day), entry.pdf)
            table.writerow(map(_cell, (name, entry.account_code, entry.title, entry.lines, entry.sha256)))
        archive.writestr(_info("manifest.csv", last), rows.getvalue())


def _info(name: str, day: list[int]) -> zipfile.ZipInfo:
    """A member dated with the letter, so that the same letters give the same bytes."""
    year, month, number = day
    return zipfile.ZipInfo(name, (year, month, number, 0, 0, 0))


def _unique(name: str, seen: dict[str, int]) -> str:
    """`a.pdf`, `a (2).pdf`, …; compared without case, as file systems do. `seen`: the last number of each name, so that
    none is looked for from the first one on."""
    stem, dot, ending = name.rpartition(".")
    candidate, number = name, seen.get(name.casefold(), 1)
    while candidate.casefold() in seen:
        number += 1
        candidate = f"{stem} ({number}){dot}{ending}"
    seen[name.casefold()] = number
    seen.setdefault(candidate.casefold(), 1)
    return candidate


def _cell(text: str) -> str:
    """A spreadsheet must never take a name for a formula (CSV injection)."""
    return f"'{text}" if text.startswith(FORMULA_STARTS) else text
