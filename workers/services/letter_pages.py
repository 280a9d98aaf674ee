"""How a mutabakat letter looks: its parts as blocks, drawn on reportlab's canvas."""

import unicodedata
from datetime import date
from typing import Any, BinaryIO

from reportlab.lib.pagesizes import A4
from reportlab.pdfgen.canvas import Canvas

from workers.services import fonts, letter_texts, words
from workers.services.flow import (
    LEFT,
    RIGHT,
    WIDTH,
    Block,
    baseline,
    beside,
    gap,
    paginate,
    rule,
    stack,
    text,
    text_right,
)
from workers.services.letter_form import blank_balance, fields, form
from workers.services.letter_styles import (
    AMOUNT,
    BODY,
    COLUMNS,
    DETAIL,
    IN_WORDS,
    LABEL,
    NAVY,
    NOTE,
    PALE,
    RECEIVER,
    SENDER,
    TITLE,
    VALUE,
)
from workers.services.letters import Letter, Line, Party
from workers.services.turkish import format_date
from workers.services.typesetting import Pen


def new_canvas(out: BinaryIO, *, title: str, author: str, day: date) -> Any:
    """A document that lists no font it doesn't embed and whose bytes depend on nothing but what is drawn."""
    fonts.register()
    canvas = Canvas(
        out, A4, pageCompression=1, invariant=1, pdfVersion=(1, 4), initialFontName=fonts.REGULAR, lang="tr-TR"
    )
    canvas.setTitle(_property(title))
    canvas.setAuthor(_property(author))
    canvas.setSubject("Cari hesap mutabakatı")
    canvas.setCreator("Sıra")
    canvas.setDateFormatter(lambda *now: f"D:{day.isoformat().replace('-', '')}000000+03'00'")
    canvas.setViewerPreference("DisplayDocTitle", "true")
    return canvas


def _property(text: str) -> str:
    """What a viewer shows in a face of its own, so that nothing of it need be replaced or put in order for ours."""
    return "".join(filter(str.isprintable, unicodedata.normalize("NFC", " ".join(text.split()))))


def draw_letter(canvas: Any, letter: Letter) -> None:
    """Add the pages of a letter to the canvas."""
    top = [*_sender(letter.sender), *_heading(letter), *_receiver(letter)]
    body = [*text(letter_texts.opening(letter), BODY), gap(11), *_table(letter), *_notes(letter)]
    pages = paginate([*top, *body], form(letter))
    for number, page in enumerate(pages, start=1):
        pen = Pen(canvas)
        for block, edge in page:
            block.paint(pen, edge)
        if len(pages) > 1:
            _footer(letter.number, f"Sayfa {number} / {len(pages)}").paint(pen, 34)
        pen.finish()


def _sender(sender: Party) -> list[Block]:
    details = [" · ".join(letter_texts.identity(sender)), sender.address, " · ".join(letter_texts.contacts(sender))]
    lines = [line for detail in details if detail for line in text(detail, DETAIL)]
    return [*text(sender.name, SENDER), gap(1), *lines, gap(8), rule(0.9, NAVY), gap(23)]


def _heading(letter: Letter) -> list[Block]:
    pairs = [
        ("No", letter.number),
        ("Tarih", format_date(letter.date)),
        ("Konu", letter_texts.subject(letter)),
    ]
    return [*text(letter_texts.TITLE, TITLE), gap(8), fields(pairs, (LEFT, LEFT + 130, LEFT + 222)), gap(20)]


def _receiver(letter: Letter) -> list[Block]:
    receiver = letter.receiver
    details = [*letter_texts.identity(receiver), f"Cari Kodu: {letter.account_code}"]
    lines = [line for detail in (" · ".join(details), receiver.address) if detail for line in text(detail, DETAIL)]
    return [*text(f"Sayın {receiver.name}", RECEIVER), *lines, gap(13)]


def _table(letter: Letter) -> list[Block]:
    header = stack([rule(0.9, NAVY), Block(20, _table_header), rule(0.5, NAVY)])
    first, *others = [_row(letter, line) for line in letter.lines]
    return [stack([header, first]), *(row._replace(header=header) for row in others), gap(10)]


def _table_header(pen: Pen, top: float) -> None:
    y = baseline(top, 20, LABEL)
    for x, label in zip(COLUMNS, ("Cari Kodu", "Para Birimi", "Borç/Alacak"), strict=True):
        pen.write(x, y, label, LABEL)
    pen.write_right(RIGHT, y, "Tutar", LABEL)


def _row(letter: Letter, line: Line) -> Block:
    code = text(letter.account_code, VALUE, COLUMNS[0], COLUMNS[1] - COLUMNS[0] - 12, most=4)
    currency = text(letter_texts.currency_name(line.currency), VALUE, COLUMNS[1])
    if letter.variant == "bakiyesiz":
        return stack([gap(7), beside([code, currency, [blank_balance()]]), gap(7), rule(0.4, PALE)])
    side = text(letter_texts.side_name(line), VALUE, COLUMNS[2])
    cells = beside([code, currency, side, text_right(letter_texts.amount_text(line), AMOUNT)])
    in_words = text_right(words.in_words(line.amount, line.currency), IN_WORDS)
    return stack([gap(4), cells, *in_words, gap(4), rule(0.4, PALE)])


def _notes(letter: Letter) -> list[Block]:
    notes = [text(note, NOTE, LEFT + 10, WIDTH - 10) for note in letter_texts.notes(letter)]
    bullet = text("•", NOTE)
    return [block for note in notes if note for block in (beside([bullet, note[:1]]), *note[1:], gap(1))] + [gap(10)]


def _footer(number: str, page: str) -> Block:
    return beside([text(number, LABEL, LEFT, WIDTH / 2, most=1), text_right(page, LABEL)])
