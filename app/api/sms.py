"""SMS: one, many, and what they would be before they are sent."""

from typing import Annotated, Any

from flask import Response, jsonify
from pydantic import BaseModel, Field

from app.api import documented
from app.api.documented import enqueues, problems
from app.api.enqueueing import accept, with_more
from app.api.status import language
from app.auth import caller, known_company
from app.fields import Input
from app.json import body
from workers import messages, settings
from workers.errors import InvalidInput, NotAllowed
from workers.services import sms_gateways, sms_rows
from workers.wording.told import worded

SHOWN_AT_MOST = 1000  # messages in the answer to a bulk; the totals are of all

api = documented.blueprint("sms", "SMS: sent once, to mobiles, and counted before", "/api/sms")


class MessageIn(Input):
    phone: str
    message: str


class PreviewIn(Input):
    """What send-async or send-bulk-async would be given."""

    phone: str | None = None
    message: str | None = None
    messages: Annotated[list[MessageIn], Field(min_length=1)] | None = None
    plain: bool = False
    company_id: int | None = None


class PreviewRow(BaseModel):
    """A message: `e164` and whether it can be sent (else `reason`), its encoding and segments, and the characters that
    make it cost more (`offending`)."""

    phone: str
    e164: str | None
    valid: bool
    reason: str | None
    encoding: str | None
    segments: int
    offending: list[str]


class Preview(BaseModel):
    """`total_cost` is that of all segments that would be sent: at SMS_SEGMENT_PRICE each, as text ("12.60"), or, where
    no price is set, in the gateway's credits, one for each. `duplicates` says how many messages go to a number that has
    one before them."""

    messages: list[PreviewRow] = Field(
        description=f"Of the first {SHOWN_AT_MOST:,} messages, in their order; the totals are of all that were posted"
    )
    total_segments: int
    total_cost: int | str
    duplicates: int
    invalid: int


@api.post("/send-async", **enqueues("send_sms"))
def send_sms() -> tuple[Response, int]:
    """Send an SMS."""
    return accept("send_sms")


@api.post("/send-bulk-async", **enqueues("send_bulk_sms"))
def send_bulk_sms() -> tuple[Response, int]:
    """Send many SMS, one to each recipient; the answer also holds their preview."""
    with sms_rows.looking_once():
        return with_more(accept("send_bulk_sms"), _told(preview_of(body())))


@api.post("/preview", responses={200: Preview, **problems(403, 404)})
def preview(body: PreviewIn) -> Response:
    """Tell encoding, segments, duplicates and bad numbers without sending anything."""
    given = body.model_dump()
    if (given["messages"] is None) == (given["phone"] is None or given["message"] is None):
        raise InvalidInput([{"field": "messages", "message": "give either phone and message, or messages"}])
    limit = settings.current().max_items
    if len(given["messages"] or ()) > limit:
        raise InvalidInput([{"field": "messages", "message": f"more than {limit:,} items; split the request"}])
    return jsonify(_told(preview_of(given)))


def _told(found: dict[str, Any]) -> dict[str, Any]:
    """The preview with its reasons in the language of Accept-Language."""
    told = [{**row, "reason": worded(row["reason"] or "", language()) or None} for row in found["messages"]]
    return {**found, "messages": told}


def preview_of(given: dict[str, Any]) -> dict[str, Any]:
    """What checked input (as PreviewIn has it) would be, as Preview has it."""
    way = messages.way(_company(given.get("company_id")), "sms")
    billing = sms_gateways.billing_of(way.provider, way.options)
    posted = given.get("messages") or [{"phone": given.get("phone"), "message": given.get("message")}]
    rows = sms_rows.look(
        posted, countries=settings.current().countries, billing=billing, plain=bool(given.get("plain"))
    )
    total, price = sum(row.segments for row in rows), settings.current().sms_segment_price
    return {
        "messages": [row.shown() for row in rows[:SHOWN_AT_MOST]],
        "total_segments": total,
        "total_cost": total if price is None else str(total * price),
        "duplicates": sum(row.first is not None for row in rows),
        "invalid": sum(row.reason is not None for row in rows),
    }


def _company(named: int | None) -> int | None:
    """By whose gateway it is counted: the caller's company, or the one that an operator names."""
    who = caller()
    if named in (None, who.company_id):
        return who.company_id
    if not who.is_operator:
        raise NotAllowed()
    return known_company(int(str(named)))
