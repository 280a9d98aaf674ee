"""What went wrong, told in the language of whoever reads it."""

import json
import re
from typing import Any

import pytest
from sqlalchemy import insert

import workers.engine.bulk
import workers.engine.outgoing
import workers.engine.tasks
from tests import desk as desks
from tests.conftest import ROOT
from tests.desk import Desk
from tests.hands import put_row
from workers import db, errors
from workers.db import now
from workers.engine import registry
from workers.engine.limits import NO_LIMIT
from workers.engine.tables import items
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
        (
            NO_LIMIT,
            "3/10minutes gibi tek bir sınır olmalı: 1 ile 1.000.000.000 ileti arası, 1 saniye ile 31 gün içinde",
        ),
        ("Value error, netgsm also needs usercode, header", "netgsm için şunlar da gerekli: usercode, header"),
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


@pytest.mark.parametrize(
    ("message", "language", "told"),
    [
        ("the sheet is empty (Sheet)", "tr", "sayfa boş (Sheet)"),
        ("the sheet is empty (1,234)", "tr", "sayfa boş (1,234)"),
        ("“Users”; the sheets are Sheet", "tr", "“Users”; dosyadaki sayfalar: Sheet"),
        ("the sheet “Company” has no rows", "tr", "“Company” sayfasında başlığın altında satır yok"),
        ("3. satırdaki başlıklarda cari yok; görülenler: metin boş", "en", "row 3 has no cari among metin boş"),
        ("The file can't be imported: the sheet is empty (Sheet).", "tr", "Dosya içe aktarılamadı: sayfa boş (Sheet)."),
    ],
)
def test_names_headings_and_cells_stay_as_the_user_wrote_them(message: str, language: str, told: str) -> None:
    assert worded(message, language) == told


def test_a_number_of_ours_is_written_as_the_reader_writes_it() -> None:
    message = "a sheet has more than 1,000,000 rows; split the file"

    assert worded(message, "tr") == "sayfada 1.000.000 satırdan fazlası var; dosyayı bölün"


def test_the_name_of_a_file_that_could_not_be_stored_stays_the_users() -> None:
    message = errors.StorageFailed(what="the file Sheet", reason="the disk is full").message

    told = worded(message, "tr")

    assert "Sheet dosyası" in told
    assert "disk dolu" in told


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


def test_given_a_failed_task_when_a_member_looks_then_no_name_of_a_class_is_shown_but_operators_see_it(
    desk: Desk,
) -> None:
    paths = (f"/tasks/{fallen(desk.member.company_id, GONE)}", "/tasks/causes")

    members, operators = ([seen.get(path).text for path in paths] for seen in (desk.member, desk.operator))

    assert [">MissingRecord<" in page for page in (*members, *operators)] == [False, False, True, True]


REFUSED = workers.engine.bulk.NothingDone(total=2, reason="Posta sunucusu kabul etmedi: 550 5.1.1 unknown user").message
BUSY = errors.GatewayBusy(retry_after_s=240, reason="Netgsm 30: bakiye yetersiz").message
NO_AT = errors.BadAddress(reason="adreste @ yok (ad@ornek.com.tr gibi olmalı)").message


@pytest.mark.parametrize(
    ("message", "turkish", "english"),
    [
        (GONE, "mutabakat 7 bulunamadı, silinmiş olabilir. Numarayı denetleyin ya da yeniden oluşturun.", GONE),
        (
            REFUSED,
            "2 kalemden hiçbiri yapılamadı. İlk neden: Posta sunucusu kabul etmedi: 550 5.1.1 unknown user",
            "No item could be done, of 2. The first reason: The mail server refused it: 550 5.1.1 unknown user",
        ),
        ("boom", "boom", "boom"),
    ],
)
def test_programs_get_the_status_in_the_language_they_ask_for_and_the_error_as_it_was_written(
    desk: Desk, message: str, turkish: str, english: str
) -> None:
    program, task_id = desk.face.ayse, fallen(desk.member.company_id, message)
    wished = {None: turkish, "tr": turkish, "en": english, "en-GB,en;q=0.9,tr;q=0.5": english, "de": turkish}

    told = {tag: program.status(task_id, headers={"Accept-Language": tag} if tag else {}) for tag in wished}
    [row] = program.get("/api/tasks", headers={"Accept-Language": "en"}).json["items"]

    assert {tag: each["status"] for tag, each in told.items()} == wished
    assert row["status"] == english
    assert [each["error"]["message"] for each in (*told.values(), row)] == [message] * 6


