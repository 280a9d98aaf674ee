"""Telling operators through Apprise: Slack, Teams, Telegram, mail and many more, each by a URL."""

from workers.errors import GatewayAway

SEPARATOR = ","


def notify(urls: str, subject: str, text: str) -> int:
    """Send to each of the comma-separated Apprise URLs; how many. Raises GatewayAway if one can't be reached."""
    from apprise import Apprise

    told = Apprise()
    given = [url.strip() for url in urls.split(SEPARATOR) if url.strip()]
    unreadable = [number for number, url in enumerate(given, 1) if not told.add(url)]
    if unreadable:
        raise GatewayAway(reason=f"ALERT_URLS: entry {unreadable[0]} is no Apprise URL")
    if given and not told.notify(title=subject, body=text):
        raise GatewayAway(reason="one of ALERT_URLS did not take the message")
    return len(given)
