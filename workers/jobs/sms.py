"""SMS: one, or thousands. (What is found out later about those that were sent: reports.py.)"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import uuid4
from zoneinfo import ZoneInfo

from typing_extensions import TypedDict

from workers import messages as evidence
from workers import settings
from workers.engine import job, limits, outgoing, this_task
from workers.engine.flights import NO_ANSWER
from workers.engine.ledger import Entry, Item
from workers.engine.limits import Caps
from workers.engine.registry import Asked
from workers.errors import (
    BadPhone,
    BadText,
    DatabaseDown,
    GatewayRefused,
    InvalidInput,
    LimitReached,
)
from workers.messages import Way

if TYPE_CHECKING:
    from workers.services.request_sizes import RequestSize
    from workers.services.sending import Verdict
    from workers.services.sms_gateways import Gateway, Sms
    from workers.services.sms_rows import Row

ONE = {"tr": "SMS gönderiliyor...", "en": "Sending the SMS..."}
MANY = {"tr": "SMS'ler gönderiliyor...", "en": "Sending the messages..."}
SENT = {"tr": "SMS gönderildi!", "en": "SMS sent!"}, {"tr": "SMS'ler gönderildi!", "en": "Messages sent!"}
TRIES = 10  # with back-off a quarter of an hour: what a single SMS waits for a gateway that is away; a bulk waits a day
STOPPED = {"day": "Günlük gönderim sınırı doldu", "number": "Bu numaraya kısa sürede çok SMS gönderildi"}
_sizes: dict[str, "RequestSize"] = {}  # of each account, as this process has seen it


class Message(TypedDict):
    phone: str
    message: str


def _one(_: list[Any], params: dict[str, Any], asked: Asked) -> list[Entry]:
    """The item of a single SMS, counted against the caps now, while somebody still waits for the answer."""
    [row] = _looked([params], params)
    if row.e164 is None or row.reason:
        raise InvalidInput([{"field": "message" if row.e164 else "phone", "message": str(row.reason)}])
    caps = caps_of(evidence.way(params["company_id"], "sms"))
    count_one(caps, row.e164, asked)
    return [Entry(None, _mask(row.e164))]


def count_one(caps: Caps, recipient: str, asked: Asked) -> None:
    """Count a single message against the caps, while somebody waits for the answer; raises LimitReached."""
    named = [(evidence.digest(recipient), asked.name)]
    [(what, seconds)] = limits.admit(caps, named, timeout_s=limits.ASKED_TIMEOUT_S)
    if what:
        raise LimitReached(what=STOPPED[what], retry_after_s=seconds or _until_tomorrow_s())


def _many(rows: list[Any], params: dict[str, Any], _: Asked) -> list[Entry]:
    return [_entry(posted, row) for posted, row in zip(rows, _looked(rows, params), strict=True)]


def _looked(rows: list[Any], params: dict[str, Any]) -> "list[Row]":
    from workers.services import sms_gateways, sms_rows

    way = evidence.way(params["company_id"], "sms")
    billing = sms_gateways.billing_of(way.provider, way.options)
    return sms_rows.look(rows, countries=settings.current().countries, billing=billing, plain=params["plain"])


def _entry(posted: dict[str, Any], row: "Row") -> Entry:
    ref = _mask(row.e164 or row.phone)
    if row.reason:
        return Entry(posted, ref, "failed", row.reason)
    if row.first:
        return Entry(posted, ref, "skipped", f"Bu alıcı {row.first}. sırada da var; ona bir kez gönderilir")
    return Entry({**posted, "e164": row.e164}, ref)


def _mask(phone: str) -> str:
    from workers.services import phones

    return phones.mask(phone)


@job(queue="sms", retries=TRIES, single=True, sift=_one, note=evidence.told, accepted=ONE, ended=SENT[0])
def send_sms(phone: str, message: str, company_id: int, plain: bool = False) -> dict[str, int]:
    """Send an SMS. `plain` spells Turkish letters without their marks, which may save a segment."""
    work = outgoing.of([{"phone": phone, "message": message}], named=("sms", phone, message))
    with sms_desk(work, company_id, _reader(plain), counted=True) as desk:
        return desk.send_all()


@job(queue="sms", retries=TRIES, items="messages", sift=_many, note=evidence.told, accepted=MANY, ended=SENT[1])
def send_bulk_sms(messages: list[Message], company_id: int, plain: bool = False) -> dict[str, int]:
    """Send many SMS, one to each recipient."""
    with sms_desk(outgoing.of(messages), company_id, _reader(plain), once=True) as desk:
        return desk.send_all()


def _reader(plain: bool) -> Callable[[Item], tuple[str, str]]:
    from workers.services import sms_text

    def read(item: Item) -> tuple[str, str]:
        return item.value["phone"], sms_text.plain(item.value["message"]) if plain else item.value["message"]

    return read


def caps_of(way: Way) -> Caps:
    """The company's own caps, else those of the settings; mails have no other cap than a company's own."""
    chosen = settings.current()
    day = datetime.now(ZoneInfo(chosen.timezone)).date().isoformat()
    if way.channel == "email":
        return Caps(way.scope, way.channel, day, way.limits.get("mail_daily_cap"))
    daily = way.limits.get("sms_daily_cap", chosen.sms_daily_cap)
    return Caps(way.scope, way.channel, day, daily, way.limits.get("sms_per_number", chosen.sms_per_number))


def _until_tomorrow_s() -> int:
    here = datetime.now(ZoneInfo(settings.current().timezone))
    tomorrow = (here + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
    return int((tomorrow - here).total_seconds()) + 1


@contextmanager
def sms_desk(
    work: Any, company_id: int | None, read: Callable[[Item], tuple[str, str]], **how: bool
) -> Iterator["Desk"]:
    """A desk at the company's gateway, for one slice; while its account rests, the whole task waits."""
    from workers.services.sms_gateways import open_gateway

    way = evidence.way(company_id, "sms")
    if way.paused:
        work.wait(outgoing.PAUSED_S, way.paused)
    batch = settings.current().sms_batch(way.provider)
    with open_gateway(way.provider, way.options, batch=batch) as gateway, work.under_way():
        yield Desk(work, way, gateway, read, **how)


