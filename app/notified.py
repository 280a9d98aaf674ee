"""Whom a company wants told that a task has ended, as people and programs set it: checked here, kept by workers."""

from typing import Any
from urllib.parse import urlsplit

from workers import settings, tellings
from workers.errors import BadAddress, BadWebhook, InvalidInput
from workers.services import addresses, webhooks

ADDRESSES_AT_MOST = 20


def shown(company_id: int) -> dict[str, Any]:
    """`{"emails", "webhook_url", "webhook_host", "webhook_paused"}`; the secret is never shown."""
    note, hook = (tellings.wish(company_id, channel) for channel in (tellings.NOTE, tellings.HOOK))
    return {
        "emails": note.options["emails"] if note else [],
        "webhook_url": hook.options["url"] if hook else None,
        "webhook_host": urlsplit(hook.options["url"]).hostname if hook else None,
        "webhook_paused": hook.paused if hook else None,
    }


def set_mails(company_id: int, emails: list[str]) -> None:
    """These addresses and no others; raises InvalidInput."""
    if len(emails) > ADDRESSES_AT_MOST:
        raise InvalidInput([{"field": "emails", "message": f"at most {ADDRESSES_AT_MOST} addresses"}])
    try:
        checked = list(dict.fromkeys(addresses.check(email) for email in emails))
    except BadAddress as error:
        raise InvalidInput([{"field": "emails", "message": error.message}]) from None
    tellings.want(company_id, tellings.NOTE, {"emails": checked} if checked else None)


def set_webhook(company_id: int, url: str | None, secret: str | None = None) -> str | None:
    """Post to that URL (None: no more). Without a secret the known one stays; where there is none, one is made and
    returned. Raises InvalidInput."""
    if url is None:
        tellings.want(company_id, tellings.HOOK, None)
        return None
    known, made = tellings.wish(company_id, tellings.HOOK), None
    if secret is None:
        secret = known.options["secret"] if known else (made := webhooks.new_secret())
    check_webhook(url, secret)
    tellings.want(company_id, tellings.HOOK, {"url": url, "secret": secret})
    return made


def check_webhook(url: str, secret: str) -> None:
    """Raises InvalidInput for what could not be posted to, or not be signed with."""
    _check("url", webhooks.check, url, loopback=settings.current().webhook_loopback)
    _check("secret", webhooks.check_secret, secret)


def _check(field: str, check: Any, value: str | None, **more: Any) -> None:
    try:
        check(value, **more)
    except BadWebhook as error:
        raise InvalidInput([{"field": field, "message": error.fields["reason"]}]) from None
