"""Errors that the engine and the jobs wrote in English, on a Turkish desk."""

import json
import re
from typing import Any

import pytest

import workers.engine.bulk
import workers.engine.outgoing
import workers.engine.tasks
from app.desk import told, wording
from app.desk.english import ENGLISH
from tests import desk as desks
from tests.conftest import ROOT
from tests.desk import Desk
from tests.face import Face
from tests.hands import put_row
from workers import errors
from workers.db import now
from workers.errors import SiraError

desk, face = desks.desk, desks.face
GONE = errors.MissingRecord(what="mutabakat", id=7).message
LOST = errors.WorkerLost(reason="killed by SIGKILL").message


def family(of: type[SiraError] = SiraError) -> list[type[SiraError]]:
    """All errors of ours, wherever they are defined."""
    return [of, *(each for child in of.__subclasses__() for each in family(child))]


def test_every_error_of_the_family_can_be_said_in_turkish() -> None:
    turkish = {"BadPhone", "BadText", "SheetRefused", "NoSuchSheet", "NoHeader"}  # they are Turkish as they are
    ours = [cls for cls in family() if cls.__module__.startswith("workers.") and cls.__name__ not in turkish]
    sentences = {" ".join(cls.__doc__.split()) for cls in ours if cls.__doc__}

    assert len(sentences) > 30
    assert sentences - set(wording.ERRORS) == set()


@pytest.mark.parametrize(
    ("message", "turkish"),
    [
        (GONE, "mutabakat 7 bulunamadı, silinmiş olabilir. Numarayı denetleyin ya da yeniden oluşturun."),
        (LOST, "Bu görev çalışırken işçi süreci durdu (SIGKILL ile sonlandırıldı)."),
        (
            workers.engine.bulk.NothingDone(total=3, reason="Telefon numarası kullanılamaz: numara boş.").message,
            "3 kalemden hiçbiri yapılamadı. İlk neden: Telefon numarası kullanılamaz: numara boş.",
        ),
        (
            errors.Conflict(reason="nothing of this task failed").message,
            "Şu anki durumda bu yapılamaz: bu görevde başarısız olan bir şey yok.",
        ),
        ("boom", "boom"),
        ("", ""),
    ],
)
def test_a_message_is_found_again_in_the_catalogue(face: Face, message: str, turkish: str) -> None:
    with face.app.test_request_context("/"):
        assert told.worded(message) == turkish


def sources() -> str:
    return "".join(path.read_text() for path in (ROOT / "workers").rglob("*.py"))


def test_what_is_said_in_turkish_has_its_english_and_still_is_said() -> None:
    said, holes = sources(), re.compile(r"\{\w*\}")
    pieces = {sentence: max(holes.split(sentence), key=len).strip("( +)'") for sentence in ENGLISH}

    assert [sentence for sentence, piece in pieces.items() if piece not in said] == []
    assert [one for one, other in ENGLISH.items() if sorted(holes.findall(one)) != sorted(holes.findall(other))] == []


@pytest.mark.parametrize(
    ("message", "english"),
    [
        (
            "Telefon numarası kullanılamaz: numara eksik.",
            "The telephone number can't be used: the number is too short.",
        ),
        ("Bu alıcı 12. sırada da var; ona bir kez gönderilir", "This recipient stands in row 12 too, and gets it once"),
        (
            errors.BadAddress(reason="adres boş").message,
            "The e-mail address can't be used: the address is empty.",
        ),
        (
            errors.BadText(reason="12 SMS uzunluğunda, en çok 10 olabilir").message,
            "The text can't be sent as an SMS: as long as 12 SMS, at most 10 are allowed.",
        ),
    ],
)
def test_what_jobs_say_in_turkish_is_told_in_english_to_who_reads_english(
    face: Face, message: str, english: str
) -> None:
    with face.app.test_request_context("/", headers={"Accept-Language": "en"}):
        assert told.worded(message) == english


def fallen(company_id: int | None, message: str, error_type: str = "MissingRecord") -> str:
    """The id of a task of the company that failed like that."""
    return put_row(scope=str(company_id), state="FAILURE", ended_at=now(), error_type=error_type, error_message=message)


def test_pages_say_why_a_task_failed_in_the_readers_language(desk: Desk) -> None:
    task_id = fallen(desk.member.company_id, GONE)

    for path in ("/", "/tasks", f"/tasks/{task_id}", "/notices", "/tasks/causes"):
        page = desk.member.get(path).text
        assert "silinmiş olabilir" in page, path
        assert "does not exist" not in page, path
    desk.member.client.set_cookie("lang", "en")
    assert GONE in desk.member.get(f"/tasks/{task_id}").text


def test_programs_get_the_error_as_it_was_written(desk: Desk) -> None:
    task_id = fallen(desk.member.company_id, GONE)

    status = desk.face.ayse.status(task_id)

    assert status["error"] == {"type": "MissingRecord", "message": GONE}
    assert status["status"] == GONE


def events(answer: Any) -> list[dict[str, Any]]:
    return [json.loads(line.removeprefix("data: ")) for line in answer.text.splitlines() if line.startswith("data: ")]


def test_the_stream_of_a_person_speaks_the_persons_language(desk: Desk) -> None:
    task_id = fallen(desk.member.company_id, LOST, "WorkerLost")

    person = events(desk.member.client.get(f"/api/tasks/{task_id}/events"))
    program = events(desk.face.ayse.get(f"/api/tasks/{task_id}/events"))

    assert person[0]["status"] == "Bu görev çalışırken işçi süreci durdu (SIGKILL ile sonlandırıldı)."
    assert program[0]["status"] == LOST


def test_a_query_that_makes_no_sense_is_refused_in_the_readers_language_alone(desk: Desk) -> None:
    page, part = (desk.member.get("/tasks?since=yesterday", htmx=htmx) for htmx in (False, True))

    assert page.status_code == part.status_code == 422
    assert "2026-11-23 gibi bir gün olmalı" in page.text
    assert "must be" not in page.text
    assert json.loads(part.headers["HX-Trigger"])["toast"]["text"] == "2026-11-23 gibi bir gün olmalı"
