"""Amounts in Turkish words, written joined as on cheques, so that nothing can be added between them."""

from decimal import Decimal

from workers.errors import InvalidInput
from workers.services.turkish import rounded

_ONES = ("", "Bir", "İki", "Üç", "Dört", "Beş", "Altı", "Yedi", "Sekiz", "Dokuz")
_TENS = ("", "On", "Yirmi", "Otuz", "Kırk", "Elli", "Altmış", "Yetmiş", "Seksen", "Doksan")
_THOUSANDS = ("", "Bin", "Milyon", "Milyar", "Trilyon", "Katrilyon")
LIMIT = Decimal(1000 ** len(_THOUSANDS) - 1)

_NAMES = {
    "TRY": ("TürkLirası", "Kuruş"),
    "USD": ("AmerikanDoları", "Sent"),
    "EUR": ("Avro", "Sent"),
    "GBP": ("İngilizSterlini", "Peni"),
    "CHF": ("İsviçreFrangı", "Rappen"),
}
_THREE_DECIMALS = frozenset({"BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"})  # ISO 4217; the others have two


def decimals(currency: str) -> int:
    """How many decimals an amount of this ISO 4217 currency is written with."""
    return 3 if currency in _THREE_DECIMALS else 2


def whole_number(number: int) -> str:
    """
    >>> whole_number(21_000), whole_number(1_001_100), whole_number(0)
    ('YirmiBirBin', 'BirMilyonBinYüz', 'Sıfır')
    """
    groups = [number // 1000**n % 1000 for n in reversed(range(len(_THOUSANDS)))]
    names = [_group(group, name) for group, name in zip(groups, reversed(_THOUSANDS), strict=True)]
    return "".join(names) or "Sıfır"


def _group(group: int, name: str) -> str:
    if group == 0:
        return ""
    if group == 1 and name == "Bin":  # a thousand is "Bin", but a million is "BirMilyon"
        return name
    hundreds, rest = divmod(group, 100)
    hundred = ("" if hundreds == 1 else _ONES[hundreds]) + "Yüz" if hundreds else ""
    return hundred + _TENS[rest // 10] + _ONES[rest % 10] + name


def in_words(amount: Decimal, currency: str = "TRY") -> str:
    """A currency without a name here goes by its ISO code, its parts as a fraction. InvalidInput below 0, above LIMIT.

    >>> in_words(Decimal("1234.56")), in_words(Decimal("7.50"), "SEK")
    ('YalnızBinİkiYüzOtuzDörtTürkLirasıElliAltıKuruş', 'YalnızYediSEK50/100')
    """
    if not amount.is_finite() or not 0 <= amount <= LIMIT:
        raise InvalidInput([{"field": "amount", "message": f"must be from 0 to {LIMIT}"}])
    parts_per_unit = 10 ** decimals(currency)
    units, parts = divmod(int(rounded(amount, decimals(currency)) * parts_per_unit), parts_per_unit)
    unit_name, part_name = _NAMES.get(currency, (currency, f"/{parts_per_unit}"))
    return f"Yalnız{whole_number(units)}{unit_name}" + _parts(parts, part_name, decimals(currency))


def _parts(parts: int, name: str, digits: int) -> str:
    if parts == 0:
        return ""
    return f"{parts:0{digits}}{name}" if name.startswith("/") else whole_number(parts) + name
