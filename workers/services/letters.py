"""The *cari hesap mutabakat mektubu* as PDF: data in, bytes out; the same letter always gives the same bytes."""

import datetime
import io
import re
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from workers.errors import InvalidLetter
from workers.services import turkish, words

VARIANTS = ("pozitif", "negatif", "bakiyesiz")
SIDES = ("borc", "alacak")
MAX_LINES = 20


@dataclass(frozen=True)
class Party:
    """A company (`vkn`) or a person (`tckn`) at one end of the letter."""

    name: str
    vkn: str | None = None
    tckn: str | None = None
    tax_office: str | None = None
    address: str | None = None
    phone: str | None = None
    email: str | None = None

    def __post_init__(self) -> None:
        _require(self.name.strip(), "a party has no name")


@dataclass(frozen=True)
class Line:
    """A balance in one currency (ISO 4217); `side` is "borc" or "alacak" in the SENDER's books, whatever the amount."""

    currency: str
    amount: Decimal
    side: str

    def __post_init__(self) -> None:
        _require(re.fullmatch(r"[A-Z]{3}", self.currency), f"{self.currency!r} is no ISO 4217 currency")
        _require(isinstance(self.amount, Decimal) and self.amount.is_finite(), f"{self.amount!r} is no Decimal amount")
        _require(0 <= self.amount <= words.LIMIT, f"the amount {self.amount} is not from 0 to {words.LIMIT}")
        _require(self.side in SIDES, f"the side {self.side!r} is none of {', '.join(SIDES)}")


@dataclass(frozen=True)
class Letter:
    """All that is printed. `date` is the letter's own; `legal_text` None means the sentence of TTK 94, "" none.

    In `legal_text`, each line of which is a note, {tarih} is `as_of`, {son_tarih} `reply_by`, {gonderen} the sender.
    """

    number: str
    sender: Party
    receiver: Party
    account_code: str
    as_of: datetime.date
    date: datetime.date
    lines: tuple[Line, ...]
    reply_by: datetime.date | None = None
    variant: str = "pozitif"
    legal_text: str | None = None

    def __post_init__(self) -> None:
        _require(self.variant in VARIANTS, f"the variant {self.variant!r} is none of {', '.join(VARIANTS)}")
        _require(1 <= len(self.lines) <= MAX_LINES, f"{len(self.lines)} lines are not from 1 to {MAX_LINES}")


def _require(condition: object, reason: str) -> None:
    if not condition:
        raise InvalidLetter(reason=reason)


def draw(letter: Letter) -> bytes:
    """One letter as a PDF of one page, or more where its lines need them."""
    title = f"Cari Hesap Mutabakat Mektubu {letter.number} – {letter.receiver.name}"
    return _pdf([letter], title=title, author=letter.sender.name)


def draw_book(letters: Iterable[Letter]) -> bytes:
    """Many letters in one PDF, each on pages of its own, the fonts embedded once. InvalidLetter if there are none."""
    book = list(letters)
    _require(book, "a book needs at least one letter")
    return _pdf(book, title="Cari Hesap Mutabakat Mektupları", author=book[0].sender.name)


def _pdf(letters: list[Letter], *, title: str, author: str) -> bytes:
    from workers.services import letter_pages

    out = io.BytesIO()
    canvas = letter_pages.new_canvas(out, title=title, author=author, day=letters[0].date)
    for letter in letters:
        letter_pages.draw_letter(canvas, letter)
    canvas.save()
    return out.getvalue()


def file_name(letter: Letter) -> str:
    """A name for zip files and file systems, like "120.01.0001 Çınar Gıda A.Ş. 2025-12-31.pdf", to 120 characters."""
    ending = f" {letter.as_of.isoformat()}.pdf"
    return turkish.safe_file_name(f"{letter.account_code} {letter.receiver.name}", ending)
