"""Names of Arabic and Hebrew firms: read from the right, and joined."""

from dataclasses import replace

import pypdfium2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.letter_samples import LETTER, pages
from workers.services import fonts, letters
from workers.services.fonts import MARK
from workers.services.letters import Party
from workers.services.right_to_left import joined, letter_of, visual
from workers.services.typesetting import drawable

ONE_SIDE = str.maketrans(")]}>»›", "([{<«‹")  # the other side of a bracket, turned round, is this one
FIRM = "شركة التجارة المحدودة"


@pytest.mark.parametrize(
    ("text", "drawn"),
    [
        ("שלום", "םולש"),
        ("Sayın חברה בעמ A.Ş.", "Sayın מעב הרבח A.Ş."),
        ("חברה 123 בעמ", "מעב 123 הרבח"),
        ("חברה (1.234,56) בעמ", "מעב (1.234,56) הרבח"),
        ("חברה (בעמ) ש", "ש (מעב) הרבח"),
        ("Sayın (חברה) בעמ A.Ş.", "Sayın (הרבח) מעב A.Ş."),
        ("ABC (חברה) 12,50 TL", "ABC (הרבח) 12,50 TL"),
        ("חברה «בעמ» ש", "ש «מעב» הרבח"),
        ("Çınar 123 (Ltd) \u200eA.Ş.", "Çınar 123 (Ltd) \u200eA.Ş."),
    ],
)
def test_what_runs_to_the_left_is_turned_round_where_it_stands(text: str, drawn: str) -> None:
    assert visual(text) == drawn


@pytest.mark.parametrize(
    ("text", "forms"),
    [
        ("شركة", "\ufeb7\ufeae\ufedb\ufe94"),
        ("سلام", "\ufeb3\ufefc\ufee1"),
        ("لا", "\ufefb"),
        ("مُحَمَّد", "\ufee3ُ\ufea4َ\ufee4َّ\ufeaa"),
        ("بـ ب", "\ufe91ـ \ufe8f"),
    ],
)
def test_arabic_letters_take_the_form_that_their_neighbours_ask_for(text: str, forms: str) -> None:
    assert joined(text) == forms


@given(st.text())
def test_no_letter_is_lost(text: str) -> None:
    assert sorted(visual(text).translate(ONE_SIDE)) == sorted(text.translate(ONE_SIDE))


def test_a_letter_to_an_arabic_firm_shows_its_name_and_gives_it_to_who_copies_it() -> None:
    fonts.register()
    assert MARK not in drawable("ابتثجحخدذرزسشصضطظعغفقكلمنهويءآأؤإئةى " + FIRM)

    pdf = letters.draw(replace(LETTER, receiver=Party(FIRM)))

    assert FIRM in pypdfium2.PdfDocument(pdf)[0].get_textpage().get_text_range()
    assert f"Sayın {FIRM[::-1]}" in pages(pdf)[0], "glyphs from left to right"
    assert chr(letter_of(0xFEB7)) == "ش"
