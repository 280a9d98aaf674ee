"""Phone numbers: which are taken, why others are refused, and how little is shown of them."""

import doctest
import re
import subprocess
import sys

import phonenumbers
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.conftest import ROOT
from workers.errors import BadPhone
from workers.services import phones
from workers.services.phones import Phone, mask, parse

MOBILE = Phone("+905551234567", "TR")
dialled = st.text(alphabet="0123456789 +()-./٠٥eE,;\u200e", max_size=24)
foreign = st.builds("{}{}".format, st.sampled_from(["+90", "+49", "+1", "+44", "+881", "0090", "0"]), dialled)


def test_the_examples_in_the_docstrings_hold():
    assert doctest.testmod(phones).failed == 0


@pytest.mark.parametrize(
    "written",
    [
        "5551234567",
        "0555 123 45 67",
        "905551234567",
        "+90 555 123 45 67",
        "0090 555 123 45 67",
        "(0555) 123-45-67",
        "0555.123.45.67",
        "(+90) 555/123/4567",
        "+9005551234567",
        "90 0555 123 45 67",
        " 0555\u00a0123 45 67 ",
        "\u202a+90 555 123 45 67\u202c",
        "٠٥٥٥١٢٣٤٥٦٧",
    ],
)
def test_a_mobile_is_the_same_number_however_it_was_written(written):
    assert parse(written) == MOBILE


@pytest.mark.parametrize(
    ("written", "reason"),
    [
        ("", "boş"),
        (" \u200e\t", "boş"),
        ("0212 123 45 67", "sabit hat"),
        ("444 1 234", "444'lü"),
        ("0850 123 45 67", "0850'li"),
        ("0800 123 45 67", "800'lü"),
        ("0900 123 45 67", "900'lü"),
        ("5551234567.0", "ondalık"),
        ("5551234567,00", "ondalık"),
        ("5.551234567E9", "bilimsel"),
        ("5,55E+09", "bilimsel"),
        ("0555 123 45 67 / 0532 123 45 67", "iki numara"),
        ("5551234567;5321234567", "iki numara"),
        ("5551234567\n5321234567", "iki numara"),
        ("5551234567 ve 5321234567", "iki numara"),
        ("5551234567 5321234567", "iki numara"),
        ("0555 123 45 67-0532 123 45 67", "iki numara"),
        ("0555 ABC DE FG", "harf"),
        ("0555 123 45 67 dahili 3", "harf"),
        ("=5551234567", "işaret"),
        ("-5551234567", "işaret"),
        ("nan", "harf"),
        ("155", "eksik"),
        ("0555 123 45", "geçersiz"),
        ("0555 123 45 678", "geçersiz"),
        ("0561 123 45 67", "geçersiz"),
        ("0000000000", "geçersiz"),
        ("+999 12345678", "değil"),
        ("+49 1511 2345678", "kapalı ülke (+49)"),
        ("+8816 1234 5678", "uydu hattı (+881)"),
        ("+979 123 456 789", "ücretli hat (+979)"),
    ],
)
def test_what_is_no_mobile_here_is_refused_with_its_reason(written, reason):
    with pytest.raises(BadPhone) as refused:
        parse(written)

    assert reason in refused.value.fields["reason"]


def test_an_open_country_is_taken_and_its_landlines_are_not():
    assert parse("+49 1511 2345678", ("TR", "DE")) == Phone("+4915112345678", "DE")
    assert parse("01511 2345678", ("DE",)) == Phone("+4915112345678", "DE")
    with pytest.raises(BadPhone, match="sabit hat"):
        parse("+49 30 12345678", ("TR", "DE"))
    with pytest.raises(BadPhone, match="kapalı ülke"):
        parse("0090 555 123 45 67", ("DE",))


@given(dialled | foreign | st.text(), st.sampled_from([("TR",), ("TR", "DE"), ("GB", "US", "TR")]))
@example("5551234567.0", ("TR",))
@example("5.551234567E9", ("TR",))
def test_nothing_but_a_valid_mobile_of_an_open_country_is_ever_returned(written, countries):
    try:
        found = parse(written, countries)
    except BadPhone:
        return

    number = phonenumbers.parse(found.e164)
    assert phonenumbers.is_valid_number(number)
    assert phonenumbers.region_code_for_number(number) == found.country
    assert found.country in countries
    assert phonenumbers.number_type(number) in (
        phonenumbers.PhoneNumberType.MOBILE,
        phonenumbers.PhoneNumberType.FIXED_LINE_OR_MOBILE,
    )
    assert re.fullmatch(r"\+[1-9][0-9]{6,14}", found.e164)


@given(dialled | foreign | st.text())
def test_a_reason_never_repeats_the_number(written):
    reason = ""
    try:
        parse(written)
    except BadPhone as refused:
        reason = refused.fields["reason"]

    assert not re.search(r"\d{4}", reason)


@given(st.from_regex(r"5(3[0-9]|4[0-9]|5[0-9])[0-9]{7}", fullmatch=True).filter(lambda digits: digits.isascii()))
def test_every_way_to_write_a_number_gives_one_number_and_reading_it_again_changes_nothing(digits):
    try:
        found = parse(digits)
    except BadPhone:
        return

    assert found.e164 == f"+90{digits}"
    for written in (f"0{digits}", f"90{digits}", f"+90{digits}", f"0090 {digits[:3]} {digits[3:]}", found.e164):
        assert parse(written) == found


@given(dialled | foreign | st.text())
@example("+0905551234567")
def test_a_mask_shows_a_country_code_and_at_most_the_last_four_digits(written):
    shown = re.fullmatch(r"(?:\+([1-9][0-9]{0,2}))?…([0-9]{4})?", mask(written))

    assert shown
    code, last = shown.groups()
    assert written.startswith("+") or code is None
    assert last is None or "".join(char for char in written if char in "0123456789").endswith(last)


@pytest.mark.parametrize(
    ("number", "shown"),
    [("+905551234567", "+90…4567"), ("+3584570123456", "+358…3456"), ("05551234567", "…4567"), ("1234", "…")],
)
def test_a_masked_number_looks_like_this(number, shown):
    assert mask(number) == shown


def test_the_large_tables_are_read_only_when_a_number_is():
    script = "import sys; import workers.services.phones; print('phonenumbers' in sys.modules)"

    ended = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True)

    assert ended.stdout.strip() == "False", ended.stderr
