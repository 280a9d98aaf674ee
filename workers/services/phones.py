"""Phone numbers as people and sheets write them: which are mobiles that an SMS may go to, and how they are shown."""

import re
import unicodedata
from dataclasses import dataclass
from functools import cache
from typing import Any

from workers.errors import BadPhone

_ENOUGH, _ONE_NUMBER = 7, 17  # digits: fewer are no subscriber number, more are no E.164 number with 00 before it
_SPLITTERS = re.compile(r"[;,/|\n\r\t]| ve | veya ")
_SCIENTIFIC = re.compile(r"[+-]?\d+([.,]\d+)?e[+-]?\d+", re.IGNORECASE)
_DECIMAL = re.compile(r"\+?\d{7,}[.,]\d{1,2}")
_DIALLED = re.compile(r"\(?\+?\d[\d\s()./-]+")
_KINDS = {
    "FIXED_LINE": "sabit hat, cep telefonu değil",
    "TOLL_FREE": "800'lü hat, cep telefonu değil",
    "PREMIUM_RATE": "ücretli (900'lü) hat",
    "SHARED_COST": "paylaşımlı ücretli hat",
    "VOIP": "0850'li hat, cep telefonu değil",
    "UAN": "444'lü hat, cep telefonu değil",
    "PAGER": "çağrı cihazı",
    "PERSONAL_NUMBER": "kişisel yönlendirme numarası",
    "VOICEMAIL": "sesli mesaj hattı",
}
_INVALID = "geçersiz numara (hane sayısı veya ilk haneleri yanlış)"
_NETWORKS = {870: "uydu hattı", 881: "uydu hattı", 882: "uluslararası hat", 883: "uluslararası hat", 979: "ücretli hat"}


@dataclass(frozen=True)
class Phone:
    """A mobile number: `e164` such as +905551234567, and the ISO 3166 code of its country."""

    e164: str
    country: str


def parse(text: str, countries: tuple[str, ...] = ("TR",)) -> Phone:
    """The mobile that `text` means; raises BadPhone with a Turkish reason that repeats no digit of it.

    `countries` is an allow-list of ISO 3166 codes; a number without its country is one of the first. Where a country
    has one range for both (+1), it counts as a mobile. Numbers of Northern Cyprus (+90 533 8…, +90 548 8…) are
    Turkish to the numbering plan, though gateways bill them as abroad.

    >>> parse("0555 123 45 67"), parse("(0090) 555-123-45-67").e164
    (Phone(e164='+905551234567', country='TR'), '+905551234567')
    """
    cleaned = text if text.isascii() else "".join(char for char in text if unicodedata.category(char) != "Cf")
    cleaned = cleaned.strip()
    _refuse_unlike_a_number(cleaned)
    number = _number(cleaned, countries[0])
    country = _library().region_code_for_number(number)
    if country not in countries:
        raise BadPhone(reason=_foreign(number.country_code) if country else _INVALID)
    _refuse_other_kinds(number)
    return Phone(_library().format_number(number, _library().PhoneNumberFormat.E164), country)


def is_country(code: str) -> bool:
    """Whether that is the ISO 3166 code of a country whose numbers are known."""
    return code in _library().SUPPORTED_REGIONS


def mask(e164: str) -> str:
    """The number for logs and pages: its country code and its last four digits. What is no number shows less.

    >>> mask("+905551234567"), mask("+14155550123"), mask("Ali")
    ('+90…4567', '+1…0123', '…')
    """
    digits = "".join(char for char in e164 if char in "0123456789")
    if len(digits) <= _ENOUGH:
        return "…"
    codes = _library().COUNTRY_CODE_TO_REGION_CODE if re.match(r"\+[1-9]", e164) else {}
    code = next((digits[:n] for n in (1, 2, 3) if int(digits[:n]) in codes), "")
    return f"+{code}…{digits[-4:]}" if code else f"…{digits[-4:]}"


def _refuse_unlike_a_number(text: str) -> None:
    """What a library would guess a number from, though nobody wrote one."""
    digits = sum(char.isdigit() for char in text)
    if not text:
        raise BadPhone(reason="numara boş")
    if _SCIENTIFIC.fullmatch(text):
        raise BadPhone(reason="bilimsel gösterim (5,55E+09): hücreyi metin yapıp numarayı yeniden yazın")
    if _DECIMAL.fullmatch(text):
        raise BadPhone(reason="ondalık sayı (Excel '.0' eklemiş): hücreyi metin yapıp numarayı yeniden yazın")
    if sum(_is_long(part) for part in _SPLITTERS.split(text)) > 1 or digits > _ONE_NUMBER:
        raise BadPhone(reason="bir hücrede iki numara var")
    if not _DIALLED.fullmatch(text):
        raise BadPhone(reason="numarada harf veya tanınmayan işaret var")
    if digits < _ENOUGH:
        raise BadPhone(reason="numara eksik")


def _is_long(part: str) -> bool:
    return sum(char.isdigit() for char in part) >= _ENOUGH


def _number(text: str, country: str) -> Any:
    try:
        return _library().parse(text, country)
    except _library().NumberParseException:
        raise BadPhone(reason="telefon numarası değil") from None


def _foreign(code: int) -> str:
    return f"{_NETWORKS.get(code, 'gönderime kapalı ülke')} (+{code})"


def _refuse_other_kinds(number: Any) -> None:
    kinds = _library().PhoneNumberType
    kind = _library().number_type(number)
    if kind not in (kinds.MOBILE, kinds.FIXED_LINE_OR_MOBILE):
        reasons = {getattr(kinds, name): reason for name, reason in _KINDS.items()}
        raise BadPhone(reason=reasons.get(kind, _INVALID))


@cache
def _library() -> Any:
    """Imported at first use: its tables are large, and every worker is forked with what is loaded."""
    from workers.services import phone_tables

    return phone_tables.phonenumbers
