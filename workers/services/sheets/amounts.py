"""Amounts as Turkish ledgers write them: 1.234,56 · (1.234,56) · 1.234,56 (B) · -₺1.234,56 · 1.234,56- · –"""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal

from workers.services.turkish import format_number

CENT = Decimal("0.01")
NOISE = Decimal("0.000001")  # 0.1 + 0.2 is 0.30000000000000004
MAX_EXACT = 10**13  # above it a double has no room for cents
MAX_CHARS, MAX_DIGITS = 60, 18
MAX_SHOWN = 10**MAX_DIGITS
CURRENCIES = {
    **dict.fromkeys(("tl", "try", "trl", "₺", "türk lirası", "turk lirasi", "lira"), "TRY"),
    **dict.fromkeys(("usd", "$", "us$", "dolar", "abd doları", "amerikan doları", "dollar"), "USD"),
    **dict.fromkeys(("eur", "€", "euro", "avro"), "EUR"),
    **dict.fromkeys(("gbp", "£", "sterlin", "ingiliz sterlini", "stg"), "GBP"),
    **dict.fromkeys(("chf", "frank", "isviçre frangı"), "CHF"),
}
SIDES = {"b": "borc", "borç": "borc", "borc": "borc", "a": "alacak", "alacak": "alacak"}
_SPACES = dict.fromkeys(map(ord, "\u00a0\u202f\u2009\u2007"), " ") | dict.fromkeys(map(ord, "\u2212\u2013\u2014"), "-")
_CURRENCY = r"US\$|[₺$€£]|(?:TL|TRY|USD|DOLAR|EUR|EURO|AVRO|GBP|CHF)(?![A-ZÇĞİÖŞÜ])"
_SIDE = r"(?:\((?:B|A)\)|(?:BORÇ|ALACAK|B|A)(?![A-ZÇĞİÖŞÜ])|\((?:BORÇ|ALACAK)\))"
_BEHIND = re.compile(rf"^(.*?)\s*(?:(?<![A-ZÇĞİÖŞÜ])({_CURRENCY})|(?<![A-ZÇĞİÖŞÜ])({_SIDE}))\.?$")
_BEFORE = re.compile(rf"^(?:({_CURRENCY})|({_SIDE}))\s*(?=[\d(.,+-])(.*)$")
_SPACED = re.compile(r"\d{1,3}(?:[ '’]\d{3})+(?:[.,]\d+)?", re.ASCII)
_NUMBER = re.compile(r"\d*[\d.,]*\d", re.ASCII)
_THOUSANDS = {sign: re.compile(rf"\d{{1,3}}(?:\{sign}\d{{3}})+", re.ASCII) for sign in ".,"}


class Unclear(Exception):
    """Nobody can say which amount this is."""

    def __init__(self, tr: str, en: str) -> None:
        super().__init__(tr)
        self.tr, self.en = tr, en


@dataclass(frozen=True)
class Amount:
    """`value` is to the cent, below zero for a minus or parentheses; `side` and `currency` are as marked beside it.

    `doubt`: what was decided that a person may see otherwise, in Turkish and in English.
    """

    value: Decimal
    side: str | None = None
    currency: str | None = None
    doubt: tuple[str, str] | None = None


def parse(text: str) -> Amount:
    """The amount that `text` is. Raises Unclear.

    >>> parse("(1.234,56)").value, parse("1.234,56 TL (A)").side, parse("$ 12.5").currency, parse("-").value
    (Decimal('-1234.56'), 'alacak', 'USD', Decimal('0.00'))
    """
    bare = " ".join(text.translate(_SPACES).split())
    if len(bare) > MAX_CHARS:
        raise _unlike(f"{bare[:MAX_CHARS]}…")
    rest, marks = _without_marks(bare.upper())
    negative = rest.startswith("(") and rest.endswith(")")
    if negative:
        rest, more = _without_marks(rest[1:-1].strip())
        marks += more
    if rest and not rest.strip("-"):
        return Amount(Decimal("0.00"), *_meaning(marks, text))
    if rest[:1] in ("+", "-") or rest[-1:] in ("+", "-"):
        sign, rest = (rest[0], rest[1:]) if rest[0] in "+-" else (rest[-1], rest[:-1])
        rest, more = _without_marks(rest.strip())
        negative, marks = negative or sign == "-", marks + more
    value, doubt = _number(rest, text)
    return Amount(-value + 0 if negative else value, *_meaning(marks, text), doubt)


