"""What a mail server's answer means: for the message, for everyone's, or for the account. RFC 5321 4.2, RFC 3463.

A server that speaks of its own state (421, 4.3.x, 4.4.x) once it knows the recipient may have a full disk: then whoever
comes next hears the same. Or it fails, or hangs up without a word, for this recipient alone, and for ever, as at the
look-up of a dead domain. One answer does not tell which, two do. So who hears it first waits alone, as a grey-listed
one does, and uses an attempt. If another hears it next, with no mail accepted in between, its task rests, and that one
uses none; other tasks find out for themselves, for a list of dead domains must not hold up another company. Only who
closes the door (421) or takes no mail whoever it is for (4xx to MAIL) gets a rest from all. Then it begins anew. Who
was put off before counts for neither: dead domains come up again one behind the other, and would hold up a large bulk
for hours. So every rest has cost somebody an attempt: nobody can hold up the others for ever, and as the pauses between
one recipient's attempts add up to more than a day, an outage of a day fails nobody.
"""

import re
from dataclasses import dataclass
from typing import Literal, Self

from workers.errors import GatewayBusy, GatewayRefused
from workers.services.addresses import mask
from workers.services.sending import Verdict

DEFERRAL_S = 240  # grey lists want minutes, and the first repeat of a mail is promised within five
BUSY_S = 60
MAX_REASON = 200  # characters
SHORTEST_NAME = 3  # shorter ones are words of every sentence

Stage = Literal["MAIL", "RCPT", "DATA", "content"]
STAGES: tuple[Stage, ...] = ("MAIL", "RCPT", "DATA", "content")

_ENHANCED = re.compile(r"[245]\.\d{1,3}\.\d{1,3}")
_OF_THE_SYSTEM = ("4.3.", "4.4.")  # mail system and network status
_TOO_LARGE = {"5.3.4", "5.2.3"}
_ADDRESS = re.compile(r"""[^\s<>()"',;:=]+@[^\s<>()"',;:]+""")


@dataclass(frozen=True)
class Deferred:
    """The server wants this one recipient later: a grey list, a full mailbox. All others may go on at once.

    Nothing was sent. `retry_after_s` is for the first repeat; `reason` is worded as a Verdict's.
    """

    retry_after_s: int
    reason: str


@dataclass(frozen=True)
class Trouble:
    """The server spoke of its own state though it knew the recipient: it means this one, or all (see above).

    Nothing was sent. `reason` is the bare answer.
    """

    retry_after_s: int
    reason: str

    def of_one(self) -> Deferred:
        return Deferred(self.retry_after_s, f"Posta sunucusu bu alıcı için şimdi kabul etmiyor: {self.reason}")

    def of_all(self) -> GatewayBusy:
        return GatewayBusy(retry_after_s=self.retry_after_s, reason=self.reason)

    def of_more(self) -> GatewayBusy:
        """Another recipient heard it, too."""
        closes = self.retry_after_s == BUSY_S
        return GatewayBusy(retry_after_s=self.retry_after_s, reason=self.reason, task_only=not closes)


@dataclass(frozen=True)
class Answer:
    """A reply of the server: its three digits (-1: none that can be read) and its words, in one line."""

    code: int
    words: str

    @classmethod
    def read(cls, code: int, words: bytes | str) -> Self:
        """From what smtplib gives."""
        text = words.decode(errors="replace") if isinstance(words, bytes) else words
        return cls(code, " ".join(text.split()))

    def about(self, recipient: str) -> str:
        """The answer for people, without the addresses and the recipient's name, which servers like to repeat."""
        words, name = _ADDRESS.sub(lambda found: mask(found[0]), self.words), recipient.partition("@")[0]
        if len(name) >= SHORTEST_NAME:
            words = re.sub(rf"(?<!\w){re.escape(name)}(?!\w)", "***", words, flags=re.IGNORECASE)
        return f"{self.code} {words}"[:MAX_REASON].strip()


def judge(stage: Stage, answer: Answer, recipient: str) -> Verdict | Deferred | Trouble | None:
    """What the answer at this stage of a mail to one recipient says; None where it may go on.

    Raises GatewayBusy where all must wait (4xx to MAIL, which names no recipient) and GatewayRefused where the account
    or its sender is not accepted (530 and 535 always; 5xx to MAIL but for the size).
    """
    code = answer.code
    if 200 <= code < 400:
        return None
    reason = answer.about(recipient)
    trouble = Trouble(BUSY_S if code == 421 else DEFERRAL_S, reason)
    if stage == "MAIL" and 400 <= code < 500:
        raise trouble.of_all()
    if code == 421 or (400 <= code < 500 and _of_the_system(answer)):
        return trouble
    if 400 <= code < 500:
        return Deferred(DEFERRAL_S, f"Alıcının sunucusu şimdi kabul etmiyor: {reason}")
    if code in (530, 535) or (stage == "MAIL" and code != 552 and _enhanced(answer) not in _TOO_LARGE):
        raise GatewayRefused(reason=reason)
    return Verdict("failed", reason=f"Posta sunucusu kabul etmedi: {reason}")


def _enhanced(answer: Answer) -> str:
    found = _ENHANCED.match(answer.words)
    return found[0] if found else ""


def _of_the_system(answer: Answer) -> bool:
    return _enhanced(answer).startswith(_OF_THE_SYSTEM)