def test_a_task_that_is_tried_again_tells_programs_why_and_when_in_one_language(desk: Desk) -> None:
    failing = {"state": "RETRY", "error_type": "GatewayBusy", "error_message": BUSY, "due_at": now()}
    task_id = put_row(scope=str(desk.member.company_id), **failing)

    turkish, english = (desk.face.ayse.status(task_id, headers={"Accept-Language": tag}) for tag in ("tr", "en"))

    assert turkish["status"].startswith(
        "Gönderim hizmeti 240 saniye beklenmesini istiyor (Netgsm 30: bakiye yetersiz)."
    )
    assert " Yeniden denenecek: " in turkish["status"]
    assert english["status"].startswith("The gateway asks to wait 240 s (Netgsm 30: not enough credit).")
    assert " Will be tried again: " in english["status"]


def test_programs_get_the_reasons_of_items_in_the_language_they_ask_for(desk: Desk) -> None:
    task_id = put_row(scope=str(desk.member.company_id), kind="send_bulk_emails", state="SUCCESS", item_count=3)
    row = {"task_id": task_id, "value": b"", "ref": "a***", "state": "failed", "updated_at": now()}
    with db.writing() as session:
        session.execute(
            insert(items), [{**row, "position": n, "error": e} for n, e in enumerate([NO_AT, None, "5xx"], 1)]
        )

    def told(tag: str) -> list[str | None]:
        answer = desk.face.ayse.get(f"/api/tasks/{task_id}/items", headers={"Accept-Language": tag})
        return [item["error"] for item in answer.json["items"]]

    assert told("tr") == ["E-posta adresi kullanılamıyor: adreste @ yok (ad@ornek.com.tr gibi olmalı).", None, "5xx"]
    assert told("en") == [
        "The e-mail address can't be used: no @ in the address (such as name@example.com).",
        None,
        "5xx",
    ]


@pytest.mark.parametrize("language", ["tr", "en"])
@pytest.mark.parametrize("cls", ours(), ids=lambda cls: cls.__name__)
def test_what_is_told_already_stays_as_it_is(cls: type[SiraError], language: str) -> None:
    told = worded(sample(cls).message, language)

    assert worded(told, language) == told


def events(answer: Any) -> list[dict[str, Any]]:
    return [json.loads(line.removeprefix("data: ")) for line in answer.text.splitlines() if line.startswith("data: ")]


def test_the_stream_of_a_person_speaks_the_persons_language_and_a_programs_the_one_it_asks_for(desk: Desk) -> None:
    task_id = fallen(desk.member.company_id, LOST, "WorkerLost")

    person = events(desk.member.client.get(f"/api/tasks/{task_id}/events"))
    program = events(desk.face.ayse.get(f"/api/tasks/{task_id}/events", headers={"Accept-Language": "en"}))

    assert person[0]["status"] == "Bu görev çalışırken işçi süreci durdu (SIGKILL ile sonlandırıldı)."
    assert program[0]["status"] == LOST


def test_a_query_that_makes_no_sense_is_refused_in_the_readers_language_alone(desk: Desk) -> None:
    page, part = (desk.member.get("/tasks?since=yesterday", htmx=htmx) for htmx in (False, True))

    assert page.status_code == part.status_code == 422
    assert "2026-11-23 gibi bir gün olmalı" in page.text
    assert "must be" not in page.text
    assert json.loads(part.headers["HX-Trigger"])["toast"]["text"] == "2026-11-23 gibi bir gün olmalı"
