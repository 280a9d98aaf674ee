"""Mail: one, or thousands."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from email.message import EmailMessage
from typing import TYPE_CHECKING, Annotated, Any
from uuid import uuid4

from typing_extensions import TypedDict

from workers import files, settings
from workers import messages as evidence
from workers.engine import Ref, job, limits, outgoing, this_task
from workers.engine.flights import FLIGHT_S, Beginning
from workers.engine.ledger import Entry, Item
from workers.engine.registry import Asked
from workers.errors import (
    BadAddress,
    BadSettings,
    DatabaseDown,
    GatewayRefused,
    InvalidInput,
    InvalidLetter,
    MissingRecord,
)
from workers.jobs import sms
from workers.messages import Way

if TYPE_CHECKING:
    from workers.services.mail_session import MailSession
    from workers.services.mail_text import Attachment

ONE = {"tr": "E-posta gönderiliyor...", "en": "Sending the mail..."}
MANY = {"tr": "E-postalar gönderiliyor...", "en": "Sending the mails..."}
ONE_SENT = {"tr": "E-posta gönderildi!", "en": "The mail was sent!"}
MANY_SENT = {"tr": "E-postalar gönderildi!", "en": "The mails were sent!"}
TRIES = 10
READ_AHEAD = 100  # items read at once; each is a request of its own
PAUSES_S = (240, 900, 3600, 14_400, 28_800, 43_200)  # for a recipient whose server defers: over a day in all
TOGETHER_AT_MOST_BYTES = 2**20  # of attachments in mails that wait for their turn
AT_ONCE = Beginning(None, [])
FROM = "Sıra <sira@localhost.localdomain>"
FileId = Annotated[str, Ref("file")]


class _Mail(TypedDict):
    to: str
    subject: str
    body: str


class Mail(_Mail, total=False):
    html: str | None
    attachments: list[FileId] | None


@dataclass
class Draft:
    """A mail to be composed."""

    to: str
    subject: str
    body: str
    html: str | None = None
    attachments: "list[Attachment]" = field(default_factory=list)


def _one(_: list[Any], params: dict[str, Any], asked: Asked) -> list[Entry]:
    """The item of a single mail, counted against the cap now, while somebody still waits for the answer."""
    entries = _notice(_, params, asked)
    if asked.scope:
        caps = sms.caps_of(evidence.way(int(asked.scope), "email"))
        if caps.daily is not None:
            sms.count_one(caps, params["to_email"], asked)
    return entries


def _notice(_: list[Any], params: dict[str, Any], __: Asked) -> list[Entry]:
    from workers.services import addresses

    fault = _fault({**params, "to": params["to_email"]})
    if fault:
        raise InvalidInput([{"field": "to_email" if fault[0] == "to" else fault[0], "message": fault[1]}])
    return [Entry(None, addresses.mask(params["to_email"]))]


def _many(rows: list[Any], *_: Any) -> list[Entry]:
    from workers.services import addresses

    seen: dict[str, int] = {}
    entries = []
    for position, row in enumerate(rows, 1):
        ref, fault = addresses.mask(row["to"])[:120], _fault(row)
        first = None if fault else seen.setdefault(addresses.check(row["to"]).lower(), position)
        if fault:
            entries.append(Entry(row, ref, "failed", fault[1]))
        elif first != position:
            entries.append(Entry(row, ref, "skipped", f"Bu alıcı {first}. sırada da var; ona bir kez gönderilir"))
        else:
            entries.append(Entry(row, ref))
    return entries


def _fault(row: dict[str, Any]) -> tuple[str, str] | None:
    """What is wrong with a mail, seen without composing it: the field and the reason."""
    from workers.services import addresses, mail_headers, mail_text

    try:
        addresses.check(row["to"])
    except BadAddress as error:
        return "to", error.message
    if not mail_headers.is_line(row["subject"]):
        return "subject", "must not hold control characters"
    if not row["subject"].strip() or len(row["subject"]) > mail_text.MAX_SUBJECT:
        return "subject", f"must have 1 to {mail_text.MAX_SUBJECT} characters"
    for name in ("body", "html"):
        if "\0" in (row.get(name) or ""):
            return name, "must not hold NUL"
    return None


@job(queue="email", retries=TRIES, single=True, sift=_one, note=evidence.told, accepted=ONE, ended=ONE_SENT)
def send_email(
    to_email: str, subject: str, body: str, html: str | None = None, attachments: list[FileId] | None = None
) -> dict[str, int]:
    """Send a mail, as text and, if given, HTML. `attachments` are ids of the company's files."""
    row = {"to": to_email, "subject": subject, "body": body, "html": html, "attachments": attachments}
    with mail_desk(outgoing.of([row], named=row), this_task().company_id, _read, counted=True) as desk:
        return desk.send_all()


