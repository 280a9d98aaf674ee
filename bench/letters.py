"""CPU time of a one-page letter: ours, and the same page in plain Platypus. Run it with `python -m bench.letters`."""

import io
import statistics
import time
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from typing import Any
from xml.sax.saxutils import escape

from reportlab.lib.colors import Color
from reportlab.lib.enums import TA_LEFT, TA_RIGHT
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.platypus import HRFlowable, KeepTogether, Paragraph, SimpleDocTemplate, Spacer, Table

from workers.services import fonts, letter_styles, letter_texts, words
from workers.services.flow import BOTTOM, LEFT, TOP, WIDTH
from workers.services.letters import Letter, Line, Party, draw, draw_book
from workers.services.turkish import format_date
from workers.services.typesetting import Ink, Style

ROUNDS, LETTERS = 5, 100
PLAIN = {fonts.REGULAR: "DejaVuSans", fonts.BOLD: "DejaVuSans-Bold"}


def sample(n: int) -> Letter:
    """The n-th letter of one company to its customers."""
    sender = Party(
        "Boğaziçi Endüstriyel Makine Sanayi ve Ticaret A.Ş.",
        vkn="4540536920",
        tax_office="Kadıköy",
        address="Caferağa Mah. Moda Cad. No: 112/4 34710 Kadıköy / İstanbul",
        phone="0216 555 12 34",
        email="muhasebe@bogaziciendustri.com.tr",
    )
    receiver = Party(
        f"Çınar {n} Gıda Sanayi ve Ticaret Ltd. Şti.",
        vkn="4540536920",
        tax_office="Bornova",
        address=f"Kazımdirik Mah. {n}. Sok. No: {n % 90} Bornova / İzmir",
    )
    return Letter(
        number=f"MUT-2025-{n:06}",
        sender=sender,
        receiver=receiver,
        account_code=f"120.01.{n:04}",
        as_of=date(2025, 12, 31),
        date=date(2026, 1, 5),
        lines=(Line("TRY", Decimal(n * 1_234_567 % 99_999_999) / 100, "borc"),),
        reply_by=date(2026, 1, 31),
    )


