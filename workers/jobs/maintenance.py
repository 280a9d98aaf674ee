"""House-keeping: what is old goes, passwords that expire are announced, operators hear what failed."""

from contextlib import suppress
from datetime import timedelta
from typing import Annotated, Any

from pydantic import Field

from workers import settings
from workers.db import now
from workers.engine import enqueue, job, limits, needs, report, this_task
from workers.errors import InvalidInput, KeyReused
from workers.housekeeping import leftovers, old, operators, passwords
from workers.housekeeping.cleaning import Cleaning
from workers.wording.told import worded

DAYS_AT_MOST = 36_500
Days = Annotated[int, Field(ge=1, le=DAYS_AT_MOST)]
PARTS = 4
ALERTS_IN = "tr"  # nobody's record says who reads what ALERT_URLS name
CLEANING = {"tr": "Eski kayıtlar siliniyor...", "en": "Deleting old records..."}


@job(queue="maintenance", retries=3, cron="0 0 * * *", zone="Europe/Istanbul", accepted=CLEANING)
def cleanup_old_logs(days: Days | None = None, dry_run: bool = False) -> dict[str, Any]:
    """Delete logs, ended tasks with their results, and sandbox messages older than `days` (LOG_RETENTION_DAYS, 90).

    Returns `{"dry_run", "older_than_days", "count", "bytes", "deleted": {"tasks": {"count", "bytes"}, …}}`.
    """
    days = settings.current().log_retention_days if days is None else _sensible(days=days)
    cleaning = Cleaning("cleanup_old_logs", this_task().id, dry_run=dry_run)
    for number, part in enumerate(old.clean(cleaning, now() - timedelta(days=days), needs.named("file"))):
        report(number, PARTS, part)
    return {"older_than_days": days, **cleaning.result}


@job(queue="maintenance", retries=3, cron="30 0 * * *")
def tidy_up() -> dict[str, Any]:
    """Delete what crashes and time left behind: pieces, files without a record, results older than RESULT_TTL_DAYS,
    imports that nobody goes on with, dead tokens; refresh the statistics."""
    cleaning, at = Cleaning("tidy_up", this_task().id), now()
    leftovers.pieces(cleaning, at)
    leftovers.orphans(cleaning, at)
    leftovers.expired_results(cleaning, at, needs.named("file"))
    leftovers.imports(cleaning, at)
    leftovers.dead_tokens(cleaning, at)
    for scope, factor in leftovers.shares().items():  # Redis was away, or has lost all, since that was set
        limits.set_share(scope, factor)
    leftovers.refresh_statistics()
    return cleaning.result


@job(queue="maintenance", retries=3, cron="0 9 * * 1")
def check_password_expiry(within_days: Days = 14) -> dict[str, int]:
    """Mail each user whose password expires within so many days, once for each expiry; flag those that have expired.

    Returns `{"expiring", "mailed", "expired"}`.
    """
    from workers.services import notices

    _sensible(within_days=within_days)
    counts, at, url = {"expiring": 0, "mailed": 0, "expired": 0}, now(), settings.current().base_url
    for expiry in passwords.expiries(at):
        passwords.flag(expiry, at)
        counts["expired"] += expiry.expired
        if not 0 < expiry.days_left <= within_days:
            continue
        counts["expiring"] += 1
        if expiry.told_for != expiry.day:
            text = notices.expires(expiry.language, expiry.name or expiry.email, expiry.day, expiry.days_left, url)
            key = f"password-expiry:{expiry.user_id}:{expiry.day}"
            counts["mailed"] += _mail(expiry.email, expiry.company_id, *text, key=key)
            passwords.told(expiry)
    if counts["expiring"] or counts["expired"]:
        for one in operators.operators():
            text = notices.expiring(one.language, counts["expiring"], counts["expired"], within_days)
            _mail(one.email, one.company_id, *text, key=f"password-summary:{one.user_id}:{at:%Y-%m-%d}")
    return counts


@job(queue="maintenance", retries=3, cron="0 7 * * *")
def send_daily_digest() -> dict[str, Any]:
    """Tell the operators what failed since the last digest, and in the last 24 hours; nothing if all went well."""
    from workers.services import notices

    at = now()
    found = operators.failures_since(operators.untold_since(at, "send_daily_digest"))
    for one in operators.operators() if found else []:
        text = notices.digest(one.language, found.tasks, found.late, found.set_aside)
        _mail(one.email, one.company_id, *text, key=f"digest:{one.user_id}:{at:%Y-%m-%d}")
    if found and settings.current().alert_urls:
        subject, body = notices.digest(ALERTS_IN, found.tasks, found.late, found.set_aside)
        _once("alert_operators", {"subject": subject, "text": body}, key=f"digest:{at:%Y-%m-%d}")
    return {"tasks": found.tasks, "late": found.late, "set_aside": found.set_aside}


@job(queue="maintenance", retries=3)
def alert_operators(subject: str, text: str) -> int:
    """Tell the operators through ALERT_URLS; how many addresses were told."""
    from workers.services import alerts

    return alerts.notify(settings.current().alert_urls, subject, worded(text, ALERTS_IN))


def _mail(to: str, company_id: int | None, subject: str, body: str, *, key: str) -> bool:
    params = {"to_email": to, "subject": subject, "body": body}
    return _once("send_notice", params, key=key, scope=str(company_id) if company_id else None)


def _once(kind: str, params: dict[str, Any], *, key: str, scope: str | None = None) -> bool:
    """Enqueue one message; False if it was before. The key makes it one, however often the job runs, also where it
    would word it anew."""
    with suppress(KeyReused):
        return not enqueue(kind, params, scope=scope, key=key).replayed
    return False


def _sensible(**given: int) -> int:
    """The days, also of who calls the function itself and so has not met its schema."""
    ((name, days),) = given.items()
    if not 1 <= days <= DAYS_AT_MOST:
        raise InvalidInput([{"field": name, "message": f"give 1 to {DAYS_AT_MOST:,} days"}])
    return days
