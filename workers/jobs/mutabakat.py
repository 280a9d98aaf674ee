"""Letters of mutabakat on their way: made as PDF once, mailed as attachments, announced by SMS."""

import hashlib
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, Literal

from workers import files, records, settings
from workers import messages as evidence
from workers.engine import Ref, job, outgoing, this_task
from workers.engine.ledger import Entry, Item
from workers.errors import BadAddress, BadPhone, InvalidInput, MissingRecord
from workers.jobs import sms
from workers.jobs.email import READ_AHEAD, TRIES, Draft, mail_desk

if TYPE_CHECKING:
    from workers.services.letters import Letter

LETTERS = {"tr": "Mektuplar gönderiliyor...", "en": "Sending the letters..."}
SENT = {"tr": "Mektuplar gönderildi!", "en": "The letters were sent!"}
FOUND_OUT = evidence.letters_sent(evidence.told)
MutabakatId = Annotated[int, Ref("mutabakat")]


def _letters(rows: list[Any], params: dict[str, Any], _: Any) -> list[Entry]:
    """An item for each letter and channel: first all mails, then the SMS that announce them."""
    if not params["channels"]:
        raise InvalidInput([{"field": "channels", "message": "name at least one of email, sms"}])
    ids = list(dict.fromkeys(rows))
    return [
        Entry({"id": one, "channel": channel}, str(one)) for channel in _channels(params["channels"]) for one in ids
    ]


def _channels(named: Iterable[str]) -> list[str]:
    return [channel for channel in ("email", "sms") if channel in named]


@job(queue="email", retries=TRIES, items="mutabakat_ids", sift=_letters, note=FOUND_OUT, accepted=LETTERS, ended=SENT)
def send_mutabakat(mutabakat_ids: list[MutabakatId], channels: list[Literal["email", "sms"]]) -> dict[str, int]:
    """Send letters of mutabakat: made as PDF (once), mailed as attachment, announced by SMS."""
    given = mutabakat_ids
    if isinstance(given, list):
        given = [{"id": one, "channel": channel} for channel in _channels(channels) for one in given]  # type: ignore[misc]
    work, post = outgoing.of(given), Post()
    company_id = this_task().company_id or post.company_of(mutabakat_ids)
    with ExitStack() as open_desks:
        desks: dict[str, Any] = {}
        if "email" in channels:
            desks["email"] = open_desks.enter_context(mail_desk(work, company_id, post.mail, bulk=True))
            desks["email"].to = post.address
        if "sms" in channels:
            desks["sms"] = open_desks.enter_context(sms.sms_desk(work, company_id, post.announcement))
        for desk in desks.values():
            desk.note = evidence.letters_sent(desk.note)
        for batch in work.requests(READ_AHEAD, post.look_up(desks), FOUND_OUT):
            post.fetch(batch)
            for channel, desk in desks.items():
                if mine := [item for item in batch if item.value["channel"] == channel]:
                    desk.send(mine)
    return dict(work.tally())


class Post:
    """The letters of one task, and what is written beside them; a missing address or number is the item's reason."""

    def __init__(self) -> None:
        self._records: dict[int, dict[str, Any]] = {}

    def company_of(self, ids: Any) -> int | None:
        """The company of letters that are sent without a worker."""
        found = records.mutabakat(list(ids)[:1]) if isinstance(ids, list) else {}
        return next((record["company_id"] for record in found.values()), None)

    def fetch(self, batch: list[Item]) -> None:
        self._records = records.mutabakat([item.value["id"] for item in batch])

    def look_up(self, desks: dict[str, Any]) -> Callable[[list[Item], str], bool]:
        def ask(batch: list[Item], key: str) -> bool:
            if batch[0].value["channel"] != "sms" or "sms" not in desks:
                return False
            self.fetch(batch)
            return bool(desks["sms"].look_up(batch, key))

        return ask

    def mail(self, item: Item) -> Draft:
        from workers.services import letter_mails, letters
        from workers.services.mail_text import Attachment

        record, letter = self._letter(item)
        if not (to := records.contact(record, "email")):
            raise BadAddress(reason="carinin e-posta adresi yok")
        made_of = hashlib.sha256(repr(letter).encode()).hexdigest()
        pdf = files.kept(f"letters/{record['company_id']}/{made_of}.pdf", partial(letters.draw, letter))
        file = Attachment(letters.file_name(letter), "application/pdf", pdf)
        return Draft(to, letter_mails.subject(letter), letter_mails.body(letter), None, [file])

    def address(self, item: Item) -> str:
        record = self._records.get(item.value["id"])
        return records.contact(record, "email") if record else ""

    def announcement(self, item: Item) -> tuple[str, str]:
        from workers.services import letter_mails, phones

        record, letter = self._letter(item)
        if not (phone := records.contact(record, "phone")):
            raise BadPhone(reason="carinin telefonu yok")
        item.ref = phones.mask(phone)  # all that can be shown of what is no mobile
        e164 = phones.parse(phone, settings.current().countries).e164
        item.ref = phones.mask(e164)
        return e164, letter_mails.announcement(letter)

    def _letter(self, item: Item) -> "tuple[dict[str, Any], Letter]":
        from workers.services import snapshots

        record = self._records.get(item.value["id"])
        if record is None:
            raise MissingRecord(what="mutabakat", id=item.value["id"])
        item.output = record["snapshot"]  # by the time that it is sent its record may say something else
        return record, snapshots.letter(record, zone=settings.current().timezone)
