"""Check digits of VKN and TCKN."""

import doctest

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from workers.services import tax_numbers
from workers.services.tax_numbers import classify, is_tckn, is_vkn

first_nine = st.text(alphabet="0123456789", min_size=9, max_size=9)


def not_fake(digits: str) -> bool:
    return not digits.startswith("000000") and len(set(digits)) > 1 and digits not in ("012345678", "123456789")


def test_the_examples_in_the_docstrings_hold():
    assert doctest.testmod(tax_numbers).failed == 0


@pytest.mark.parametrize("number", ["4540536920", "17291716060", "10000000146"])
def test_a_real_number_passes(number):
    assert is_vkn(number) or is_tckn(number)


@pytest.mark.parametrize(
    "number",
    ["0000000000", "0123456789", "1234567890", "0000000019", "4444444444", "11111111110", "22222222220", "00000000000"],
)
def test_a_number_typed_to_get_past_a_form_is_refused(number):
    assert not is_vkn(number)
    assert not is_tckn(number)
    assert classify(number) is None


@pytest.mark.parametrize(
    "text", ["", "454053692", "45405369200", "454053692x", "٤٥٤٠٥٣٦٩٢٠", "02345678901", "-540536920"]
)
def test_what_is_not_ten_or_eleven_digits_is_refused(text):
    assert not is_vkn(text)
    assert not is_tckn(text)


@given(first_nine)
def test_nine_digits_have_one_check_digit(digits):
    assume(not_fake(digits))
    assert sum(is_vkn(f"{digits}{check}") for check in range(10)) == 1


@given(first_nine)
def test_nine_digits_of_a_person_have_one_pair_of_check_digits(digits):
    assume(not_fake(digits) and digits[0] != "0")
    assert sum(is_tckn(f"{digits}{checks:02}") for checks in range(100)) == 1


@given(first_nine, st.integers(min_value=0, max_value=8), st.integers(min_value=1, max_value=9))
def test_one_wrong_digit_of_a_person_is_noticed(digits, place, shift):
    assume(not_fake(digits) and digits[0] != "0")
    number = next(f"{digits}{checks:02}" for checks in range(100) if is_tckn(f"{digits}{checks:02}"))
    wrong = number[:place] + str((int(number[place]) + shift) % 10) + number[place + 1 :]
    assert not is_tckn(wrong)


@given(first_nine)
def test_zeros_that_a_spreadsheet_ate_come_back(digits):
    assume(not_fake(digits))
    number = next(f"{digits}{check}" for check in range(10) if is_vkn(f"{digits}{check}"))
    assert classify(str(int(number))) == ("vkn", number)
    assert classify(f" {number[:3]} {number[3:]}\n") == ("vkn", number)


def test_a_number_that_was_read_as_a_float_is_refused():
    assert classify("4540536920.0") is None
