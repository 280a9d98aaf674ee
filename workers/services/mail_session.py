"""One SMTP session, used for mail after mail.

A mail is offered (MAIL, RCPT, DATA) and, once the server has asked for it, its content is sent. Before that nothing can
have been accepted: a connection that proves dead or used up is opened anew, once, and the mail is offered again. From
the first byte of the content on, an answer that can't be read means `unknown`. smtplib's own `sendmail` does not tell
these moments apart, so its commands are given one by one.

Whether a server is in trouble is found out over many sessions: a slice takes two seconds, a single mail is a session.
"""

import re
import smtplib
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from email.message import EmailMessage
from email.policy import Policy
from functools import lru_cache
from typing import Self

from workers.errors import GatewayBusy
from workers.services import addresses, mail_servers
from workers.services.mail_answers import DEFERRAL_S, STAGES, Answer, Deferred, Trouble, judge
from workers.services.sending import Verdict

ACCEPTING_TAKES = 4  # times as long as other answers: content is scanned before; RFC 5321 4.5.3.2.6 wants 10 minutes
CHUNK_BYTES = 1 << 16
QUIT_S = 2.0
LOST = (smtplib.SMTPServerDisconnected, smtplib.SMTPResponseException, OSError)  # the second: a reply without end
Step = Callable[[], None]
Said = Verdict | Deferred | Trouble
UNKNOWN = Verdict("unknown", reason="Posta sunucusu ileti gönderilirken yanıt vermedi; alıp almadığı bilinmiyor")
_in_trouble: dict[mail_servers.Server, tuple[str, float]] = {}  # the recipient who heard it first, and when


def _nothing() -> None:
    pass


class HungUp(smtplib.SMTPServerDisconnected):
    """The server may have heard of the recipient before it fell silent: that may be why."""


