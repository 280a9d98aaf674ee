"""What a gateway's answer says of a request: sent, refused, come back later, mend the account, or nobody knows."""

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

from workers import retry_after
from workers.errors import GatewayAway, GatewayBusy, GatewayRefused
from workers.services.sending import Verdict

BUSY_S, MAX_WAIT_S = 60, 86_400
_CODE = re.compile(r"[A-Z][A-Z0-9_]{1,49}|[0-9]{1,6}")
# Answers to an address, a method or an account that is wrong: nobody looked at the messages.
_ACCOUNT = {301, 307, 308, 401, 402, 403, 404, 405, 407, 410}
_TOO_SLOW = 408  # proxies say it of requests that they passed on, too


@dataclass(frozen=True)
class Answer:
    """An answer that was read to its end; `retry_after_s` is its Retry-After."""

    status: int
    text: str
    retry_after_s: int | None = None

    @cached_property
    def data(self) -> dict[str, Any]:
        """The JSON object in it; an empty one where there is none."""
        return an_object(self.json)

    @cached_property
    def json(self) -> Any:
        try:
            return json.loads(self.text)
        except (ValueError, RecursionError):
            return None


@dataclass(frozen=True)
class Codes:
    """A gateway's own codes, with Turkish words for them. One that stands nowhere refuses only where HTTP does."""

    gateway: str
    accepted: frozenset[str]
    account: Mapping[str, str]
    message: Mapping[str, str]
    busy: Mapping[str, int] = field(default_factory=dict)  # code -> seconds to wait

    def judge(self, answer: Answer | None, code: object) -> tuple[Literal["done", "failed", "unknown"], str]:
        """State and reason of all messages of a request; raises GatewayBusy or GatewayRefused if none was taken."""
        if answer is None:
            return "unknown", f"{self.gateway}: cevap gelmedi, kabul edilmiş olabilir"
        known = self._code(code)
        reason = self._reason(answer, known)
        if known in self.busy:
            raise GatewayBusy(retry_after_s=answer.retry_after_s or self.busy[known], reason=reason)
        if known in self.accepted and answer.status < 500:
            return "done", reason
        if known in self.message:
            return "failed", reason
        if known in self.account or answer.status in _ACCOUNT:
            raise GatewayRefused(reason=reason)
        refused = 400 <= answer.status < 500 and answer.status != _TOO_SLOW
        return ("failed", reason) if refused else ("unknown", f"{reason}: anlaşılmayan cevap")

    def require(self, answer: Answer, code: object) -> None:
        """For a question: raises GatewayAway, GatewayBusy or GatewayRefused where the answer tells nothing."""
        state, reason = self.judge(answer, code)
        if state != "done":
            raise GatewayAway(reason=reason)

    def _code(self, code: object) -> str:
        """The code as text. Anything else is words of theirs, which may repeat a name or a number, and is not kept."""
        text = str(code if code is not None else "").strip()
        ours = text in self.accepted or any(text in table for table in (self.account, self.message, self.busy))
        return text if ours or _CODE.fullmatch(text) else ""

    def _reason(self, answer: Answer, code: str) -> str:
        said = self.message.get(code) or self.account.get(code)
        return f"{self.gateway} {code or f'HTTP {answer.status}'}" + (f": {said}" if said else "")


def an_object(value: Any) -> dict[str, Any]:
    """`value` if it is a JSON object, else an empty one: what a gateway sends is never trusted to be what it says."""
    return value if isinstance(value, dict) else {}


def objects(value: Any) -> list[dict[str, Any]]:
    """The JSON objects in a list; none where there is no list."""
    return [row for row in value if isinstance(row, dict)] if isinstance(value, list) else []


def everyone(messages: Sequence[object], state: Literal["done", "failed", "unknown"], reason: str) -> list[Verdict]:
    """One verdict for all messages of a request."""
    return [Verdict(state, None, reason)] * len(messages)


def refuse_if_busy(answer: Answer) -> None:
    """429 is never processed (RFC 6585); 503 with Retry-After says that it was not."""
    if answer.status == 429 or (answer.status == 503 and answer.retry_after_s):
        raise GatewayBusy(retry_after_s=answer.retry_after_s or BUSY_S, reason=f"HTTP {answer.status}")


def retry_after_s(written: str) -> int | None:
    """Retry-After in seconds, at least 1, at most a day; None for what says no time."""
    try:
        return max(1, min(MAX_WAIT_S, math.ceil(retry_after.seconds(written))))
    except (ValueError, OverflowError):
        return None
