"""Twilio: a message a request, which it takes no key of ours with; so a lost answer can't be looked up.

Sources: Twilio's reference of the Messages resource and its error dictionary (429 is never processed, 20429). To
Turkey only from a registered alphanumeric sender, no promotion. Not verified: which of its codes come with which HTTP
status; the codes decide, whatever the status.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import quote, urlencode

from workers.services.sending import Verdict
from workers.services.sms_gateways import Delivery, Sms
from workers.services.sms_gateways.answers import Codes, everyone
from workers.services.sms_gateways.matching import gather
from workers.services.sms_gateways.wire import Pooled

WAITING = frozenset({"queued", "accepted", "scheduled", "sending", "sent"})
DELIVERED, LOST = frozenset({"delivered", "read"}), frozenset({"undelivered", "failed", "canceled"})
CODES = Codes(
    gateway="Twilio",
    accepted=WAITING | DELIVERED,
    account={
        "20003": "hesap veya anahtar geçersiz",
        "20005": "hesap kapalı",
        "20404": "hesap bulunamadı",
        "21212": "gönderen geçersiz",
        "21603": "gönderen eksik",
        "21606": "gönderen SMS gönderemez",
        "21659": "gönderen Twilio numarası değil",
        "21660": "gönderen bu hesabın değil",
        "30002": "hesap askıda",
    },
    message={
        "21211": "numara geçersiz",
        "21408": "ülkeye gönderim izni yok",
        "21610": "alıcı mesaj almayı durdurmuş",
        "21612": "bu gönderenden bu numaraya ulaşılamıyor",
        "21614": "cep telefonu değil",
        "21617": "mesaj çok uzun",
        **dict.fromkeys(LOST, "mesaj gönderilemedi"),
    },
    busy={"20429": 5, "14107": 5, "21611": 60, "30001": 60},
)


class Twilio(Pooled):
    """Needs the account's SID and token, and a sender: a number, a registered name, or a messaging service (MG…)."""

    def login(self) -> tuple[str, str]:
        return self.options["account_sid"], self.options["auth_token"]

    def send(self, messages: Sequence[Sms], key: str) -> list[Verdict]:
        (message,) = messages
        sender = self.options["from"]
        named = "MessagingServiceSid" if sender.startswith("MG") else "From"
        form = urlencode({"To": message.phone, named: sender, "Body": message.text})
        answer = self.wire.send(f"{self._messages()}.json", form.encode(), "application/x-www-form-urlencoded")
        found = answer.data if answer else {}
        state, reason = CODES.judge(answer, found.get("code") or found.get("status"))
        return (
            [Verdict("done", str(found.get("sid") or "") or None)]
            if state == "done"
            else everyone(messages, state, reason)
        )

    def look_up(self, messages: Sequence[Sms], key: str, at: datetime | None = None) -> None:
        return None

    def reports(self, ids: Sequence[str]) -> dict[str, Delivery]:
        return gather(ids, self._report)

    def _report(self, sid: str) -> dict[str, Delivery]:
        answer = self.wire.ask(f"{self._messages()}/{quote(sid, safe='')}.json")
        if answer.status == 404:
            return {}
        CODES.require(answer, answer.data.get("code") or ("sent" if answer.data.get("sid") else None))
        return {sid: _delivery(answer.data)}

    def _messages(self) -> str:
        return f"/2010-04-01/Accounts/{quote(self.options['account_sid'], safe='')}/Messages"


def _delivery(found: dict[str, Any]) -> Delivery:
    status = str(found.get("status"))
    if status in LOST:
        return Delivery("undelivered", f"Twilio {found.get('error_code') or status}: iletilemedi", _at(found))
    return Delivery("delivered", None, _at(found)) if status in DELIVERED else Delivery("waiting")


def _at(found: dict[str, Any]) -> datetime | None:
    try:
        return parsedate_to_datetime(str(found.get("date_updated"))).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