class MailSession:
    """`with MailSession(url) as session: verdict = session.send(message, "ali@ornek.com")`, one mail at a time.

    It connects at the first mail, or before by `open`, and ends with QUIT.
    """

    def __init__(self, url: str, *, timeout_s: float = 30) -> None:
        """`url`: see `mail_servers.read_url`, raises BadSettings. `timeout_s`: the patience with each answer, and four
        times as much with that to a content."""
        self._server, self._timeout_s = mail_servers.read_url(url), timeout_s
        self._trusted = mail_servers.trust(self._server)
        self._smtp: smtplib.SMTP | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def open(self) -> None:
        """Connect, encrypt and sign in, unless that is done. Raises GatewayAway, GatewayBusy, GatewayRefused."""
        if self._smtp is None:
            self._smtp = mail_servers.connect(self._server, self._trusted, self._timeout_s)

    def close(self) -> None:
        with suppress(*LOST):
            self._be_patient(min(QUIT_S, self._timeout_s))
            self._live.quit()
        self._drop()

    def send(
        self,
        message: EmailMessage,
        to: str,
        *,
        again: bool = False,
        meanwhile: Step = _nothing,
        before_content: Step = _nothing,
    ) -> Verdict | Deferred:
        """Mail it to one address, from the one in its From. Whichever of our errors is raised: nothing was sent.

        `again`: this recipient was put off before, so that what it hears says nothing of the others. `meanwhile` is
        done while the server thinks about the offer, perhaps more than once; `before_content` before the first byte of
        the content: what it raises keeps the mail from being sent.

        A Verdict: done (`provider_id` is the Message-ID), failed (the reason has the server's code) or unknown; or
        Deferred: this recipient later, the others now. Raises GatewayBusy (the server wants all mail later, see
        mail_answers), GatewayAway (no server, TLS or greeting), GatewayRefused (the account, its sender), BadAddress.
        """
        sender, recipient, content = _sender(message), addresses.check(to), _content(message)
        try:
            said = self._begin(sender, recipient, len(content), meanwhile)
            if said is None:
                before_content()
                said = self._deliver(content, recipient, _message_id(message))
            return self._told(said, recipient, again)
        except BaseException:  # nobody can go on with a conversation that was left between question and answer
            self._drop()
            raise

    def _begin(self, sender: str, recipient: str, size: int, meanwhile: Step) -> Said | None:
        """Offer the mail; on another connection where the present one was dropped while idle or has had its fill."""
        reused = self._smtp is not None
        try:
            said = self._offer(sender, recipient, size, meanwhile)
            if not (reused and isinstance(said, Trouble)):
                return said
        except GatewayBusy:
            if not reused:
                raise
        except LOST:
            pass
        self._drop()
        try:
            return self._offer(sender, recipient, size, meanwhile)
        except HungUp as error:
            self._drop()
            return Trouble(DEFERRAL_S, " ".join(str(error).split()))
        except LOST as error:
            raise mail_servers.away(self._server, error) from error

    def _offer(self, sender: str, recipient: str, size: int, meanwhile: Step) -> Said | None:
        """MAIL, RCPT and DATA; None when the server waits for the content."""
        self.open()
        features = self._live.esmtp_features
        limit = features.get("size", "")
        if limit.isdigit() and 0 < int(limit) < size:
            return Verdict("failed", reason=f"Posta sunucusu en çok {limit} bayt alıyor, ileti {size} bayt")
        told_size = f" SIZE={size}" if "size" in features else ""
        answers = self._ask([f"MAIL FROM:<{sender}>{told_size}", f"RCPT TO:<{recipient}>", "DATA"], meanwhile)
        for stage, answer in zip(STAGES, answers, strict=False):
            if refused := judge(stage, answer, recipient):
                self._start_over(answers[-1])
                return refused
        if answers[-1].code != 354:
            raise smtplib.SMTPServerDisconnected(f"{answers[-1].code} where 354 was due")
        return None

    def _ask(self, commands: Sequence[str], meanwhile: Step) -> list[Answer]:
        """Their answers: up to the first refusal, or all of them where the server takes commands together, which saves
        two trips (RFC 2920)."""
        together = "pipelining" in self._live.esmtp_features
        answers: list[Answer] = []
        if together:
            self._live.send("".join(f"{command}\r\n" for command in commands))
        for command in commands:
            try:
                if not together:
                    self._live.putcmd(command)
                meanwhile()
                answer = Answer.read(*self._live.getreply())
                if not 200 <= answer.code < 600:
                    raise smtplib.SMTPServerDisconnected(f"no answer: {answer.words}")
            except LOST as error:
                if answers and answers[-1].code >= 400:  # it said why before it hung up
                    return answers
                if answers or together:
                    raise HungUp(str(error)) from error
                raise
            answers.append(answer)
            if answer.code == 421 or (answer.code >= 400 and not together):
                break
        return answers

    def _start_over(self, last: Answer) -> None:
        """Ready for the next mail. A server that waits for content though it took no recipient is left alone."""
        with suppress(*LOST):
            if last.code != 354 and self._live.rset()[0] == 250:
                return
        self._drop()

    def _deliver(self, content: bytes, recipient: str, message_id: str) -> Said:
        """Send the content, in chunks, because a timeout counts for all that one call sends; read what became of it."""
        smtp = self._live
        try:
            for at in range(0, len(content), CHUNK_BYTES):
                smtp.send(content[at : at + CHUNK_BYTES])
            self._be_patient(ACCEPTING_TAKES * self._timeout_s)
            answer = Answer.read(*smtp.getreply())
            self._be_patient(self._timeout_s)
        except LOST:
            answer = Answer(0, "")
        if answer.code // 100 not in (2, 4, 5):
            self._drop()
            return UNKNOWN
        return judge("content", answer, recipient) or Verdict("done", provider_id=message_id)

    def _told(self, said: Said, recipient: str, again: bool) -> Verdict | Deferred:
        """What it means for this recipient. Raises GatewayBusy where it is trouble of which another heard before, not
        longer ago than a rest takes, and no mail was accepted since."""
        if isinstance(said, Trouble) and again:
            return said.of_one()
        if isinstance(said, Trouble):
            first, since = _in_trouble.pop(self._server, (recipient, 0.0))
            if first != recipient and time.monotonic() - since < DEFERRAL_S:
                raise said.of_more()
            _in_trouble[self._server] = recipient, time.monotonic()
            return said.of_one()
        if isinstance(said, Verdict) and said.state == "done":
            _in_trouble.pop(self._server, None)
        return said

    @property
    def _live(self) -> smtplib.SMTP:
        if self._smtp is None:
            raise smtplib.SMTPServerDisconnected("not connected")
        return self._smtp

    def _be_patient(self, timeout_s: float) -> None:
        if self._smtp and self._smtp.sock:
            self._smtp.sock.settimeout(timeout_s)

    def _drop(self) -> None:
        if self._smtp:
            self._smtp.close()
        self._smtp = None


def _sender(message: EmailMessage) -> str:
    return addresses.check(message["From"].addresses[0].addr_spec)


def _message_id(message: EmailMessage) -> str:
    """As it was written: to parse it takes as long as to send the mail."""
    return next((str(value) for name, value in message.raw_items() if name.lower() == "message-id"), "")


def _content(message: EmailMessage) -> bytes:
    """The mail on the wire: seven bits, lines end in CRLF, dots are doubled, one ends it all (RFC 5321 4.5.2)."""
    wire = message.as_bytes(policy=_for_the_wire(message.policy))
    if not wire.count(b"\r\n") == wire.count(b"\n") == wire.count(b"\r"):
        wire = re.sub(rb"\r\n|\r|\n", b"\r\n", wire)
    end = b".\r\n" if wire.endswith(b"\r\n") else b"\r\n.\r\n"
    return re.sub(rb"(?m)^\.", b"..", wire) + end


@lru_cache(maxsize=8)
def _for_the_wire(policy: Policy) -> Policy:
    return policy.clone(linesep="\r\n", cte_type="7bit")
