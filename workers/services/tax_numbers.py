"""Turkish tax numbers, by their check digits: VKN (companies, 10 digits) and TCKN (persons, 11 digits)."""

import re
from functools import cache
from typing import Literal

_DUMMIES = frozenset({"0123456789", "1234567890"})  # they pass the check, but are what people type to get past a form
_ZEROS = "000000"  # what starts with them is a row number that happens to pass


def is_vkn(text: str) -> bool:
    """
    >>> is_vkn("4540536920"), is_vkn("4540536921")
    (True, False)
    """
    if len(text) != 10 or not (text.isascii() and text.isdecimal()) or is_dummy(text):
        return False
    first, middle, last = _vkn_sums()
    return int(text[9]) == -(first[text[:3]] + middle[text[3:6]] + last[text[6:9]]) % 10


def _vkn_term(digit: int, power: int) -> int:
    shifted = (digit + power) % 10
    return 9 if shifted == 9 else shifted * 2**power % 9


@cache
def _vkn_sums() -> list[dict[str, int]]:
    """The sum of the terms of digits 1–3, 4–6 and 7–9, by those digits: a sheet has hundreds of thousands of them."""
    threes = [f"{number:03}" for number in range(1000)]
    return [
        {three: sum(_vkn_term(int(d), power - n) for n, d in enumerate(three)) for three in threes}
        for power in (9, 6, 3)
    ]


def is_tckn(text: str) -> bool:
    """
    >>> is_tckn("10000000146"), is_tckn("10000000147")
    (True, False)
    """
    if not re.fullmatch(r"[1-9][0-9]{10}", text) or is_dummy(text):
        return False
    digits = list(map(int, text))
    tenth = (sum(digits[0:9:2]) * 7 - sum(digits[1:8:2])) % 10
    return digits[9] == tenth and digits[10] == sum(digits[:10]) % 10


def is_dummy(digits: str) -> bool:
    """Whether these digits, which may check, are known to be nobody's."""
    return digits in _DUMMIES or digits.startswith(_ZEROS) or digits[:9] == digits[0] * 9


def classify(text: str) -> tuple[Literal["vkn", "tckn"], str] | None:
    """Which kind of number `text` is, and its digits; None if it is neither. Zeros that a spreadsheet ate come back.

    >>> classify("17291716060"), classify("454 053 69 20"), classify("4540536921")
    (('tckn', '17291716060'), ('vkn', '4540536920'), None)
    """
    digits = "".join(text.split())
    if is_tckn(digits):
        return "tckn", digits
    padded = digits.zfill(10)
    return ("vkn", padded) if is_vkn(padded) else None
