"""Amounts in words, read back by a reader that shares nothing with the writer."""

import doctest
import re
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.errors import InvalidInput
from workers.services import words

VALUES = {
    "Sıfır": 0, "Bir": 1, "İki": 2, "Üç": 3, "Dört": 4, "Beş": 5, "Altı": 6, "Yedi": 7, "Sekiz": 8, "Dokuz": 9,
    "On": 10, "Yirmi": 20, "Otuz": 30, "Kırk": 40, "Elli": 50, "Altmış": 60, "Yetmiş": 70, "Seksen": 80, "Doksan": 90,
}  # fmt: skip
SCALES = {"Bin": 10**3, "Milyon": 10**6, "Milyar": 10**9, "Trilyon": 10**12, "Katrilyon": 10**15}


def read(text: str) -> int:
    """The number that joined Turkish number words say."""
    total = group = 0
    for word in re.findall(r"[A-ZÇĞİÖŞÜ][a-zçğıöşü]*", text):
        if word == "Yüz":
            group = (group or 1) * 100
        elif word in SCALES:
            total, group = total + (group or 1) * SCALES[word], 0
        else:
            group += VALUES[word]
    return total + group


def test_the_examples_in_the_docstrings_hold():
    assert doctest.testmod(words).failed == 0


@pytest.mark.parametrize(
    ("amount", "currency", "written"),
    [
        ("1234.56", "TRY", "YalnızBinİkiYüzOtuzDörtTürkLirasıElliAltıKuruş"),
        ("1001000", "TRY", "YalnızBirMilyonBinTürkLirası"),
        ("1100", "TRY", "YalnızBinYüzTürkLirası"),
        ("0.05", "TRY", "YalnızSıfırTürkLirasıBeşKuruş"),
        ("0", "TRY", "YalnızSıfırTürkLirası"),
        ("101001.01", "TRY", "YalnızYüzBirBinBirTürkLirasıBirKuruş"),
        ("21000", "TRY", "YalnızYirmiBirBinTürkLirası"),
        ("1000000", "TRY", "YalnızBirMilyonTürkLirası"),
        ("1.005", "TRY", "YalnızBirTürkLirasıBirKuruş"),
        ("0.995", "TRY", "YalnızBirTürkLirası"),
        ("1500", "USD", "YalnızBinBeşYüzAmerikanDoları"),
        ("2.50", "EUR", "YalnızİkiAvroElliSent"),
        ("3.01", "GBP", "YalnızÜçİngilizSterliniBirPeni"),
        ("4.10", "CHF", "YalnızDörtİsviçreFrangıOnRappen"),
        ("1500", "SEK", "YalnızBinBeşYüzSEK"),
        ("0.05", "SEK", "YalnızSıfırSEK05/100"),
        ("1.5", "KWD", "YalnızBirKWD500/1000"),
    ],
)
def test_an_amount_is_written_as_on_a_cheque(amount, currency, written):
    assert words.in_words(Decimal(amount), currency) == written


@given(st.integers(min_value=0, max_value=int(words.LIMIT)))
def test_a_whole_number_reads_back_as_itself(number):
    written = words.whole_number(number)
    assert read(written) == number
    assert not written.startswith("BirBin")
    assert "BirYüz" not in written


@given(st.decimals(min_value=0, max_value=words.LIMIT, places=2))
def test_an_amount_reads_back_to_the_kurus(amount):
    lira, kurus = words.in_words(amount).removeprefix("Yalnız").split("TürkLirası")
    assert read(lira) == int(amount)
    assert read(kurus.removesuffix("Kuruş")) == amount * 100 % 100


@pytest.mark.parametrize("amount", ["-0.01", "1000000000000000000", "1E+50", "NaN", "Infinity"])
def test_an_amount_that_has_no_words_is_refused(amount):
    with pytest.raises(InvalidInput, match="amount"):
        words.in_words(Decimal(amount))
