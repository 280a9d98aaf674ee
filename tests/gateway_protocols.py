"""How the five gateways speak, for the fake of tests/gateways.py: orders in, answers and reports out.

Each protocol reads an order (`order`), says who may send (`allows`), takes it (`taken`), refuses it (`refused`) and
reports (`report`, at the paths of `asked`). Shapes are those of the documents that the adapters in
workers/services/sms_gateways name; nothing here is shared with them.
"""

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, ClassVar
from urllib.parse import parse_qs
from zoneinfo import ZoneInfo

SECRETS = {
    "netgsm": {"usercode": "8501112233", "password": "netgsm şifre", "header": "SIRA"},
    "iletimerkezi": {"key": "im-key", "hash": "im-hash", "sender": "SIRA"},
    "verimor": {"username": "908501112233", "password": "verimor&şifre", "source": "SIRA"},
    "twilio": {"account_sid": "AC0123456789", "auth_token": "twilio-token", "from": "SIRA"},
    "sandbox": {},
}
ISTANBUL = ZoneInfo("Europe/Istanbul")
Row = dict[str, Any]  # an accepted message: gateway, key, order, id, ref, phone, text, at, state


@dataclass
class Call:
    """A request as it came."""

    path: str
    query: dict[str, str]
    authorization: str
    content: bytes

    @property
    def data(self) -> Any:
        return json.loads(self.content)

    @property
    def form(self) -> dict[str, str]:
        return {name: values[0] for name, values in parse_qs(self.content.decode()).items()}

    def is_from(self, user: str, password: str) -> bool:
        return self.authorization == "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


@dataclass
class Reply:
    status: int
    text: str
    headers: dict[str, str] = field(default_factory=dict)


def as_json(status: int, value: Any) -> Reply:
    return Reply(status, json.dumps(value, ensure_ascii=False), {"Content-Type": "application/json"})


def e164(number: str) -> str:
    """The number that a gateway was given, as we write it."""
    if number.startswith("00"):
        return f"+{number[2:]}"
    return f"+90{number}" if len(number) == 10 else f"+{number.lstrip('+')}"


class Netgsm:
    """`refuse` codes: 20 30 40 50 51 70 80 85 100 101; all come as HTTP 406."""

    send, asked = "/sms/rest/v2/send", "/sms/rest/v2/report"
    account, message, busy, login = "40", "70", "80", "30"
    states: ClassVar = {"waiting": 0, "delivered": 1, "undelivered": 12}

    def allows(self, call: Call) -> bool:
        return call.is_from(SECRETS["netgsm"]["usercode"], SECRETS["netgsm"]["password"])

    def order(self, call: Call) -> tuple[str, list[tuple[str, str, str]]]:
        assert call.data["iysfilter"] == "0"
        assert call.data["msgheader"] == "SIRA"
        return call.data["referansID"], [("", e164(each["no"]), each["msg"]) for each in call.data["messages"]]

    def taken(self, order: str, rows: list[Row]) -> Reply:
        return as_json(200, {"code": "00", "jobid": order, "description": "queued"})

    def refused(self, code: str) -> Reply:
        return as_json(406, {"code": code, "jobid": None, "description": "error message desc."})

    def report(self, call: Call, rows: list[Row]) -> Reply:
        asked = call.data
        found = (
            [row for row in rows if row["order"] in asked["jobids"]] if "jobids" in asked else self._within(asked, rows)
        )
        first = asked["pagenumber"] * asked["pagesize"]
        page = [self._row(row) for row in found[first : first + asked["pagesize"]]]
        return as_json(200, {"code": "00", "jobs": page}) if page else self.refused("60")

    def _within(self, asked: dict[str, str], rows: list[Row]) -> list[Row]:
        edges = (asked["startdate"], asked["stopdate"])
        start, stop = (datetime.strptime(edge, "%d.%m.%Y %H:%M:%S").replace(tzinfo=ISTANBUL) for edge in edges)
        return [row for row in rows if start <= row["at"] <= stop]

    def _row(self, row: Row) -> dict[str, Any]:
        done = f"{row['at'].astimezone(ISTANBUL):%d.%m.%Y %H:%M:%S}"
        status = {"status": self.states[row["state"]], "deliveredDate": done, "errorCode": 0}
        return {"jobid": row["order"], "number": row["phone"][1:], "referansID": row["key"], **status}


