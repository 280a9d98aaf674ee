"""Many tasks at once on the desk: confirmed first, done once, and never those of another company."""

import re
from datetime import timedelta
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from tests import desk as desks
from tests.desk import Desk
from tests.face import VKNS
from tests.hands import put_row, row_of, work_off
from tests.test_desk_tasks import acts_of, words
from workers.db import now
from workers.engine import enqueue, find
from workers.engine.seal import Seal

face, desk = desks.face, desks.desk


def test_a_filter_is_steered_after_it_was_confirmed_and_only_once(desk: Desk) -> None:
    scope = str(desk.member.company_id)
    mine = [enqueue("add", {"a": n}, scope=scope, due_at=now() + timedelta(hours=1)).id for n in range(3)]
    foreign = enqueue("add", {"a": 9}, scope=str(desk.stranger.company_id), due_at=now() + timedelta(hours=1)).id

    asked = desk.member.get("/tasks/steer?action=cancel&queue=sms")
    form = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', asked.text))
    late = enqueue("add", {"a": 4}, scope=scope, due_at=now() + timedelta(hours=1)).id
    first = desk.member.post("/tasks/steer", form)
    work_off()
    second = desk.member.post("/tasks/steer", form)

    assert "3" in words(asked)
    assert first.status_code == 303
    assert first.location == second.location
    assert {find(each).state for each in mine} == {"REVOKED"}
    assert {find(each).state for each in (foreign, late)} == {"PENDING"}
    one = first.location.rpartition("/")[2]
    assert (find(one).scope, find(one).result) == (scope, {"done": 3})
    assert acts_of(one) == [("cancel many", desk.member.user_id, None)]
    assert desk.member.get(first.location).status_code == 200


def test_the_filter_is_confirmed_in_the_words_of_the_lists_and_sent_as_it_was_asked(desk: Desk) -> None:
    company, today = desk.stranger.company_id, now().astimezone(ZoneInfo("Europe/Istanbul"))
    fault = {"error_type": "UnknownTask", "error_message": "There is no such task. Check the id."}
    put_row(scope=str(company), state="FAILURE", kind="send_sms", queue="sms", ended_at=now(), **fault)
    asked = {"state": "FAILURE", "queue": "sms", "kind": "send_sms", "company": str(company)}
    asked |= {"since": f"{today:%Y-%m-%d}", "until": f"{today:%Y-%m-%d}"}
    asked |= {"cause": "UnknownTask: There is no such task. Check the id."}

    page = desk.operator.get(f"/tasks/steer?{urlencode({**asked, 'action': 'retry'})}").text

    shown = dict(re.findall("<dt>(.*?)</dt><dd>(.*?)</dd>", page))
    assert shown == {
        **{"Durum": "Başarısız", "Kuyruk": "SMS (sms)", "Tür": "Tek SMS", "Şirket": f"Şirket {VKNS[1]}"},
        **{"İlk gün": f"{today:%d.%m.%Y}", "Son gün": f"{today:%d.%m.%Y}"},
        "Neden": "UnknownTask: Böyle bir görev yok. Numarayı denetleyin.",
    }
    assert asked.items() <= dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', page)).items()


def test_nothing_is_steered_where_nothing_is_found_or_nothing_is_asked(desk: Desk) -> None:
    put_row(scope=str(desk.stranger.company_id), state="FAILURE", ended_at=now())
    assert "/tasks/steer" not in re.findall(r'action="([^"]+)"', desk.member.get("/tasks/steer?action=retry").text)
    assert desk.member.post("/tasks/steer", {"action": "retry", "until_id": "f"}).status_code == 422
    assert desk.member.get("/tasks/steer?action=explode").status_code == 422
    company = desk.stranger.company_id
    assert desk.member.post("/tasks/steer", {"action": "retry", "company": company, "until_id": "f"}).status_code == 403


def test_a_member_steers_over_the_api_only_its_own(desk: Desk) -> None:
    failed = {"state": "FAILURE", "ended_at": now() - timedelta(hours=1)}
    own = [put_row(scope=str(desk.member.company_id), params=Seal.dumps({"a": 1}), **failed) for _ in range(2)]
    foreign = put_row(scope=str(desk.stranger.company_id), **failed)

    for one in (foreign, "no id", "\0", "01900000-0000-7000-8000-000000000000"):
        answer = desk.face.ayse.post("/api/jobs/steer_tasks", {"task_ids": [*own, one], "action": "retry"})
        assert answer.status_code == 404, one
    task_id = desk.face.ayse.enqueue("steer_tasks", task_ids=own, action="retry")
    work_off()

    assert find(task_id).result == {"done": 2}
    assert row_of(foreign)["state"] == "FAILURE"
