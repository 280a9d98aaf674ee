"""What the service writes to its own users and operators, in Turkish and English: subject and body."""

from collections.abc import Mapping, Sequence
from datetime import date

EXPIRES = {
    "tr": (
        "Parolanızın süresi {days_left} gün içinde doluyor",
        "Sayın {name},\n\nParolanızın süresi {day} tarihinde ({days_left} gün sonra) dolacak. "
        "Lütfen bu tarihten önce parolanızı değiştirin:\n{url}\n",
    ),
    "en": (
        "Your password expires in {days_left} {days}",
        "Dear {name},\n\nYour password expires on {day}, in {days_left} {days}. "
        "Please change it before that day:\n{url}\n",
    ),
}
EXPIRING = {
    "tr": (
        "Parola süreleri: {soon} yaklaşıyor, {expired} doldu",
        "Parolasının süresi {within_days} gün içinde dolacak kullanıcı: {soon}\nParolasının süresi dolmuş kullanıcı: "
        "{expired}\n",
    ),
    "en": (
        "Passwords: {soon} expire soon, {expired} have expired",
        "Users whose password expires within {within_days} days: {soon}\nUsers whose password has expired: {expired}\n",
    ),
}
DIGEST = {
    "tr": (
        "Sıra: son özetten beri dikkat isteyenler",
        "Başarısız görevler",
        "Kaçan ya da geciken zamanlamalar",
        "Durdu",
    ),
    "en": ("Sıra: what went wrong since the last digest", "Failed tasks", "Missed or late schedules", "Set aside"),
}
ENDED = {
    "tr": ("{first}", "{first} (ve {more} görev daha)", "... ve {rest} görev daha", "Görevler: {url}/tasks"),
    "en": ("{first}", "{first} (and {more} more)", "... and {rest} more", "Tasks: {url}/tasks"),
}
WEBHOOK_OFF = {
    "tr": (
        "Webhook kapatıldı",
        "Şirketinizin webhook adresi bildirimleri almıyor ({reason}); gönderim durduruldu.\n"
        "Düzelttikten sonra yeniden açın:\n{url}/company\n",
    ),
    "en": (
        "Your webhook was switched off",
        "Nothing more is sent to your company's webhook: {reason}.\n"
        "Once it is mended, switch it on again:\n{url}/company\n",
    ),
}


def ended(language: str, lines: Sequence[tuple[str, str, str]], count: int, url: str) -> tuple[str, str]:
    """To a company: its tasks that ended, as (sentence, reason of a failure, id); `count` is how many there are."""
    alone, with_more, rest, link = ENDED.get(language, ENDED["en"])
    first = lines[0][0] if lines else ""
    subject = (with_more if count > 1 else alone).format(first=first, more=count - 1)
    told = [
        f"{sentence}{f' — {reason}' if reason else ''}\n{url}/tasks/{task_id}\n" for sentence, reason, task_id in lines
    ]
    if count > len(lines):
        told.append(rest.format(rest=count - len(lines)) + "\n")
    return subject, "\n".join([*told, link.format(url=url)]) + "\n"


def webhook_off(language: str, reason: str, url: str) -> tuple[str, str]:
    """To a company: its webhook gets nothing more, for a reason in that language."""
    return _filled(WEBHOOK_OFF, language, reason=reason, url=url)


def expires(language: str, name: str, day: date, days_left: int, url: str) -> tuple[str, str]:
    """To a user whose password expires on `day`."""
    written = f"{day:%d.%m.%Y}" if language == "tr" else day.isoformat()
    days = "day" if days_left == 1 else "days"
    return _filled(EXPIRES, language, name=name, day=written, days_left=days_left, days=days, url=url)


def expiring(language: str, soon: int, expired: int, within_days: int) -> tuple[str, str]:
    """To an operator: how many passwords expire soon or have expired."""
    return _filled(EXPIRING, language, soon=soon, expired=expired, within_days=within_days)


def digest(
    language: str, failed: Mapping[str, int], late: Mapping[str, int], set_aside: Sequence[str]
) -> tuple[str, str]:
    """To an operator: failed tasks by kind, missed or late schedules by name, schedules that can't be read."""
    subject, *titles = DIGEST.get(language, DIGEST["en"])
    parts = [_lines(failed), _lines(late), [f"  {name}" for name in set_aside]]
    told = [[f"{title}:", *lines, ""] for title, lines in zip(titles, parts, strict=True) if lines]
    return subject, "\n".join(line for part in told for line in part)


def _lines(counts: Mapping[str, int]) -> list[str]:
    return [f"  {name}: {count}" for name, count in counts.items()]


def _filled(texts: Mapping[str, tuple[str, str]], language: str, **values: object) -> tuple[str, str]:
    subject, body = texts.get(language, texts["en"])
    return subject.format(**values), body.format(**values)
