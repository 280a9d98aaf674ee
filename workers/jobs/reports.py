"""What is found out later about SMS that were sent: whether they were, and whether they arrived."""

import random
from contextlib import suppress
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from workers import messages as evidence
from workers.db import now
from workers.engine import declared, job
from workers.engine.ledger import Item
from workers.errors import BadSettings, GatewayAway, GatewayBusy, GatewayRefused
from workers.jobs.sms import judge, ref_of

if TYPE_CHECKING:
    from workers.services.sms_gateways import Gateway

ASKED_FOR = timedelta(hours=72)  # gateways report no longer than that
NEVER_CAME = timedelta(minutes=10)
OFTEN = timedelta(hours=1)  # so long they are asked every minute, then every hour
ODD_AT_MOST = 3  # answers that can't be read, of one account
LOST = "Ağ geçidi bu mesajı hiç almamış; yeniden denenebilir"
SILENT = (BadSettings, GatewayAway, GatewayBusy, GatewayRefused)
Found = list[tuple[Item, str, datetime]]


def _can_tell() -> list[str]:
    from workers.services.sms_gateways import KINDS

    return [name for name, kind in KINDS.items() if kind.tells]


def _is_any_unsure() -> bool:
    return evidence.is_any_unsure("sms", now() - ASKED_FOR, _can_tell())


def _is_any_unreported() -> bool:
    return any(evidence.unreported("sms", now() - ASKED_FOR))


# In UTC, which has no hour that comes twice: a line in local time rests for the second.
@job(queue="maintenance", retries=0, cron="* * * * *", zone="UTC", when=_is_any_unsure)
def look_up_messages() -> dict[str, int]:
    """Ask the gateways about messages whose answer never came."""
    from workers.services.sms_gateways import open_gateway

    counts = {"asked": 0, "done": 0, "failed": 0}
    for company_id, provider, account, requests in evidence.unsure("sms", now() - ASKED_FOR, _can_tell()):
        way = evidence.way(company_id, "sms")
        if way.is_account(provider, account):
            with suppress(*SILENT), open_gateway(provider, way.options) as gateway:
                _look_up(gateway, requests, counts)
    return counts


def _look_up(gateway: "Gateway", requests: dict[str, Found], counts: dict[str, int]) -> None:
    """Ask about each, in another order every time: a gateway may want a rest before the last."""
    often, odd = now() - OFTEN, 0
    for key, found in random.sample([*requests.items()], len(requests)):
        if found[0][2] < often and now().minute:
            continue
        try:
            ended = _ended(gateway, key, found)
        except GatewayAway:
            odd += 1
            if odd == ODD_AT_MOST:
                raise
            continue
        counts["asked"] += len(found)
        declared.resolve(ended, evidence.letters_sent(evidence.told))
        for item in ended:
            counts[item.state] += 1


def _ended(gateway: "Gateway", key: str, found: Found) -> list[Item]:
    """Those of a request whose outcome is known by now."""
    from workers.services.sms_gateways import Sms

    verdicts = gateway.look_up([Sms(ref_of(item), phone, "") for item, phone, _ in found], key, found[0][2])
    for (item, _, sent_at), verdict in zip(found, verdicts or [], strict=False):
        if verdict:
            judge(item, verdict)
        elif sent_at < now() - NEVER_CAME:
            item.fail(LOST)
    return [item for item, _, _ in found if item.state != "unknown"]


@job(queue="maintenance", retries=0, cron="*/5 * * * *", zone="UTC", when=_is_any_unreported)
def fetch_delivery_reports() -> dict[str, int]:
    """Ask the gateways which of the accepted messages were delivered."""
    from workers.services.sms_gateways import open_gateway

    counts = {"asked": 0, "delivered": 0, "undelivered": 0}
    for company_id, provider, ids in evidence.unreported("sms", now() - ASKED_FOR):
        way = evidence.way(company_id, "sms")
        with suppress(*SILENT):
            if way.provider != provider:
                continue
            with open_gateway(provider, way.options) as gateway:
                reports = gateway.reports(random.sample(ids, len(ids)))  # it may want a rest before the last
            counts["asked"] += len(ids)
            ended = {each: report for each, report in reports.items() if report.state != "waiting"}
            evidence.report(provider, {each: (r.state, r.reason, r.at) for each, r in ended.items()})
            for found in ended.values():
                counts[found.state] += 1
    return counts
