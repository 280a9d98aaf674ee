"""Turkish forms of numbers, dates, letters and file names, which Python's own rules and locales get wrong."""

import re
import unicodedata
from datetime import date
from decimal import ROUND_HALF_UP, Decimal

MONTHS = ["Ocak", "Şubat", "Mart", "Nisan", "Mayıs", "Haziran", "Temmuz", "Ağustos", "Eylül", "Ekim", "Kasım", "Aralık"]

ALPHABET = "abcçdefgğhıijklmnoöpqrsştuüvwxyz"  # q, w and x where dictionaries have them

_POINTS = str.maketrans(",.", ".,")
_LOWER = str.maketrans("Iİ", "ıi")
_UPPER = str.maketrans("ıi", "Iİ")
_NOT_IN_FILE_NAMES = re.compile(r'[/\\:*?"<>|]+')
_WINDOWS_DEVICE = re.compile(r"(CON|PRN|AUX|NUL|COM\d|LPT\d)\s*(\.|$)", re.IGNORECASE | re.ASCII)


def rounded(amount: Decimal, places: int = 2) -> Decimal:
    """`amount` to `places` decimals, halves away from zero; never minus zero."""
    return amount.quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP) + 0


def format_number(amount: Decimal, places: int = 2) -> str:
    """
    >>> format_number(Decimal("1234.56"))
    '1.234,56'
    """
    return f"{rounded(amount, places):,f}".translate(_POINTS)


def format_date(day: date) -> str:
    """
    >>> format_date(date(2025, 12, 31))
    '31.12.2025'
    """
    return f"{day.day:02}.{day.month:02}.{day.year:04}"


def lower(text: str) -> str:
    """
    >>> lower("ISPARTA İZMİR")
    'ısparta izmir'
    """
    return unicodedata.normalize("NFC", text).translate(_LOWER).lower()


def upper(text: str) -> str:
    """
    >>> upper("ısparta izmir")
    'ISPARTA İZMİR'
    """
    return unicodedata.normalize("NFC", text).translate(_UPPER).upper()


def fold(text: str) -> str:
    """Letters and digits of `text` in small ASCII, the same for each way to write a column header.

    >>> fold("Ticari Ünvanı"), fold("VERGİ NO."), fold("e-posta")
    ('ticariunvani', 'vergino', 'eposta')
    """
    plain = unicodedata.normalize("NFKD", text.replace("ı", "i")).casefold().encode("ascii", "ignore").decode()
    return "".join(filter(str.isalnum, plain))


def order(text: str) -> list[tuple[int, int]]:
    """A key to sort by: signs, numbers, then the Turkish alphabet (â stands with a), then other letters.

    >>> sorted(["Sıra", "Öztürk", "İnci", "Ilgaz", "Şule", "Ongun", "Âdem", "Çınar", "Cem", "3M"], key=order)
    ['3M', 'Âdem', 'Cem', 'Çınar', 'Ilgaz', 'İnci', 'Ongun', 'Öztürk', 'Sıra', 'Şule']
    """
    return [_place(char) for char in lower(text)]


def _place(char: str) -> tuple[int, int]:
    letter = char if char in ALPHABET else unicodedata.normalize("NFKD", char)[0]
    if letter in ALPHABET:
        return 1, ALPHABET.index(letter)
    return (2 if char.isalpha() else 0), ord(char)


def safe_file_name(stem: str, ending: str) -> str:
    """A name that Windows, Linux and zip files take: at most 120 characters and 240 bytes, `ending` included."""
    text = _NOT_IN_FILE_NAMES.sub("-", unicodedata.normalize("NFC", stem))
    text = "".join(char for char in text if char.isspace() or unicodedata.category(char)[0] != "C")
    text = " ".join(text.split()).lstrip(" .-") or "_"
    if _WINDOWS_DEVICE.match(text):
        text = "_" + text
    return text[: 120 - len(ending)].encode()[: 240 - len(ending.encode())].decode(errors="ignore").rstrip() + ending
