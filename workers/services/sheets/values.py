"""What a cell means, by the kind of its field."""

import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache
from typing import Any

from workers.errors import BadAddress
from workers.services import addresses, tax_numbers, turkish
from workers.services.currencies import CURRENCIES
from workers.services.sheets import amounts, days
from workers.services.sheets.amounts import Unclear
from workers.services.sheets.shapes import UNCACHED, CellError

VKN_DIGITS, TCKN_DIGITS = 10, 11
_SHORT_CHARS = 60
# What csv files hold instead of an error cell, from English and from Turkish Excel.
ERROR_TEXTS = {"#DIV/0!", "#N/A", "#NAME?", "#NULL!", "#NUM!", "#REF!", "#VALUE!", UNCACHED.name}
ERROR_TEXTS |= {"#SAYI/0!", "#YOK", "#AD?", "#BOŞ!", "#SAYI!", "#BAŞV!", "#DEĞER!"}
ADDRESS = re.compile(
    r"[A-Za-z0-9_%+-]{1,40}(?:\.[A-Za-z0-9_%+-]{1,20})?@(?:[a-z0-9]{1,40}(?:-[a-z0-9]{1,20})?\.){1,4}[a-z]{2,10}"
)
_SEVERAL = re.compile(r"[;,\s]+")
_QUOTED, _NAMED = re.compile(r'"[^"]*"'), re.compile(r"[;,]|(?<=>)")
PHONE = re.compile(r"\(?\+?\d[\d\s()./-]{5,24}", re.ASCII)
_AS_DECIMAL = re.compile(r"(\d{9,11})[.,]0{1,2}", re.ASCII)  # how programs write a number that they took for an amount
_SHORTENED = re.compile(r"\d(?:[.,]\d+)?E\+\d{2,3}", re.ASCII)
_TAX_SIGNS = re.compile(r"[\s.\-/]")
_SYMBOL = re.compile(r"\[\$([^\]-]*)[^\]]*\]")
_LETTERS = re.compile(r"[^\W\d_]+")
_NOT_SHOWN = re.compile(r"[\"\\]|[_*].")
_CURRENCY_IN_HEADER = re.compile(
    r"(?<![^\W\d_])(?:TL|TRY|USD|EUR|GBP|CHF|dolar|euro|avro|sterlin)(?![^\W\d_])|[₺$€£]", re.IGNORECASE
)
SIDES = {
    **dict.fromkeys(("b", "borc", "borclu", "borcbakiye", "borcbakiyesi", "bakiyeborc", "d", "debit", "debt"), "borc"),
    **dict.fromkeys(("a", "alacak", "alacakli", "alacakbakiye", "alacakbakiyesi", "bakiyealacak"), "alacak"),
    **dict.fromkeys(("c", "credit"), "alacak"),
}
LANGUAGES = {
    **dict.fromkeys(("tr", "turkce", "turkish", "trtr"), "tr"),
    **dict.fromkeys(("en", "ingilizce", "english", "engb", "enus"), "en"),
}
ROLES = {
    **dict.fromkeys(("member", "uye", "kullanici", "user"), "member"),
    **dict.fromkeys(("operator", "yonetici", "admin", "sistemyoneticisi"), "operator"),
}
_CURRENCIES = {turkish.fold(name) or name: code for name, code in amounts.CURRENCIES.items()}


@dataclass(frozen=True, slots=True)
class Said:
    """A cell about which something is to be said: `bad`, or only doubted, and then its `value` counts."""

    tr: str
    en: str
    value: Any = None
    bad: bool = True


def text(value: Any) -> Any:
    """One line without control characters."""
    if type(value) is str:
        bare = " ".join(value.split())
        if bare[:1] == "#" and bare in ERROR_TEXTS:
            return _failed(CellError(bare))
        return (bare if bare.isascii() and bare.isprintable() else _cleaned(bare)) or None
    if isinstance(value, bool):
        return "DOĞRU" if value else "YANLIŞ"
    if isinstance(value, date):
        return turkish.format_date(value)
    return _failed(value) if isinstance(value, CellError) else value if value is None else str(value)


def _word_of(value: Any) -> Any:
    """As `text`, but a dash is how people leave such a cell empty."""
    written = text(value)
    return None if isinstance(written, str) and not written.strip("-–—.") else written


def _cleaned(bare: str) -> str:
    if not bare.isprintable():
        bare = "".join(char for char in bare if unicodedata.category(char)[0] != "C")
    return unicodedata.normalize("NFC", bare).strip()


def _failed(error: CellError) -> Said:
    if error.name == UNCACHED.name:
        tr = "Formül sonucu kayıtlı değil; dosyayı Excel'de açıp kaydedin"
        return Said(tr, "The result of the formula is not stored; open and save the file in Excel")
    return Said(f"Hücrede {error.name} hatası var", f"The cell holds the error {error.name}")


