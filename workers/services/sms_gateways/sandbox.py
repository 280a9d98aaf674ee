"""The sandbox: a gateway of our own for `make up` and the tests, which answers the same key with its first answer.

POST /sms/send {"key","messages":[{"ref","phone","text"}]} -> 200 {"accepted":[{"ref","id"}],"refused":[{"ref","code"}]}
GET /sms/status?key= -> 200 the same, each accepted message with "state" (waiting, delivered, or why not) and "at"
(ISO 8601), or 404.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from workers.services.sending import Verdict
from workers.services.sms_gateways import Delivery, Sms
from workers.services.sms_gateways.answers import Answer, Codes, everyone, objects
from workers.services.sms_gateways.matching import by_order, gather
from workers.services.sms_gateways.wire import Pooled, as_json

CODES = Codes("Sandbox", frozenset(), {"ACCOUNT": "hesap reddedildi"}, {"REFUSED": "mesaj reddedildi"})


class Sandbox(Pooled):
    """Needs nothing but its address."""

    def send(self, messages: Sequence[Sms], key: str) -> list[Verdict]:
        texts = [{"ref": each.ref, "phone": each.phone, "text": each.text} for each in messages]
        answer = self.wire.send("/sms/send", as_json({"key": key, "messages": texts}))
        found = answer.data if answer else {}
        if answer is None or not _is_whole(answer):
            return everyone(messages, *CODES.judge(answer, found.get("code")))
        verdicts = _verdicts(found, key)
        lost = Verdict("unknown", None, "Sandbox: mesaj cevapta yok")
        return [verdicts.get(each.ref, lost) for each in messages]

    def look_up(self, messages: Sequence[Sms], key: str, at: datetime | None = None) -> list[Verdict | None]:
        verdicts = _verdicts(self._status(key), key)
        return [verdicts.get(each.ref) for each in messages]

    def reports(self, ids: Sequence[str]) -> dict[str, Delivery]:
        return gather(by_order(ids).items(), self._reports)

    def _reports(self, asked: tuple[str, list[str]]) -> dict[str, Delivery]:
        key, ids = asked
        found = {f"{key}/{row.get('id')}": row for row in objects(self._status(key).get("accepted"))}
        return {each: _delivery(found[each]) for each in ids if each in found}

    def _status(self, key: str) -> dict[str, Any]:
        answer = self.wire.ask("/sms/status", {"key": key})
        if answer.status == 404:
            return {}
        if not _is_whole(answer):
            CODES.require(answer, answer.data.get("code"))
        return answer.data


def _is_whole(answer: Answer) -> bool:
    return answer.status == 200 and isinstance(answer.data.get("accepted"), list)


def _verdicts(found: dict[str, Any], key: str) -> dict[str, Verdict]:
    accepted = {
        str(row.get("ref")): Verdict("done", f"{key}/{row.get('id')}") for row in objects(found.get("accepted"))
    }
    refused = {str(row.get("ref")): _refusal(row) for row in objects(found.get("refused"))}
    return accepted | refused


def _refusal(row: dict[str, Any]) -> Verdict:
    return Verdict("failed", None, f"Sandbox {row.get('code', 'REFUSED')}: mesaj reddedildi")


def _delivery(row: dict[str, Any]) -> Delivery:
    states = {"delivered": Delivery("delivered", None, _at(row)), "waiting": Delivery("waiting")}
    return states.get(str(row.get("state")), Delivery("undelivered", "Sandbox: iletilemedi", _at(row)))


def _at(row: dict[str, Any]) -> datetime | None:
    try:
        return datetime.fromisoformat(str(row.get("at"))).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
