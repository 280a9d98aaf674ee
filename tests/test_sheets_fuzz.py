"""Files of every kind, damaged at random: each is read or refused with its reason, and none crashes or hangs a worker.

The short form runs with the others; `pytest -m faults tests/test_sheets_fuzz.py` runs the long one.
"""

import io
import random
import re
import struct
import time
import zipfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests import workbooks
from tests.faults import sized
from tests.workbooks import FIELDS, GOOD, HEAD
from workers.errors import SheetRefused
from workers.services import sheets
from workers.services.sheets import Limits

WAIT_S, AT_MOST_S = 25, 60  # a machine may be busy with other things
NO_SENTENCE = re.compile(r"[a-z](?:Error|Exception)\b|Traceback|slice|pyo3")
ROWS = [HEAD, *[(f"120.{n}", *GOOD[1:]) for n in range(40)]]
SOUND: dict[str, Callable[[Path], Any]] = {
    "xlsx": lambda path: workbooks.workbook(path, *ROWS),
    "xls": lambda path: workbooks.xls(path, *ROWS),
    "xlsb": lambda path: workbooks.xlsb(path, *ROWS),
    "ods": lambda path: workbooks.ods(path, "".join(map(workbooks.ods_row, ROWS))),
    "csv": lambda path: path.write_text("\n".join(";".join(map(str, row)) for row in ROWS), encoding="cp1254"),
}


def flip_bits(data: bytes, chance: random.Random) -> bytes:
    damaged = bytearray(data)
    for _ in range(chance.choice((1, 3, 30))):
        damaged[chance.randrange(len(damaged))] ^= 1 << chance.randrange(8)
    return bytes(damaged)


def cut_short(data: bytes, chance: random.Random) -> bytes:
    return data[: chance.randrange(1, len(data))]


def take_out(data: bytes, chance: random.Random) -> bytes:
    at = chance.randrange(len(data))
    return data[:at] + data[at + chance.randrange(1, 200) :]


def say_twice(data: bytes, chance: random.Random) -> bytes:
    at, size = chance.randrange(len(data)), chance.randrange(1, 2000)
    return data[: at + size] + data[at:]


def write_numbers(data: bytes, chance: random.Random) -> bytes:
    """Lengths, counts and offsets that are too large, or below zero."""
    damaged = bytearray(data)
    for _ in range(chance.choice((1, 4))):
        number = chance.choice((0, 0x7FFFFFFF, 0xFFFFFFFF, 0xFFFF, 0x10000))
        struct.pack_into("<I", damaged, chance.randrange(max(len(damaged) - 4, 1)), number)
    return bytes(damaged)


DAMAGES = (flip_bits, cut_short, take_out, say_twice, write_numbers)


def damaged(sound: bytes, chance: random.Random) -> bytes:
    """The file damaged as it lies there, or a part of the zip damaged and packed again with its right checksum."""
    damage = chance.choice(DAMAGES)
    if not sound.startswith(b"PK") or chance.random() < 0.3:
        return damage(sound, chance)
    return repacked(sound, chance, damage)


def repacked(sound: bytes, chance: random.Random, damage: Callable[[bytes, random.Random], bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(sound)) as old, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new:
        names = [name for name in old.namelist() if old.getinfo(name).file_size > 1]
        hit = chance.choice(names)
        for name in old.namelist():
            new.writestr(name, damage(old.read(name), chance) if name == hit else old.read(name))
    return out.getvalue()


def what_becomes_of(path: Path) -> str:
    """Whether it is read, refused, or refused since the reading process died; all else, or too long, fails the test."""
    began, outcome = time.monotonic(), "read"
    try:
        with sheets.read(path, filename=path.name, fields=FIELDS, limits=Limits(seconds=WAIT_S)) as opened:
            for rows in opened.rows():
                assert all(row.number for row in rows)
    except SheetRefused as error:
        why = error.fields["en"]
        if found := NO_SENTENCE.search(error.message + why):
            pytest.fail(f"told in the words of a library: {found[0]}")
        outcome = "died" if "memory (" in why or "too long" in why else "refused"
    assert time.monotonic() - began < AT_MOST_S
    return outcome


@pytest.mark.parametrize("kind", sorted(SOUND))
@sized(short={"files": 5}, full={"files": 500})
def test_damaged_files_are_read_or_refused(
    kind: str, size: dict[str, int], tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    path = tmp_path / f"cari.{kind}"
    SOUND[kind](path)
    assert what_becomes_of(path) == "read"
    sound, counts = path.read_bytes(), Counter[str]()

    for seed in range(size["files"]):
        path.write_bytes(damaged(sound, random.Random(f"{kind}{seed}")))
        try:
            counts[what_becomes_of(path)] += 1
        except BaseException:
            pytest.fail(f"seed {kind}{seed}", pytrace=True)

    request.node.user_properties.append(("figures", dict(counts)))
    assert counts.total() == size["files"]
