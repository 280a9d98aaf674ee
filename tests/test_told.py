"""What went wrong, told in the language of whoever reads it."""

import json
import re
from typing import Any

import pytest

import workers.engine.bulk
import workers.engine.outgoing
import workers.engine.tasks
from tests import desk as desks
from tests.conftest import ROOT
from tests.desk import Desk
from tests.hands import put_row
from workers import errors
from workers.db import now
from workers.engine import registry
from workers.errors import SiraError
from workers.wording.english import ENGLISH
from workers.wording.told import worded

desk, face = desks.desk, desks.face
GONE = errors.MissingRecord(what="mutabakat", id=7).message
LOST = errors.WorkerLost(reason="killed by SIGKILL").message


def family(of: type[SiraError] = SiraError) -> list[type[SiraError]]:
    """All errors of ours, wherever they are defined."""
    return [of, *(each for child in of.__subclasses__() for each in family(child))]


def ours() -> list[type[SiraError]]:
    registry.kinds()  # which brings the errors of the jobs
    return [cls for cls in family() if cls.__module__.startswith("workers.")]


def sample(cls: type[SiraError]) -> SiraError:
    """One of them, with a reason that no catalogue has: a gateway's own words, say."""
    if cls is errors.InvalidInput:
        return errors.InvalidInput([{"field": "days", "message": "Field required"}])
    holes = dict.fromkeys(re.findall(r"\{(\w+)", cls.__doc__ or ""), "5xx zzz")
    return cls(**{**holes, **{name: 7 for name in ("size", "limit") if name in holes}})


@pytest.mark.parametrize("cls", ours(), ids=lambda cls: cls.__name__)
def test_every_error_of_the_family_is_told_in_the_language_of_its_reader(cls: type[SiraError]) -> None:
    message = sample(cls).message

    turkish, english = worded(message, "tr"), worded(message, "en")

    assert turkish != english, f"translate {' '.join((cls.__doc__ or '').split())!r}: `make translations`"
    assert message in (turkish, english)
    assert turkish.count("5xx zzz") == english.count("5xx zzz") == message.count("5xx zzz")


def test_the_fields_of_bad_input_stay_and_what_is_wrong_with_them_is_told() -> None:
    problems = [{"field": "to.0", "message": "Field required"}, {"field": "days", "message": "give 1 to 36,500 days"}]
    message = errors.InvalidInput(problems).message

    assert worded(message, "tr") == (
        "İstek bu haliyle kullanılamıyor: to.0: Bu alan gerekli; days: 1 ile 36.500 arasında gün verin."
    )


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
        (
            "The run of 2026-11-28T07:00:00+00:00 was missed; it waits for the next time.",
            "2026-11-28T07:00:00+00:00 zamanlı çalışma kaçırıldı; bir sonraki zamanı bekliyor.",
        ),
        ("boom", "boom"),
        ("", ""),
    ],
)
def test_a_message_is_found_again_in_the_catalogue(message: str, turkish: str) -> None:
    assert worded(message, "tr") == turkish


def sources() -> str:
    return "".join(path.read_text() for path in (ROOT / "workers").rglob("*.py") if path.parent.name != "wording")


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
def test_what_jobs_say_in_turkish_is_told_in_english_to_who_reads_english(message: str, english: str) -> None:
    assert worded(message, "en") == english


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
