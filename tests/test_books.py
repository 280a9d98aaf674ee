"""A book joined from books: written front to back, small in memory, the same from the same."""

import io

import pikepdf
import pytest

from tests.letter_samples import LETTER
from workers.errors import InvalidLetter
from workers.services.books import join
from workers.services.letters import draw_book


class OnlyWrites:
    """A stream that can't be sought, as the storage's is."""

    def __init__(self) -> None:
        self.pieces: list[bytes] = []

    def write(self, data: bytes) -> None:
        self.pieces.append(data)


def test_a_joined_book_is_written_front_to_back_in_small_pieces() -> None:
    out = OnlyWrites()
    book = draw_book([LETTER] * 10)

    join([book] * 20, out)

    with pikepdf.open(io.BytesIO(b"".join(out.pieces))) as document:
        assert len(document.pages) == 200
        assert document.check_pdf_syntax() == []
    assert max(map(len, out.pieces)) < len(book)


def test_no_books_make_no_book() -> None:
    with pytest.raises(InvalidLetter):
        join([], OnlyWrites())