class IletiMerkezi:
    """`refuse` codes: 400 401 402 450 452 453 454 … as status of the response and of HTTP. Repeated orders are 451."""

    send, asked = "/v1/send-sms/json", "/v1/get-report/json"
    account, message, busy, login = "450", "452", "503", "401"
    states: ClassVar = {"waiting": 110, "delivered": 111, "undelivered": 112}

    def allows(self, call: Call) -> bool:
        access = call.data["request"]["authentication"]
        return access == {name: SECRETS["iletimerkezi"][name] for name in ("key", "hash")}

    def order(self, call: Call) -> tuple[str, list[tuple[str, str, str]]]:
        order = call.data["request"]["order"]
        assert (order["sender"], order["iys"]) == ("SIRA", "0")
        texts = order["message"] if isinstance(order["message"], list) else [order["message"]]
        return "", [("", e164(number), each["text"]) for each in texts for number in each["receipents"]["number"]]

    def taken(self, order: str, rows: list[Row]) -> Reply:
        status = {"code": "200", "message": "İşlem başarılı"}
        return as_json(200, {"response": {"status": status, "order": {"id": order}}})

    def refused(self, code: str) -> Reply:
        return as_json(int(code), {"response": {"status": {"code": code, "message": "hata"}}})

    def report(self, call: Call, rows: list[Row]) -> Reply:
        asked = call.data["request"]["order"]
        found = [row for row in rows if row["order"] == str(asked["id"])]
        first = (asked["page"] - 1) * asked["rowCount"]
        page = [
            {"number": int(row["phone"][-10:]), "status": self.states[row["state"]]}
            for row in found[first : first + asked["rowCount"]]
        ]
        order = {"id": asked["id"], "status": 113, "message": page}
        whole = {"response": {"status": {"code": 200, "message": "İşlem başarılı"}, "order": order}}
        return as_json(200, whole) if found else self.refused("455")


class Verimor:
    """`refuse` codes: words such as INSUFFICIENT_CREDITS, as plain text with HTTP 400."""

    send, asked = "/v2/send.json", "/v2/status"
    account, message, busy, login = "INVALID_SOURCE_ADDRESS", "INVALID_DESTINATION_ADDRESS", "", "LOGIN"
    states: ClassVar = {"waiting": "WAITING", "delivered": "DELIVERED", "undelivered": "NOT_DELIVERED"}

    def allows(self, call: Call) -> bool:
        given = call.query if call.path == self.asked else call.data
        return all(given.get(name) == SECRETS["verimor"][name] for name in ("username", "password"))

    def order(self, call: Call) -> tuple[str, list[tuple[str, str, str]]]:
        assert call.data["source_addr"] == "SIRA"
        return call.data["custom_id"], [(each["id"], e164(each["dest"]), each["msg"]) for each in call.data["messages"]]

    def taken(self, order: str, rows: list[Row]) -> Reply:
        if int(order) % 2:  # the older guide has the id alone
            return Reply(200, order)
        return as_json(200, {"campaign_id": int(order), "custom_id": rows[0]["key"], "status": "0"})

    def refused(self, code: str) -> Reply:
        return Reply(401, "Geçersiz kullanıcı adı/şifre") if code == self.login else Reply(400, code)

    def report(self, call: Call, rows: list[Row]) -> Reply:
        name, wanted = ("order", call.query["id"]) if "id" in call.query else ("key", call.query["custom_id"])
        found = [row for row in rows if row[name] == wanted]
        if not found:
            return Reply(404, "Bu idye sahip kampanya bulunamadı")
        after = int(call.query.get("greater_than", "0"))
        return as_json(200, [self._row(row) for row in found if int(row["id"]) > after][:100])

    def _row(self, row: Row) -> dict[str, Any]:
        done = f"{row['at'].astimezone(ISTANBUL):%Y-%m-%d %H:%M:%S}"
        ours = {"campaign_custom_id": row["key"], "message_custom_id": row["ref"], "dest": row["phone"][1:]}
        theirs = {"campaign_id": int(row["order"]), "message_id": row["id"], "status": self.states[row["state"]]}
        return {**ours, **theirs, "done_at": done, "gsm_error": "0"}


