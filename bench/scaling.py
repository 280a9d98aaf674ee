"""What two workers gain over one plain loop, and what this machine gives to two plain loops side by side."""

import os
import zipfile
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from time import perf_counter

from bench.queue import run_bulk
from bench.service import Service, service
from bench.table import Measured, Row, alternate, gain
from workers import records, settings
from workers.services import letters, snapshots

BULK, WARM, ROUNDS = 1_000, 50, 9


def two_workers() -> list[Row]:
    """A bulk on two children; a loop in one process that fetches, draws and writes a zip to disk; two such loops."""
    with service(BULK) as own, own.workers(2), ProcessPoolExecutor(2, get_context("spawn")) as pool:
        run_bulk(own, WARM)
        sides = (lambda: run_bulk(own, BULK), lambda: _loop(own), lambda: _two_loops(own, pool))
        for side in sides[1:]:
            side()
        ours, loop, two_loops = alternate(*sides, rounds=ROUNDS)["wall"]
    return [
        gain(f"bulk of {BULK:,} letters on 2 workers, to a plain loop", [ours, loop], "s", at_least=1.7),
        gain("two plain loops with half of them each, to one (what this machine gives)", [two_loops, loop], "s"),
    ]


def _loop(own: Service) -> Measured:
    began = perf_counter()
    write_plainly(own.letter_ids, own.folder / "plain.zip")
    return _measured(began)


def _two_loops(own: Service, pool: ProcessPoolExecutor) -> Measured:
    began, half = perf_counter(), len(own.letter_ids) // 2
    halves = [own.letter_ids[:half], own.letter_ids[half:]]
    list(pool.map(write_plainly, halves, [own.folder / "first.zip", own.folder / "second.zip"]))
    return _measured(began)


def _measured(began: float) -> Measured:
    """A loop waits for no disk; so that the next side does not wait for it instead, in its first fsync, it is written
    out behind the measured time."""
    wall_s = perf_counter() - began
    os.sync()
    return {"wall": wall_s}


def write_plainly(letter_ids: list[int], path: Path) -> None:
    """The letters as a zip, without queue, ledger, manifest, checksum or fsync."""
    zone = settings.current().timezone
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for record in records.mutabakat(letter_ids).values():
            letter = snapshots.letter(record, zone=zone)
            archive.writestr(letters.file_name(letter), letters.draw(letter))