@job(queue="maintenance", retries=TRIES, single=True, sift=_notice, note=evidence.told, accepted=ONE)
def send_notice(to_email: str, subject: str, body: str) -> dict[str, int]:
    """Send a mail of the service's own, such as that a password expires: nobody is told that it was sent."""
    return send_email(to_email, subject, body)


@job(queue="email", retries=TRIES, items="emails", sift=_many, note=evidence.told, accepted=MANY, ended=MANY_SENT)
def send_bulk_emails(emails: list[Mail]) -> dict[str, int]:
    """Send many mails, one to each recipient; none to who asked for no more (RFC 8058)."""
    with mail_desk(outgoing.of(emails), this_task().company_id, _read, bulk=True, once=True) as desk:
        return desk.send_all()


def _read(item: Item) -> Draft:
    from workers.services.mail_text import ATTACHED_AT_MOST_BYTES, Attachment

    value, attached = item.value, []
    for file_id in value.get("attachments") or ():
        name, content_type, data = files.attachment(file_id, this_task().company_id)
        attached.append(Attachment(name, content_type, data))
    if sum(len(file.data) for file in attached) > ATTACHED_AT_MOST_BYTES:
        raise BadAddress(reason=f"ekler {ATTACHED_AT_MOST_BYTES >> 20} MB'tan büyük")
    return Draft(value["to"], value["subject"], value["body"], value.get("html"), attached)


@contextmanager
def mail_desk(work: Any, company_id: int | None, read: Callable[[Item], Draft], **how: bool) -> Iterator["Desk"]:
    """A desk at the company's mail server, for one slice; while its account rests, the whole task waits."""
    from workers.services.mail_session import MailSession

    way = evidence.way(company_id, "email")
    if way.paused:
        work.wait(outgoing.PAUSED_S, way.paused)
    if not way.options["url"]:
        raise BadSettings(reason="SMTP_URL is not set")
    with MailSession(way.options["url"]) as session, work.under_way():
        yield Desk(work, way, session, read, **how)


