"""İleti Merkezi: one order a request, with a message for each text; answers name the order, reports the numbers.

Sources: its own documents (apidocs-website: send-sms, get-report, status codes) and its Python client, which sends a
list of messages as we do. Not verified: how `hash` is made (it is copied from the panel), numbers abroad.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from workers.services.sending import Verdict
from workers.services.sms_gateways import Delivery, Sms
from workers.services.sms_gateways.answers import Answer, Codes, an_object, everyone, objects
from workers.services.sms_gateways.matching import by_order, gather, provider_ids, told
from workers.services.sms_gateways.wire import Pooled, as_json

ALREADY_SENT = "451"  # the same texts to the same numbers within ten minutes
ACCOUNT = {
    "401": "üyelik bilgileri hatalı (IP sınırı olabilir)",
    "402": "bakiye yetersiz",
    "404": "adres yanlış",
    "450": "başlık kullanıma uygun değil",
    "459": "başlık geçersiz",
    "460": "başlık geçersiz",
    "468": "İYS ayarı eksik",
    "469": "İYS ayarı eksik",
    "470": "İYS ayarı eksik",
}
SENT = Codes(
    gateway="İleti Merkezi",
    accepted=frozenset({"200", ALREADY_SENT}),
    account=ACCOUNT,
    message={
        "400": "istek çözümlenemedi",
        "422": "istek doğrulanamadı",
        ALREADY_SENT: "tekrar eden sipariş, daha önce gönderilmiş",
        "452": "mesaj alıcıları hatalı",
        "453": "mesaj çok uzun",
        "454": "mesaj metni boş",
        "457": "gönderim tarihi hatalı",
        "466": "hatalı numara",
    },
    busy={"503": 60},
)
REPORTED = Codes("İleti Merkezi", frozenset({"200", "455", "456"}), ACCOUNT, {}, {"503": 60})
STATES = {"111": Delivery("delivered"), "112": Delivery("undelivered", "İleti Merkezi 112: mesaj gönderilemedi")}
PAGE_ROWS, MAX_PAGES = 1000, 100


class IletiMerkezi(Pooled):
    """Needs an API key, its hash, and a registered sender. It takes no key of ours, so it can't be looked up."""

    def send(self, messages: Sequence[Sms], key: str) -> list[Verdict]:
        texts = _texts(messages)
        shared = {"sender": self.options["sender"], "sendDateTime": [], "iys": "0", "iysList": ""}
        order = {**shared, "message": texts[0] if len(texts) == 1 else texts}
        answer = self.wire.send("/v1/send-sms/json", as_json(self._request(order)))
        state, reason = SENT.judge(answer, _code(answer) if answer else None)
        order_id = an_object(_response(answer).get("order")).get("id") if answer else None
        if state != "done" or not order_id:
            return everyone(messages, state, reason)
        return [Verdict("done", each) for each in provider_ids(str(order_id), [each.phone for each in messages])]

    def look_up(self, messages: Sequence[Sms], key: str, at: datetime | None = None) -> None:
        return None

    def reports(self, ids: Sequence[str]) -> dict[str, Delivery]:
        return gather(by_order(ids).items(), self._reports)

    def _reports(self, asked: tuple[str, list[str]]) -> dict[str, Delivery]:
        order, ids = asked
        waiting = Delivery("waiting")
        rows = {str(row.get("number")): STATES.get(str(row.get("status")), waiting) for row in self._rows(order)}
        return dict(told(ids, rows))

    def _rows(self, order: str) -> Iterator[dict[str, Any]]:
        for page in range(1, MAX_PAGES + 1):
            question = self._request({"id": order, "page": page, "rowCount": PAGE_ROWS})
            answer = self.wire.ask("/v1/get-report/json", post=question)
            REPORTED.require(answer, _code(answer))
            rows = objects(an_object(_response(answer).get("order")).get("message"))
            yield from rows
            if len(rows) < PAGE_ROWS:
                return

    def _request(self, order: dict[str, Any]) -> dict[str, Any]:
        access = {"key": self.options["key"], "hash": self.options["hash"]}
        return {"request": {"authentication": access, "order": order}}


def _texts(messages: Sequence[Sms]) -> list[dict[str, Any]]:
    """Each text once, with all its numbers; the documents have one alone, not in a list."""
    numbers: dict[str, list[str]] = {}
    for each in messages:
        numbers.setdefault(each.text, []).append(_number(each.phone))
    return [{"text": text, "receipents": {"number": found}} for text, found in numbers.items()]


def _response(answer: Answer) -> dict[str, Any]:
    return an_object(answer.data.get("response"))


def _code(answer: Answer) -> Any:
    return an_object(_response(answer).get("status")).get("code")


def _number(phone: str) -> str:
    return phone.removeprefix("+")
