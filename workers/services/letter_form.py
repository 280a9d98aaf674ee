"""The part of a mutabakat letter that the receiver fills in, signs and sends back."""

from collections.abc import Sequence

from workers.services import letter_texts
from workers.services.flow import LEFT, RIGHT, WIDTH, Block, baseline, beside, gap, stack, text
from workers.services.letter_styles import ANSWER, BLACK, COLUMNS, GREY, LABEL, SECTION, SIGNATORY, VALUE
from workers.services.letters import Letter, Party
from workers.services.turkish import format_date
from workers.services.typesetting import Pen

INDENT = LEFT + 12
CHOICE = INDENT + 15


def form(letter: Letter) -> Block:
    """Where and until when to answer, the answer and the two signatures: never cut in half."""
    return stack([*_reply(letter), _answer(letter), gap(12), _signatures(letter)])


def fields(pairs: Sequence[tuple[str, str]], places: Sequence[float]) -> Block:
    """Small labels with their values below, in columns that begin at `places`."""
    ends = [*(place - 12 for place in places[1:]), RIGHT]
    columns = zip(pairs, places, ends, strict=True)
    return beside(
        [text(label, LABEL, x) + text(value, VALUE, x, end - x, most=4) for (label, value), x, end in columns]
    )


def blank_balance() -> Block:
    """The side and the amount of a table row, to be filled in."""

    def paint(pen: Pen, top: float) -> None:
        y = baseline(top, VALUE.leading, ANSWER)
        _sides(pen, COLUMNS[2], y)
        pen.rule(RIGHT - 130, y - 2, 130, 0.5, GREY)

    return Block(VALUE.leading, paint)


def _reply(letter: Letter) -> list[Block]:
    pairs = [
        ("Yanıt adresi", letter_texts.reply_address(letter)),
        ("Son yanıt tarihi", format_date(letter.reply_by) if letter.reply_by else ""),
    ]
    known = [pair for pair in pairs if pair[1]]
    return [fields(known, (LEFT, LEFT + 340)[: len(known)]), gap(8)] if known else []


def _answer(letter: Letter) -> Block:
    choices = [] if letter.variant == "bakiyesiz" else [_choice("Mutabıkız"), *_disagreement(letter)]
    content = stack([gap(7), *text("YANIT", SECTION, INDENT), gap(3), *choices, Block(22, _remark), gap(9)])
    return stack([_frame(LEFT, WIDTH, content.height), content])


def _disagreement(letter: Letter) -> list[Block]:
    """A blank for each currency: beside the words where there is one, else two in a row below them."""
    currencies = list(dict.fromkeys(letter_texts.currency_name(line.currency) for line in letter.lines))
    end = RIGHT - 18
    if len(currencies) == 1:
        return [beside([[_choice("Mutabık değiliz – bizdeki bakiye:")], [_blank(LEFT + 200, end, currencies[0])]])]
    places = ((CHOICE, CHOICE + 204), (end - 204, end))
    rows = [zip(places, currencies[n : n + 2], strict=False) for n in range(0, len(currencies), 2)]
    blanks = [beside([[_blank(*place, currency)] for place, currency in row]) for row in rows]
    return [_choice("Mutabık değiliz – bizdeki bakiyeler:"), *blanks]


def _choice(label: str) -> Block:
    def paint(pen: Pen, top: float) -> None:
        y = baseline(top, ANSWER.leading, ANSWER)
        _tick_box(pen, INDENT, y)
        pen.write(CHOICE, y, label, ANSWER)

    return Block(ANSWER.leading, paint)


def _blank(start: float, end: float, currency: str) -> Block:
    """Room for an amount, with its currency and its side."""

    def paint(pen: Pen, top: float) -> None:
        y = baseline(top, ANSWER.leading, ANSWER)
        pen.rule(start, y - 2, end - 92 - start, 0.5, GREY)
        pen.write(end - 87, y, currency, ANSWER)
        _sides(pen, end - 54, y)

    return Block(ANSWER.leading, paint)


def _sides(pen: Pen, x: float, y: float) -> None:
    for place, side in ((x, "B"), (x + 34, "A")):
        _tick_box(pen, place, y)
        pen.write(place + 12, y, side, ANSWER)


def _tick_box(pen: Pen, x: float, y: float) -> None:
    pen.box(x, y - 0.9, (8, 8), 0.7, BLACK)


def _remark(pen: Pen, top: float) -> None:
    y = baseline(top, 22, ANSWER)
    pen.write(INDENT, y, "Açıklama:", ANSWER)
    pen.rule(LEFT + 64, y - 2, WIDTH - 82, 0.5, GREY)


def _frame(x: float, width: float, height: float) -> Block:
    """A frame around what is painted below the same edge."""
    return Block(0, lambda pen, top: pen.box(x, top - height, (width, height), 0.6, GREY))


def _signatures(letter: Letter) -> Block:
    room = (WIDTH - 14) / 2
    places = (LEFT, RIGHT - room)
    parties = zip(places, (letter.sender, letter.receiver), strict=True)
    names = beside([_signatory(party, x + 10, room - 20) for x, party in parties])
    height = max(82, names.height + 44)  # a company's stamp is about 60 by 25 mm
    frames = beside([[_frame(x, room, height)] for x in places])
    return stack([frames, names, gap(height - names.height)])


def _signatory(party: Party, x: float, room: float) -> list[Block]:
    label = text("Firma kaşe / yetkili imza", LABEL, x)
    return [gap(5), *label, *text(party.name, SIGNATORY, x, room, most=3)]