class Desk:
    """Sends mails by one session. `bulk`: each can be unsubscribed by one click, and whoever did gets none; `once`: one
    to each recipient of the task; `counted`: the cap has been asked already."""

    def __init__(self, work: Any, way: Way, session: "MailSession", read: Callable[[Item], Draft], **how: bool) -> None:
        from workers.services import mail_text

        self.to: Callable[[Item], str] = lambda item: str(item.value["to"])
        self.work, self.way, self.session, self.read, self.how = work, way, session, read, how
        self.sender = mail_text.sender_of(way.options.get("mail_from") or settings.current().mail_from or FROM)
        self.caps = sms.caps_of(way)
        self.task_id = this_task().id or str(uuid4())  # what is simply called is a task of its own
        self.rate = settings.current().mail_rate_per_second
        self.gate = limits.Gate(way.account, self.rate)
        self.note = evidence.evidence(way, self.task_id, lambda item: self._mails[item.position][0])
        self._mails: dict[int, tuple[str, EmailMessage]] = {}

    def send_all(self) -> dict[str, int]:
        for batch in self.work.requests(READ_AHEAD, None, evidence.told, singly=True):
            self.send(self.work.not_begun(batch, evidence))
        return dict(self.work.tally())

    def send(self, batch: list[Item]) -> None:
        """Send each by itself, as long as the slice lasts: those that are left stay pending."""
        fresh = [item for item in batch if item.request_key is None]
        unwanted, counted = self._unwanted(fresh), {item.position for item in batch} - {item.position for item in fresh}
        while batch and not self.work.over:
            some = batch[: max(1, min(self.work.at_once, int(self.rate * FLIGHT_S)))]
            batch = batch[len(some) :]
            flight, attached = list[Item](), 0
            for item in some:
                attached += self._prepare(item)
                reason = unwanted.get(item.position) or (item.position not in counted and self._over_cap(item))
                if item.state == "pending" and reason:
                    item.skip(reason)
                flight.append(item)
                if attached > TOGETHER_AT_MOST_BYTES or self.work.over:
                    break
            self.work.send(flight, self._call, self.note, singly=True, gate=self.gate)
            batch = some[len(flight) :] + batch

    def _prepare(self, item: Item) -> int:
        """Compose it, under a Message-ID that is the same at every try; or refuse it with the reason. Gives the bytes
        of its attachments."""
        from workers.services import addresses

        item.request_key = item.request_key or uuid4().hex
        try:
            draft = self.read(item)
            to = addresses.check(draft.to)
            item.ref = addresses.mask(to)[:120]
            self._mails[item.position] = to, self._composed(item, draft, to)
            return sum(len(file.data) for file in draft.attachments)
        except (BadAddress, InvalidInput, InvalidLetter, MissingRecord) as error:
            item.fail(error.message)
            return 0

    def _unwanted(self, fresh: list[Item]) -> dict[int, str]:
        """Why some of these need no mail, by position: asked for with a query for all of them, not one for each."""
        if not self.how.get("bulk"):
            return {}
        from workers.services import addresses

        by_address: dict[str, list[Item]] = {}
        for item in fresh:
            with suppress(BadAddress):
                by_address.setdefault(addresses.check(self.to(item)).lower(), []).append(item)
        found: dict[int, str] = {}
        if self.how.get("once"):
            reached = evidence.reached(self.task_id, map(evidence.digest, by_address))
            for to, items in by_address.items():
                again = [item for item in items if reached.get(evidence.digest(to), item.id) != item.id] or items[1:]
                found |= dict.fromkeys((item.position for item in again), "Bu alıcıya bu görevde zaten gönderildi")
        for to in evidence.suppressed(self.way.company_id, by_address):
            reason = "Alıcı bu gönderenden e-posta istemediğini bildirdi"
            found |= dict.fromkeys((item.position for item in by_address[to]), reason)
        return found

    def _over_cap(self, item: Item) -> str | None:
        if self.caps.daily is None or self.how.get("counted") or item.state != "pending":
            return None
        [(what, _)] = limits.admit(self.caps, [(evidence.digest(self.to(item).lower()), sms.name_of(item))])
        return sms.STOPPED["day"] if what else None

    def _composed(self, item: Item, draft: Draft, to: str) -> EmailMessage:
        from workers.services import mail_text

        named = f"{self.task_id} {item.id or item.position}"  # also when somebody retries it
        message_id = mail_text.message_id(named, self.sender.address.rpartition("@")[2])
        item.provider_id = message_id
        return mail_text.compose(
            message_id=message_id,
            sender=mail_text.Sender(self.way.sender or self.sender.name, self.sender.address),
            reply_to=self.way.reply_to,
            **{"to": to, "subject": draft.subject, "body": draft.body, "html": draft.html},  # type: ignore[arg-type]
            attachments=draft.attachments,
            unsubscribe_url=self._unsubscribe_url(to) if self.how.get("bulk") else None,
        )

    def _unsubscribe_url(self, to: str) -> str | None:
        if self.way.company_id is None:
            return None
        return f"{settings.current().base_url}/u/{evidence.unsubscribe_token(self.way.company_id, to)}"

    def _call(self, ready: list[Item], key: str, beginning: Beginning = AT_ONCE) -> None:
        from workers.services.mail_answers import Deferred

        [item] = ready
        to, message = self._mails.pop(item.position)  # its attachments may be large
        try:
            steps = {"meanwhile": beginning.say, "before_content": beginning.sure}
            verdict = self.session.send(message, to, again=item.attempts > 1, **steps)
        except GatewayRefused as error:
            with suppress(DatabaseDown):
                evidence.pause(self.way, error.message)
            raise
        paused = (item.attempts - 1) % (len(PAUSES_S) + 1)  # who sends a failed one again gives it as many tries again
        if not isinstance(verdict, Deferred):
            sms.judge(item, verdict)
        elif paused < len(PAUSES_S):
            item.later(verdict.reason, pause_s=max(verdict.retry_after_s, PAUSES_S[paused]))
        else:
            item.fail(verdict.reason)
