"""The text of an SMS: its alphabet, how many segments it takes and is billed for, and how to spell it plainly.

Alphabets and shift tables are those of 3GPP TS 23.038; the room that is left beside the header (3GPP TS 23.040: one
octet, three for each Turkish table, five for joining segments) is counted in septets of 7 bits, or in UTF-16 units.
"""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import NamedTuple

from workers.errors import BadText

MAX_CHARS = 1600  # the longest Body that any of the gateways takes (Twilio)
TURKISH = frozenset("ĞİŞçğış")  # the letters that the default alphabet lacks; Ç Ö Ü ö ü are in it
DEFAULT = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿"
    "abcdefghijklmnopqrstuvwxyzäöñüà"
)
EXTENSION = frozenset("\f^{}\\[~]|€")  # an escape and a second septet each
_REPLACED = frozenset("èìØøÆæ¡¿")  # whose places the locking table gives to the Turkish letters and €
_UNSENDABLE = re.compile("[\x00-\x08\x0b\x0e-\x1f\x7f-\x9f\ud800-\udfff]")  # controls, halves of a surrogate pair
_PLAIN = str.maketrans("ÇĞİÖŞÜçğıöşüÂÎÛâîû’‘“”–—\u00a0", "CGIOSUcgiosuAIUaiu''\"\"-- ") | {
    ord("…"): "...",
    ord("₺"): "TL",
}


class Alphabet(NamedTuple):
    """What one segment alone and one of several can hold, and what each of its characters costs (UCS-2 has all)."""

    name: str
    single: int
    multi: int
    costs: Mapping[str, int]

    def lacks(self, text: str) -> list[str]:
        """The characters of `text`, each once, that it can't write."""
        if not self.costs or self.costs.keys() >= set(text):
            return []
        return [char for char in dict.fromkeys(text) if char not in self.costs]

    def units(self, text: str) -> list[int]:
        """The units of each character, which are never split."""
        return list(map(self.costs.__getitem__, text)) if self.costs else [1 + (char > "\uffff") for char in text]


_DEFAULT = dict.fromkeys(DEFAULT, 1) | dict.fromkeys(EXTENSION, 2)
_LOCKED = dict.fromkeys((DEFAULT - _REPLACED) | TURKISH, 1) | dict.fromkeys(EXTENSION, 2) | {"€": 1}
PLAIN = Alphabet("GSM-7", 160, 153, _DEFAULT)
LOCKING = Alphabet("GSM-7-TR-LOCKING", 155, 149, _LOCKED)
BOTH = Alphabet("GSM-7-TR-BOTH", 152, 146, _LOCKED)
UCS2 = Alphabet("UCS-2", 70, 67, {})


@dataclass(frozen=True)
class Measure:
    """`units` used (septets, or UTF-16 units in UCS-2) of `segments` × `per_segment`; `offending` made it cost more."""

    encoding: str
    segments: int
    units: int
    per_segment: int
    offending: list[str]


@dataclass(frozen=True)
class Billing:
    """How a gateway counts, which may differ from what goes over the air; the fields are the arguments of `measure`."""

    turkish_cost: int = 2
    tables: str = "gsm"
    suffix: int = 0
    max_segments: int = 10

    def measure(self, text: str) -> Measure:
        return measure(
            text,
            turkish_cost=self.turkish_cost,
            tables=self.tables,
            suffix=self.suffix,
            max_segments=self.max_segments,
        )


def measure(
    text: str, *, turkish_cost: int = 2, tables: str = "gsm", suffix: int = 0, max_segments: int = 10
) -> Measure:
    """Count the segments of `text`; raises BadText if it is empty, too long, or no text.

    `tables`: what the sender has besides the default alphabet and UCS-2: "gsm" the Turkish single shift table, whose
    letters cost `turkish_cost` septets (2 over the air, 1 where the gateway bills so), "locking", "both", "all" of
    them, "none". `suffix`: characters that the gateway adds. The cheapest alphabet wins, the simplest of equals.

    >>> measure("Borcunuz 150 TL").encoding, measure("👍").offending, measure("şişe")
    ('GSM-7', ['👍'], Measure(encoding='GSM-7-TR', segments=1, units=6, per_segment=155, offending=['ş']))
    """
    _refuse_unsendable(text)
    choices = _alphabets(tables, turkish_cost)
    fitting = [one for one in choices if not one.lacks(text)] or [UCS2]
    found, segments, units = min(((one, *_packed(text, one, suffix)) for one in fitting), key=lambda each: each[1])
    if segments > max_segments:
        raise BadText(reason=f"{segments} SMS uzunluğunda, en çok {max_segments} olabilir")
    offending = choices[-1 if found is UCS2 else 0].lacks(text)
    return Measure(found.name, segments, units, found.single if segments == 1 else found.multi, offending)


@cache
def _alphabets(tables: str, turkish_cost: int) -> list[Alphabet]:
    """The alphabets of 7 bits that a sender with these `tables` may choose from, the simplest first."""
    shifted = Alphabet("GSM-7-TR", 155, 149, _DEFAULT | dict.fromkeys(TURKISH, turkish_cost))
    extra = {"none": [], "gsm": [shifted], "locking": [LOCKING], "both": [BOTH], "all": [shifted, LOCKING, BOTH]}
    return [PLAIN, *extra[tables]]


@lru_cache(maxsize=1024)  # a text is asked about when it is sorted, put into a request and sent
def alphabet_of(text: str) -> str:
    """The name of the simplest alphabet that can write `text`: GSM-7, GSM-7-TR or UCS-2."""
    return next((one.name for one in _alphabets("gsm", 2) if not one.lacks(text)), UCS2.name)


def plain(text: str) -> str:
    """`text` in letters of the default alphabet, as far as that is Turkish: ş as s, â as a, ’ as ', ₺ as TL.

    >>> plain("Sayın Şükrü Çağlı, 1.250 ₺’lik borcunuz…")
    "Sayin Sukru Cagli, 1.250 TL'lik borcunuz..."
    """
    return unicodedata.normalize("NFC", text).translate(_PLAIN)


def _refuse_unsendable(text: str) -> None:
    if not text.strip():
        raise BadText(reason="metin boş")
    if len(text) > MAX_CHARS:
        raise BadText(reason=f"{len(text)} karakter uzunluğunda, en çok {MAX_CHARS} olabilir")
    if _UNSENDABLE.search(text):
        raise BadText(reason="metinde görünmeyen denetim karakteri var")


def _packed(text: str, alphabet: Alphabet, suffix: int) -> tuple[int, int]:
    """Segments and units. What doesn't fit into a segment goes whole into the next."""
    costs = [*alphabet.units(text), *[1] * suffix]
    units = sum(costs)
    if units <= alphabet.single:
        return 1, units
    segments, left = 1, alphabet.multi
    for cost in costs:
        if cost > left:
            segments, left = segments + 1, alphabet.multi
        left -= cost
    return segments, units
