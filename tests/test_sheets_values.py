"""What cells and rows mean: codes, tax numbers, sides and currencies, and what is said of those that mean nothing."""

from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.workbooks import FIELDS, GOOD, HEAD, Raw, balances, workbook
from workers.services import sheets, tax_numbers
from workers.services.sheets import UNCACHED, CellError, amounts, meanings, values
from workers.services.sheets.values import Said


def read(path):
    with sheets.read(path, filename=path.name, fields=FIELDS) as opened:
        return [row for chunk in opened.rows() for row in chunk]


def meaning(tmp_path, head, *cells, **more):
    """The one row of a sheet that has this header and these cells besides a code and a title."""
    return read(workbook(tmp_path / "cari.xlsx", ("Cari Kodu", "Unvan", *head), ("1", "A", *cells), **more))[0]


@given(st.text(max_size=30))
def test_no_text_breaks_the_grammars(text):
    for kind, meaning_of in meanings.KINDS.items():
        found = meaning_of(text)
        assert found is None or isinstance(found, str | date | amounts.Amount | Said), kind


@pytest.mark.parametrize("cell", ["4540536920", 4540536920, "454 053 69 20", "454.053.69.20"])
def test_a_tax_number_is_ten_digits_however_it_stands_in_the_cell(cell):
    assert values.tax_number(cell) == "4540536920"


@given(st.integers(min_value=10**5, max_value=10**10 - 1))
def test_zeros_of_a_vkn_come_back_only_where_the_check_digit_agrees(number):
    found = values.tax_number(number)

    padded = str(number).zfill(10)
    if not tax_numbers.is_vkn(padded):
        assert isinstance(found, Said)
        assert (found.bad, found.value) == (True, None)
    elif padded == str(number):
        assert found == padded
    else:
        assert (found.bad, found.value) == (False, padded)
        assert padded in found.tr


@pytest.mark.parametrize("cell", ["275126885.0", "275126885,00"])
def test_a_vkn_that_a_program_took_for_an_amount_is_that_vkn_and_no_other(cell):
    found = values.tax_number(cell)

    assert (found.bad, found.value) == (False, "0275126885"), "2751268850 is another company's"
    assert values.tax_number("4540536920.0") == "4540536920"


@pytest.mark.parametrize("cell", ["17291716060", 17291716060])
def test_eleven_digits_are_a_tckn(cell):
    assert values.tax_number(cell) == "17291716060"


def test_a_person_has_its_number_in_a_second_column(tmp_path):
    found = read(
        workbook(
            tmp_path / "cari.xlsx",
            ("Cari Kodu", "Unvan", "Vergi No", "Vergi Kimlik No"),
            ("1", "Firma", "4540536920", None),
            ("2", "Kişi", None, "17291716060"),
            ("3", "İkisi", "4540536920", "17291716060"),
            ("4", "Yanlış", "-", "123"),
        )
    )

    assert [row.values["tax_number"] for row in found] == ["4540536920", "17291716060", "4540536920", None]
    assert [len(row.reasons) for row in found] == [0, 0, 0, 1]


@pytest.mark.parametrize("cell", ["4540536921", "11111111111", "12", "abc", 4540536920.5, True, date(2025, 1, 1)])
def test_a_wrong_tax_number_is_bad(cell):
    assert values.tax_number(cell).bad


@pytest.mark.parametrize(
    ("cell", "format", "found"),
    [
        ("120.10", None, "120.10"),
        (" 120.01.0001 ", None, "120.01.0001"),
        (1001, None, "1001"),
        (1001, "0", "1001"),
        (1001, "0000000", ("0001001", False)),
        (1001, "0.00", (None, True)),
        (120.1, None, (None, True)),
        (120.1, "0.00", (None, True)),
        (46022, "dd.mm.yyyy", (None, True)),
        (1001, '000"."00', (None, True)),
    ],
)
def test_a_code_is_text_and_nothing_of_it_is_guessed(tmp_path, cell, format, found):
    styled = cell if isinstance(cell, str) else Raw(f'<c r="{{r}}" s="{int(format is not None)}"><v>{cell}</v></c>')
    path = workbook(tmp_path / "cari.xlsx", ("Cari Kodu", "Unvan"), (styled, "A"), formats=[format or "@"])

    (row,) = read(path)

    value, bad = found if isinstance(found, tuple) else (found, None)
    assert row.values["code"] == value
    assert (len(row.reasons), len(row.warnings)) == (bad is True, bad is False)


