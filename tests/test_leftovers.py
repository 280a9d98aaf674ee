"""What dead executions leave behind: what stands beside their items says the same as these. More of it is in
test_ledger.py, test_declared.py and test_journal.py."""

from collections.abc import Callable
from typing import Any

import pytest

from tests import messaging
from tests.messaging import Office, counts_of, deliveries
from tests.test_mutabakat import letter
from workers import messages
from workers.db import writing
from workers.engine import declared, enqueue, leftovers

office_anywhere = messaging.office_anywhere


@pytest.mark.parametrize(
    "ends",
    [
        lambda task_id: leftovers.give_back(task_id, set()),
        lambda task_id: leftovers.close(task_id, "İptal edildi"),
    ],
    ids=["given back", "closed"],
)
def test_a_letter_that_may_have_been_sent_is_no_draft_and_its_evidence_says_unknown(
    office_anywhere: Office, ends: Callable[[str], Any]
) -> None:
    ayse = office_anywhere.face.ayse
    begun, waits = (letter(office_anywhere, number, email=f"{number}@ornek.com") for number in (1, 2))
    params = {"mutabakat_ids": [begun, waits], "channels": ["email"]}
    task_id = enqueue("send_mutabakat", params, scope=str(ayse.company_id)).id
    note = messages.evidence(messages.way(ayse.company_id, "email"), task_id, lambda item: f"{item.position}@ornek.com")
    with writing() as session:
        declared.declare(session, f"{task_id}:dead", {"k1": declared.waiting(task_id, 1)}, note)

    ends(task_id)

    assert counts_of(task_id)["unknown"] == 1
    assert [row.state for row in deliveries(task_id)] == ["unknown"]
    assert [ayse.get(f"/api/mutabakat/{one}").json["state"] for one in (begun, waits)] == ["sent", "draft"]
