"""The types of what comes in over HTTP: text, money, currencies, tax numbers, addresses."""

import re
import unicodedata
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from functools import cache
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema

from workers import records
from workers.errors import BadAddress
from workers.services import addresses
from workers.services.currencies import CURRENCIES
from workers.services.tax_numbers import is_dummy, is_tckn, is_vkn

MAX_AMOUNT = 10**15
EXACT_FLOAT_BELOW = 10**13  # below it two decimals have at most 15 digits, which a double keeps exactly
BIDI_CONTROLS = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
FILLERS = frozenset("\u115f\u1160\u2800\u3164\uffa0")  # letters and signs to Unicode, and yet empty

_AMOUNT = re.compile(r"[0-9]{1,16}(\.[0-9]{1,2})?")
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


class Input(BaseModel):
    """A request body or a part of one: nothing unknown, nothing guessed."""

    model_config = ConfigDict(extra="forbid", strict=True)


class Query(BaseModel):
    """Query parameters: text becomes numbers, unknown ones are ignored. Its schema is kept, because flask-openapi3 asks
    for it at every request."""

    @classmethod
    @cache
    def model_json_schema(cls, *args: Any, **kwargs: Any) -> dict[str, Any]:  # type: ignore[override]
        return super().model_json_schema(*args, **kwargs)


def line(text: str) -> str:
    """Text in one line: NFC, stripped of spaces, and refused with control characters, at its ends too. Text of which
    nothing can be seen is empty."""
    text = unicodedata.normalize("NFC", text)
    if any(unicodedata.category(char) in ("Cc", "Cs", "Zl", "Zp") or char in BIDI_CONTROLS for char in text):
        raise ValueError("must not hold control characters")
    return text.strip() if any(map(_can_be_seen, text)) else ""


def _can_be_seen(char: str) -> bool:
    """Spaces, formats such as the zero-width joiner, and marks that have no letter to stand on, can't."""
    return char not in FILLERS and unicodedata.category(char)[0] not in "CMZ"


def lines(text: str) -> str:
    """Text in lines, as `line` but for the breaks."""
    return "\n".join(line(part) for part in text.replace("\r\n", "\n").split("\n")).strip()


def amount(value: Any) -> str:
    """A sum of money as decimal text with two decimals; JSON numbers only where they are exact."""
    if isinstance(value, float) and 0 <= value < EXACT_FLOAT_BELOW:
        value = repr(value)
    elif isinstance(value, int) and not isinstance(value, bool):
        value = str(value) if 0 <= value <= MAX_AMOUNT else value
    if not isinstance(value, str) or not _AMOUNT.fullmatch(value) or Decimal(value) > MAX_AMOUNT:
        raise ValueError('must be decimal text such as "1234.56": 0 to 10^15, at most 2 decimals, no sign or exponent')
    return f"{Decimal(value):.2f}"


def currency(code: str) -> str:
    code = "TRY" if code == "TL" else code
    if code not in CURRENCIES:
        raise ValueError("must be an ISO 4217 code such as TRY, USD or EUR")
    return code


def email(text: str) -> str:
    """One address that can be mailed to, as it was written: its domain may be international (örnek.com.tr)."""
    written = line(text)
    try:
        addresses.check(written if written.isprintable() else "")
    except BadAddress:
        raise ValueError("must be one e-mail address such as ad@ornek.com.tr") from None
    return written


def vkn(text: str) -> str:
    _refuse_dummy(text, 10)
    if not is_vkn(text):
        raise ValueError("is no VKN: 10 digits, and the last one must check")
    return text


def tckn(text: str) -> str:
    _refuse_dummy(text, 11)
    if not is_tckn(text):
        raise ValueError("is no TCKN: 11 digits, and the last two must check")
    return text


def _refuse_dummy(text: str, digits: int) -> None:
    """Its check digits may be right, so that nobody would find what is wrong with it."""
    if len(text) == digits and text.isdecimal() and is_dummy(text):
        raise ValueError("is a dummy number that belongs to nobody")


def day(value: Any) -> Any:
    try:
        return date.fromisoformat(value if _DAY.fullmatch(value) else "")
    except (TypeError, ValueError) as error:
        raise ValueError("must be a day such as 2025-12-31") from error


def balance_day(found: date) -> date:
    if not records.is_balance_day(found):
        raise ValueError("must be from 1990 to a year from today")
    return found


def _of_text(clean: Callable[[str], str]) -> BeforeValidator:
    """Clean before lengths are counted, and leave what is no text to pydantic's own complaint."""
    return BeforeValidator(lambda value: clean(value) if isinstance(value, str) else value)


OneLine = _of_text(line)
Lines = _of_text(lines)
Amount = Annotated[
    str,
    BeforeValidator(amount),
    WithJsonSchema({"type": "string", "pattern": r"^[0-9]{1,16}(\.[0-9]{1,2})?$", "example": "1234.56"}),
]
Currency = Annotated[str, AfterValidator(currency), WithJsonSchema({"type": "string", "example": "TRY"})]
Email = Annotated[str, AfterValidator(email), Field(max_length=320)]
Phone = Annotated[str, Field(max_length=40), OneLine]
Vkn = Annotated[str, AfterValidator(vkn), WithJsonSchema({"type": "string", "pattern": "^[0-9]{10}$"})]
Tckn = Annotated[str, AfterValidator(tckn), WithJsonSchema({"type": "string", "pattern": "^[0-9]{11}$"})]
Day = BeforeValidator(day)
BalanceDay = Annotated[date, Day, AfterValidator(balance_day)]