@pytest.mark.parametrize(
    ("head", "cells", "side", "amount"),
    [
        (("Bakiye",), (-5,), "alacak", 5),
        (("Bakiye",), ("(5)",), "alacak", 5),
        (("Bakiye",), ("5 (A)",), "alacak", 5),
        (("Bakiye",), (5,), "borc", 5),
        (("Bakiye", "B/A"), (5, "A"), "alacak", 5),
        (("Bakiye", "B/A"), (5, "Borç Bakiyesi"), "borc", 5),
        (("Bakiye", "B/A"), (-5, "A"), "alacak", 5),
        (("Bakiye", "B/A"), (-5, None), "alacak", 5),
        (("B/A", "Bakiye"), ("a", "5"), "alacak", 5),
        (("Bakiye", "B/A"), (None, "A"), "alacak", None),
    ],
)
def test_the_side_comes_from_its_column_or_from_the_amount(tmp_path, head, cells, side, amount):
    row = meaning(tmp_path, head, *cells)

    assert (row.values["side"], row.values["amount"], row.reasons) == (side, amount, ())


@pytest.mark.parametrize("cells", [(-5, "B"), ("5 (B)", "A"), ("(5) B", None), ("5", "X")])
def test_signs_that_contradict_each_other_are_bad(tmp_path, cells):
    assert len(meaning(tmp_path, ("Bakiye", "B/A"), *cells).reasons) == 1


def test_columns_of_debit_and_credit_keep_their_signs(tmp_path):
    row = meaning(tmp_path, ("Borç", "Alacak"), "1.234,5", -7)

    assert (row.values["borc"], row.values["alacak"], row.values["side"]) == (Decimal("1234.50"), Decimal(-7), None)
    assert len(meaning(tmp_path, ("Borç", "Alacak"), "5 (A)", 0).reasons) == 1


@pytest.mark.parametrize(
    ("head", "cells", "currency", "bad"),
    [
        (("Bakiye", "Para Birimi"), (5, "TL"), "TRY", 0),
        (("Bakiye", "Para Birimi"), (5, "usd"), "USD", 0),
        (("Bakiye", "Para Birimi"), (5, "Avro"), "EUR", 0),
        (("Bakiye", "Para Birimi"), (5, "₺"), "TRY", 0),
        (("Bakiye", "Para Birimi"), (5, None), None, 0),
        (("Bakiye", "Para Birimi"), (5, "liraa"), None, 1),
        (("Bakiye", "Para Birimi"), (5, "XYZ"), None, 1),
        (("Bakiye", "Para Birimi"), (5, "chf"), "CHF", 0),
        (("Bakiye",), ("$5",), "USD", 0),
        (("Bakiye", "Para Birimi"), ("$5", "TL"), "TRY", 1),
        (("Bakiye (USD)",), (5,), "USD", 0),
        (("USD Borç",), (5,), "USD", 0),
        (("Bakiye (TL)", "Para Birimi"), (5, "TL"), "TRY", 0),
        (("Bakiye (TL)", "Para Birimi"), (5, "USD"), "USD", 1),
    ],
)
def test_the_currency_comes_from_its_column_the_amount_or_the_header(tmp_path, head, cells, currency, bad):
    row = meaning(tmp_path, head, *cells)

    assert (row.values["currency"], len(row.reasons)) == (currency, bad)


def test_the_currency_that_a_number_format_shows_counts_where_nothing_else_says_one(tmp_path):
    def shown(style, amount):
        return Raw(f'<c r="{{r}}" s="{style}"><v>{amount}</v></c>')

    path = workbook(
        tmp_path / "cari.xlsx",
        ("Cari Kodu", "Unvan", "Bakiye", "Para Birimi"),
        *[
            ("1", "A", shown(1, 5), None),
            ("2", "B", shown(2, -6.5), None),
            ("3", "C", shown(1, 7), "TL"),
            ("4", "D", 8),
        ],
        formats=['#,##0.00\\ "USD"', "[$€-2]\\ #,##0.00;[Red]\\-#,##0.00"],
    )

    found = read(path)

    assert [row.values["currency"] for row in found] == ["USD", "EUR", "TRY", None]
    assert not any(row.reasons for row in found)
    with sheets.read(path, filename=path.name, fields=FIELDS) as opened:
        cells = [row.cells[2] for chunk in opened.rows() for row in chunk]
    assert [getattr(cell, "format", None) for cell in cells][:2] == [
        '#,##0.00\\ "USD"',
        "[$€-2]\\ #,##0.00;[Red]\\-#,##0.00",
    ]


