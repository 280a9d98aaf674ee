"""Verimor: a campaign a request, under an id of ours (`custom_id`) by which it can be asked for.

Sources: Verimor's guide (SMS-API user_guide.md) and its newer documents (verimor/docs), which differ: the answer is
the campaign's id alone or a JSON object with it, 150 or 240 requests a minute; both are taken. Not verified: that
`custom_id` may be 40 characters long, and how soon after a request its campaign is found by it.
"""

import re
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from workers.errors import GatewayAway
from workers.services.sending import Verdict
from workers.services.sms_gateways import Delivery, Sms
from workers.services.sms_gateways.answers import Answer, Codes, everyone, objects
from workers.services.sms_gateways.matching import by_order, gather, istanbul
from workers.services.sms_gateways.wire import Pooled, as_json
from workers.services.sms_text import alphabet_of

CODINGS = {"GSM-7": "0", "GSM-7-TR": "1", "UCS-2": "2"}
CODES = Codes(
    gateway="Verimor",
    accepted=frozenset(),  # an accepted campaign is known by its id
    account={
        "INVALID_SOURCE_ADDRESS": "başlık kabul edilmedi",
        "NUMERIC_SOURCE_ADDRESS_NOT_ALLOWED": "sayısal başlık kullanılamaz",
        "INSUFFICIENT_CREDITS": "bakiye yetersiz",
    },
    message={
        "MISSING_MESSAGE": "mesaj metni boş",
        "MESSAGE_TOO_LONG": "mesaj çok uzun",
        "INVALID_DESTINATION_ADDRESS": "alıcı numarası geçersiz",
        "MISSING_DESTINATION_ADDRESS": "alıcı yok",
        "FORBIDDEN_MESSAGE": "yasaklı kelime",
        "MUKERRER_RAPORLAMA": "aynı SMS 24 saat içinde gönderilmiş",
    },
)
UNDELIVERED = {
    "NOT_DELIVERED": "iletilemedi",
    "EXPIRED": "süresi doldu",
    "INVALID_DESTINATION_ADDRESS": "hatalı numara",
    "REJECTED": "operatör reddetti",
    "DOUBLE_SEND_ERROR": "mükerrer gönderim",
    "BLACKLISTED_DESTINATION_ADDRESS": "kara listede",
    "NOT_ALLOWED_BY_IYS": "İYS izni yok",
    "MISSING_TARIFF": "tarife bulunamadı",
    "ROUTE_NOT_AVAILABLE": "şebekeye gönderilemiyor",
    "NETWORK_NOTCOVERED": "şebekeye gönderilemiyor",
    "SEND_ERROR": "gönderim hatası",
    "INTERNATIONAL_DENIED": "yurt dışı gönderim kapalı",
}
PAGE_ROWS, MAX_PAGES = 100, 500


class Verimor(Pooled):
    """Needs the user name, the API password and a source (header); our server's address must be on its list."""

    def send(self, messages: Sequence[Sms], key: str) -> list[Verdict]:
        texts = [{"msg": each.text, "dest": _number(each.phone), "id": each.ref} for each in messages]
        order = {"source_addr": self.options["source"], "custom_id": key, "messages": texts, **_coding(messages)}
        answer = self.wire.send("/v2/send.json", as_json({**self._access(), **order}))
        campaign = _campaign(answer) if answer else None
        if not campaign:
            return everyone(messages, *CODES.judge(answer, _code(answer)))
        return [Verdict("done", f"{campaign}/{each.ref}") for each in messages]

    def look_up(self, messages: Sequence[Sms], key: str, at: datetime | None = None) -> list[Verdict | None]:
        rows = self._rows({"custom_id": key})
        if rows is None:
            return [None] * len(messages)
        found = {str(row.get("message_custom_id")): row.get("campaign_id") for row in rows}
        lost = Verdict("unknown", None, "Verimor: kampanya var, mesaj raporda yok")
        return [Verdict("done", f"{found[each.ref]}/{each.ref}") if each.ref in found else lost for each in messages]

    def reports(self, ids: Sequence[str]) -> dict[str, Delivery]:
        return gather(by_order(ids).items(), self._reports)

    def _reports(self, asked: tuple[str, list[str]]) -> dict[str, Delivery]:
        campaign, ids = asked
        found = {f"{campaign}/{row.get('message_custom_id')}": row for row in self._rows({"id": campaign}) or []}
        return {each: _delivery(found[each]) for each in ids if each in found}

    def _rows(self, campaign: dict[str, str]) -> list[dict[str, Any]] | None:
        """The messages of a campaign; None if there is none of that id."""
        first = self._page(campaign)
        return None if first is None else [*first, *self._more(campaign, first)]

    def _more(self, campaign: dict[str, str], rows: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
        for _ in range(MAX_PAGES):
            if len(rows) < PAGE_ROWS:
                return
            rows = self._page({**campaign, "greater_than": str(rows[-1].get("message_id"))}) or []
            yield from rows

    def _page(self, campaign: dict[str, str]) -> list[dict[str, Any]] | None:
        answer = self.wire.ask("/v2/status", {**self._access(), **campaign})
        if answer.status == 404:
            if _is_theirs(answer.text.strip().lower()):
                return None
            raise GatewayAway(reason=f"HTTP {answer.status}")
        if answer.status != 200 or not isinstance(answer.json, list):
            CODES.require(answer, _code(answer))
        return objects(answer.json)

    def _access(self) -> dict[str, str]:
        return {"username": self.options["username"], "password": self.options["password"]}


def _coding(messages: Sequence[Sms]) -> dict[str, str]:
    """The costliest that any text needs; abroad none may be named but Unicode, and Verimor looks at the texts."""
    coding = max(CODINGS[alphabet_of(message.text)] for message in messages)
    abroad = any(not message.phone.startswith("+90") for message in messages)
    return {} if abroad and coding != "2" else {"datacoding": coding}


def _number(phone: str) -> str:
    """905551234567 within Turkey, 00… abroad."""
    return phone.removeprefix("+") if phone.startswith("+90") else f"00{phone[1:]}"


def _is_theirs(words: str) -> bool:
    """Whether "not found" is Verimor's own ("Bu idye sahip kampanya bulunamadı"), and not that of a proxy before it."""
    return "kampanya" in words and not words.startswith("<")


def _campaign(answer: Answer) -> str | None:
    """The id in an accepting answer: it alone, or in an object."""
    written = str(answer.data.get("campaign_id") or answer.text).strip()
    return written if answer.status == 200 and re.fullmatch(r"[0-9]{1,20}", written) else None


def _code(answer: Answer | None) -> Any:
    return (answer.data.get("error") or answer.text) if answer else None


def _delivery(row: dict[str, Any]) -> Delivery:
    """SENT is delivered as far as the operator tells; states that nobody documented count as waiting."""
    status, at = str(row.get("status")), istanbul(row.get("done_at"), "%Y-%m-%d %H:%M:%S")
    if status in UNDELIVERED:
        return Delivery("undelivered", f"Verimor {status}: {UNDELIVERED[status]}", at)
    return Delivery("delivered", None, at) if status in ("DELIVERED", "SENT") else Delivery("waiting")
