"""Messages over HTTP: what is refused at the door, and what operators set for a company."""

from typing import Any

import pytest

from tests import messaging
from tests.messaging import Office, configure, letters, phone
from workers import messages
from workers.db import reading
from workers.engine import limits, wire
from workers.models import Channel

office = messaging.office
GATEWAY = {"provider": "verimor", "username": "908501112233", "password": "çok gizli", "source": "SIRA"}


def change(office: Office, person: Any, **body: Any) -> Any:
    return person.call("PATCH", f"/api/companies/{office.face.ayse.company_id}", json=body)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"phone": "0212 555 11 22", "message": "a"}, "phone"),
        ({"phone": "5551234567.0", "message": "a"}, "phone"),
        ({"phone": phone(1), "message": ""}, "message"),
        ({"phone": phone(1), "message": "a" * 1601}, "message"),
        ({"phone": phone(1), "message": "a", "colour": "red"}, "colour"),
        ({"phone": 5551234567, "message": "a"}, "phone"),
        ({"message": "a"}, "phone"),
    ],
)
def test_a_single_sms_that_can_not_be_sent_is_422_and_names_the_field(office: Office, body: Any, field: str) -> None:
    answer = office.face.ayse.post("/api/sms/send-async", body)

    assert answer.status_code == 422, answer.text
    assert [fault["field"] for fault in answer.json["errors"]] == [field]


def test_the_same_key_sends_one_sms_and_counts_one(office: Office) -> None:
    configure(office.service, sms_per_number="1/10minutes")
    body, key = {"phone": phone(1), "message": "a"}, {"Idempotency-Key": "fatura-17"}

    first = office.face.ayse.post("/api/sms/send-async", body, headers=key)
    again = office.face.ayse.post("/api/sms/send-async", body, headers=key)

    assert (first.status_code, again.status_code) == (202, 202)
    assert again.json["task_id"] == first.json["task_id"]
    assert again.headers["Idempotent-Replayed"] == "true"


@pytest.mark.parametrize(
    ("language", "whole", "reason"),
    [
        ({}, "The request can't be used as it is: phone: The tele", "The telephone number can't be used: a landline"),
        ({"Accept-Language": "tr-TR"}, "İstek bu haliyle kullanılamıyor: phone: Tele", "Telefon numarası kullanılamaz"),
    ],
    ids=["nothing asked", "Turkish"],
)
def test_a_refusal_is_in_one_language(office: Office, language: dict[str, str], whole: str, reason: str) -> None:
    refused = office.face.ayse.post("/api/sms/send-async", {"phone": "02125554433", "message": "a"}, headers=language)

    assert refused.status_code == 422
    assert refused.json["detail"].startswith(whole)
    assert refused.json["errors"][0]["message"].startswith(reason)


def test_more_items_than_allowed_are_refused_before_anything_is_done(office: Office) -> None:
    configure(office.service, max_items=5)

    assert office.face.ayse.post("/api/sms/send-bulk-async", {"messages": letters(6)}).status_code == 422
    assert office.face.ayse.post("/api/sms/preview", {"messages": letters(6)}).status_code == 422
    rows = [{"to": f"a{n}@b.com", "subject": "s", "body": "b"} for n in range(6)]
    assert office.face.ayse.post("/api/email/send-bulk-async", {"emails": rows}).status_code == 422


def test_nobody_sends_for_another_company(office: Office) -> None:
    body = {"phone": phone(1), "message": "a", "company_id": office.face.bora.company_id}

    assert office.face.ayse.post("/api/sms/send-async", body).status_code == 403
    assert office.face.ayse.post("/api/sms/preview", body).status_code == 403
    assert office.face.operator.post("/api/sms/send-async", body).status_code == 202


def test_a_bulk_of_bad_mails_is_422_and_of_some_tells_which(office: Office) -> None:
    bad = [{"to": "ali", "subject": "s", "body": "b"}, {"to": "a@b.com", "subject": "s\r\nBcc: x@y.com", "body": "b"}]
    answer = office.face.ayse.post("/api/email/send-bulk-async", {"emails": bad})
    assert answer.status_code == 422
    assert [fault["field"] for fault in answer.json["errors"]] == ["emails.0", "emails.1"]

    good = {"to": "Ali@örnek.com.tr", "subject": "s", "body": "b"}
    answer = office.face.ayse.post("/api/email/send-bulk-async", {"emails": [*bad, good, good]})
    assert answer.status_code == 202
    items = office.face.ayse.get(f"/api/tasks/{answer.json['task_id']}/items").json["items"]
    assert [item["state"] for item in items] == ["failed", "failed", "pending", "skipped"]
    assert items[2]["ref"] == "A***@örnek.com.tr"


def test_gateways_are_written_and_never_shown(office: Office) -> None:
    answer = change(office, office.face.operator, sms_gateway=GATEWAY)

    assert (answer.status_code, answer.json["sms_provider"]) == (200, "verimor")
    assert "gizli" not in answer.text
    way = messages.way(office.face.ayse.company_id, "sms")
    assert (way.provider, way.options["password"]) == ("verimor", "çok gizli")
    with reading() as session:
        [kept] = session.query(Channel).all()
    assert b"gizli" not in kept.credentials
    assert messages.way(office.face.bora.company_id, "sms").provider == "netgsm", "its own alone"
    assert change(office, office.face.operator, sms_gateway=None).json["sms_provider"] == "netgsm"


@pytest.mark.parametrize(
    "body",
    [
        {"sms_gateway": {"provider": "verimor", "username": "a"}},
        {"sms_gateway": {"provider": "pigeon"}},
        {"mail_gateway": {"url": "http://mail", "mail_from": "a@b.com"}},
        *(
            {"sms_per_number": text}
            for text in ("often", "0/10minutes", "3/0minutes", f"3/{10**20}days", f"{10**20}/day")
        ),
        {"sms_daily_cap": 2**63},
        {"k": 0},
        {"sms_daily_cap": -1},
    ],
)
def test_what_would_not_work_is_refused(office: Office, body: Any) -> None:
    assert change(office, office.face.operator, **body).status_code == 422


def test_members_change_none_of_it(office: Office) -> None:
    assert change(office, office.face.ayse, sms_gateway=GATEWAY).status_code == 403


def test_caps_and_k_of_a_company_come_before_the_settings(office: Office) -> None:
    told = change(office, office.face.operator, sms_daily_cap=1, k=4, password_max_age_days=90).json
    assert (told["sms_daily_cap"], told["k"], told["password_max_age_days"]) == (1, 4, 90)
    assert wire.connect().hget(limits.SHARES, str(office.face.ayse.company_id)) == b"4"

    sent = [office.face.ayse.post("/api/sms/send-async", {"phone": phone(n), "message": "a"}) for n in range(2)]
    assert [answer.status_code for answer in sent] == [202, 429]
    assert change(office, office.face.operator, sms_daily_cap=None).json["sms_daily_cap"] is None
    assert office.face.ayse.post("/api/sms/send-async", {"phone": phone(3), "message": "a"}).status_code == 202
