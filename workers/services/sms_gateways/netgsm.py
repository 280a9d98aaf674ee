"""Netgsm REST v2: native N:N requests; its errors come as HTTP 406 with a code.

Sources: Netgsm's own clients (netgsm-sms-js 1.1.11, netgsm-sms 1.1.2) and siberfx/netgsm 5. Not verified, as the
document itself was out of reach: `referansID`, which other clients send and the report repeats; the encoding UNICODE;
numbers abroad as 00…; that codes 100 and 101 leave nothing sent; that a report's `jobids` are the `jobid` of a send.
"""

import math
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from workers.services.sending import Verdict
from workers.services.sms_gateways import Delivery, Sms
from workers.services.sms_gateways.answers import Codes, everyone, objects
from workers.services.sms_gateways.matching import by_order, gather, istanbul, provider_ids, told
from workers.services.sms_gateways.wire import Pooled, as_json
from workers.services.sms_text import alphabet_of

ENCODINGS = {"GSM-7": None, "GSM-7-TR": "TR", "UCS-2": "UNICODE"}
ACCOUNT = {
    "30": "kullanıcı, parola veya API izni geçersiz (IP sınırı olabilir)",
    "40": "gönderici adı (başlık) tanımlı değil",
    "50": "hesap İYS kontrollü gönderim yapamaz",
    "51": "aboneliğe ait İYS markası yok",
}
SENT = Codes(
    gateway="Netgsm",
    accepted=frozenset({"00", "01", "02"}),
    account=ACCOUNT,
    message={"20": "mesaj metni hatalı veya çok uzun", "70": "hatalı veya eksik parametre"},
    busy={"80": 60, "85": 61, "100": 60, "101": 60},
)
REPORTED = Codes("Netgsm", frozenset({"00", "60"}), ACCOUNT, {}, {"80": 60, "100": 60, "101": 60, "110": 60})
UNDELIVERED = {
    "2": "süresi doldu",
    "3": "hatalı veya kısıtlı numara",
    "4": "operatöre iletilemedi",
    "11": "operatör kabul etmedi",
    "12": "gönderim hatası",
    "13": "mükerrer gönderim",
    "14": "bakiye yetersiz",
    "15": "kara listede",
    "16": "İYS reddetti",
    "17": "İYS hatası",
    "103": "görevin tamamı başarısız",
}
JOBS_A_QUESTION, IDS_A_QUESTION, PAGE_ROWS, MAX_PAGES = 50, 300, 100, 10
WINDOW, BEFORE, AFTER = timedelta(hours=1), timedelta(minutes=1), timedelta(minutes=5)


class Netgsm(Pooled):
    """Needs the user code and password of an API sub-user, and a registered header."""

    def login(self) -> tuple[str, str]:
        return self.options["usercode"], self.options["password"]

    def send(self, messages: Sequence[Sms], key: str) -> list[Verdict]:
        order = {"msgheader": self.options["header"], "iysfilter": "0", "referansID": key, **_encoding(messages)}
        order["messages"] = [{"msg": message.text, "no": _number(message.phone)} for message in messages]
        answer = self.wire.send("/sms/rest/v2/send", as_json(order))
        state, reason = SENT.judge(answer, answer.data.get("code") if answer else None)
        job = answer.data.get("jobid") if answer else None
        if state != "done" or not job:
            return everyone(messages, state, reason)
        return _taken(str(job), messages)

    def look_up(self, messages: Sequence[Sms], key: str, at: datetime | None = None) -> list[Verdict | None]:
        """By `referansID` among the reports of the minutes about `at`, else of the last hour. What is not found there
        stays unknown: reports may be late, cut off at the last page, or without our name."""
        about = (at or datetime.now(UTC)).astimezone(ZoneInfo("Europe/Istanbul"))
        window = {"startdate": about - (BEFORE if at else WINDOW), "stopdate": about + (AFTER if at else BEFORE)}
        rows = self._rows({edge: f"{time:%d.%m.%Y %H:%M:%S}" for edge, time in window.items()})
        job = next((row.get("jobid") for row in rows if row.get("referansID") == key), None)
        if not job:
            return [*everyone(messages, "unknown", "Netgsm: raporlarda bulunamadı")]
        return [*_taken(str(job), messages)]

    def reports(self, ids: Sequence[str]) -> dict[str, Delivery]:
        return gather(_questions(by_order(ids)), self._reports)

    def _reports(self, jobs: dict[str, list[str]]) -> dict[str, Delivery]:
        rows: dict[str, dict[str, Delivery]] = {}
        for row in self._rows({"jobids": [*jobs]}, enough=sum(map(len, jobs.values()))):
            rows.setdefault(str(row.get("jobid")), {})[str(row.get("number"))] = _delivery(row)
        return {name: found for job, ids in jobs.items() for name, found in told(ids, rows.get(job, {}))}

    def _rows(self, question: dict[str, Any], enough: float = math.inf) -> Iterator[dict[str, Any]]:
        for page in range(MAX_PAGES):
            whole = {**question, "pagenumber": page, "pagesize": PAGE_ROWS}
            answer = self.wire.ask("/sms/rest/v2/report", post=whole)
            REPORTED.require(answer, answer.data.get("code"))
            rows = objects(answer.data.get("jobs"))
            yield from rows
            if len(rows) < PAGE_ROWS or (page + 1) * PAGE_ROWS >= enough:
                return


def _taken(job: str, messages: Sequence[Sms]) -> list[Verdict]:
    return [Verdict("done", each) for each in provider_ids(job, [message.phone for message in messages])]


def _encoding(messages: Sequence[Sms]) -> dict[str, Any]:
    """The costliest that any text needs; none for the default alphabet, which allows the longest texts."""
    needed = {alphabet_of(message.text) for message in messages}
    encoding = next(ENCODINGS[name] for name in ("UCS-2", "GSM-7-TR", "GSM-7") if name in needed)
    return {"encoding": encoding} if encoding else {}


def _number(phone: str) -> str:
    """5551234567 within Turkey, 00… abroad."""
    return phone.removeprefix("+90") if phone.startswith("+90") else f"00{phone[1:]}"


def _questions(jobs: dict[str, list[str]]) -> Iterator[dict[str, list[str]]]:
    """Jobs by as many as one question may name, and few enough messages that its pages stay below the limit."""
    asked: dict[str, list[str]] = {}
    for job, ids in jobs.items():
        if asked and (len(asked) == JOBS_A_QUESTION or sum(map(len, asked.values())) + len(ids) > IDS_A_QUESTION):
            yield asked
            asked = {}
        asked[job] = ids
    if asked:
        yield asked


def _delivery(row: dict[str, Any]) -> Delivery:
    """States that nobody documented count as waiting: they may yet become one that is."""
    status, at = str(row.get("status")), istanbul(row.get("deliveredDate"), "%d.%m.%Y %H:%M:%S")
    if status in UNDELIVERED:
        return Delivery("undelivered", f"Netgsm {status}: {UNDELIVERED[status]}", at)
    return Delivery("delivered", None, at) if status == "1" else Delivery("waiting")
