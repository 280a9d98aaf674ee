"""How things are written on the desk: times, numbers, sizes, and the names of states, kinds and queues."""

from datetime import datetime
from zoneinfo import ZoneInfo

from flask import Flask
from flask_babel import format_decimal, gettext, ngettext
from markupsafe import Markup

from app.desk.causes import shape_of
from app.desk.told import worded
from workers import settings
from workers.db import now
from workers.wording.states import ITEM_STATES

Instant = datetime | str | None
NOTHING = "–"
SHORT_S = 9.95


class Readable(int):
    """A count that stands in a sentence as people write it: `1.234` in Turkish."""

    def __str__(self) -> str:
        return number(int(self))


def register(app: Flask) -> None:
    for write in (
        when,
        exactly,
        ago,
        duration,
        roughly,
        number,
        percent,
        size,
        state_name,
        kind_name,
        queue_name,
        item_state,
        worded,
    ):
        app.jinja_env.filters[write.__name__] = write
    app.jinja_env.filters["shape"] = shape_of


def when(instant: Instant) -> Markup | str:
    """The instant on the clock of the people here: `<time datetime="…Z">23.11.2026 14:05</time>`."""
    at = _instant(instant)
    return _time(at, _local(at)) if at else NOTHING


def exactly(instant: Instant) -> Markup | str:
    """The same to the second."""
    at = _instant(instant)
    return _time(at, _local(at, seconds=True)) if at else NOTHING


def ago(instant: Instant) -> Markup | str:
    """How long since (or until) then, such as "5 minutes ago"; the exact time as its title."""
    at = _instant(instant)
    if at is None:
        return NOTHING
    seconds = (now() - at).total_seconds()
    if abs(seconds) < 5:
        return _time(at, gettext("just now"))
    span = duration(round(abs(seconds)), parts=1)
    return _time(at, gettext("%(span)s ago", span=span) if seconds > 0 else gettext("in %(span)s", span=span))


def duration(seconds: float | None, parts: int = 2) -> str:
    """Such as `2 min 5 s`, its largest `parts` units; short ones such as `0.3 s`."""
    if seconds is None:
        return NOTHING
    if 0 < seconds < SHORT_S:
        tenths = round(seconds, 1)
        return (
            f"{format_decimal(tenths)}\N{NO-BREAK SPACE}{gettext('s')}"
            if tenths
            else f"{seconds * 1000:.0f}\N{NO-BREAK SPACE}ms"
        )
    rest = max(0, round(seconds))
    units = [(86400, gettext("d")), (3600, gettext("h")), (60, gettext("min")), (1, gettext("s"))]
    told: list[str] = []
    for length_s, unit in units:
        if rest >= length_s or (length_s == 1 and not told):
            told.append(f"{rest // length_s}\N{NO-BREAK SPACE}{unit}")
            rest %= length_s
    return " ".join(told[:parts])


def roughly(seconds: float) -> str:
    """Such as `2 min`, rounded as sira.js rounds it: of what is yet to come nobody knows the seconds."""
    for length_s, unit in ((3600, gettext("h")), (60, gettext("min"))):
        if seconds >= length_s:
            return f"{int(seconds / length_s + 0.5)}\N{NO-BREAK SPACE}{unit}"
    return f"{int(seconds + 0.5)}\N{NO-BREAK SPACE}{gettext('s')}"


def number(value: float | None) -> str:
    """`1.234,5` in Turkish, `1,234.5` in English."""
    return format_decimal(value) if value is not None else NOTHING


def percent(value: int) -> str:
    """`%12` in Turkish, `12%` in English."""
    return gettext("%(n)s%%", n=value)


def size(count: int | None) -> str:
    """Bytes as people read them: `1,4 MB`."""
    if count is None:
        return NOTHING
    for unit, scale in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if count >= scale:
            return f"{format_decimal(round(count / scale, 1))}\N{NO-BREAK SPACE}{unit}"
    return ngettext("%(num)s byte", "%(num)s bytes", count)


def _instant(instant: Instant) -> datetime | None:
    return datetime.fromisoformat(instant) if isinstance(instant, str) else instant


def _local(at: datetime, *, seconds: bool = False) -> str:
    here = at.astimezone(ZoneInfo(settings.current().timezone))
    return here.strftime("%d.%m.%Y %H:%M:%S" if seconds else "%d.%m.%Y %H:%M")


def _time(at: datetime, text: str) -> Markup:
    iso = at.isoformat(timespec="seconds").replace("+00:00", "Z")
    return Markup('<time datetime="{}" title="{}">{}</time>').format(iso, _local(at, seconds=True), text)


def state_name(state: str) -> str:
    names = {
        "PENDING": gettext("Waiting"),
        "STARTED": gettext("Started"),
        "PROGRESS": gettext("Running"),
        "RETRY": gettext("Will be tried again"),
        "SUCCESS": gettext("Done"),
        "FAILURE": gettext("Failed"),
        "REVOKED": gettext("Cancelled"),
    }
    return names.get(state, state)


def item_state(state: str) -> str:
    return gettext(ITEM_STATES[state]) if state in ITEM_STATES else state


def kind_name(kind: str) -> str:
    """What people call a kind; its own name where we have no better one."""
    names = {
        "generate_mutabakat_pdf": gettext("One letter as PDF"),
        "generate_bulk_pdfs": gettext("Letters as PDF"),
        "send_email": gettext("One mail"),
        "send_bulk_emails": gettext("Bulk mail"),
        "send_sms": gettext("One SMS"),
        "send_bulk_sms": gettext("Bulk SMS"),
        "send_mutabakat": gettext("Sending letters"),
        "process_excel_upload": gettext("Excel upload"),
        "export_sheet": gettext("Excel download"),
        "steer_tasks": gettext("Many tasks at once"),
        "look_up_messages": gettext("Looking up messages"),
        "fetch_delivery_reports": gettext("Delivery reports"),
        "cleanup_old_logs": gettext("Cleaning up"),
        "tidy_up": gettext("Tidying up after crashes"),
        "check_password_expiry": gettext("Password expiry check"),
        "send_daily_digest": gettext("Daily digest"),
        "alert_operators": gettext("Alert to operators"),
        "send_notice": gettext("Notice by mail"),
        "tell_ends": gettext("Looking for news to tell"),
        "deliver_webhook": gettext("Delivery of a webhook"),
    }
    return names.get(kind, kind)


def queue_name(queue: str) -> str:
    names = {
        "pdf": gettext("Letters (pdf)"),
        "email": gettext("Mail (email)"),
        "sms": gettext("SMS (sms)"),
        "excel": gettext("Excel (excel)"),
        "maintenance": gettext("Maintenance (maintenance)"),
    }
    return names.get(queue, queue)
