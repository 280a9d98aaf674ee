"""What comes in over HTTP as text and money: kept as it was meant, or refused."""

import unicodedata
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app import fields
from workers.services.currencies import CURRENCIES


@given(st.decimals(min_value=0, max_value=10**15, places=2, allow_nan=False))
def test_every_sum_is_kept_as_it_was_sent(amount: Decimal) -> None:
    assert Decimal(fields.amount(f"{amount:f}")) == amount


@given(st.integers(min_value=0, max_value=10**15 - 1))
def test_json_numbers_mean_what_they_show_or_are_refused(kurus: int) -> None:
    number = float(f"{kurus // 100}.{kurus % 100:02d}")
    try:
        kept = fields.amount(number)
    except ValueError:
        assert number >= fields.EXACT_FLOAT_BELOW
    else:
        assert Decimal(kept) == Decimal(kurus) / 100


@pytest.mark.parametrize(
    ("check", "text", "sentence"),
    [
        *((fields.vkn, text, "dummy") for text in ("1234567890", "0123456789", "0000000019")),
        *((fields.vkn, text, "no VKN") for text in ("4540536921", "454053692", "", "aaaaaaaaaa")),
        (fields.tckn, "11111111110", "dummy"),
        (fields.tckn, "17291716061", "no TCKN"),
    ],
)
def test_a_dummy_tax_number_is_called_so_and_not_miscounted(check: Any, text: str, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        check(text)


@given(st.text())
def test_a_line_of_text_is_refused_or_safe(text: str) -> None:
    try:
        kept = fields.line(text)
    except ValueError:
        return
    assert kept == fields.line(kept)
    assert len(kept.splitlines()) <= 1
    assert not any(unicodedata.category(char) in ("Cc", "Cs") for char in kept)


@pytest.mark.parametrize(
    "text", ["\u200b\u200d", "\ufeff ", "\u2060", "\u3164", "\u2800\u2800", "\u0301\ufe0f", "\u00ad"]
)
def test_text_of_which_nothing_can_be_seen_is_empty(text: str) -> None:
    assert fields.line(text) == ""
    assert fields.line(f"{text}Işık 👨‍👩‍👧 {text}").strip(text).startswith("Işık 👨‍👩‍👧")


@given(st.from_regex(r"[^\s]{0,30}@[^\s]{0,40}"))
def test_an_address_is_refused_or_one_address(text: str) -> None:
    try:
        kept = fields.email(text)
    except ValueError:
        return
    assert kept.count("@") == 1
    assert not set(kept) & set(' ,;<>()[]\\"\r\n\x00')


def test_the_currencies_are_codes_of_three_letters() -> None:
    assert {"TRY", "USD", "EUR", "GBP", "CHF", "JPY", "XAU"} <= CURRENCIES
    assert all(len(code) == 3 and code.isascii() and code.isupper() for code in CURRENCIES)
    assert not {"TL", "XXX", "XTS", "TRL", "DEM"} & CURRENCIES
    assert len(CURRENCIES) > 170
