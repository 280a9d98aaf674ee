"""Lines: nothing wider than its room, nothing lost, nothing that can't be drawn."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.services import fonts
from workers.services.fonts import BOLD, MARK, REGULAR
from workers.services.typesetting import Style, drawable, width, wrap

BODY = Style(REGULAR, 9, 13, (0, 0, 0))


@pytest.fixture(autouse=True, scope="module")
def _faces():
    fonts.register()


@given(st.text(alphabet=st.characters()), st.floats(min_value=20, max_value=500), st.sampled_from([REGULAR, BOLD]))
def test_a_text_is_wrapped_into_lines_that_fit_and_lose_nothing(text, room, face):
    style = BODY._replace(face=face)
    lines = wrap(text, style, room)
    assert all(0 <= width(line, style) <= room + 0.01 for line in lines)
    assert "".join(lines).replace(" ", "") == drawable(text).replace(" ", "")


@given(st.text(min_size=1), st.floats(min_value=20, max_value=200), st.integers(min_value=1, max_value=3))
def test_a_text_that_is_cut_says_so(text, room, most):
    whole, cut = wrap(text, BODY, room), wrap(text, BODY, room, most)
    assert len(cut) == min(len(whole), most)
    assert all(width(line, BODY) <= room + 0.01 for line in cut)
    assert cut == whole or cut[-1].endswith("…")


@pytest.mark.parametrize(
    ("word", "pieces"),
    [
        ("YalnızYirmiBirBinTürkLirası", ("YalnızYirmiBir", "BinTürkLirası")),
        ("muhasebe@bogazici.com.tr", ("muhasebe@", "bogazici.com.", "tr")),
        ("mmmmmmmmmmmm", ("mmmmmmm", "mmmmm")),
    ],
)
def test_a_word_that_is_too_long_is_cut_before_a_capital_or_after_a_sign_or_anywhere(word, pieces):
    assert wrap(word, BODY, 64) == pieces


def test_words_are_kept_whole_where_they_fit_and_a_hard_space_is_no_place_to_break():
    assert wrap("bakiyesi 1.234,56\xa0TL borç", BODY, 70) == ("bakiyesi", "1.234,56\xa0TL", "borç")


@pytest.mark.parametrize(
    ("text", "drawn"),
    [
        ("ğĞıİşŞçÇöÖüÜâîû₺€–“”", "ğĞıİşŞçÇöÖüÜâîû₺€–“”"),
        ("日本 👍 \U0001d400", f"{MARK * 2} {MARK} {MARK}"),
        ("g\u0306 I\u0307", "ğ İ"),
        ("a\x00b\x1bc\u202ed\ufe0fe\ud800f", "abcdef"),
        ("a\tb\r\nc\u2028d", "a b  c d"),
    ],
)
def test_only_what_the_faces_have_is_drawn(text, drawn):
    assert drawable(text) == drawn