class Desk:
    """Sends the items of a task by one gateway. `read` gives an item's phone and text; `once`: one message to each
    recipient of the task; `counted`: the caps have been asked already."""

    def __init__(
        self, work: Any, way: Way, gateway: "Gateway", read: Callable[[Item], tuple[str, str]], **how: bool
    ) -> None:
        from workers.services.request_sizes import RequestSize

        self.work, self.way, self.gateway, self.read, self.how = work, way, gateway, read, how
        self.rate = settings.current().sms_rate_per_second
        self.gate = limits.Gate(way.account, self.rate)
        self.size = _sizes.setdefault(f"{way.account}:{gateway.batch}", RequestSize(gateway.batch))
        self.caps = caps_of(way)
        self.task_id = this_task().id or str(uuid4())  # what is simply called is a task of its own
        self.note = evidence.evidence(way, self.task_id, lambda item: self._texts[item.position].phone)
        self._texts: dict[int, Sms] = {}
        self._alone: set[int] = set()

    def send_all(self) -> dict[str, int]:
        for batch in self.work.requests(self.gateway.batch, self.look_up, evidence.told):
            if left := self.work.not_begun(batch, evidence, self.look_up):
                self.send(left)
        return dict(self.work.tally())

    def send(self, batch: list[Item]) -> None:
        """Send a batch, or as much of it as may go at once; the rest stays pending. What was once in one request goes
        out as it was: a gateway may know it by its key."""
        from workers.services.sms_gateways import requests_of

        if batch[0].request_key is None:
            batch = batch[: max(1, min(self.size.size, int(self.rate)))]
        self._prepare(batch)
        alone = [item for item in batch if item.state == "pending" and item.id in self._alone]
        by_ref = {ref_of(item): item for item in batch}
        refused = [item for item in batch if item.state != "pending"]
        texts = [self._texts[item.position] for item in batch if item.state == "pending" and item not in alone]
        for request in [[by_ref[text.ref] for text in texts] for texts in requests_of(self.gateway, texts)] or [[]]:
            self.work.send([*refused, *request], self._call, self.note, gate=self.gate)
            refused = []
            if self.size.last is None:  # let the first request say how large the second may be
                self.work.land()
        for item in alone:
            item.request_key = None
            self.work.send([item], self._call, self.note, gate=self.gate)

    def look_up(self, batch: list[Item], key: str) -> bool:
        """End those that the gateway knows, set back those that it never got; False if it can't tell, as of what
        another one was given, before the company changed it."""
        if evidence.sent_elsewhere(self.way, key):
            return False
        verdicts = self.gateway.look_up([self._text(item) for item in batch], key)
        for item, verdict in zip(batch, verdicts or [], strict=False):
            if verdict:
                judge(item, verdict)
            else:
                item.later()
        return verdicts is not None

    def _prepare(self, batch: list[Item]) -> None:
        """Refuse what can't or may not be sent; all that was sent before passes: it was counted then."""
        fresh: list[tuple[str, Item]] = []
        for item in batch:
            try:
                text = self._texts[item.position] = self._text(item)
            except (BadPhone, BadText) as error:
                item.fail(error.message)
                continue
            if item.request_key is None:
                fresh.append((evidence.digest(text.phone), item))
        if self.how.get("once"):
            self._skip_repeated(fresh)
        counted = [(hashed, item) for hashed, item in fresh if item.state == "pending" and not self.how.get("counted")]
        if counted:
            told = limits.admit(self.caps, [(hashed, name_of(item)) for hashed, item in counted])
            for (_, item), (what, _) in zip(counted, told, strict=True):
                if what:
                    item.skip(STOPPED[what])

    def _skip_repeated(self, fresh: list[tuple[str, Item]]) -> None:
        first: dict[str, Item] = {}
        for hashed, item in fresh:
            if first.setdefault(hashed, item) is not item:
                item.skip("Aynı alıcı bu listede bir kez daha var")
        for hashed, item_id in evidence.reached(self.task_id, first).items():
            if first[hashed].id != item_id:
                first[hashed].skip("Bu alıcıya bu görevde zaten gönderildi")

    def _text(self, item: Item) -> "Sms":
        from workers.services.sms_gateways import Sms

        phone, text = self.read(item)
        e164 = item.value.get("e164")
        if e164 is None:  # else it was judged when it was accepted
            from workers.services import phones

            e164 = phones.parse(phone, settings.current().countries).e164
            self.gateway.billing.measure(text)
        return Sms(ref_of(item), e164, text)

    def _call(self, ready: list[Item], key: str) -> None:
        from workers.services.sms_gateways import refused_together

        began_at = time.monotonic()
        try:
            verdicts = self.gateway.send([self._texts.pop(item.position) for item in ready], key)
        except GatewayRefused as error:
            with suppress(DatabaseDown):
                evidence.pause(self.way, error.message)
            raise
        self.size.took(len(ready), time.monotonic() - began_at)
        if refused_together(verdicts):  # the gateway does not say which of them is at fault
            for item in ready:
                item.later()
            self._alone.update(item.id for item in ready)
            return
        for item, verdict in zip(ready, verdicts, strict=True):
            judge(item, verdict)


def name_of(item: Item) -> str:
    """By which it is counted once; without a ledger every call is another message."""
    return str(item.id) if item.id else uuid4().hex


def ref_of(item: Item) -> str:
    return str(item.id or item.position)


def judge(item: Item, verdict: "Verdict") -> None:
    if verdict.state == "done":
        item.done(provider_id=verdict.provider_id)
    elif verdict.state == "failed":
        item.fail(verdict.reason or "Ağ geçidi kabul etmedi")
    else:
        item.unsure(verdict.reason or NO_ANSWER)