def code(value: Any) -> Any:
    """Codes are text: 120.10 is not 120.1. A whole number is the same text; see `shown_code` for its format."""
    if type(value) is str:
        written = text(value)
        if not isinstance(written, str) or is_whole(written):
            return written
        tr = f"Excel kodu kısaltmış ({written}), rakamları kayıp; sütunu metin yapıp yeniden kaydedin"
        return Said(
            tr, f"Excel shortened the code ({written}), its digits are lost; make the column text and save again"
        )
    if isinstance(value, float):
        tr = f"Kod sayı olarak kayıtlı ({value}), sondaki sıfırlar kaybolmuş olabilir; metin olarak yazın"
        return Said(tr, f"The code is stored as a number ({value}), its last zeros may be lost; write it as text")
    if isinstance(value, date):
        tr = f"Excel kodu tarihe çevirmiş ({turkish.format_date(value)}); metin olarak yazın"
        return Said(tr, f"Excel made a date of the code ({value.isoformat()[:10]}); write it as text")
    if isinstance(value, bool):
        return _unlike(value, "kod", "code")
    return text(value)


def is_whole(code: str) -> bool:
    """Not 1,2001E+11, which is what Excel saves of a long code in a csv: other codes become the same."""
    return not ("E+" in code and _SHORTENED.fullmatch(code))


def shown_code(value: int, format: str) -> Any:
    """A whole number as its number format shows it: 0000000 brings its zeros back, 0.00 hides what was typed."""
    if re.fullmatch("0{2,}", format) and value >= 0:
        shown = str(value).zfill(len(format))
        tr, en = f"Sayı olarak kayıtlı kod {shown} olarak okundu", f"The code, stored as a number, was read as {shown}"
        return shown if shown == str(value) else Said(tr, en, shown, bad=False)
    if re.search(r"0[.]0|0\\.|[%/]|\"", format):
        tr = f"Kod sayı olarak kayıtlı ({value}) ve başka gösteriliyor (biçim {format}); metin olarak yazın"
        return Said(tr, f"The code is stored as a number ({value}) and shown as {format}; write it as text")
    return str(value)


def tax_number(value: Any) -> Any:
    """10 digits (VKN) or 11 (TCKN) with the right check digits; zeros that a spreadsheet ate come back with a doubt."""
    if isinstance(value, float | bool | date):
        return _unlike(value, "vergi numarası", "tax number")
    written = _word_of(value)
    if not isinstance(written, str):
        return written
    if decimal := _AS_DECIMAL.fullmatch(written):
        written = decimal[1]
    digits = written if written.isdecimal() else _TAX_SIGNS.sub("", written)
    if len(digits) == VKN_DIGITS and tax_numbers.is_vkn(digits):
        return digits
    found = tax_numbers.classify(digits)
    if found is None:
        return _bad_tax_number(written, digits)
    if found[1] == digits:
        return digits
    tr, en = f"Baştaki sıfır eklendi: {found[1]}", f"The leading zero was restored: {found[1]}"
    return Said(tr, en, found[1], bad=False)


def _bad_tax_number(written: str, digits: str) -> Said:
    if digits.isdecimal() and len(digits) in (VKN_DIGITS, TCKN_DIGITS):
        kind = "VKN" if len(digits) == VKN_DIGITS else "TCKN"
        return Said(f"{digits} geçerli bir {kind} değil (kontrol basamağı tutmuyor)", f"{digits} is no valid {kind}")
    tr = f"“{written[:_SHORT_CHARS]}” ne 10 haneli VKN ne de 11 haneli TCKN"
    return Said(tr, f"“{written[:_SHORT_CHARS]}” is neither a VKN (10 digits) nor a TCKN (11)")


def money(value: Any) -> Any:
    """Decimal to the cent, or an Amount where more than a number is to be known."""
    kind = type(value)
    if value is None:
        return None
    try:
        if kind is float or kind is int:
            exact = amounts.cents(value)
            return amounts.number(value) if exact is None else exact
        if kind is str:
            written = text(value)  # without the marks of right and left that come along with what is copied
            return amounts.parse(written) if type(written) is str else written
    except Unclear as error:
        return Said(error.tr, error.en)
    return _failed(value) if kind is CellError else _unlike(value, "tutar", "amount")


def day(value: Any, epoch: date = days.EPOCH) -> Any:
    """A date cell, a text, or a number that can only be a day; then counted from `epoch`."""
    kind = type(value)
    if kind is datetime:
        return value.date()
    if kind is date or value is None:
        return value
    if kind is CellError:
        return _failed(value)
    if kind is str:
        written = _word_of(value)
        if not isinstance(written, str):
            return written
        return days.parse(written) or _unlike(written, "tarih", "date")
    found = None if kind is bool else days.serial(value, epoch) or (days.parse(str(value)) if kind is int else None)
    if found is None:
        return _unlike(value, "tarih", "date")
    tr = f"{int(value)} sayısı {turkish.format_date(found)} olarak okundu"
    return Said(tr, f"The number {int(value)} was read as {found}", found, bad=False)


