"""Every page in both languages, with everything on it that can go wrong: none shows a sentence of ours in the other."""

import html
import inspect
import re
import tempfile
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import insert, update

from tests import desk as desks
from tests.conftest import Service
from tests.desk import Desk
from tests.hands import put_row
from tests.test_told import ours, sample
from workers import db, tellings
from workers.db import now
from workers.engine import registry, schedules
from workers.engine.registry import Kind
from workers.engine.tables import items, occurrences
from workers.engine.tables import schedules as schedule_rows
from workers.models import Channel, Telling
from workers.wording.english import ENGLISH

face, desk = desks.face, desks.desk
A_PAGE = 50
PAGES = ("/", "/tasks", "/tasks/causes", "/tasks/steer?action=retry", "/notices", "/letters", "/letters/accounts")
PAGES += ("/letters/1", "/company", "/password", "/sms", "/mail", "/upload", "/new", "/home/now", "/home/pace")
PAGES += ("/no-such-page",)
ADMIN = ("", "/workers", "/queues", "/schedules", "/schedules/tidy_up", "/users", "/companies", "/companies/1")
ADMIN += ("/settings", "/doctor", "/mail", "/sms")
LEFT_OUT = re.compile(
    r"<(script|style|code|pre|textarea|option|svg|title)\b.*?</\1>|<[^>]+ lang=[^>]+>[^<]*<", re.DOTALL
)
SPOKEN = {  # words that are none in the other language
    "tr": re.compile(r"\b(the|and|of|is|are|was|not|it|this|with|for|to|your|has|been|can't)\b", re.IGNORECASE),
    "en": re.compile(r"[çğıöşüÇĞİÖŞÜ]|\b(ve|bir|bu|veya|yok|var|en az|adres|numara|metin|dosya|mesaj)\b"),
}
# What people and programs call themselves, and what others said: it stays as it is.
NAMES = re.compile(
    r"Sıra|Ayşe Çınar|Bora Şahin|Işıl Öğüt|Çınar Ticaret Ltd\. Şti\.|Şirket \d+|Kadıköy|Türkçe|İYS|İleti Merkezi"
    r"|flask db upgrade|flask up|flask schedules list|rq suspend|GET /api/\w+|it is theirs|5xx zzz"
    rf"|/dev/shm\S+|/tmp\S+|{re.escape(tempfile.gettempdir())}\S+|to, subject|ş as s"
)


def bulks(**row: Any) -> list[str]:
    """Bulks whose items failed for every reason that jobs give in Turkish, as many as a page shows in each."""
    reasons, made = [re.sub(r"\{\w*\}", "7", sentence) for sentence in ENGLISH], []
    for start in range(0, len(reasons), A_PAGE):
        made.append(put_row(**{**row, "kind": "send_bulk_sms", "state": "SUCCESS", "item_count": A_PAGE}))
        item = {"task_id": made[-1], "value": b"", "ref": "+90…4567", "state": "failed", "updated_at": now()}
        rows = [{**item, "position": n, "error": one} for n, one in enumerate(reasons[start : start + A_PAGE], 1)]
        with db.writing() as session:
            session.execute(insert(items), rows)
    return made


@pytest.fixture
def troubled(desk: Desk, service: Service) -> list[str]:
    """The pages of a service where everything went wrong that can."""
    company = desk.member.company_id
    assert company is not None
    ended = {"scope": str(company), "state": "FAILURE", "ended_at": now(), "kind": "send_sms"}
    fallen = [put_row(error_type=cls.__name__, error_message=sample(cls).message, **ended) for cls in ours()]
    fallen += bulks(**ended)
    said = [
        ("waiting", None, "no answer"),
        ("failed", None, "the webhook was removed"),
        ("failed", 500, "it is theirs"),
    ]
    with db.writing() as session:
        for state, status, answer in said:
            session.add(Telling(company_id=company, channel="hook", state=state, status_code=status, answer=answer))
    tellings.want(company, tellings.HOOK, {"url": "https://example.com/hook", "secret": "whsec_x"})
    tellings.switch_off(company, "nothing was taken for three days")
    refused = "Netgsm 51: aboneliğe ait İYS markası yok"
    with db.writing() as session:
        session.add(Channel(company_id=company, channel="sms", paused_reason=refused))
    break_schedules()
    service.redis.sadd("rq:workers", "rq:worker:gone-1")
    service.redis.lpush("rq:queue:sms", "x")
    desk.face.ayse.letter()
    kinds = [f"/new/{name}" for name, kind in registry.kinds().items() if is_ours(kind)]
    return [*PAGES, *kinds, *(f"/tasks/{task_id}" for task_id in fallen), *(f"/admin{path}" for path in ADMIN)]


def is_ours(kind: Kind) -> bool:
    return "workers.jobs" in kind.function.__module__


def theirs() -> set[str]:
    """What the docstrings of other people's kinds say of them: it is shown as it is."""
    texts = [inspect.getdoc(kind.function) or "" for kind in registry.kinds().values() if not is_ours(kind)]
    return {" ".join(text.partition("\n\n")[0].replace("`", "").split()) for text in texts}


def break_schedules() -> None:
    """One has a fault, one is late; the runs of a third were missed, skipped and failed."""
    schedules.register(now())
    late, row = now() - timedelta(hours=1), {"schedule": "tidy_up", "lateness_s": 5.0}
    with db.writing() as session:
        broken = update(schedule_rows).where(schedule_rows.c.name == "send_daily_digest")
        session.execute(broken.values(fault=sample(ours()[-1]).message))
        session.execute(update(schedule_rows).where(schedule_rows.c.name == "tell_ends").values(due_at=late))
        for n, (state, message) in enumerate([("skipped", "The schedule was removed."), ("missed", None)]):
            past = {**row, "due_at": late - timedelta(days=n), "state": state, "message": message}
            session.execute(insert(occurrences).values(**past))


def foreign(page: str, language: str) -> set[str]:
    """The pieces of text of a page that are not in this language."""
    text = re.sub(r"<[^>]+>", "\n", LEFT_OUT.sub("\n", page))
    lines = {" ".join(html.unescape(line).split()) for line in text.split("\n")}
    return {line for line in lines if SPOKEN[language].search(NAMES.sub("", line))}


@pytest.mark.parametrize("language", ["tr", "en"])
def test_no_page_shows_a_sentence_of_ours_in_the_other_language(desk: Desk, troubled: list[str], language: str) -> None:
    desk.operator.client.set_cookie("lang", language)

    found = {path: foreign(desk.operator.get(path).text, language) - theirs() for path in troubled}

    assert {path: lines for path, lines in found.items() if lines} == {}
