"""Telling companies that their tasks have ended: what is to be told is gathered, then mailed or posted."""

import hashlib
import random
import time
from contextlib import suppress
from datetime import timedelta
from typing import Any

from workers import settings, tellings
from workers.db import now
from workers.engine import Retry, ends, enqueue, find, job, this_task
from workers.engine.seal import Seal, encode
from workers.errors import BadWebhook, GatewayAway, KeyReused, MissingRecord, NotDelivered, SiraError, UnknownTask
from workers.housekeeping import runs
from workers.models import Telling
from workers.wording.told import worded

ALWAYS = 1_000_000
PAUSES_S = (5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400)  # as standardwebhooks.com advises: three days
OFF_AFTER = timedelta(days=3)
REST_S = (30.0, 3600.0)
RUNS_KEPT = timedelta(minutes=5)
LISTED = 50
GONE = 410
GONE_FOR_GOOD, FAILING = "the receiver said 410 (gone)", "nothing was taken for three days"
DELIVERING = {"tr": "Webhook gönderiliyor...", "en": "Sending the webhook..."}


# In UTC, which has no hour that comes twice: a line in local time rests for the second.
@job(queue="maintenance", retries=3, cron="* * * * * *", zone="UTC", when=tellings.due)
def tell_ends() -> dict[str, int]:
    """Find the ends of tasks that companies want to be told of, and hand each on. Its own runs are soon forgotten."""
    counts = {"gathered": tellings.gather(), "webhooks": 0, "mails": 0}
    for telling_id in tellings.hooks_due():
        tellings.hand_on(telling_id)
        counts["webhooks"] += 1
    for message_id, rows in tellings.mails_due().items():
        counts["mails"] += _mail(message_id, rows)
    runs.forget("tell_ends", now() - RUNS_KEPT)
    return counts


def _mail(message_id: str, rows: list[Any]) -> int:
    """One mail for all of these ends, to each address; the keys make it one, however often this runs."""
    wish = tellings.wish(rows[0].company_id, tellings.NOTE)
    addresses = wish.options["emails"] if wish else []
    spoken = tellings.languages(addresses)
    told = {lang: _told(lang, rows) for lang in set(spoken.values())}
    for address in addresses:
        _send(address, *told[spoken[address]], key=message_id)
    tellings.mailed(message_id)
    return len(addresses)


def _send(address: str, subject: str, body: str, *, key: str) -> None:
    """By the service's own mail server: it is the service that speaks. `key` makes it one mail to each address."""
    digest = hashlib.sha256(address.encode()).hexdigest()[:16]
    with suppress(KeyReused):
        enqueue("send_notice", {"to_email": address, "subject": subject, "body": body}, key=f"{key}:{digest}")


def _told(lang: str, rows: list[Any]) -> tuple[str, str]:
    """Subject and body."""
    from workers.services import notices

    return notices.ended(lang, _lines(lang, rows), len(rows), settings.current().base_url)


def _lines(lang: str, rows: list[Any]) -> list[tuple[str, str, str]]:
    """What is said of each: the sentence, the reason of a failure, and the task's id."""
    told = []
    for row in rows[:LISTED]:
        with suppress(UnknownTask):
            task = find(row.task_id)
            reason = worded(task.error["message"], lang) if task.error else ""
            told.append((ends.sentence(task, lang), reason, task.id))
    return told


@job(queue="maintenance", retries=20, soft_limit_s=30, quiet=True, accepted=DELIVERING)
def deliver_webhook(telling_id: int) -> dict[str, Any]:
    """Post one webhook; tried again for three days. Returns `{"state", "status_code", "attempts"}`."""
    row = _mine(telling_id)
    hook = tellings.wish(row.company_id, tellings.HOOK)
    if row.state == "done":
        return _result(row)
    if hook is None or hook.paused:
        raise _given_up(row, None, (hook and hook.paused) or "the webhook was removed")
    _rest(row)
    status, text, asked_s = _posted(row, hook)
    if status is None or not 200 <= status < 300:
        raise _in_vain(row, hook, status, text, asked_s)
    tellings.tried(row, "done", status, text)
    return _result(tellings.get(row.id))


def _mine(telling_id: int) -> Telling:
    try:
        row = tellings.get(telling_id)
    except SiraError:
        raise MissingRecord(what="telling", id=telling_id) from None
    if this_task().company_id not in (None, row.company_id):
        raise MissingRecord(what="telling", id=telling_id)
    return row


def _result(row: Telling) -> dict[str, Any]:
    return {"state": row.state, "status_code": row.status_code, "attempts": row.attempts}


def _rest(row: Telling) -> None:
    """While the receiver is away one try at a time will do: the others wait, the longer the older they are."""
    failure = tellings.last_failure(row.company_id)
    if failure is None or failure[0] == row.id or (now() - failure[1]).total_seconds() > REST_S[0]:
        return
    age_s = (now() - row.created_at).total_seconds()
    raise _later(min(max(age_s, REST_S[0]), REST_S[1]), "the receiver does not answer at present")


def _posted(row: Telling, hook: Any) -> tuple[int | None, str, int]:
    """The status of the answer (None without one), what stands in it, and the pause it asks for in seconds."""
    from workers.services import webhooks

    loopback = settings.current().webhook_loopback
    body = encode(Seal.loads(row.body or b""))
    try:
        answer = webhooks.post(
            hook.options["url"],
            body,
            secret=hook.options["secret"],
            message_id=str(row.message_id),
            loopback=loopback,
        )
    except (BadWebhook, GatewayAway) as error:
        return None, error.fields["reason"], 0
    return answer.status, answer.text, answer.retry_after_s


def _in_vain(row: Telling, hook: tellings.Wish, status: int | None, text: str, asked_s: int) -> Exception:
    """Later, until it was tried ten times; a receiver that says so, or fails for three days, gets no more webhooks."""
    since = tellings.failing_since(row.company_id, hook.since)
    if status == GONE or (since and now() - since > OFF_AFTER and row.task_id):
        _switch_off(row, GONE_FOR_GOOD if status == GONE else FAILING)
        return _given_up(row, status, text)
    if row.attempts >= len(PAUSES_S) or row.task_id is None:
        return _given_up(row, status, text)
    tellings.tried(row, "waiting", status, text)
    pause_s = max(PAUSES_S[row.attempts] * random.uniform(0.8, 1.2), float(asked_s))
    return _later(min(pause_s, PAUSES_S[-1]), f"{status or ''} {text}".strip())


def _later(pause_s: float, reason: str) -> Retry:
    return Retry(max=ALWAYS, interval=float(pause_s), reason=reason)


def _given_up(row: Telling, status: int | None, text: str) -> Exception:
    tellings.tried(row, "failed", status, text)
    return NotDelivered(reason=f"{status or ''} {text}".strip())


def _switch_off(row: Telling, reason: str) -> None:
    """And say so to whoever is told by mail; the page of the company shows it too."""
    from workers.services import notices

    tellings.switch_off(row.company_id, reason)
    wish = tellings.wish(row.company_id, tellings.NOTE)
    for address, lang in tellings.languages(wish.options["emails"] if wish else []).items():
        text = notices.webhook_off(lang, worded(reason, lang), settings.current().base_url)
        _send(address, *text, key=f"off:{row.company_id}:{int(time.time()) // 3600}")
