"""Letters that the tests draw, and how they read them back."""

import io
from datetime import date
from decimal import Decimal

import pdfplumber

from workers.services.letters import Letter, Line, Party, draw

SENDER = Party(
    "Boğaziçi Makine A.Ş.",
    vkn="4540536920",
    tax_office="Kadıköy",
    address="Moda Cad. No: 112 Kadıköy / İstanbul",
    phone="0216 555 12 34",
    email="muhasebe@bogazici.com.tr",
)
RECEIVER = Party("Çınar Gıda Ltd. Şti.", vkn="1122334455", tax_office="Bornova", address="Üniversite Cad. 9 İzmir")
LETTER = Letter(
    number="MUT-000123",
    sender=SENDER,
    receiver=RECEIVER,
    account_code="120.01.0001",
    as_of=date(2025, 12, 31),
    date=date(2026, 1, 5),
    lines=(Line("TRY", Decimal("1234.56"), "borc"),),
    reply_by=date(2026, 1, 31),
)
SEVERAL = (
    Line("TRY", Decimal("1284734.56"), "borc"),
    Line("USD", Decimal("15230"), "alacak"),
    Line("EUR", Decimal("0"), "borc"),
)
CURRENCIES = [
    *("TRY", "USD", "EUR", "GBP", "CHF", "SEK", "NOK", "DKK", "JPY", "KWD"),
    *("SAR", "AED", "RUB", "CNY", "CAD", "AUD", "BGN", "RON", "PLN", "AZN"),
]


def pages(pdf: bytes) -> list[str]:
    with pdfplumber.open(io.BytesIO(pdf)) as document:
        return [page.extract_text() for page in document.pages]


def text(letter: Letter) -> str:
    """All that the letter says, on one line."""
    return " ".join("\n".join(pages(draw(letter))).split())
