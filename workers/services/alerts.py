"""Telling operators through Apprise: Slack, Teams, Telegram, mail and many more, each by a URL."""

import logging
from typing import Any

from workers.errors import BadSettings, GatewayAway

SEPARATOR = ","


def notify(urls: str, subject: str, text: str) -> int:
    """Send to each of the comma-separated Apprise URLs; how many. Raises GatewayAway if one can't be reached."""
    told = opened(urls)
    if told and not told.notify(title=subject, body=text):
        raise GatewayAway(reason="one of ALERT_URLS did not take the message")
    return len(told)


def opened(urls: str) -> Any:
    """Apprise with these URLs; nothing is sent. Raises BadSettings for one that names no service that it knows."""
    from apprise import Apprise

    logging.getLogger("apprise").setLevel(logging.CRITICAL)  # it repeats URLs, which hold passwords
    told = Apprise()
    given = [url.strip() for url in urls.split(SEPARATOR) if url.strip()]
    unreadable = [number for number, url in enumerate(given, 1) if not told.add(url)]
    if unreadable:
        raise BadSettings(reason=f"ALERT_URLS: entry {unreadable[0]} is no Apprise URL")
    return told
