"""What is written beside a mutabakat letter: the mail that carries it and the SMS that announces it."""

from textwrap import shorten

from workers.services.letters import Letter
from workers.services.turkish import format_date

# By the letter's variant: what the mail asks, what it says before the last day to answer, and what the SMS asks.
ASKS = {
    "pozitif": "Mutabık olup olmadığınızı bu e-postayı yanıtlayarak bildirmenizi rica ederiz.",
    "negatif": (
        "Yalnız mutabık değilseniz bu e-postayı yanıtlayarak bildirmenizi rica ederiz; mutabıksanız yanıt gerekmez."
    ),
    "bakiyesiz": "Kayıtlarınızda görünen bakiyeyi bu e-postayı yanıtlayarak bildirmenizi rica ederiz.",
}
AWAITED = {"negatif": "Mutabık değilseniz yanıtınızı"}
SHORT_ASKS = {
    "pozitif": "Yanıtınızı bekleriz.",
    "negatif": "Mutabıksanız yanıt gerekmez.",
    "bakiyesiz": "Bakiyenizi bildiriniz.",
}
NAME_AND_ASK = 80  # characters; with the words between them one segment nearly always holds them


def subject(letter: Letter) -> str:
    return f"Cari hesap mutabakat mektubu – {format_date(letter.as_of)} – {letter.sender.name}"[:300]


def body(letter: Letter) -> str:
    """The text of the mail: what is attached, what is asked for, and who asks."""
    lines = [
        f"Sayın {letter.receiver.name},",
        "",
        f"{format_date(letter.as_of)} tarihli cari hesap mutabakat mektubumuz ektedir ({letter.number}).",
        ASKS[letter.variant],
    ]
    if letter.reply_by:
        awaited = AWAITED.get(letter.variant, "Yanıtınızı")
        lines.append(f"{awaited} {format_date(letter.reply_by)} tarihine kadar bekliyoruz.")
    contacts = [text for text in (letter.sender.phone, letter.sender.email) if text]
    return "\n".join([*lines, "", "Saygılarımızla,", letter.sender.name, *contacts, ""])


def announcement(letter: Letter) -> str:
    """The SMS: short, without an amount, and nothing that advertises."""
    ask = SHORT_ASKS[letter.variant]
    room = NAME_AND_ASK - len(ask)
    name = shorten(letter.sender.name, room, placeholder="").rstrip(" ,&-–") or letter.sender.name[:room]
    return f"{name}: {format_date(letter.as_of)} tarihli mutabakat mektubunuz {letter.number} hazır. {ask}"
