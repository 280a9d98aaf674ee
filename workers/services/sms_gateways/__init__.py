"""SMS gateways behind one seam: what each is called, needs and bills, and how one is opened.

`send` either gives a verdict for each message, or raises when surely nothing was accepted: GatewayAway and GatewayBusy
come back by themselves, GatewayRefused is about the account. Whatever may have been accepted is `unknown`.

netgsm iletimerkezi verimor twilio sandbox beneath it; wire, answers and matching (of reports) are what they share.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import groupby
from types import TracebackType
from typing import Any, Literal, Protocol, Self
from urllib.parse import urlsplit

from workers.errors import BadSettings
from workers.services.sending import Verdict
from workers.services.sms_text import Billing, alphabet_of


@dataclass(frozen=True)
class Sms:
    """A message to send: `ref` is our item's id as text, `phone` E.164."""

    ref: str
    phone: str
    text: str


@dataclass(frozen=True)
class Delivery:
    """What a gateway reports of an accepted message: `at` in UTC, `reason` Turkish with the gateway's code."""

    state: Literal["waiting", "delivered", "undelivered"]
    reason: str | None = None
    at: datetime | None = None


class Gateway(Protocol):
    """One account at one gateway, with one pooled session. `batch`: messages that one request may carry."""

    name: str
    billing: Billing
    batch: int

    def send(self, messages: Sequence[Sms], key: str) -> list[Verdict]:
        """Send in one request; a verdict per message, in order. `key`: our name of the request, [a-z0-9-]{1,40}."""

    def look_up(self, messages: Sequence[Sms], key: str, at: datetime | None = None) -> list[Verdict | None] | None:
        """What became of an unanswered request (that was sent about `at`, if that is known). None as a whole: this
        gateway can't tell; in place of a verdict: the gateway says that it does not have that message under this key,
        so that it may be sent again. Ask only when the request can no longer be under way."""

    def reports(self, provider_ids: Sequence[str]) -> dict[str, Delivery]:
        """The deliveries known by now; what is missing can be asked for later. Raises GatewayBusy or GatewayAway."""

    def close(self) -> None: ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


@dataclass(frozen=True)
class Kind:
    """A gateway that can be opened: its official address, the options it needs, how it bills, and how many messages
    one request carries (what one crash can leave unknown) unless a setting says otherwise, and at most; `tells`:
    whether it can be asked about a request that it did not answer."""

    base_url: str
    options: tuple[str, ...]
    billing: Billing
    batch: int = 100
    most: int = 500
    tells: bool = True


# How they bill: Netgsm counts a Turkish letter as one of 155 and adds the operator's code (five characters, " B038";
# BTK decision 2016/DK-YED/211, art. 5), at most six segments; Verimor's guide has 160/306 and 155/298 for whole texts
# of at most seven; İleti Merkezi takes seven; Twilio knows no Turkish table. The sandbox counts what goes over the air.
# Not verified: Netgsm's suffix in long texts, what İleti Merkezi counts for a Turkish letter. Options overrule it.
KINDS = {
    "netgsm": Kind(
        "https://api.netgsm.com.tr", ("usercode", "password", "header"), Billing(1, suffix=5, max_segments=6)
    ),
    "iletimerkezi": Kind(
        "https://api.iletimerkezi.com", ("key", "hash", "sender"), Billing(1, max_segments=7), tells=False
    ),
    "verimor": Kind("https://sms.verimor.com.tr", ("username", "password", "source"), Billing(1, max_segments=7)),
    "twilio": Kind(
        "https://api.twilio.com", ("account_sid", "auth_token", "from"), Billing(tables="none"), 1, 1, False
    ),
    "sandbox": Kind("", (), Billing()),
}


def billing_of(name: str, options: Mapping[str, str] | None = None) -> Billing:
    """How the gateway counts segments; the options `turkish_cost`, `suffix` and `max_segments` overrule our table."""
    given = options or {}
    numbers = ("turkish_cost", "suffix", "max_segments")
    try:
        overruled: dict[str, Any] = {number: int(given[number]) for number in numbers if given.get(number)}
        return replace(_kind(name).billing, **overruled)
    except ValueError:
        raise BadSettings(reason=f"SMS gateway {name}: {', '.join(numbers)} must be whole numbers") from None


def open_gateway(name: str, options: Mapping[str, str], *, batch: int | None = None, timeout_s: float = 30) -> Gateway:
    """The gateway of that name; BadSettings names the option that is missing. `batch`: messages in a request."""
    from workers.services.sms_gateways import iletimerkezi, netgsm, sandbox, twilio, verimor

    kind = _kind(name)
    whole = {"base_url": kind.base_url, **{option: value for option, value in options.items() if value}}
    missing = [option for option in ("base_url", *kind.options) if not whole.get(option)]
    if missing:
        raise BadSettings(reason=f"SMS gateway {name}: {', '.join(missing)} is missing")
    if urlsplit(whole["base_url"]).scheme not in ("http", "https"):
        raise BadSettings(reason=f"SMS gateway {name}: base_url must be an http(s) address")
    makers: dict[str, Callable[..., Gateway]] = {
        **{"netgsm": netgsm.Netgsm, "iletimerkezi": iletimerkezi.IletiMerkezi, "verimor": verimor.Verimor},
        **{"twilio": twilio.Twilio, "sandbox": sandbox.Sandbox},
    }
    return makers[name](name, whole, billing_of(name, whole), max(1, min(batch or kind.batch, kind.most)), timeout_s)


def requests_of(gateway: Gateway, messages: Sequence[Sms]) -> Iterator[list[Sms]]:
    """`messages` cut into requests, each of one alphabet: gateways set it for a whole request, and bill it so."""
    ordered = sorted(messages, key=lambda message: alphabet_of(message.text))
    for _, group in groupby(ordered, key=lambda message: alphabet_of(message.text)):
        alike = list(group)
        yield from (alike[start : start + gateway.batch] for start in range(0, len(alike), gateway.batch))


def refused_together(verdicts: Sequence[Verdict]) -> bool:
    """Whether one code refused a request of several, so that each may be sent alone to find the one at fault."""
    told = {(verdict.state, verdict.reason, verdict.provider_id) for verdict in verdicts}
    return len(verdicts) > 1 and len(told) == 1 and verdicts[0].state == "failed"


def _kind(name: str) -> Kind:
    if name not in KINDS:
        raise BadSettings(reason=f"SMS gateway {name!r} is unknown; there are {', '.join(KINDS)}")
    return KINDS[name]