def email(value: Any) -> Any:
    """The first address where several stand in a cell, with a doubt; bare, or named as Outlook copies them:
    `"Şen, Ayşe" <ayse@b.com>; Ali Veli <ali@b.com>`."""
    written = _word_of(value)
    if not isinstance(written, str) or (len(written) < 100 and ADDRESS.fullmatch(written)):
        return written
    found = _first_address(written, [part for part in _SEVERAL.split(written.removeprefix("mailto:")) if part])
    if isinstance(found, Said) and found.bad and "<" in written:
        named = map(_unwrapped, _NAMED.split(_QUOTED.sub(" ", written)))
        return _first_address(written, [part for part in named if "@" in part])
    return found


def _unwrapped(part: str) -> str:
    """`ali@b.com` of `Ali Veli <ali@b.com>`. What has no bracket, or an open one, stays as it is: an address may be cut
    off there."""
    _, _, rest = part.partition("<")
    return rest[:-1].strip().removeprefix("mailto:") if rest.endswith(">") else part.strip()


def _first_address(written: str, parts: list[str]) -> Any:
    first, *more = parts or [written]
    try:
        address = addresses.check(first if "@" in first else written)
    except BadAddress as error:
        tr = f"“{written[:_SHORT_CHARS]}” bir e-posta adresi değil: {error.fields['reason']}"
        return Said(tr, f"“{written[:_SHORT_CHARS]}” is no e-mail address")
    if not more:
        return address
    return Said(f"Birden çok adres var, ilki alındı: {address}", f"The first of several: {address}", address, bad=False)


def phone(value: Any) -> Any:
    """As written; whether it is a mobile is decided before something is sent to it."""
    written = _word_of(str(int(value)) if isinstance(value, float) and value.is_integer() else value)
    if not isinstance(written, str) or PHONE.fullmatch(written):
        return written
    tr, en = f"“{written[:_SHORT_CHARS]}” telefon numarasına benzemiyor", "This does not look like a phone number"
    return Said(tr, en, written, bad=False)


def word(words: Mapping[str, str], tr: str, en: str) -> Callable[[Any], Any]:
    @lru_cache(4096)
    def meaning(value: Any) -> Any:
        written = _word_of(value)
        if not isinstance(written, str):
            return written
        return words.get(turkish.fold(written) or written) or _unlike(written, tr, en)

    return meaning


@lru_cache(4096)
def currency(value: Any) -> Any:
    """An ISO 4217 code, by itself, a sign or a Turkish name."""
    written = _word_of(value)
    if not isinstance(written, str):
        return written
    code = _CURRENCIES.get(turkish.fold(written) or written) or written.upper()
    return code if code in CURRENCIES else _unlike(written, "para birimi (ISO 4217)", "currency of ISO 4217")


def _unlike(value: Any, tr: str, en: str) -> Said:
    written = text(value)
    if isinstance(written, Said):  # an error that became text
        return written
    shown = str(written)[:_SHORT_CHARS]
    return Said(f"“{shown}” bir {tr} değil", f"“{shown}” is no {en}")


@lru_cache(4096)
def currency_in(header: str) -> str | None:
    """
    >>> currency_in("Bakiye (USD)"), currency_in("TL Borç"), currency_in("Bakiye")
    ('USD', 'TRY', None)
    """
    found = _CURRENCY_IN_HEADER.search(header)
    return currency(found[0]) if found else None


@lru_cache(4096)
def currency_shown(format: str) -> str | None:
    """The currency that cells of this number format show beside their numbers.

    >>> currency_shown("#,##0.00 [$€-407]"), currency_shown('"$"#,##0.00'), currency_shown("[$-41F]#,##0.00")
    ('EUR', 'USD', None)
    """
    return currency_in(_NOT_SHOWN.sub("", _SYMBOL.sub(r"\1", format.partition(";")[0])))


@lru_cache(4096)
def side_shown(format: str) -> str | None:
    """The side that this number format shows beside a number above zero.

    >>> side_shown('#,##0.00 "(A)"'), side_shown('#,##0.00 "Borç";#,##0.00 "Alacak"'), side_shown('0 "adet"')
    ('alacak', 'borc', None)
    """
    words = _LETTERS.findall(" ".join(_QUOTED.findall(format.partition(";")[0])))
    return next((amounts.SIDES[word] for word in map(str.lower, words) if word in amounts.SIDES), None)
