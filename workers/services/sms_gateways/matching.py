"""Which report belongs to which message, where a gateway reports by order and number.

The provider id of such a message is `order/4567`: the gateway's id of the request and the last four digits of the
number, which is what our masks show too. Numbers of one request that end alike add their rank among these by the
digits before, `order/4567.2-3` for the second of three; the report is read by the same ranks, and where it does not
name as many numbers, none of them is told.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import TypeVar
from zoneinfo import ZoneInfo

from workers.errors import GatewayAway, GatewayBusy
from workers.services.sms_gateways import Delivery

T = TypeVar("T")
TAIL, SUBSCRIBER = 4, 9  # digits; gateways write a number with or without 0, 90 or 00 before its last nine


def provider_ids(order: str, phones: Sequence[str]) -> list[str]:
    """
    >>> provider_ids("17", ["+905551234567", "+905321234567", "+905551110000"])
    ['17/4567.2-2', '17/4567.1-2', '17/0000']
    """
    alike: dict[str, list[str]] = {}
    for phone in phones:
        alike.setdefault(phone[-TAIL:], []).append(phone)
    return [f"{order}/{_tag(phone, alike[phone[-TAIL:]])}" for phone in phones]


def _tag(phone: str, phones: Iterable[str]) -> str:
    twins = _ending(phone[-TAIL:], phones)
    return phone[-TAIL:] + (f".{twins.index(phone) + 1}-{len(twins)}" if len(twins) > 1 else "")


def number_of(provider_id: str, numbers: Iterable[str]) -> str | None:
    """Which of a report's numbers is meant; None where that can't be told."""
    tail, _, rank = provider_id.partition("/")[2].partition(".")
    twins, (place, _, count) = _ending(tail, numbers), (rank or "1-1").partition("-")
    return twins[int(place) - 1] if len(twins) == int(count) else None


def _ending(tail: str, numbers: Iterable[str]) -> list[str]:
    return sorted({number for number in numbers if number.endswith(tail)}, key=lambda number: number[-SUBSCRIBER:])


def by_order(provider_ids: Iterable[str]) -> dict[str, list[str]]:
    """Provider ids by the order they begin with."""
    orders: dict[str, list[str]] = {}
    for provider_id in provider_ids:
        orders.setdefault(provider_id.partition("/")[0], []).append(provider_id)
    return orders


def told(ids: Iterable[str], rows: Mapping[str, Delivery]) -> Iterator[tuple[str, Delivery]]:
    """The deliveries of one order's messages, from the report's rows by number."""
    for provider_id in ids:
        number = number_of(provider_id, rows)
        if number is not None:
            yield provider_id, rows[number]


def gather(questions: Iterable[T], ask: Callable[[T], dict[str, Delivery]]) -> dict[str, Delivery]:
    """Ask until the gateway wants a rest: what is known by then is kept, and the rest is asked for another time."""
    found: dict[str, Delivery] = {}
    for question in questions:
        try:
            found |= ask(question)
        except (GatewayBusy, GatewayAway):
            if not found:
                raise
            break
    return found


def istanbul(written: object, pattern: str) -> datetime | None:
    """A gateway's local time in UTC; None if it is none."""
    try:
        return datetime.strptime(str(written), pattern).replace(tzinfo=ZoneInfo("Europe/Istanbul")).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
