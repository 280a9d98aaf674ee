"""Which of the chosen letters reach somebody by mail and by SMS, and why others do not: counted before it is sent."""

from collections import Counter
from dataclasses import dataclass, field

from flask_babel import gettext as _
from flask_babel import ngettext
from sqlalchemy import select

from app.auth import IDS_PER_QUERY
from app.desk.selection import EMAIL, JOIN, PHONE, M
from app.desk.told import worded
from workers import db, messages, settings
from workers.engine import limits
from workers.errors import BadAddress, BadPhone
from workers.services import addresses, phones

CHANNELS = ("email", "sms")


@dataclass
class Reach:
    """On one channel: how many letters reach somebody, why the others don't, and what may hold all of them up."""

    channel: str
    reached: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    warnings: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Chosen:
    """What is known of the chosen letters. `left` are those to send, in their order: none that was sent before, or with
    the `repeated` that were."""

    ids: list[int]
    left: list[int]
    repeated: int
    channels: list[Reach]

    @property
    def sent(self) -> int:
        return len(self.ids) - len(self.left)


def look(ids: list[int], company_id: int, *, again: bool) -> Chosen:
    """Look at these letters of the company, those that are no draft any more only with `again`. Foreign ids are left
    out, as if they did not exist."""
    found = _contacts(ids, company_id)
    ours = [one for one in ids if one in found]
    left = [one for one in ours if again or found[one][2] == "draft"]
    repeated = sum(found[one][2] != "draft" for one in left)
    mails = _mails([found[one][0] for one in left], company_id)
    return Chosen(ours, left, repeated, [mails, _texts([found[one][1] for one in left], company_id)])


def _contacts(ids: list[int], company_id: int) -> dict[int, tuple[str | None, str | None, str]]:
    """Address, number and state of each letter."""
    found: dict[int, tuple[str | None, str | None, str]] = {}
    with db.reading() as session:
        for start in range(0, len(ids), IDS_PER_QUERY):
            query = select(M.id, EMAIL, PHONE, M.state).join_from(*JOIN)
            query = query.where(M.id.in_(ids[start : start + IDS_PER_QUERY]))
            for one, email, phone, state in session.execute(query.where(M.company_id == company_id)):
                found[one] = email, phone, state
    return found


def _mails(given: list[str | None], company_id: int) -> Reach:
    reach, usable = Reach("email"), Counter[str]()
    for text in given:
        try:
            usable[addresses.check(text or "").lower()] += 1
        except BadAddress:
            reach.reasons[
                _("The e-mail address can't be used") if text else _("The account has no e-mail address")
            ] += 1
    refusing: set[str] = set()
    known = list(usable)
    for start in range(0, len(known), IDS_PER_QUERY):
        refusing |= messages.suppressed(company_id, known[start : start + IDS_PER_QUERY])
    unwanted = sum(usable[each] for each in refusing)
    reach.reasons += Counter({_("The recipient asked for no more mails"): unwanted} if unwanted else {})
    reach.reached = usable.total() - unwanted
    reach.warnings = warnings(company_id, "email", reach.reached)
    return reach


def _texts(given: list[str | None], company_id: int) -> Reach:
    reach, usable, countries = Reach("sms"), Counter[str](), settings.current().countries
    for text in given:
        try:
            usable[phones.parse(text or "", countries).e164] += 1
        except BadPhone as error:
            why = _("The number can't be used: %(why)s", why=worded(error.fields["reason"]))
            reach.reasons[why if text else _("The account has no telephone number")] += 1
    reach.reached = usable.total()
    reach.warnings = warnings(company_id, "sms", reach.reached)
    most = _per_number(company_id)
    if often := sum(count > most for count in usable.values()):
        told = ngettext(
            "%(num)s number would get more SMS than one number may get in a short time; the rest is left out",
            "%(num)s numbers would get more SMS than one number may get in a short time; the rest is left out",
            often,
        )
        reach.warnings.append(told)
    return reach


def _per_number(company_id: int) -> float:
    """How many SMS one number may get in a short time."""
    limit = messages.way(company_id, "sms").limits.get("sms_per_number", settings.current().sms_per_number)
    return limits.window(limit)[0] if limit else float("inf")


def warnings(company_id: int, channel: str, count: int) -> list[str]:
    """What holds up `count` messages of the company, whoever they are for."""
    way, found = messages.way(company_id, channel), []
    if way.paused:
        told = _("Nothing goes out at the moment, because the gateway refused the account: %(why)s", why=way.paused)
        found.append(told)
    usual = settings.current().sms_daily_cap if channel == "sms" else None
    daily = way.limits.get("sms_daily_cap" if channel == "sms" else "mail_daily_cap", usual)
    if daily is not None and count > daily:
        found.append(_("No more than %(n)s go out in a day; what is above that is left out", n=daily))
    return found
