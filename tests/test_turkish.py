"""Turkish forms of numbers, dates, letters and file names."""

import doctest
from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.services import turkish

ALPHABET = "abcçdefgğhıijklmnoöprsştuüvyz"
CAPITALS = "ABCÇDEFGĞHIİJKLMNOÖPRSŞTUÜVYZ"


def test_the_examples_in_the_docstrings_hold():
    assert doctest.testmod(turkish).failed == 0


@pytest.mark.parametrize(
    ("amount", "written"),
    [
        ("0", "0,00"),
        ("-0.004", "0,00"),
        ("0.005", "0,01"),
        ("999.995", "1.000,00"),
        ("1234567.8", "1.234.567,80"),
        ("-1234.5", "-1.234,50"),
    ],
)
def test_a_number_has_points_for_thousands_and_a_comma_for_decimals(amount, written):
    assert turkish.format_number(Decimal(amount)) == written


@given(st.decimals(min_value=-(10**20), max_value=10**20, places=2))
def test_a_written_number_reads_back_as_itself(amount):
    written = turkish.format_number(amount)
    assert Decimal(written.replace(".", "").replace(",", ".")) == amount
    whole = written.lstrip("-").split(",")[0]
    assert all(len(group) == 3 for group in whole.split(".")[1:])


@given(st.dates())
def test_a_date_is_day_month_year_with_two_two_and_four_digits(day):
    written = turkish.format_date(day)
    assert [len(part) for part in written.split(".")] == [2, 2, 4]
    assert date(*map(int, reversed(written.split(".")))) == day


def test_capitals_of_all_letters_go_both_ways():
    assert turkish.upper(ALPHABET) == CAPITALS
    assert turkish.lower(CAPITALS) == ALPHABET


def test_a_capital_i_written_as_two_characters_becomes_one_small_letter():
    assert turkish.lower("I\u0307zmir") == "izmir"


@given(st.text(alphabet=ALPHABET + CAPITALS + " .-0123456789"))
def test_case_changes_lose_nothing(text):
    assert turkish.lower(turkish.upper(text)) == turkish.lower(text)
    assert turkish.upper(turkish.lower(text)) == turkish.upper(text)
    assert len(turkish.upper(text)) == len(text)


@given(st.text())
def test_a_header_folds_the_same_in_any_case_and_spacing(text):
    folded = turkish.fold(text)
    assert folded.isascii()
    assert folded == turkish.fold(folded) == turkish.fold(f" {text}. ")
    assert folded == turkish.fold(turkish.upper(text)) == turkish.fold(turkish.lower(text))


@pytest.mark.parametrize(
    "header", ["Vergi Dairesi", "VERGİ DAİRESİ", "vergı daıresı", "VERGI DAIRESI", "Vergi  Dairesi:"]
)
def test_a_header_is_known_however_its_i_was_written(header):
    assert turkish.fold(header) == "vergidairesi"


@pytest.mark.parametrize(
    ("stem", "name"),
    [
        ("120.01 Çınar A.Ş.", "120.01 Çınar A.Ş..pdf"),
        ("../../etc/passwd", "etc-passwd.pdf"),
        ('a<b>:"c"|d?*\\e', "a-b-c-d-e.pdf"),
        ("satır\nsonu\t ve\x00 sıfır\u202e", "satır sonu ve sıfır.pdf"),
        ("con.01", "_con.01.pdf"),
        ("...", "_.pdf"),
        ("", "_.pdf"),
    ],
)
def test_a_file_name_has_no_character_that_a_file_system_refuses(stem, name):
    assert turkish.safe_file_name(stem, ".pdf") == name


@given(st.text(max_size=400), st.sampled_from([".pdf", " 2025-12-31.pdf"]))
def test_a_file_name_is_short_enough_and_stays_in_its_folder(stem, ending):
    name = turkish.safe_file_name(stem, ending)
    assert len(name) <= 120
    assert len(name.encode()) <= 255
    assert name.endswith(ending)
    assert not name.startswith((".", "-", " "))
    assert not set(name) & set('/\\:*?"<>|\n\t\0')
