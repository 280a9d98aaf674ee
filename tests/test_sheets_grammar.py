"""The grammars of amounts and days: what was written comes back, and what may mean two things is never guessed."""

import datetime
import doctest
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.services import turkish
from workers.services.sheets import amounts, cell_formats, days, meanings, rewriting, values
from workers.services.sheets.amounts import Unclear

cents = st.decimals(min_value=-(10**12), max_value=10**12, places=2, allow_nan=False)
amounts_above_zero = st.decimals(min_value=0, max_value=10**12, places=2, allow_nan=False)


@pytest.mark.parametrize("module", [amounts, cell_formats, days, rewriting, values])
def test_the_examples_in_the_docstrings_hold(module):
    assert doctest.testmod(module).failed == 0


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1.234,56", "1234.56"),
        ("1234,56", "1234.56"),
        ("1234.56", "1234.56"),
        ("1,234.56", "1234.56"),
        ("1.234.567", "1234567"),
        ("1,234,567.8", "1234567.80"),
        ("1 234,56", "1234.56"),
        ("1\u00a0234\u202f567,89", "1234567.89"),
        ("1'234.50", "1234.50"),
        ("(1.234,56)", "-1234.56"),
        ("-1.234,56", "-1234.56"),
        ("1.234,56-", "-1234.56"),
        ("\u22121,5", "-1.50"),
        ("(1.234,56 TL)", "-1234.56"),
        ("+5", "5"),
        ("1.234,56 TL", "1234.56"),
        ("₺ 1.234,56", "1234.56"),
        ("TL1.234,56", "1234.56"),
        ("-", "0"),
        (" – ", "0"),
        ("- TL", "0"),
        ("0", "0"),
        (",5", "0.5"),
        ("007", "7"),
        ("0.125", "0.13"),
        ("12345.678", "12345.68"),
    ],
)
def test_an_amount_is_read_as_a_turkish_ledger_means_it(text, value):
    assert amounts.parse(text).value == Decimal(value)


@pytest.mark.parametrize(
    ("text", "side", "currency"),
    [
        ("1.234,56 (B)", "borc", None),
        ("1.234,56 (A)", "alacak", None),
        ("1.234,56 b", "borc", None),
        ("1.234,56 Alacak", "alacak", None),
        ("1.234,56 TL (A)", "alacak", "TRY"),
        ("1.234,56 (B) $", "borc", "USD"),
        ("€1.234,56", None, "EUR"),
        ("1.234,56 EUR", None, "EUR"),
        ("£1.234,56", None, "GBP"),
        ("1.234,56 Avro", None, "EUR"),
        ("1.234,56 Euro", None, "EUR"),
        ("1.234,56 Dolar", None, "USD"),
        ("CHF 1.234,56", None, "CHF"),
    ],
)
def test_marks_beside_an_amount_are_understood(text, side, currency):
    found = amounts.parse(text)

    assert (found.value, found.side, found.currency, found.doubt) == (Decimal("1234.56"), side, currency, None)


@pytest.mark.parametrize(
    "text", ["-₺1.234,56", "₺-1.234,56", "- ₺ 1.234,56", "(₺1.234,56)", "-1.234,56 ₺", "₺1.234,56-"]
)
def test_a_minus_may_stand_on_either_side_of_a_currency(text):
    assert (amounts.parse(text).value, amounts.parse(text).currency) == (Decimal("-1234.56"), "TRY")


@pytest.mark.parametrize(
    "text",
    [
        *("abc", "1.23.456", "1,23,456", "12.34,5,6", "1.234,56,78", "1..2", "1,234", "5 elma", "1.5E+05", "B", "()"),
        *("--5-", "1-2", "١٢٣", "1" * 19, "9" * 200, "5 TL USD", "5 (A) (B)", "12.", "1/2", "%5", "1.2345.678"),
    ],
)
def test_what_may_mean_two_things_or_nothing_is_never_guessed(text):
    with pytest.raises(Unclear):
        amounts.parse(text)


@given(cents)
def test_an_amount_that_was_written_the_turkish_way_comes_back(value):
    written = turkish.format_number(value)

    assert amounts.parse(written).value == value
    assert amounts.parse(written).doubt is None
    assert amounts.parse(f"{written} TL").value == value
    assert amounts.parse(written.replace(".", "\u00a0")).value == value


@given(amounts_above_zero)
def test_the_ways_to_write_alacak_agree(value):
    written = turkish.format_number(value)

    assert amounts.parse(f"({written})").value == amounts.parse(f"-{written}").value == -value
    assert amounts.parse(f"{written} (A)").side == "alacak"


@given(cents)
def test_an_amount_that_was_written_the_english_way_comes_back(value):
    assert amounts.parse(f"{value:,.2f}").value == value
    assert amounts.parse(f"{value:.2f}").value == value


@given(st.decimals(min_value=-(10**11), max_value=10**11, places=2, allow_nan=False))
def test_a_numeric_cell_gives_the_cents_that_were_typed(value):
    found = amounts.number(float(value))

    assert (found.value, found.doubt) == (value, None)


