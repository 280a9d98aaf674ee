"""Letters, books of letters and their names, as the jobs make them."""

import io
import os
import subprocess
import sys
from dataclasses import replace
from decimal import Decimal

import pikepdf
import pytest

from tests.letter_samples import LETTER, SEVERAL, pages
from workers.errors import InvalidLetter
from workers.services.books import join
from workers.services.letters import Letter, Line, Party, draw, draw_book, file_name


def font_programs(pdf: bytes) -> int:
    with pikepdf.open(io.BytesIO(pdf)) as document:
        return sum("/FontFile2" in entry for entry in document.objects if isinstance(entry, pikepdf.Dictionary))


def numbered(first: int, last: int, name: str = "Çınar") -> list[Letter]:
    return [replace(LETTER, number=f"MUT-{n}", receiver=Party(f"{name} {n}")) for n in range(first, last)]


def test_the_same_letter_gives_the_same_bytes_in_any_process():
    here = draw(LETTER)
    draw(replace(LETTER, receiver=Party("Ελλάς Кириллица")))
    code = "import sys; from tests.letter_samples import *; sys.stdout.buffer.write(draw(LETTER))"
    for seed in ("1", "2"):
        run = subprocess.run(
            [sys.executable, "-c", code], env={**os.environ, "PYTHONHASHSEED": seed}, capture_output=True
        )
        assert run.stdout == here == draw(LETTER), run.stderr


def test_importing_the_service_loads_no_pdf_library():
    code = "import sys, workers.services.letters; print([m for m in ('reportlab', 'pikepdf') if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "[]\n"


@pytest.mark.parametrize("lines", [LETTER.lines, SEVERAL])
def test_an_ordinary_letter_is_one_small_page_with_its_fonts_inside(lines):
    pdf = draw(replace(LETTER, lines=lines))
    assert len(pdf) <= 80_000
    with pikepdf.open(io.BytesIO(pdf)) as document:
        assert document.check_pdf_syntax() == []
        assert len(document.pages) == 1
        fonts = document.pages[0].Resources.Font
        assert [str(font.BaseFont).split("+")[1] for font in fonts.values()] == ["DejaVuSans-Bold", "DejaVuSans"]
        assert all("/FontFile2" in font.FontDescriptor for font in fonts.values())


def test_the_document_names_its_title_author_language_and_day():
    with pikepdf.open(io.BytesIO(draw(LETTER))) as document:
        assert document.docinfo.Title == "Cari Hesap Mutabakat Mektubu MUT-000123 – Çınar Gıda Ltd. Şti."
        assert document.docinfo.Author == "Boğaziçi Makine A.Ş."
        assert document.docinfo.CreationDate == "D:20260105000000+03'00'"
        assert document.Root.Lang == "tr-TR"


@pytest.mark.parametrize(
    "name", ["東京貿易 株式会社", "شركة النور للتجارة", "Çınar 😀 A.Ş.", "Ελλάς Кириллица", "A\x00B\u200dC\n"]
)
def test_the_document_is_called_by_the_name_itself_also_where_the_faces_lack_its_letters(name):
    for made in (draw(replace(LETTER, receiver=Party(name))), draw_book([replace(LETTER, sender=Party(name))])):
        with pikepdf.open(io.BytesIO(made)) as document:
            told = f"{document.docinfo.Title} {document.docinfo.Author}"
            assert "".join(filter(str.isprintable, name)) in told
            assert told.isprintable()


@pytest.mark.parametrize(
    "bad",
    [
        lambda: Line("TL", Decimal("1"), "borc"),
        lambda: Line("TRY", Decimal("-1"), "borc"),
        lambda: Line("TRY", Decimal("NaN"), "borc"),
        lambda: Line("TRY", 1.5, "borc"),  # type: ignore[arg-type]
        lambda: Line("TRY", Decimal(10**18), "borc"),
        lambda: Line("TRY", Decimal("1"), "debit"),
        lambda: Party(" \n"),
        lambda: replace(LETTER, variant="olumlu"),
        lambda: replace(LETTER, lines=()),
        lambda: replace(LETTER, lines=LETTER.lines * 21),
        lambda: draw_book([]),
        lambda: join([], io.BytesIO()),
    ],
)
def test_a_letter_that_makes_no_sense_is_refused(bad):
    with pytest.raises(InvalidLetter):
        bad()


def test_a_book_has_all_letters_in_order_and_its_fonts_once():
    letters = numbered(0, 30)
    book = draw_book(iter(letters))
    assert font_programs(book) == 2
    assert len(book) < 30 * 4_000 + 60_000
    assert pages(book) == [page for letter in letters for page in pages(draw(letter))]
    assert draw_book(letters) == book


def test_merged_books_keep_their_order_and_share_their_fonts():
    greek = numbered(10, 12, "Ελλάς")
    books = [draw_book(numbered(0, 10)), draw_book(greek), draw_book(numbered(12, 20))]
    out = io.BytesIO()
    join(iter(books), out)
    merged = out.getvalue()
    assert pages(merged) == [page for book in books for page in pages(book)]
    assert font_programs(books[1]) == 3  # Greek in bold is in a program of its own
    assert font_programs(merged) == 3
    assert len(merged) < len(books[1]) + 18 * 4_000
    with pikepdf.open(io.BytesIO(merged)) as document:
        assert document.check_pdf_syntax() == []
        assert document.Root.Lang == "tr-TR"


def test_two_programs_of_a_face_have_two_names():
    out = io.BytesIO()
    join([draw_book(numbered(0, 1, name)) for name in ("Ελλάς", "Кириллица")], out)
    with pikepdf.open(out) as document:
        fonts = [page.Resources.Font for page in document.pages]
        names = {str(font["/F1+1"].BaseFont) for font in fonts}
    assert len(names) == len(fonts) == 2


def test_the_same_books_merge_to_the_same_bytes_also_in_two_steps():
    def merge(*books: bytes) -> bytes:
        out = io.BytesIO()
        join(books, out)
        return out.getvalue()

    one, two, three = (draw_book(numbered(n, n + 2)) for n in (0, 2, 4))
    assert merge(one, two) == merge(one, two)
    assert font_programs(merge(merge(one, two), three)) == 2
    assert pages(merge(merge(one, two), three)) == pages(merge(one, two, three))


def test_a_file_is_named_by_account_company_and_day():
    letter = replace(LETTER, receiver=Party("Çınar Gıda A.Ş."))
    assert file_name(letter) == "120.01.0001 Çınar Gıda A.Ş. 2025-12-31.pdf"


def test_a_long_file_name_keeps_its_day():
    name = file_name(replace(LETTER, account_code="120/01", receiver=Party("Uluslararası Gıda " * 12)))
    assert len(name) <= 120
    assert name.startswith("120-01 Uluslararası")
    assert name.endswith(" 2025-12-31.pdf")