class PlatypusLetter:
    """The page as one would write it in Platypus: paragraphs and tables, with the fonts and sizes of ours."""

    def __init__(self) -> None:
        for name in PLAIN.values():
            pdfmetrics.registerFont(TTFont(name, str(fonts.FOLDER / f"{name}.ttf")))
        self.styles: dict[tuple[Style, int], ParagraphStyle] = {}

    def draw(self, letter: Letter) -> bytes:
        out = io.BytesIO()
        margins = {
            "leftMargin": LEFT - 6,
            "rightMargin": LEFT - 6,
            "topMargin": A4[1] - TOP - 6,
            "bottomMargin": BOTTOM,
        }
        document = SimpleDocTemplate(out, pagesize=A4, invariant=1, lang="tr-TR", title=letter.number, **margins)
        document.build([*self._top(letter), *self._table(letter), *self._notes(letter), self._form(letter)])
        return out.getvalue()

    def _text(self, text: str, style: Style, alignment: int = TA_LEFT) -> Paragraph:
        if (style, alignment) not in self.styles:
            options = {"fontName": PLAIN[style.face], "fontSize": style.size, "leading": style.leading}
            self.styles[style, alignment] = ParagraphStyle(
                "", **options, textColor=Color(*style.ink), alignment=alignment
            )
        return Paragraph(escape(text), self.styles[style, alignment])

    def _top(self, letter: Letter) -> list[Any]:
        s, sender, receiver = letter_styles, letter.sender, letter.receiver
        identity = " · ".join([*letter_texts.identity(receiver), f"Cari Kodu: {letter.account_code}"])
        labels = [self._text(label, s.LABEL) for label in ("No", "Tarih", "Konu")]
        values = (letter.number, format_date(letter.date), letter_texts.subject(letter))
        return [
            self._text(sender.name, s.SENDER),
            self._text(" · ".join(letter_texts.identity(sender)), s.DETAIL),
            self._text(sender.address or "", s.DETAIL),
            self._text(" · ".join(letter_texts.contacts(sender)), s.DETAIL),
            HRFlowable(width="100%", thickness=0.9, color=Color(*s.NAVY), spaceBefore=8, spaceAfter=20),
            self._text(letter_texts.TITLE, s.TITLE),
            _grid([labels, [self._text(value, s.VALUE) for value in values]], [130, 92, WIDTH - 222]),
            Spacer(0, 16),
            self._text(f"Sayın {receiver.name}", s.RECEIVER),
            self._text(identity, s.DETAIL),
            self._text(receiver.address or "", s.DETAIL),
            Spacer(0, 10),
            self._text(letter_texts.opening(letter), s.BODY),
            Spacer(0, 9),
        ]

    def _table(self, letter: Letter) -> list[Any]:
        s = letter_styles
        rows = [[self._text(label, s.LABEL) for label in ("Cari Kodu", "Para Birimi", "Borç/Alacak", "Tutar")]]
        for line in letter.lines:
            cells = (letter.account_code, letter_texts.currency_name(line.currency), letter_texts.side_name(line))
            amount = self._text(letter_texts.amount_text(line), s.AMOUNT, TA_RIGHT)
            in_words = self._text(words.in_words(line.amount, line.currency), s.IN_WORDS, TA_RIGHT)
            rows.append([*(self._text(cell, s.VALUE) for cell in cells), [amount, in_words]])
        rules = [
            ("LINEABOVE", (0, 0), (-1, 0), 0.9, _color(s.NAVY)),
            ("LINEBELOW", (0, 0), (-1, -1), 0.5, _color(s.NAVY)),
        ]
        return [_grid(rows, [110, 60, 60, WIDTH - 230], *rules), Spacer(0, 8)]

    def _notes(self, letter: Letter) -> list[Any]:
        return [self._text(f"•  {note}", letter_styles.NOTE) for note in letter_texts.notes(letter)] + [Spacer(0, 120)]

    def _form(self, letter: Letter) -> Any:
        s, black = letter_styles, _color(letter_styles.BLACK)
        pairs = [
            ("Yanıt adresi", letter_texts.reply_address(letter)),
            ("Son yanıt tarihi", format_date(letter.reply_by or letter.date)),
        ]
        reply = _grid(
            [[[self._text(label, s.LABEL), self._text(text, s.VALUE)] for label, text in pairs]], [340, WIDTH - 340]
        )
        agreed = ["", self._text("Mutabıkız", s.ANSWER), "", "", "", "", "", ""]
        not_agreed = [self._text(text, s.ANSWER) for text in ("Mutabık değiliz – bizdeki bakiye:", "", "TL")]
        sides = ["", self._text("B", s.ANSWER), "", self._text("A", s.ANSWER)]
        boxes = [("BOX", place, place, 0.7, black) for place in ((0, 0), (0, 1), (4, 1), (6, 1))]
        line = ("LINEBELOW", (2, 1), (2, 1), 0.5, black)
        choices = _grid([agreed, ["", *not_agreed, *sides]], [12, 180, 120, 40, 12, 24, 12, 24], *boxes, line)
        remark = _grid(
            [[self._text("Açıklama:", s.ANSWER), ""]], [60, WIDTH - 90], ("LINEBELOW", (1, 0), (1, 0), 0.5, black)
        )
        answer = _grid(
            [[[self._text("YANIT", s.SECTION), choices, remark]]], [WIDTH], ("BOX", (0, 0), (-1, -1), 0.6, black)
        )
        names = (letter.sender.name, letter.receiver.name)
        label = "Firma kaşe / yetkili imza"
        signatures = [[[self._text(label, s.LABEL), self._text(name, s.SIGNATORY), Spacer(0, 52)] for name in names]]
        frames = ("GRID", (0, 0), (-1, -1), 0.6, black)
        return KeepTogether([reply, answer, Spacer(0, 12), _grid(signatures, [WIDTH / 2] * 2, frames)])


def _grid(rows: list[list[Any]], widths: list[float], *rules: tuple[Any, ...]) -> Table:
    plain = [
        ("LEFTPADDING", (0, 0), (-1, -1), 2),
        ("RIGHTPADDING", (0, 0), (-1, -1), 2),
        ("VALIGN", (0, 0), (-1, -1), "TOP"),
    ]
    return Table(rows, widths, style=[*plain, *rules])


def _color(ink: Ink) -> Color:
    return Color(*ink)


def cpu_ms(draw_one: Callable[[Letter], bytes], letters: list[Letter]) -> float:
    """Milliseconds of CPU time per letter."""
    start = time.process_time()
    for letter in letters:
        draw_one(letter)
    return (time.process_time() - start) * 1000 / len(letters)


def main() -> None:
    platypus = PlatypusLetter().draw
    letters = [sample(n) for n in range(1, LETTERS + 1)]
    draw(letters[0])
    platypus(letters[0])
    rounds = [(cpu_ms(draw, letters), cpu_ms(platypus, letters)) for _ in range(ROUNDS)]
    ours, theirs = (statistics.median(times) for times in zip(*rounds, strict=True))
    book_ms = statistics.median(cpu_ms(lambda _: draw_book(letters), letters[:1]) for _ in range(3)) / LETTERS
    print(f"letter canvas ms {ours:.2f}")
    print(f"platypus ms {theirs:.2f}")
    print(f"ratio {theirs / ours:.1f}")
    print(f"book ms per letter {book_ms:.2f}")
    print(f"letter bytes {len(draw(letters[0])):,} (platypus {len(platypus(letters[0])):,})")
    print(f"book of {LETTERS} bytes {len(draw_book(letters)):,}")


if __name__ == "__main__":
    main()