def number(value: int | float) -> Amount:
    """A numeric cell, by the shortest text that is that number: never through what the cell shows."""
    if not math.isfinite(value) or abs(value) >= MAX_EXACT:
        tr, en = _written(Decimal(value)) if abs(value) < MAX_SHOWN else ("Sayı", "The number")
        tr = f"{tr} kuruşuna kadar saklanamayacak kadar büyük; metin olarak yazın"
        raise Unclear(tr, f"{en} is too large for a cell to keep its cents; write it as text")
    return _rounded(Decimal(repr(value)))


def cents(value: int | float) -> Decimal | None:
    """A numeric cell that is an amount to the cent, as nearly all are; of the others `number` knows what to say."""
    if -MAX_EXACT < value < MAX_EXACT:
        exact = Decimal(repr(value))
        rounded = exact.quantize(CENT)
        return rounded + 0 if rounded == exact else None
    return None


def all_cents(column: Sequence[int | float]) -> list[Decimal] | None:
    """A column of numeric cells that are all amounts to the cent, at a third of the price; None if one of them isn't.

    Below MAX_EXACT the text to the cent has fewer digits than a double keeps: if it is the same double, it is exact.
    """
    if not column or max(column) >= MAX_EXACT or min(column) <= -MAX_EXACT:
        return None
    texts = list(map("%.2f".__mod__, column))
    if list(map(float, texts)) != column:
        return None
    return [Decimal(text) + 0 for text in texts] if "-0.00" in texts else list(map(Decimal, texts))


def _without_marks(text: str) -> tuple[str, list[str]]:
    marks = []
    while found := _BEFORE.match(text):
        text, mark = found[3].strip(), found[1] or found[2]
        marks.append(mark)
    while found := _BEHIND.match(text):
        text, mark = found[1].strip(), found[2] or found[3]
        marks.append(mark)
    return text, [mark.strip("()") for mark in marks]


def _meaning(marks: list[str], text: str) -> tuple[str | None, str | None]:
    words = [mark.replace("I", "ı").lower() for mark in marks]
    sides = {SIDES[word] for word in words if word in SIDES}
    currencies = {CURRENCIES[word] for word in words if word in CURRENCIES}
    if len(sides) > 1 or len(currencies) > 1:
        raise _unlike(text)
    return next(iter(sides), None), next(iter(currencies), None)


def _number(digits: str, text: str) -> tuple[Decimal, tuple[str, str] | None]:
    if _SPACED.fullmatch(digits):
        digits = re.sub("[ '’]", "", digits)
    if not _NUMBER.fullmatch(digits) or sum(map(str.isdigit, digits)) > MAX_DIGITS:
        raise _unlike(text)
    if "." in digits and "," in digits:
        thousands, decimal = ".," if digits.rfind(",") > digits.rfind(".") else ",."
        whole, _, cents = digits.rpartition(decimal)
        if not _THOUSANDS[thousands].fullmatch(whole):
            raise _unlike(text)
        amount = _rounded(Decimal(f"{whole.replace(thousands, '')}.{cents}"))
        return amount.value, amount.doubt
    sign = "," if "," in digits else "."
    if _THOUSANDS[sign].fullmatch(digits) and not digits.startswith("0"):
        return _grouped(digits, sign, text)
    if digits.count(sign) > 1:
        raise _unlike(text)
    amount = _rounded(Decimal(digits.replace(",", ".")))
    return amount.value, amount.doubt


def _grouped(digits: str, sign: str, text: str) -> tuple[Decimal, tuple[str, str] | None]:
    value = Decimal(digits.replace(sign, "")).quantize(CENT)
    if digits.count(sign) > 1:
        return value, None
    if sign == ",":
        tr = f"“{text}”: virgül binlik mi ondalık mı belli değil; 1.234,00 ya da 1,23 gibi yazın"
        raise Unclear(tr, f"“{text}”: the comma may part thousands or decimals; write 1.234,00 or 1,23")
    tr, en = _written(value)
    tr = f"“{text}” {tr} olarak okundu (nokta binlik ayracı)"
    return value, (tr, f"“{text}” was read as {en} (the point parts thousands)")


def _rounded(exact: Decimal) -> Amount:
    value = exact.quantize(CENT, ROUND_HALF_UP) + 0
    if abs(exact - value) <= NOISE:
        return Amount(value)
    (exact_tr, exact_en), (tr, en) = _written(exact), _written(value)
    doubt = f"{exact_tr} kuruşa yuvarlandı: {tr}", f"{exact_en} was rounded to cents: {en}"
    return Amount(value, doubt=doubt)


def _written(amount: Decimal) -> tuple[str, str]:
    """All digits of `amount`, as Turkish and as English sentences write them."""
    _, _, decimals = f"{amount:f}".partition(".")
    return format_number(amount, len(decimals)), f"{amount:,f}"


def _unlike(text: str) -> Unclear:
    return Unclear(f"“{text}” bir tutar değil", f"“{text}” is no amount")