class Twilio:
    """`refuse` codes: 21211 21606 21610 20429 …, in JSON with HTTP 400 (20003: 401, 20429: 429)."""

    send, asked = f"/2010-04-01/Accounts/{SECRETS['twilio']['account_sid']}/Messages.json", ""
    account, message, busy, login = "21606", "21211", "21611", "20003"

    def allows(self, call: Call) -> bool:
        return call.is_from(SECRETS["twilio"]["account_sid"], SECRETS["twilio"]["auth_token"])

    def order(self, call: Call) -> tuple[str, list[tuple[str, str, str]]]:
        assert call.form["From"] == "SIRA"
        return "", [("", call.form["To"], call.form["Body"])]

    def taken(self, order: str, rows: list[Row]) -> Reply:
        return as_json(201, {"sid": f"SM{order}", "status": "queued", "error_code": None})

    def refused(self, code: str) -> Reply:
        status = {"20003": 401, "20429": 429}.get(code, 400)
        return as_json(status, {"code": int(code), "message": "an error", "status": status})

    def report(self, call: Call, rows: list[Row]) -> Reply:
        order = call.path.rpartition("/SM")[2].removesuffix(".json")
        found = [row for row in rows if row["order"] == order]
        status = {"waiting": "sent"}.get(found[0]["state"], found[0]["state"]) if found else ""
        updated = f"{found[0]['at']:%a, %d %b %Y %H:%M:%S} +0000" if found else ""
        told = {"sid": f"SM{order}", "status": status, "error_code": None, "date_updated": updated}
        return as_json(200, told) if found else as_json(404, {"code": 20404, "status": 404})


class Sandbox:
    """`refuse` codes: ACCOUNT, REFUSED. The same key is answered with the first answer and not sent again."""

    send, asked = "/sms/send", "/sms/status"
    account, message, busy, login = "ACCOUNT", "REFUSED", "", "ACCOUNT"

    def allows(self, call: Call) -> bool:
        return True

    def order(self, call: Call) -> tuple[str, list[tuple[str, str, str]]]:
        return call.data["key"], [(each["ref"], each["phone"], each["text"]) for each in call.data["messages"]]

    def taken(self, order: str, rows: list[Row]) -> Reply:
        return as_json(200, {"accepted": [{"ref": row["ref"], "id": row["id"]} for row in rows]})

    def refused(self, code: str) -> Reply:
        return as_json(400, {"code": code})

    def report(self, call: Call, rows: list[Row]) -> Reply:
        found = [row for row in rows if row["key"] == call.query["key"]]
        told = [{name: row[name] for name in ("ref", "id", "state")} | {"at": row["at"].isoformat()} for row in found]
        return as_json(200, {"accepted": told}) if found else as_json(404, {"code": "UNKNOWN_KEY"})


Protocol = Netgsm | IletiMerkezi | Verimor | Twilio | Sandbox
PROTOCOLS: dict[str, Callable[[], Protocol]] = {
    **{"netgsm": Netgsm, "iletimerkezi": IletiMerkezi, "verimor": Verimor},
    **{"twilio": Twilio, "sandbox": Sandbox},
}
REPEAT_WINDOW = timedelta(minutes=10)