def test_the_amount_of_a_second_currency_in_a_row_is_not_lost_without_a_word(tmp_path):
    with_it, without = read(
        workbook(
            tmp_path / "cari.xlsx",
            ("Cari Kodu", "Unvan", "TL Borç", "USD Borç"),
            ("1", "A", 5, "7,50"),
            ("2", "B", 6, "-"),
        )
    )

    assert (with_it.values["borc"], with_it.values["currency"], with_it.reasons) == (Decimal(5), "TRY", ())
    assert ["USD Borç" in said.tr for said in with_it.warnings] == [True]
    assert without.warnings == ()


def test_an_ambiguous_point_is_thousands_with_a_warning(tmp_path):
    row = meaning(tmp_path, ("Bakiye",), "1.234")

    assert (row.values["amount"], row.reasons) == (Decimal(1234), ())
    assert [(said.field, said.header) for said in row.warnings] == [("amount", "Bakiye")]
    assert "1.234" in row.warnings[0].tr
    assert "1.234" in row.warnings[0].en


def test_all_that_is_wrong_with_a_row_is_said(tmp_path):
    row = read(balances(tmp_path / "cari.xlsx", (None, "A", "12", "dün", "çok", "X", "liraa")))[0]

    assert {said.header for said in row.reasons} == set(HEAD) - {"Unvan"}
    assert all(said.tr and said.en for said in row.reasons)
    assert row.values["title"] == "A"


def test_a_good_row_says_nothing(tmp_path):
    row = read(balances(tmp_path / "cari.xlsx", GOOD))[0]

    assert (row.reasons, row.warnings) == ((), ())


@pytest.mark.parametrize("kind", ["text", "code", "money", "date", "tax_number", "email", "phone", "side", "currency"])
def test_an_error_is_named_in_every_kind_of_column(kind):
    assert "#DIV/0!" in meanings.KINDS[kind](CellError("#DIV/0!")).tr
    assert "kayıtlı değil" in meanings.KINDS[kind](UNCACHED).tr


@pytest.mark.parametrize("text", ["#YOK", "#SAYI/0!", "#REF!"])
def test_an_error_that_became_text_in_a_csv_is_still_one(text):
    assert text in values.text(text).tr
    assert meanings.of_column("text", ["A", text], [1, 2], None)[1].bad
    assert all(text in meanings.KINDS[kind](text).tr for kind in ("money", "date", "tax_number", "side", "currency"))


@pytest.mark.parametrize(
    ("cell", "found"),
    [
        ("  Çınar \n Gıda\u00a0A.Ş. ", "Çınar Gıda A.Ş."),
        ("C\u0327ınar\u200b\x00", "Çınar"),
        ("", None),
        ("   ", None),
        (None, None),
        (12, "12"),
        (1.5, "1.5"),
        (True, "DOĞRU"),
        (date(2025, 12, 31), "31.12.2025"),
    ],
)
def test_text_is_one_clean_line(cell, found):
    assert values.text(cell) == found


@given(st.lists(st.one_of(st.none(), st.text(max_size=8)), min_size=1))
def test_a_column_means_the_same_at_once_and_cell_by_cell(column):
    for kind in ("text", "email", "phone", "tax_number"):
        assert meanings.of_column(kind, column, range(len(column)), None) == list(map(meanings.KINDS[kind], column))


@pytest.mark.parametrize(
    ("kind", "cell", "found"),
    [
        ("email", "ayse@cinar.example", "ayse@cinar.example"),
        ("email", "Ayse.Ak@CINAR.COM.TR", "Ayse.Ak@cinar.com.tr"),
        ("email", "-", None),
        ("phone", 5321234567.0, "5321234567"),
        ("phone", "0 (532) 123 45 67", "0 (532) 123 45 67"),
        ("language", "Türkçe", "tr"),
        ("language", "EN", "en"),
        ("role", "Üye", "member"),
        ("role", "YÖNETİCİ", "operator"),
    ],
)
def test_the_small_kinds_have_one_form(kind, cell, found):
    assert meanings.KINDS[kind](cell) == found


def test_doubts_of_the_small_kinds_keep_a_value_and_faults_do_not():
    assert values.email("a@b.com; c@d.com").value == "a@b.com"
    assert values.phone("dahili 5").value == "dahili 5"
    assert [
        meanings.KINDS[kind](cell).value for kind, cell in (("email", "ayse"), ("language", "fr"), ("role", "kral"))
    ] == [None] * 3
