"""What an SMS would be and cost, told before it is sent."""

from decimal import Decimal

from tests import messaging
from tests.messaging import Office, configure, phone
from workers.services.sms_rows import look, looking_once
from workers.services.sms_text import Billing

office = messaging.office


def test_a_preview_sends_nothing_and_counts_as_the_gateway_bills(office: Office) -> None:
    rows = [
        {"phone": "0555 000 00 01", "message": "şişe"},
        {"phone": phone(1), "message": "a"},
        {"phone": "9", "message": "👍"},
    ]

    told = office.face.ayse.post("/api/sms/preview", {"messages": rows}).json

    assert (told["total_segments"], told["total_cost"], told["duplicates"]) == (1, 1, 1)
    assert told["messages"][0] == {
        **{"phone": "0555 000 00 01", "e164": phone(1), "valid": True, "reason": None},
        **{"encoding": "GSM-7-TR", "segments": 1, "offending": ["ş"]},
    }
    assert told["messages"][2]["valid"] is False
    english = office.face.ayse.post("/api/sms/preview", {"messages": rows}, headers={"Accept-Language": "en"}).json
    said = [preview["messages"][2]["reason"] for preview in (told, english)]
    assert [reason.partition(":")[0] for reason in said] == [
        "Telefon numarası kullanılamaz",
        "The telephone number can't be used",
    ]
    assert office.face.ayse.post("/api/sms/preview", {"phone": phone(1), "message": "a"}).json["total_segments"] == 1
    assert office.face.ayse.post("/api/sms/preview", {}).status_code == 422
    configure(office.service, sms_segment_price=Decimal("0.35"))
    assert (
        office.face.ayse.post("/api/sms/preview", {"phone": phone(1), "message": "a" * 161}).json["total_cost"]
        == "0.70"
    )
    assert office.gateway.accepted == []


def test_a_long_preview_shows_the_first_thousand_counts_all_and_the_document_says_so(office: Office) -> None:
    rows = [{"phone": phone(number), "message": "a"} for number in range(1001)]

    told = office.face.ayse.post("/api/sms/preview", {"messages": rows}).json

    assert [row["phone"] for row in told["messages"]] == [row["phone"] for row in rows[:1000]]
    assert told["total_segments"] == 1001
    schemas = office.face.client.get("/api/openapi.json").json["components"]["schemas"]
    assert "first 1,000 messages" in schemas["Preview"]["properties"]["messages"]["description"]


def test_rows_that_are_accepted_and_previewed_in_one_request_are_judged_once() -> None:
    rows = [{"phone": phone(1), "message": "şişe"}, {"phone": "9", "message": "a"}]
    ways = {"countries": ("TR",), "billing": Billing()}

    with looking_once():
        first = look(rows, **ways)
        again, otherwise = look([dict(row) for row in rows], **ways), look(rows, **ways, plain=True)
    after = look(rows, **ways)

    assert again is first
    assert [each[0].text for each in (first, otherwise, after)] == ["şişe", "sise", "şişe"]
    assert after is not first
    assert after == first
