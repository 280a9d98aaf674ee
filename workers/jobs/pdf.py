"""PDF letters: one, or thousands as a zip or as one document."""

import hashlib
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import TYPE_CHECKING, Annotated, Any, Literal

from workers import files, records, settings
from workers.engine import Ref, items, job, this_task
from workers.engine.ledger import Item
from workers.errors import InvalidLetter, MissingRecord
from workers.storage import Storage

if TYPE_CHECKING:
    from workers.services import bundles, letters

BATCH = 125  # a fifth of a second: short for who waits, long enough that its two commits and its file cost little
ONE = {"tr": "PDF oluşturuluyor...", "en": "Making the PDF..."}
MANY = {"tr": "PDF'ler oluşturuluyor...", "en": "Making the PDFs..."}
ONE_READY = {"tr": "PDF hazır!", "en": "The PDF is ready!"}
MANY_READY = {"tr": "PDF'ler hazır!", "en": "The PDFs are ready!"}
MutabakatId = Annotated[int, Ref("mutabakat")]


@job(queue="pdf", retries=3, accepted=ONE, ended=ONE_READY)
def generate_mutabakat_pdf(mutabakat_id: MutabakatId) -> dict[str, Any]:
    """Make the letter of one mutabakat as a PDF."""
    from workers.services import letters, snapshots

    record = records.mutabakat([mutabakat_id]).get(mutabakat_id)
    if record is None:
        raise MissingRecord(what="mutabakat", id=mutabakat_id)
    letter = snapshots.letter(record, zone=settings.current().timezone)
    name, task_id = letters.file_name(letter), this_task().id
    with files.new(name, "application/pdf", task_id=task_id, company_id=record["company_id"]) as file:
        file.write(letters.draw(letter))
    return file.result


def _tidy(task: Any) -> None:
    files.drop_parts(task.id)


@job(queue="pdf", items="mutabakat_ids", parallel=True, on_success=_tidy, accepted=MANY, ended=MANY_READY)
def generate_bulk_pdfs(mutabakat_ids: list[MutabakatId], format: Literal["zip", "pdf"] = "zip") -> dict[str, Any]:
    """Make the letters of many mutabakat as a zip with a manifest, or as one PDF."""
    ledger, task = items(mutabakat_ids), this_task()
    for batch in ledger.batches(BATCH):
        _draw(batch, format)
    name, kind = f"mutabakat-mektuplari.{format}", f"application/{format}"
    with files.new(name, kind, task_id=task.id, company_id=task.company_id) as file:
        _assemble(ledger.finished(), format, file)
    return file.result


def _draw(batch: list[Item], format: str) -> None:
    """Draw a batch into one part in the storage; each item notes where its letter lies."""
    from workers.services import letters

    found, drawn = records.mutabakat([item.value for item in batch]), []
    key = files.part_key(this_task().id, this_task().execution, batch[0].position)
    with files.storage().writer(key, scratch=True) as part:
        for item in batch:
            letter = _letter(item, found)
            if letter is None:
                continue
            drawn.append(letter)
            pdf = letters.draw(letter) if format == "zip" else b""
            item.done({"part": key, "start": part.tell(), "size": len(pdf), **_manifest(letter, pdf)})
            part.write(pdf)
        if format == "pdf" and drawn:
            size = part.write(letters.draw_book(drawn))
            for item in batch:
                item.output = item.output and {**item.output, "size": size}


def _letter(item: Item, found: dict[int, dict[str, Any]]) -> "letters.Letter | None":
    """The letter of an item; where there is none, the item says why."""
    from workers.services import snapshots

    try:
        return snapshots.letter(found[item.value], zone=settings.current().timezone)
    except KeyError:
        item.fail("Mutabakat kaydı bulunamadı")
    except InvalidLetter as error:
        item.fail(error.message)
    return None


def _manifest(letter: "letters.Letter", pdf: bytes) -> dict[str, Any]:
    from workers.services import bundles, letters

    return {
        **{"name": letters.file_name(letter), "account_code": letter.account_code, "title": letter.receiver.name},
        **{"lines": bundles.manifest_lines(letter), "sha256": hashlib.sha256(pdf).hexdigest()},
        "day": [letter.date.year, letter.date.month, letter.date.day],
    }


def _assemble(done: Iterator[Item], format: str, file: files.NewFile) -> None:
    """From the parts. One that is gone, because its task is run again after its end, or that lost its end in a power
    cut is drawn anew: the same data gives the same bytes."""
    from workers.services import books, bundles

    place = files.storage()
    if format == "pdf":
        books.join(_books(done, place), file)
    else:
        bundles.write_zip(_entries(done, place), file)


def _books(done: Iterator[Item], place: Storage) -> Iterator[bytes]:
    from workers.services import letters

    parts: dict[tuple[str, int], list[int]] = {}
    for item in done:
        parts.setdefault((item.output["part"], item.output["size"]), []).append(item.value)
    for (part, size), ids in parts.items():
        yield _whole(place.read, part, size) or letters.draw_book(_again(ids))


def _entries(done: Iterator[Item], place: Storage) -> Iterator["bundles.Entry"]:
    """The letters of a zip. Neighbours lie in the same part, which is read once: on S3 each read is a request. What the
    manifest says of a letter that is drawn anew is said anew, for it may have been corrected meanwhile."""
    from workers.services import bundles, letters

    read = lru_cache(maxsize=1)(place.read)
    for item in done:
        part, start, size = (item.output.pop(name) for name in ("part", "start", "size"))
        pdf, told = _whole(read, part, start + size, start), item.output
        if pdf is None:
            [letter] = _again([item.value])
            pdf = letters.draw(letter)
            told = _manifest(letter, pdf)
        yield bundles.Entry(**told, pdf=pdf)


def _whole(read: Callable[[str], bytes], part: str, end: int, start: int = 0) -> bytes | None:
    """What lies in the part between these places, if all of it does."""
    try:
        found = read(part)[start:end]
    except MissingRecord:
        return None
    return found if len(found) == end - start else None


def _again(ids: list[int]) -> "list[letters.Letter]":
    from workers.services import snapshots

    found, zone = records.mutabakat(ids), settings.current().timezone
    return [snapshots.letter(found[mutabakat_id], zone=zone) for mutabakat_id in ids]