@given(st.floats(min_value=-1e11, max_value=1e11))
def test_more_decimals_than_cents_are_rounded_half_up_and_told(value):
    found = amounts.number(value)

    assert found.value == Decimal(repr(value)).quantize(Decimal("0.01"), ROUND_HALF_UP)
    assert (found.doubt is not None) == (abs(Decimal(repr(value)) - found.value) > Decimal("0.000001"))


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 1e14, 10**15])
def test_a_number_without_room_for_its_cents_is_refused(value):
    with pytest.raises(Unclear):
        amounts.number(value)


@pytest.mark.parametrize(
    ("value", "tr", "en"),
    [
        (1234.567, "1.234,567 kuruşa yuvarlandı: 1.234,57", "1,234.567 was rounded to cents: 1,234.57"),
        (0.004, "0,004 kuruşa yuvarlandı: 0,00", "0.004 was rounded to cents: 0.00"),
        (-0.00002, "-0,00002 kuruşa yuvarlandı: 0,00", "-0.00002 was rounded to cents: 0.00"),
        ("1.234.567,8901", "1.234.567,8901 kuruşa yuvarlandı: 1.234.567,89", "1,234,567.8901 was rounded"),
        ("1.234", "“1.234” 1.234,00 olarak okundu", "“1.234” was read as 1,234.00"),
        (1e15, "1.000.000.000.000.000 kuruşuna kadar", "1,000,000,000,000,000 is too large"),
        (-(10**14), "-100.000.000.000.000 kuruşuna kadar", "-100,000,000,000,000 is too large"),
        (1e300, "Sayı kuruşuna kadar", "The number is too large"),
        (float("nan"), "Sayı kuruşuna kadar", "The number is too large"),
    ],
)
def test_a_doubt_or_refusal_writes_amounts_as_its_reader_does_and_never_as_a_power(value, tr, en):
    said = values.money(value)
    told = (said.tr, said.en) if isinstance(said, values.Said) else said.doubt

    assert told[0].startswith(tr)
    assert told[1].startswith(en)


@pytest.mark.parametrize("code", ["1,2001E+11", "1.2E+05", "1E+20", " 1,2E+11 "])
def test_a_code_that_excel_shortened_in_a_csv_is_no_code(code):
    for column in ([code, "120.01"], [code, None, 7]):
        found = meanings.of_column("code", column, range(len(column)), None)

        assert found[0].bad
        assert "kısaltmış" in found[0].tr
        assert found[1:] == ["120.01"] or found[1:] == [None, "7"]


@pytest.mark.parametrize("code", ["E+", "12E+05", "1E5", "A1E+11", "1,2E+11X", "120.E+1"])
def test_a_code_that_only_looks_shortened_is_one(code):
    assert meanings.of_column("code", [code], [1], None) == [code]


def test_a_short_year_is_of_this_century():
    assert days.parse("31.12.25") == days.parse("31.Ara.25") == date(2025, 12, 31)


@given(st.dates(min_value=date(1930, 1, 1), max_value=date(2110, 1, 1)))
def test_a_day_comes_back_from_every_way_to_write_it(day):
    written = [turkish.format_date(day), f"{day:%d/%m/%Y}", f"{day.day}.{day.month}.{day.year}", f"{day:%d-%m-%Y}"]
    written += [day.isoformat(), f"{day:%Y/%m/%d}", f"{day:%Y%m%d}", f"{day:%d.%m.%Y} 13:45:10"]

    written += [f"{day.day} {turkish.MONTHS[day.month - 1]} {day.year}"]
    written += [f"{day.isoformat()}T00:00:00+03:00", f"{day.day}.{turkish.MONTHS[day.month - 1][:3]}.{day.year}"]

    assert [days.parse(text) for text in written] == [day] * len(written)
    assert days.serial((day - date(1899, 12, 30)).days) == day
    assert values.day(datetime.datetime(day.year, day.month, day.day, 13)) == day


@pytest.mark.parametrize("mark", ["\u200e", "\u200f", "\u200b", "\ufeff", "\u2060", "\u00ad"])
def test_what_nobody_sees_around_an_amount_or_a_day_does_not_count(mark):
    assert values.money(f"{mark}1.234,56{mark} TL").value == Decimal("1234.56")
    assert values.money(f"{mark}-1.234,56{mark}").value == Decimal("-1234.56")
    assert values.day(f"{mark}31.12.2025{mark}") == date(2025, 12, 31)
    assert values.money(mark) is values.day(mark) is None


def test_two_amounts_over_two_lines_of_a_cell_are_not_one():
    assert values.money("12\n34").bad


@pytest.mark.parametrize(
    "text",
    ["12/31/2025", "31.13.2025", "30.02.2025", "31.12", "2025", "Aralık 2025", "1.1.0025", "31 Foo 2025", "99999"],
)
def test_what_is_no_day_is_none(text):
    assert days.parse(text) is None


def test_a_number_that_is_a_day_is_taken_with_a_doubt():
    assert values.day(46022).value == values.day(46022.5).value == values.day(20251231).value == date(2025, 12, 31)
    assert "31.12.2025" in values.day(46022).tr
    assert not values.day(46022).bad
    assert all(values.day(number).bad for number in (2025, 5, -1, 10**9, 0.5, True))


def test_the_last_day_that_excel_counts_is_within_bounds():
    assert days.serial(days.LAST_SERIAL - 1) == days.EPOCH + timedelta(days.LAST_SERIAL - 1)
