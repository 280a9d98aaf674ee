"""How letters are laid out, whatever stands in them."""

import io
import itertools
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pdfplumber
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.letter_samples import CURRENCIES, LETTER
from workers.services.letters import VARIANTS, Line, Party, draw

LONG_NAME = ("Uluslararası Güneydoğu Anadolu Tarım Ürünleri Ambalaj Nakliyat İnşaat Taahhüt Otomotiv " * 3)[:200]
LONG_WORD = "WĞ" * 100
Box = tuple[float, ...]  # left, top, right, bottom in points
PAPER = (60, 40, 536, 822)
anything = st.text(alphabet=st.characters(), max_size=120)
names = anything.filter(str.strip)
parties = st.builds(Party, names, anything, st.none() | anything, anything, st.none() | anything, anything, anything)
balances = st.builds(
    Line, st.sampled_from(CURRENCIES), st.decimals(0, 10**15, places=2), st.sampled_from(["borc", "alacak"])
)


def boxes(things: list[dict[str, Any]]) -> list[Box]:
    return [(thing["x0"], thing["top"], thing["x1"], thing["bottom"]) for thing in things]


def overlap(one: Box, other: Box) -> bool:
    return all(min(one[n + 2], other[n + 2]) - max(one[n], other[n]) > 1 for n in (0, 1))


def inside(one: Box, other: Box) -> bool:
    return all(other[n] < one[n] and one[n + 2] < other[n + 2] for n in (0, 1))


def misplaced(page: pdfplumber.page.Page) -> list[tuple[Box, Box]]:
    """Words on another word, on the edge of a frame or in the margins, and frames on frames, with what they lie on."""
    words, frames = boxes(page.extract_words(x_tolerance=1)), boxes(page.rects)
    on_words = [(one, other) for one, other in itertools.combinations(words, 2) if overlap(one, other)]
    on_frames = [(word, box) for word in words + frames for box in frames if overlap(word, box) and word != box]
    crossing = [(one, box) for one, box in on_frames if not inside(one, box) and not inside(box, one)]
    return on_words + crossing + [(box, PAPER) for box in words + frames if not inside(box, PAPER)]


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("name", [LONG_NAME, LONG_WORD])
@pytest.mark.parametrize("count", [1, 9, 20])
def test_the_longest_names_and_tables_neither_overlap_nor_leave_the_page(variant, name, count):
    party = Party(name, vkn="4540536920", tax_office=name, address=name, phone=name, email=LONG_WORD)
    lines = tuple(Line(currency, Decimal("999999999999999.99"), "alacak") for currency in CURRENCIES[:count])
    letter = replace(LETTER, number=name, sender=party, receiver=party, account_code=name, lines=lines, variant=variant)
    with pdfplumber.open(io.BytesIO(draw(letter))) as document:
        assert [misplaced(page) for page in document.pages] == [[]] * len(document.pages)


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("count", range(1, 21))
def test_the_form_is_never_cut_in_half_and_the_table_head_is_repeated(variant, count):
    lines = tuple(Line(currency, Decimal("12345.67"), "borc") for currency in CURRENCIES[:count])
    with pdfplumber.open(io.BytesIO(draw(replace(LETTER, lines=lines, variant=variant)))) as document:
        said = [page.extract_text() for page in document.pages]
        assert [misplaced(page) for page in document.pages] == [[]] * len(said)
    assert 1 <= len(said) <= 2
    assert "YANIT" in said[-1]
    assert said[-1].count("Firma kaşe / yetkili imza") == 2
    assert sum(page.count("120.01.0001") for page in said) == count + 1
    assert all(("Para Birimi" in page) == ("120.01.0001" in page) for page in said)
    assert all((f"Sayfa {n} / {len(said)}" in page) == (len(said) > 1) for n, page in enumerate(said, start=1))


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(
    sender=parties,
    receiver=parties,
    words=st.tuples(anything, anything, anything),
    lines=st.lists(balances, min_size=1, max_size=20),
)
def test_any_text_makes_a_letter_and_always_the_same(sender, receiver, words, lines):
    number, account_code, legal_text = words
    letter = replace(LETTER, sender=sender, receiver=receiver, number=number, account_code=account_code)
    letter = replace(letter, legal_text=legal_text, lines=tuple(lines))
    assert draw(letter) == draw(letter)
